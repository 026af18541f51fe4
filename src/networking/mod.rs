//! Networking: who should meet whom, and when they do.
//!
//! An accepted match asks for a meeting through `meetings::propose(match_id, proposer, start, minutes, now)`: both sides
//! have accepted, the match is locked by the caller, and the answer is the id of the proposed meeting.

mod availability;
mod calendars;
mod feedback;
mod ics;
mod listing;
pub mod meetings;
mod moments;
mod moves;
mod party;
mod reminders;
mod slots;
