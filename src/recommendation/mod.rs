//! Recommendations: which session next, what goes with it, and how good the advice is.

mod agenda;
mod ahead;
mod asked;
mod cache;
mod crowd;
mod evaluate;
mod feedback;
mod interactions;
mod person;
mod preferences;
mod reasons;
mod refresh;
mod related;
mod serve;
mod sessions;
mod similar;
mod training;
mod weights;
