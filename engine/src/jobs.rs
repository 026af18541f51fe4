//! Periodic work: what runs, how often, and when it is due.

use crate::{Error, Result};

/// One kind of periodic work.
#[derive(Debug, PartialEq, Eq)]
pub struct Job {
    /// The name under which it is scheduled and its runs are recorded.
    pub name: &'static str,
    /// When it runs, in the five fields of cron.
    pub schedule: &'static str,
    /// Seconds between two runs, as the schedule has it.
    pub period: u32,
    /// A query with one row: how much was done and, where there is more to say, a note and an error.
    /// `$1` is the event, where the job goes from event to event.
    pub command: &'static str,
    /// In which portions, each a transaction of its own.
    pub portions: Portions,
}

/// What one transaction of a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Portions {
    /// All of it.
    Whole,
    /// A batch; then another one, until nothing is left.
    Batches,
    /// One event after the other, of those that ended at most so many days ago or not yet. One that
    /// fails does not keep the others waiting.
    Events { ended_days: i32 },
}

impl Job {
    /// The job of this name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where there is none, with the names of those there are.
    pub fn named(name: &str) -> Result<&'static Self> {
        JOBS.iter().find(|job| job.name == name).ok_or_else(|| {
            let names: Vec<&str> = JOBS.iter().map(|job| job.name).collect();
            Error::invalid(
                format!("there is no job {:?}", name.chars().take(80).collect::<String>()),
                "",
                format!("The jobs are: {}.", names.join(", ")),
            )
        })
    }

    /// Whether it is time for a run: never run, failed, or begun a period ago. Work that is looked for
    /// every few minutes is always due, because looking costs nothing; of a longer period a tenth may
    /// be missing, or a round that begins a second early would skip a turn.
    #[must_use]
    pub fn is_due(&self, seconds_since_start: Option<f64>, failed: bool) -> bool {
        let enough = if self.period <= ALWAYS { 0.0 } else { f64::from(self.period) * 0.9 };
        failed || seconds_since_start.is_none_or(|seconds| seconds >= enough)
    }
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;
/// Work of this period or less is looked for in every round.
const ALWAYS: u32 = 5 * MINUTE;

/// Every job, in the order of one round: what feeds others comes first.
pub const JOBS: [Job; 14] = [
    Job {
        name: "create-next-month-partitions",
        schedule: "0 0 1 * *",
        period: 28 * DAY,
        command: "SELECT pg_catalog.jsonb_array_length(convene.create_next_month_partitions() -> 'made')",
        portions: Portions::Whole,
    },
    Job {
        name: "refresh-event-insights",
        schedule: "50 * * * *",
        period: HOUR,
        command: "SELECT (convene.refresh_event_insights() ->> 'events')::bigint",
        portions: Portions::Whole,
    },
    Job {
        name: "queue-expired-events",
        schedule: "*/5 * * * *",
        period: 5 * MINUTE,
        command: "SELECT convene.queue_expired_events()",
        portions: Portions::Whole,
    },
    Job {
        name: "sponsorship-recalc",
        schedule: "*/5 * * * *",
        period: 5 * MINUTE,
        command: "SELECT convene.update_sponsorship_matches(100)",
        portions: Portions::Batches,
    },
    Job {
        name: "refresh-event-quality-scores",
        schedule: "0 3 * * *",
        period: DAY,
        command: "SELECT sum(r.rows_changed), NULL, string_agg(concat_ws(': ', r.part, r.message), '; ') FILTER (WHERE r.status = 'failed')
                  FROM convene.refresh_marketplace('event_quality_scores') r",
        portions: Portions::Whole,
    },
    Job {
        name: "refresh-package-cards",
        schedule: "*/15 * * * *",
        period: 15 * MINUTE,
        command: "SELECT sum(r.rows_changed), NULL, string_agg(concat_ws(': ', r.part, r.message), '; ') FILTER (WHERE r.status = 'failed')
                  FROM convene.refresh_marketplace('package_cards') r",
        portions: Portions::Whole,
    },
    Job {
        name: "refresh-semantic-marketplace",
        schedule: "5 * * * *",
        period: HOUR,
        command: "SELECT sum(r.rows_changed), NULL, string_agg(concat_ws(': ', r.part, r.message), '; ') FILTER (WHERE r.status = 'failed')
                  FROM convene.refresh_marketplace() r",
        portions: Portions::Whole,
    },
    Job {
        name: "expire-matches",
        schedule: "*/5 * * * *",
        period: 5 * MINUTE,
        command: "SELECT convene.expire_matches()",
        portions: Portions::Whole,
    },
    Job {
        name: "lapse-meeting-proposals",
        schedule: "*/5 * * * *",
        period: 5 * MINUTE,
        command: "SELECT convene.lapse_meeting_proposals()",
        portions: Portions::Whole,
    },
    Job {
        name: "send-meeting-reminders",
        schedule: "*/5 * * * *",
        period: 5 * MINUTE,
        command: "SELECT convene.send_meeting_reminders()",
        portions: Portions::Whole,
    },
    Job {
        name: "dispatch-due-prompts",
        schedule: "*/5 * * * *",
        period: 5 * MINUTE,
        command: "SELECT (convene.dispatch_due_prompts($1) ->> 'queued')::bigint",
        portions: Portions::Events { ended_days: 92 },
    },
    Job {
        name: "refresh-recommendations",
        schedule: "20 * * * *",
        period: HOUR,
        command: "SELECT (convene.refresh_event_recommendations($1) ->> 'kept')::bigint",
        portions: Portions::Events { ended_days: 0 },
    },
    Job {
        name: "check-recalc-queue-health",
        schedule: "*/30 * * * *",
        period: 30 * MINUTE,
        command: "SELECT h.depth, h.status, CASE WHEN h.status = 'stuck' THEN 'nobody works off fit_recalc_queue' END
                  FROM convene.check_recalc_queue_health() h",
        portions: Portions::Whole,
    },
    Job {
        name: "cleanup-recalc-queue",
        schedule: "30 3 * * *",
        period: DAY,
        command: "SELECT convene.cleanup_recalc_queue()",
        portions: Portions::Whole,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_differ() {
        for job in &JOBS {
            assert_eq!(Job::named(job.name).map(|found| found.command), Ok(job.command));
        }
        let unknown = Job::named("no such job").map_err(|error| error.sqlstate());
        assert_eq!(unknown, Err("22023"));
    }

    #[test]
    fn schedules_have_the_fields_of_cron() {
        for job in &JOBS {
            assert_eq!(job.schedule.split(' ').count(), 5, "{}", job.name);
        }
    }

    #[test]
    fn due_after_a_period_or_a_failure() {
        let hourly = Job::named("refresh-event-insights").expect("is in the list");
        assert!(hourly.is_due(None, false));
        assert!(!hourly.is_due(Some(600.0), false));
        assert!(hourly.is_due(Some(600.0), true));
        assert!(hourly.is_due(Some(3599.0), false));
        let frequent = Job::named("sponsorship-recalc").expect("is in the list");
        assert!(frequent.is_due(Some(0.0), false));
    }
}
