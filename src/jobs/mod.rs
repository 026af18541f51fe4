//! Periodic work: run here and now, or by `pg_cron`, with every run on record.

mod cron;
mod runs;
mod status;
