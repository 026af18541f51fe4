//! Who must not be brought together: because one has blocked the other, because one said no, because
//! they know each other already.

use super::crowd::People;
use crate::db;
use crate::error::Outcome;

/// What else keeps two apart, beside a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// A match at this event.
    pub matched: bool,
    /// A no to an introduction, at any event.
    pub declined: bool,
    /// A meeting at another event.
    pub met: bool,
}

/// The people whom one contractor must not be brought together with.
const OF_ONE: &str = "
    SELECT CASE m.contractor1_id WHEN $2 THEN m.contractor2_id ELSE m.contractor1_id END
      FROM convene.event_peer_matches m
     WHERE (m.contractor1_id = $2 OR m.contractor2_id = $2)
       AND (($3 AND m.event_id = $1)
            OR ($4 AND (m.contractor1_response IS FALSE OR m.contractor2_response IS FALSE))
            OR ($5 AND m.event_id IS DISTINCT FROM $1
                AND (m.connection_made OR m.contacts_exchanged_at IS NOT NULL)))
    UNION
    SELECT o.id FROM convene.contractors c
      JOIN convene.person_blocks b ON b.blocker_profile = c.profile_id
      JOIN convene.contractors o ON o.profile_id = b.blocked_profile
     WHERE c.id = $2
    UNION
    SELECT o.id FROM convene.contractors c
      JOIN convene.person_blocks b ON b.blocked_profile = c.profile_id
      JOIN convene.contractors o ON o.profile_id = b.blocker_profile
     WHERE c.id = $2";

/// Whom `contractor` must not be brought together with; without an event, at none.
pub fn from_one(
    event_id: Option<pgrx::Uuid>,
    contractor: pgrx::Uuid,
    rules: Rules,
) -> Outcome<Vec<pgrx::Uuid>> {
    db::read(
        OF_ONE,
        &[
            event_id.into(),
            contractor.into(),
            rules.matched.into(),
            rules.declined.into(),
            rules.met.into(),
        ],
        |row| row.want(1),
    )
}

const OF_ALL: &str = "
    SELECT m.contractor1_id, m.contractor2_id
      FROM convene.event_peer_matches m
      JOIN convene.event_attendees a ON a.event_id = $1 AND a.contractor_id = m.contractor1_id
      JOIN convene.event_attendees b ON b.event_id = $1 AND b.contractor_id = m.contractor2_id
     WHERE ($2 AND m.event_id = $1)
        OR ($3 AND (m.contractor1_response IS FALSE OR m.contractor2_response IS FALSE))
        OR ($4 AND m.event_id <> $1 AND (m.connection_made OR m.contacts_exchanged_at IS NOT NULL))
    UNION
    SELECT x.id, y.id
      FROM convene.person_blocks p
      JOIN convene.contractors x ON x.profile_id = p.blocker_profile
      JOIN convene.contractors y ON y.profile_id = p.blocked_profile
      JOIN convene.event_attendees a ON a.event_id = $1 AND a.contractor_id = x.id
      JOIN convene.event_attendees b ON b.event_id = $1 AND b.contractor_id = y.id";

/// The pairs at an event who must not be brought together.
pub fn of_all(people: &People, rules: Rules) -> Outcome<convene_engine::pairs::Excluded> {
    let pairs = db::read(
        OF_ALL,
        &[people.event_id.into(), rules.matched.into(), rules.declined.into(), rules.met.into()],
        |row| Ok((row.want(1)?, row.want(2)?)),
    )?;
    Ok(people.excluded(&pairs))
}
