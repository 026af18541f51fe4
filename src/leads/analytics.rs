//! What a sponsorship brought, in figures. Who did not agree to be seen is in the counts only.

use convene_engine::leads::{
    NpsGroup, conversion, cost_per_lead, net_promoter_score, return_on_investment,
};
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::access::{self, Part, Sponsor};
use super::finite;
use crate::db;
use crate::error::{OrRaise, Outcome, within};
use crate::owner::with_owner;

/// The most days of a trend.
const MOST_DAYS: i32 = 366;

/// What a sponsorship brought.
#[pg_extern(stable, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn sponsor_analytics(
    p_sponsor_id: Option<pgrx::Uuid>,
    p_days: default!(Option<i32>, "30"),
    p_now: default!(Option<TimestampWithTimeZone>, "now()"),
) -> pgrx::JsonB {
    let sponsor = access::sponsor(p_sponsor_id).or_raise();
    let days = within(p_days, 1, MOST_DAYS, "p_days").or_raise() as i32;
    let now = finite(p_now).or_raise();
    with_owner(|| figures(&sponsor, days, now)).or_raise()
}

/// What is known of the sponsor itself.
struct About {
    company: String,
    tier: Option<String>,
    paid: Option<f64>,
    currency: String,
    projected_roi: Option<f64>,
    actual_roi: Option<f64>,
    satisfaction: Option<i64>,
    contract_days: Option<f64>,
    attributed: Option<f64>,
    time_zone: String,
    event: Option<pgrx::Uuid>,
}

// A contract of its own or, for a sponsor of the market, what it signed for these events. An organizer sees the figures of
// their events only.
const ABOUT: &str = "
    SELECT s.company_name, s.sponsorship_tier,
           (CASE WHEN s.event_id IS NOT NULL THEN s.contract_value ELSE p.amount END)::double precision,
           CASE WHEN s.event_id IS NOT NULL THEN s.currency ELSE coalesce(p.currency, s.currency) END,
           CASE WHEN $3 THEN s.projected_roi::double precision END,
           CASE WHEN $3 THEN s.actual_roi::double precision ELSE p.roi END,
           CASE WHEN $3 THEN s.satisfaction_score::bigint END,
           CASE WHEN $3 AND pg_catalog.isfinite(s.contract_signed_date) AND pg_catalog.isfinite(s.created_at)
                THEN (s.contract_signed_date - (s.created_at AT TIME ZONE 'UTC')::date)::double precision END,
           p.attributed, coalesce(e.time_zone, 'UTC'), s.event_id
      FROM convene.sponsors s
      LEFT JOIN convene.events e ON e.id = s.event_id
      LEFT JOIN LATERAL (
        SELECT pg_catalog.sum(p.amount_cents)::numeric / 100 AS amount, pg_catalog.min(p.currency) AS currency,
               (pg_catalog.sum(p.attributed_value_cents) FILTER (WHERE p.measured_at IS NOT NULL
                  OR p.attributed_value_cents > 0) / 100.0)::double precision AS attributed,
               pg_catalog.avg(p.roi)::double precision AS roi
          FROM convene.event_sponsorships p
         WHERE p.sponsor_id = s.id AND p.status IN ('confirmed', 'active', 'completed')
           AND ($2::uuid[] IS NULL OR p.event_id = ANY ($2))) p ON true
     WHERE s.id = $1";

fn about(sponsor: &Sponsor) -> Outcome<About> {
    const OWN: &str = "SELECT s.event_id = ANY ($2) FROM convene.sponsors s WHERE s.id = $1";
    // Whose contract it is: the sponsor's own, or that of the event that the organizer manages.
    let whole = match &sponsor.events {
        None => true,
        Some(events) => {
            db::read_one(OWN, &[sponsor.id.into(), events.clone().into()], |row| row.get(1))?
                == Some(Some(true))
        }
    };
    db::read_one(ABOUT, &[sponsor.id.into(), sponsor.events.clone().into(), whole.into()], |row| {
        Ok(About {
            company: row.want(1)?,
            tier: row.get(2)?,
            paid: row.get(3)?,
            currency: row.want(4)?,
            projected_roi: row.get(5)?,
            actual_roi: row.get(6)?,
            satisfaction: row.get(7)?,
            contract_days: row.get(8)?,
            attributed: row.get(9)?,
            time_zone: row.want(10)?,
            event: row.get(11)?,
        })
    })?
    .ok_or_else(|| access::refuse(sponsor.part == Part::Service, "sponsor", sponsor.id))
}

/// Counts over the leads.
struct Counts {
    leads: i64,
    shown: i64,
    json: Value,
    won: i64,
    lost: i64,
    cycle: Value,
}

const COUNTS: &str = "
    SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE l.consented),
           pg_catalog.count(*) FILTER (WHERE l.status = 'closed_won'),
           pg_catalog.count(*) FILTER (WHERE l.status = 'closed_lost'),
           pg_catalog.jsonb_build_object(
             'by_grade', pg_catalog.jsonb_build_object(
               'A', pg_catalog.count(*) FILTER (WHERE l.lead_grade = 'A'), 'B', pg_catalog.count(*) FILTER (WHERE l.lead_grade = 'B'),
               'C', pg_catalog.count(*) FILTER (WHERE l.lead_grade = 'C'), 'D', pg_catalog.count(*) FILTER (WHERE l.lead_grade = 'D')),
             'by_status', pg_catalog.jsonb_build_object(
               'new', pg_catalog.count(*) FILTER (WHERE l.status = 'new'),
               'contacted', pg_catalog.count(*) FILTER (WHERE l.status = 'contacted'),
               'qualified', pg_catalog.count(*) FILTER (WHERE l.status = 'qualified'),
               'opportunity', pg_catalog.count(*) FILTER (WHERE l.status = 'opportunity'),
               'closed_won', pg_catalog.count(*) FILTER (WHERE l.status = 'closed_won'),
               'closed_lost', pg_catalog.count(*) FILTER (WHERE l.status = 'closed_lost'),
               'nurturing', pg_catalog.count(*) FILTER (WHERE l.status = 'nurturing')),
             'average_score', pg_catalog.round(pg_catalog.avg(l.lead_score), 1),
             'engagement', pg_catalog.jsonb_build_object(
               'booth_visits', coalesce(pg_catalog.sum(l.booth_visits), 0),
               'content_downloads', coalesce(pg_catalog.sum(l.content_downloads), 0),
               'session_attendance', coalesce(pg_catalog.sum(l.session_attendance), 0),
               'messages_exchanged', coalesce(pg_catalog.sum(l.messages_exchanged), 0),
               'meetings_requested', pg_catalog.count(*) FILTER (WHERE l.meeting_requested),
               'interactions', coalesce(pg_catalog.sum(l.interaction_count), 0)))::text,
           pg_catalog.jsonb_build_object(
             'won_mean', pg_catalog.round((pg_catalog.avg(c.days) FILTER (WHERE l.status = 'closed_won'))::numeric, 1),
             'won_median', pg_catalog.round((pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY c.days)
                             FILTER (WHERE l.status = 'closed_won'))::numeric, 1),
             'closed_mean', pg_catalog.round((pg_catalog.avg(c.days) FILTER (WHERE l.closed_at IS NOT NULL))::numeric, 1),
             'open_mean', pg_catalog.round((pg_catalog.avg(c.days) FILTER (WHERE l.closed_at IS NULL))::numeric, 1))::text
      FROM convene.lead_scoring l
      CROSS JOIN LATERAL (SELECT coalesce(l.first_interaction_at, l.created_at) AS began, coalesce(l.closed_at, $3) AS ended) t
      CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.isfinite(t.began) AND pg_catalog.isfinite(t.ended)
                                   THEN greatest(pg_catalog.date_part('epoch', t.ended - t.began), 0) / 86400.0 END AS days) c
     WHERE l.sponsor_id = $1 AND ($2::uuid[] IS NULL OR l.event_id = ANY ($2))";

fn counts(sponsor: &Sponsor, now: TimestampWithTimeZone) -> Outcome<Counts> {
    let found = db::read_one(
        COUNTS,
        &[sponsor.id.into(), sponsor.events.clone().into(), now.into()],
        |row| {
            Ok(Counts {
                leads: row.want(1)?,
                shown: row.want(2)?,
                won: row.want(3)?,
                lost: row.want(4)?,
                json: super::customer::document(&row.want::<String>(5)?),
                cycle: super::customer::document(&row.want::<String>(6)?),
            })
        },
    )?;
    found.ok_or_else(|| access::refuse(false, "sponsor", sponsor.id))
}

// Days of the event's clock, every one of them, up to the one of p_now.
const TREND: &str = "
    SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
             'day', d.day, 'interactions', coalesce(i.interactions, 0), 'new_leads', coalesce(n.leads, 0),
             'won', coalesce(w.leads, 0)) ORDER BY d.day), '[]')::text
      FROM (SELECT ($3 AT TIME ZONE $4)::date - g AS day FROM pg_catalog.generate_series(0, $5 - 1) g) d
      LEFT JOIN (SELECT (i.at AT TIME ZONE $4)::date AS day, pg_catalog.count(*) AS interactions
                   FROM convene.lead_interactions i
                  WHERE i.sponsor_id = $1 AND ($2::uuid[] IS NULL OR i.event_id = ANY ($2))
                    AND i.at > $3 - pg_catalog.make_interval(days => $5 + 1) AND i.at <= $3
                  GROUP BY 1) i USING (day)
      LEFT JOIN (SELECT (coalesce(l.first_interaction_at, l.created_at) AT TIME ZONE $4)::date AS day, pg_catalog.count(*) AS leads
                   FROM convene.lead_scoring l
                  WHERE l.sponsor_id = $1 AND ($2::uuid[] IS NULL OR l.event_id = ANY ($2))
                    AND coalesce(l.first_interaction_at, l.created_at) > $3 - pg_catalog.make_interval(days => $5 + 1)
                    AND coalesce(l.first_interaction_at, l.created_at) <= $3
                  GROUP BY 1) n USING (day)
      LEFT JOIN (SELECT (l.closed_at AT TIME ZONE $4)::date AS day, pg_catalog.count(*) AS leads
                   FROM convene.lead_scoring l
                  WHERE l.sponsor_id = $1 AND ($2::uuid[] IS NULL OR l.event_id = ANY ($2))
                    AND l.status = 'closed_won'
                    AND l.closed_at > $3 - pg_catalog.make_interval(days => $5 + 1) AND l.closed_at <= $3
                  GROUP BY 1) w USING (day)";

fn trend(
    sponsor: &Sponsor,
    about: &About,
    days: i32,
    now: TimestampWithTimeZone,
) -> Outcome<Value> {
    let found = db::read_one(
        TREND,
        &[
            sponsor.id.into(),
            sponsor.events.clone().into(),
            now.into(),
            about.time_zone.as_str().into(),
            days.into(),
        ],
        |row| row.want::<String>(1),
    )?;
    Ok(super::customer::document(&found.unwrap_or_default()))
}

/// How all sponsors of the event judge it: the organizer's figure, not one for a sponsor.
fn of_event(sponsor: &Sponsor, about: &About) -> Outcome<Value> {
    const RATINGS: &str = "
        SELECT s.satisfaction_score::bigint FROM convene.sponsors s
         WHERE s.event_id = $1 AND s.satisfaction_score IS NOT NULL";
    let (Some(event), false) = (about.event, sponsor.part == Part::Own) else {
        return Ok(Value::Null);
    };
    if sponsor.events.as_ref().is_some_and(|events| !events.contains(&event)) {
        return Ok(Value::Null);
    }
    let ratings: Vec<i64> = db::read(RATINGS, &[event.into()], |row| row.want(1))?;
    Ok(json!({"net_promoter_score": net_promoter_score(&ratings), "sponsors_asked": ratings.len()}))
}

fn figures(sponsor: &Sponsor, days: i32, now: TimestampWithTimeZone) -> Outcome<pgrx::JsonB> {
    let about = about(sponsor)?;
    let counts = counts(sponsor, now)?;
    let trend = trend(sponsor, &about, days, now)?;
    let mut cycle = counts.cycle;
    cycle["contract"] = json!(about.contract_days);
    let satisfaction = about.satisfaction.map(|rating| {
        json!({"score": rating, "group": NpsGroup::of(rating).name(),
               "net_promoter_score": net_promoter_score(&[rating])})
    });
    let mut answer = json!({
        "sponsor_id": sponsor.id.to_string(),
        "company_name": about.company,
        "sponsorship_tier": about.tier,
        "leads": {"total": counts.leads, "shown": counts.shown, "hidden": counts.leads - counts.shown},
        "conversion": {
            "won": counts.won, "lost": counts.lost,
            "rate": conversion(counts.won, counts.leads),
            "win_rate": conversion(counts.won, counts.won + counts.lost),
        },
        "contract_value": about.paid,
        "currency": about.currency,
        "cost_per_lead": cost_per_lead(about.paid, counts.leads),
        "cost_per_won_lead": cost_per_lead(about.paid, counts.won),
        "roi": {
            "projected": about.projected_roi, "actual": about.actual_roi, "attributed_value": about.attributed,
            "from_attributed_value": return_on_investment(about.attributed, about.paid),
        },
        "satisfaction": satisfaction,
        "event_satisfaction": of_event(sponsor, &about)?,
        "sales_cycle_days": cycle,
        "time_zone": about.time_zone,
        "trend": trend,
    });
    for key in ["by_grade", "by_status", "average_score", "engagement"] {
        answer[key] = counts.json[key].clone();
    }
    Ok(pgrx::JsonB(answer))
}
