//! Networking: who should meet whom, and when they do.

mod arranged;
mod availability;
mod blocks;
mod calendars;
mod circle;
mod context;
mod event_matches;
mod feedback;
mod ics;
mod listing;
mod matches;
pub mod meetings;
mod moves;
mod party;
mod people;
mod plan;
mod publish;
mod quality;
mod realtime;
mod reminders;
mod retry;
mod schedule;
mod slots;
mod state;
mod store;
