//! Sponsorship: which sponsor fits which event, and why.

mod access;
mod answer;
mod claim;
mod enqueue;
mod fit;
pub mod inputs;
mod packed;
mod preview;
mod price;
mod proposal;
mod queue_health;
mod recalc;
mod store;
mod values;
