//! Leads: who to call first and why, what to do next, and which sponsors will stay.

mod action;
pub mod crm;
mod figures;
mod fit;
mod reasons;
mod renewal;
mod score;
mod words;

pub use action::{Action, Situation, Urgency, next_action};
pub use figures::{NpsGroup, conversion, cost_per_lead, net_promoter_score, return_on_investment};
pub use fit::{Criterion, Fit, IdealCustomer, Person, parts_of};
pub use reasons::{fit_reasons, parts_json, reasons};
pub use renewal::{Factor, Forecast, Step, forecast, sequence};
pub use score::{Counters, Grade, Kind, MOST_FIT, Scores, engagement, intent, scores};
