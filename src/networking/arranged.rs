//! An organizer's rules against what people have arranged by themselves.

use std::collections::{HashMap, HashSet};

use convene_engine::scheduling::rules::Rules;
use pgrx::prelude::*;

use crate::db;
use crate::error::Outcome;

/// Two attendees, the lower id first.
pub type Two = (pgrx::Uuid, pgrx::Uuid);

/// The two in order.
pub fn sorted((a, b): Two) -> Two {
    (a.min(b), a.max(b))
}

/// Which of these pairs have arranged a meeting or have an open proposal. Runs as the owner of the data.
fn arranged(pairs: &[Two], now: TimestampWithTimeZone) -> Outcome<HashSet<Two>> {
    const ARRANGED: &str = "
        SELECT x.one, x.two FROM unnest($1::uuid[], $2::uuid[]) x(one, two)
         WHERE EXISTS (SELECT FROM convene.meetings g
                        WHERE (g.attendee_1_id, g.attendee_2_id) IN ((x.one, x.two), (x.two, x.one))
                          AND (g.status IN ('scheduled', 'confirmed', 'in_progress', 'completed')
                               OR (g.status = 'proposed' AND g.expires_at > $3)))";
    if pairs.is_empty() {
        return Ok(HashSet::new());
    }
    let side = |of: fn(&Two) -> pgrx::Uuid| pairs.iter().map(of).collect::<Vec<_>>();
    let found =
        db::write(ARRANGED, &[side(|p| p.0).into(), side(|p| p.1).into(), now.into()], |row| {
            Ok((row.want(1)?, row.want(2)?))
        })?;
    Ok(found.into_iter().collect())
}

/// The pairs that must not meet any more since another one of an exclusive set has arranged to. Runs as the owner of the
/// data; after a lock was taken, it sees what was there when the lock came.
pub fn spent(
    rules: &Rules,
    known: impl Fn(&str) -> Option<pgrx::Uuid>,
    now: TimestampWithTimeZone,
) -> Outcome<HashSet<Two>> {
    let two = |couple: &(String, String)| known(&couple.0).zip(known(&couple.1)).map(sorted);
    let sets: Vec<Vec<Two>> =
        rules.exclusive.iter().map(|set| set.iter().filter_map(two).collect()).collect();
    let arranged = arranged(&sets.concat(), now)?;
    let over = sets.into_iter().filter(|set| set.iter().any(|pair| arranged.contains(pair)));
    Ok(over.flatten().filter(|pair| !arranged.contains(pair)).collect())
}

/// Whom else the human being who represents an attendee represents; only those who share one.
pub fn companions(
    rules: &Rules,
    known: impl Fn(&str) -> Option<pgrx::Uuid>,
) -> HashMap<pgrx::Uuid, Vec<pgrx::Uuid>> {
    let mut bodies: Vec<Vec<pgrx::Uuid>> = Vec::new();
    for set in &rules.representatives {
        let mut body: Vec<pgrx::Uuid> = set.iter().filter_map(|id| known(id)).collect();
        // Two sets with a member in common are one human being.
        bodies.retain_mut(|other| {
            let apart = !other.iter().any(|id| body.contains(id));
            if !apart {
                body.append(other);
            }
            apart
        });
        body.sort_unstable();
        body.dedup();
        bodies.push(body);
    }
    let all = bodies
        .into_iter()
        .flat_map(|body| body.clone().into_iter().map(move |id| (id, body.clone())));
    all.collect()
}
