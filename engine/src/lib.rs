//! Every algorithm of convene: no server, no I/O, no clock. Slices and structs in, structs out.

pub mod agenda;
pub mod collaborative;
pub mod conversation;
pub mod error;
pub mod evaluation;
pub mod insights;
pub mod jobs;
pub mod leads;
pub mod learning;
pub mod marketplace;
pub mod networking;
pub mod pairs;
pub mod peers;
pub mod programme;
pub mod queue;
pub mod recommendation;
pub mod related;
pub mod scheduling;
pub mod similarity;
pub mod sponsorship;
pub mod stop;
pub mod text;
mod threads;

pub use error::{Error, Result};
pub use stop::Stop;
