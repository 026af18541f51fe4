//! Sponsorship: which sponsor fits which event, and why.

mod access;
mod fit;
pub mod inputs;
mod preview;
mod price;
mod proposal;
mod values;
