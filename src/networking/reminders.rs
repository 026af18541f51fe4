//! Two reminders of a meeting, each once, handed to whoever sends messages.

use pgrx::prelude::*;

use super::retry::retryable;
use crate::db;
use crate::error::{OrRaise, Outcome};
use crate::moments::finite;
use crate::owner::{require_service, with_owner};

/// Minutes before a meeting at which the reminders are due, where the settings say nothing.
const FIRST_MINUTES: f64 = 1440.0;
const SECOND_MINUTES: f64 = 15.0;
/// The longest time ahead that a setting can ask for, in minutes.
const MOST_MINUTES: f64 = 43_200.0;

/// Reminds the people of meetings that are near.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn send_meeting_reminders(p_now: default!(Option<TimestampWithTimeZone>, "now()")) -> i64 {
    send(p_now).or_raise()
}

/// A meeting that somebody else is working on is left for the next call. From the second reminder's time on the first
/// one is too late. One that was taken back, because the meeting moved, is due again when the meeting has moved back.
const SEND: &str = "
    WITH due AS MATERIALIZED (
      SELECT g.id, g.event_id, g.attendee_1_id, g.attendee_2_id, g.scheduled_start,
             CASE WHEN g.scheduled_start - $1 <= pg_catalog.make_interval(secs => $3) THEN 2 ELSE 1 END AS number
        FROM convene.meetings g
       WHERE g.status IN ('scheduled', 'confirmed') AND g.scheduled_start > $1
         AND g.scheduled_start - $1 <= pg_catalog.make_interval(secs => $2)
         AND NOT CASE WHEN g.scheduled_start - $1 <= pg_catalog.make_interval(secs => $3)
                      THEN g.reminder_sent_2 ELSE g.reminder_sent_1 END
       ORDER BY g.id FOR NO KEY UPDATE SKIP LOCKED),
    noted AS (
      UPDATE convene.meetings g
         SET reminder_sent_1 = g.reminder_sent_1 OR d.number = 1, reminder_sent_2 = g.reminder_sent_2 OR d.number = 2
        FROM due d WHERE g.id = d.id)
    INSERT INTO convene.outbox AS o (topic, target_kind, target_id, event_id, profile_id, idempotency_key, payload)
    SELECT 'notification', 'meeting', d.id, d.event_id, a.profile_id,
           pg_catalog.concat_ws(':', 'meeting-reminder', d.number, d.id, a.id, extract(epoch FROM d.scheduled_start)::int8),
           pg_catalog.jsonb_build_object('kind', 'meeting_reminder', 'reminder', d.number, 'meeting_id', d.id,
                                         'attendee_id', a.id)
      FROM due d JOIN convene.attendees a ON a.id IN (d.attendee_1_id, d.attendee_2_id)
     WHERE a.status <> 'cancelled'
     ORDER BY d.id, a.id
    ON CONFLICT (idempotency_key) DO UPDATE SET status = 'pending', processed_at = NULL WHERE o.status = 'cancelled'
    RETURNING 1";

fn send(now: Option<TimestampWithTimeZone>) -> Outcome<i64> {
    require_service("send reminders")?;
    let now = finite(now, "p_now")?;
    retryable(|| {
        with_owner(|| {
            let (first, second) = minutes()?;
            let sent = db::write(
                SEND,
                &[now.into(), (first * 60.0).into(), (second * 60.0).into()],
                |_| Ok(()),
            )?;
            Ok(sent.len() as i64)
        })
    })
}

/// When the two are due; a setting of another kind is as good as none.
fn minutes() -> Outcome<(f64, f64)> {
    const SETTINGS: &str = "
        SELECT s.key, CASE pg_catalog.jsonb_typeof(s.value) WHEN 'number'
                      THEN least(greatest(s.value::numeric, 0), 1e6)::float8 END
          FROM convene.settings s WHERE s.key IN ('networking.reminder_1_minutes', 'networking.reminder_2_minutes')";
    let found = db::read(SETTINGS, &[], |row| Ok((row.want::<String>(1)?, row.get::<f64>(2)?)))?;
    let setting = |number: char, default: f64| {
        let key = format!("networking.reminder_{number}_minutes");
        let value = found.iter().find(|(name, _)| *name == key).and_then(|(_, value)| *value);
        value.unwrap_or(default).min(MOST_MINUTES)
    };
    Ok((setting('1', FIRST_MINUTES), setting('2', SECOND_MINUTES)))
}
