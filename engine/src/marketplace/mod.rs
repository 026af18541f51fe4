//! The marketplace: how good an event looks to a sponsor, and how near vectors are.

mod near;
mod quality;

pub use near::{Plan, plan};
pub use quality::{DESCRIBED_OF, Event, PARTS, Quality, WEIGHTS, qualities};

#[cfg(test)]
mod tests;
