//! Fits as the server stores them.

use convene_engine::sponsorship::{Fit, Part, Weights};
use pgrx::prelude::*;

use crate::packed::{Decimals, Documents, Json};
pub use crate::packed::{Ids, Longs};

/// Decimals of a part.
const DECIMALS: u32 = 12;

/// `numeric[]` of scores, in millionths.
pub type Scores = Decimals<6>;

/// `jsonb[]` of `overlap_metrics`.
#[derive(Default)]
pub struct Metrics(Documents);

impl Metrics {
    /// Adds the metrics of a fit.
    pub fn push(&mut self, fit: &Fit, weights: &Weights) {
        self.0.add(|out| {
            Json::object(out, &mut fit.outline(weights), |out, field| match field {
                Part::Number(value) => number(out, value),
                Part::Group(keys, values) => {
                    let mut fields = [("", 0.0); 5];
                    for (field, (key, value)) in fields.iter_mut().zip(keys.iter().zip(values)) {
                        *field = (key, value);
                    }
                    Json::object(out, &mut fields[..keys.len()], number)
                }
            })
        });
    }
}

impl IntoDatum for Metrics {
    fn into_datum(self) -> Option<pgrx::pg_sys::Datum> {
        self.0.into_datum()
    }

    fn type_oid() -> pgrx::pg_sys::Oid {
        Documents::type_oid()
    }
}

fn number(out: &mut Vec<u8>, value: f64) -> Json {
    Json::number(out, Part::trillionths(value).max(0) as u64, DECIMALS)
}
