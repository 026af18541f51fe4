//! A schedule for a whole event: a draft that the organizer can look at.

use convene_engine::scheduling::event::{NONE, Schedule, schedule};
use convene_engine::scheduling::rules::Rules;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::plan::{self, Order, Plan};
use crate::auth::{self, Caller};
use crate::db;
use crate::document::Document;
use crate::error::{OrRaise, Outcome, invalid, required, within};
use crate::moments::{finite, micros, moment};
use crate::owner::with_owner;
use crate::parallel;

/// Pairs without a meeting that a report names.
const MOST_NAMED: usize = 1000;
/// Characters of a room.
const ROOM_CHARS: usize = 200;

/// Arranges the mutual matches of an event into slots and tables, as a draft.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::too_many_arguments)] // The parameters are the signature.
fn schedule_event_meetings(
    p_event_id: Option<pgrx::Uuid>,
    p_tables: default!(Option<i32>, "NULL"),
    p_slot_minutes: default!(Option<i32>, "15"),
    p_from: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_to: default!(Option<TimestampWithTimeZone>, "NULL"),
    p_break_minutes: default!(Option<i32>, "0"),
    p_room: default!(Option<String>, "NULL"),
    p_rules: default!(Option<Document>, "'{}'"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    let minutes = (p_slot_minutes, p_break_minutes);
    draft(p_event_id, (p_tables, p_room), minutes, (p_from, p_to), p_rules, p_now).or_raise()
}

fn draft(
    event_id: Option<pgrx::Uuid>,
    (tables, room): (Option<i32>, Option<String>),
    (slot, pause): (Option<i32>, Option<i32>),
    (from, to): (Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>),
    rules: Option<Document>,
    now: Option<TimestampWithTimeZone>,
) -> Outcome<pgrx::JsonB> {
    let event_id = auth::managed_event(event_id)?;
    let caller = auth::caller()?;
    let now = finite(Some(auth::moment(now, caller == Caller::Service)?), "p_now")?;
    let rules = required(rules, "p_rules")?.parse("p_rules")?;
    let order = Order {
        event_id,
        tables: tables
            .map(|t| within(Some(t), 1, 10_000, "p_tables"))
            .transpose()?
            .map(|t| t as u32),
        room: room.map(checked_room).transpose()?,
        minutes: (
            within(slot, 1, 480, "p_slot_minutes")?,
            within(pause, 0, 480, "p_break_minutes")?,
        ),
        from: from.map(|at| finite(Some(at), "p_from")).transpose()?,
        to: to.map(|at| finite(Some(at), "p_to")).transpose()?,
        rules: Rules::parse(&rules)?,
        now,
    };
    if let (Some(from), Some(to)) = (order.from, order.to)
        && micros(from) >= micros(to)
    {
        return invalid(
            format!("p_to {} is not after p_from {}", to.to_iso_string(), from.to_iso_string()),
            "",
            "Pass the earlier moment as p_from.",
        );
    }
    with_owner(|| {
        let plan = plan::read(&order)?;
        let problem = plan.problem.clone();
        let found = parallel::run("scheduling meetings", move |stop| schedule(&problem, stop))?;
        let parameters = json!({
            "tables": order.tables, "slot_minutes": order.minutes.0, "break_minutes": order.minutes.1,
            "from": moment(plan.slots[0].0).to_iso_string(),
            "to": moment(plan.slots[plan.slots.len() - 1].1).to_iso_string(),
            "room": order.room, "rules": rules,
        });
        let meetings = meetings(&plan, &found, order.room.as_deref());
        let report = report(&plan, &found);
        store(&order, caller, [&parameters, &Value::Array(meetings), &report])
    })
}

fn checked_room(room: String) -> Outcome<String> {
    let length = room.chars().count();
    if !room.trim().is_empty() && length <= ROOM_CHARS {
        return Ok(room);
    }
    invalid(
        format!("p_room has {length} characters: {room:?}"),
        format!("A room has 1 to {ROOM_CHARS}, and not only blanks."),
        "Leave it out for tables without a room.",
    )
}

/// In the order of time; the meetings of a slot take its free tables in turn.
fn meetings(plan: &Plan, found: &Schedule, room: Option<&str>) -> Vec<Value> {
    let mut placed: Vec<(u32, usize)> = (found.slot_of.iter().enumerate())
        .filter(|(_, slot)| **slot != NONE)
        .map(|(pair, slot)| (*slot, pair))
        .collect();
    placed.sort_unstable();
    let mut seats = vec![0; plan.slots.len()];
    let fixed: Vec<u32> = plan.problem.fixed.iter().map(|f| f.0).collect();
    let of = |(slot, pair): &(u32, usize)| {
        let (slot, couple) = (*slot as usize, &plan.couples[*pair]);
        let table = plan.tables.as_ref().map(|free| free[slot][seats[slot]]);
        seats[slot] += 1;
        json!({
            "match_id": couple.match_id.map(|id| id.to_string()),
            "attendee_1": plan.ids[couple.of.0].to_string(), "attendee_2": plan.ids[couple.of.1].to_string(),
            "start": moment(plan.slots[slot].0).to_iso_string(), "end": moment(plan.slots[slot].1).to_iso_string(),
            "room": room, "table": table.map(|t| t.to_string()),
            "score": f64::from(couple.weight) / 1e4, "fixed": fixed.contains(&(*pair as u32)),
        })
    };
    placed.iter().map(of).collect()
}

fn report(plan: &Plan, found: &Schedule) -> Value {
    let met = found.slot_of.iter().filter(|slot| **slot != NONE).count();
    let left: Vec<usize> = (0..plan.couples.len()).filter(|p| found.slot_of[*p] == NONE).collect();
    let named: Vec<Value> = (left.iter().take(MOST_NAMED))
        .map(|pair| {
            let id = plan.couples[*pair].match_id.map(|id| id.to_string());
            json!({ "match_id": id, "reason": reason(plan, *pair) })
        })
        .collect();
    let score = |total: u64| total as f64 / 1e4;
    json!({
        "pairs": plan.couples.len(), "meetings": met, "slots": plan.slots.len(),
        "people": plan.ids.len(), "people_with_a_meeting": found.people, "people_bound": found.people_bound,
        "total_compatibility": score(found.total), "total_bound": score(found.total_bound),
        "gap": (found.gap() * 1e6).round() / 1e6,
        "left_out": left.len(), "left_out_pairs": named,
    })
}

fn reason(plan: &Plan, pair: usize) -> &'static str {
    let couple = &plan.couples[pair];
    let slots = 0..plan.slots.len() as u32;
    let common: Vec<u32> = slots.filter(|slot| plan.problem.allows(pair as u32, *slot)).collect();
    let has_room = |slot: &u32| {
        let day = plan.problem.slots[*slot as usize].day as usize;
        [couple.of.0, couple.of.1].iter().all(|who| plan.problem.people[*who].room[day] > 0)
    };
    if common.is_empty() {
        "they have no time in common"
    } else if !common.iter().any(has_room) {
        "their days are full"
    } else {
        "other meetings took the time, the table or the day"
    }
}

const STORE: &str = "
    INSERT INTO convene.meeting_schedule_drafts (event_id, parameters, meetings, report, created_by)
    SELECT $1, $2, $3, $4, (SELECT p.id FROM convene.profiles p WHERE p.id = $5)
    RETURNING id";

fn store(order: &Order, caller: Caller, parts: [&Value; 3]) -> Outcome<pgrx::JsonB> {
    let part = |at: usize| pgrx::JsonB(parts[at].clone());
    let made = db::write(
        STORE,
        &[
            order.event_id.into(),
            part(0).into(),
            part(1).into(),
            part(2).into(),
            caller.person().into(),
        ],
        |row| row.want::<pgrx::Uuid>(1),
    )?;
    let mut answer = json!({ "draft_id": made.first().map(ToString::to_string) });
    if let (Some(answer), Some(report)) = (answer.as_object_mut(), parts[2].as_object()) {
        let named = |key: &str| key != "left_out_pairs";
        answer.extend(report.iter().filter(|(k, _)| named(k)).map(|(k, v)| (k.clone(), v.clone())));
    }
    Ok(pgrx::JsonB(answer))
}
