//! What-if: changes to the two sides of a fit that are tried without being made.

use serde_json::{Map, Value, json};

use super::fit::{Fit, fit};
use super::metrics::part;
use super::sides::{EventSide, Insights, SponsorSide};
use super::weights::Weights;
use super::words::plain;
use crate::error::{Error, Result};
use crate::sponsorship::fold_region;

/// What may be changed.
pub const KEYS: [&str; 18] = [
    "annual_budget_cents",
    "budget_factor",
    "preferred_categories",
    "add_categories",
    "remove_categories",
    "regions",
    "add_regions",
    "remove_regions",
    "event_categories",
    "add_event_categories",
    "remove_event_categories",
    "event_regions",
    "add_event_regions",
    "remove_event_regions",
    "geo_distribution",
    "engagement_score",
    "ticket_conversion_rate",
    "weights",
];
/// Words of one list, and regions of one distribution.
const MOST_WORDS: usize = 300;
/// Bytes of one word.
const MOST_BYTES: usize = 200;
/// The largest factor of a budget.
const MOST_FACTOR: f64 = 1e6;

/// Everything a fit is computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The sponsor's side.
    pub sponsor: SponsorSide,
    /// The event's side.
    pub event: EventSide,
    /// What counts.
    pub weights: Weights,
}

impl Case {
    /// The fit of the two.
    #[must_use]
    pub fn fit(&self) -> Fit {
        fit(&self.sponsor, &self.event, &self.weights)
    }

    /// The case with the changes that a document of [`KEYS`] asks for: lists and numbers that are
    /// given replace what is there, then factors and words to add or to take away are applied.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key: unknown, or with a value that it does not take.
    pub fn with(&self, overrides: &Value) -> Result<Self> {
        let Value::Object(map) = overrides else {
            return Err(Error::invalid(
                "p_overrides is not an object",
                "",
                format!("Pass an object with any of {}.", KEYS.join(", ")),
            ));
        };
        if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Error::invalid(
                format!("p_overrides has {key:?}, which is nothing that a fit is computed from"),
                "",
                format!("Use any of {}.", KEYS.join(", ")),
            ));
        }
        let mut case = self.clone();
        // In the order of the keys: what is given stands before what is added to it.
        for key in KEYS {
            if let Some(value) = map.get(key) {
                case.change(key, value)?;
            }
        }
        Ok(case)
    }

    fn change(&mut self, key: &str, value: &Value) -> Result<()> {
        let (sponsor, event) = (&mut self.sponsor, &mut self.event);
        match key {
            "annual_budget_cents" => sponsor.annual_budget_cents = budget(value)?,
            "budget_factor" => {
                let factor = number(key, value, MOST_FACTOR)?;
                let times = |cents: i64| (cents as f64 * factor).round() as i64;
                sponsor.annual_budget_cents = sponsor.annual_budget_cents.map(times);
            }
            "weights" => self.weights = Weights::from_json(value)?,
            "geo_distribution" => {
                audience(event).geo_distribution = distribution(value)?;
            }
            "engagement_score" => audience(event).engagement_score = share(key, value)?,
            "ticket_conversion_rate" => audience(event).ticket_conversion_rate = share(key, value)?,
            _ => {
                let list = match key.trim_start_matches("add_").trim_start_matches("remove_") {
                    "preferred_categories" | "categories" => &mut sponsor.preferred_categories,
                    "regions" => &mut sponsor.regions,
                    "event_categories" => &mut event.categories,
                    _ => &mut event.regions,
                };
                let words = words(key, value)?;
                if key.starts_with("add_") {
                    list.extend(words);
                } else if key.starts_with("remove_") {
                    let same: fn(&str) -> String =
                        if key.ends_with("regions") { fold_region } else { plain };
                    let gone: Vec<String> = words.iter().map(|word| same(word)).collect();
                    list.retain(|word| !gone.contains(&same(word)));
                } else {
                    *list = words;
                }
            }
        }
        Ok(())
    }
}

/// What is known of the audience, from nothing where nothing was known.
fn audience(event: &mut EventSide) -> &mut Insights {
    event.insights.get_or_insert_with(Insights::default)
}

fn refused(key: &str, wants: &str) -> Error {
    Error::invalid(
        format!("p_overrides has a value for {key:?} that cannot be used"),
        "",
        format!("Pass {wants}."),
    )
}

fn budget(value: &Value) -> Result<Option<i64>> {
    match value {
        Value::Null => Ok(None),
        _ => value.as_i64().filter(|cents| *cents >= 0).map(Some).ok_or_else(|| {
            refused("annual_budget_cents", "a whole number of minor units from zero up, or null")
        }),
    }
}

fn number(key: &str, value: &Value, most: f64) -> Result<f64> {
    let number = value.as_f64().filter(|number| (0.0..=most).contains(number));
    number.ok_or_else(|| refused(key, &format!("a number from 0 to {most}")))
}

fn share(key: &str, value: &Value) -> Result<Option<f64>> {
    if value.is_null() { Ok(None) } else { number(key, value, 1.0).map(Some) }
}

fn words(key: &str, value: &Value) -> Result<Vec<String>> {
    let list = value.as_array().filter(|list| list.len() <= MOST_WORDS);
    let word =
        |word: &Value| word.as_str().filter(|word| word.len() <= MOST_BYTES).map(ToOwned::to_owned);
    list.and_then(|list| list.iter().map(word).collect()).ok_or_else(|| {
        refused(
            key,
            &format!("an array of at most {MOST_WORDS} texts of at most {MOST_BYTES} bytes"),
        )
    })
}

fn distribution(value: &Value) -> Result<Vec<(String, f64)>> {
    let map = value.as_object().filter(|map| map.len() <= MOST_WORDS);
    let entry = |(region, count): (&String, &Value)| {
        count.as_f64().filter(|count| *count >= 0.0).map(|count| (region.clone(), count))
    };
    map.and_then(|map| map.iter().map(entry).collect()).ok_or_else(|| {
        refused(
            "geo_distribution",
            &format!("an object of at most {MOST_WORDS} counts from zero up by region"),
        )
    })
}

/// What a what-if found: both scores, both sets of metrics, and each part that is another one.
#[must_use]
pub fn difference(before: &Case, after: &Case) -> Value {
    let (old, new) = (before.fit(), after.fit());
    let metrics = |fit: &Fit, case: &Case| -> Value {
        serde_json::from_str(&fit.metrics(&case.weights)).unwrap_or_default()
    };
    let mut changed = Map::new();
    let mut compare = |name: &str, was: f64, is: f64| {
        let (was, is) = (part(was), part(is));
        if was.to_bits() != is.to_bits() {
            changed.insert(name.to_owned(), json!({"before": was, "after": is}));
        }
    };
    for (key, (was, is)) in Weights::KEYS.iter().zip(old.parts().into_iter().zip(new.parts())) {
        compare(key, was, is);
    }
    compare("category_overlap", old.category_overlap, new.category_overlap);
    compare("geo_overlap", old.geo_overlap, new.geo_overlap);
    compare("coverage", old.coverage, new.coverage);
    let weights = before.weights.to_array().into_iter().zip(after.weights.to_array());
    for (key, (was, is)) in Weights::KEYS.iter().zip(weights) {
        compare(&format!("weights.{key}"), was, is);
    }
    let (was, is) = (old.stored_score(), new.stored_score());
    json!({
        "score": is,
        "previous_score": was,
        "difference": ((is - was) * 1e6).round() / 1e6,
        "changed": changed,
        "overlap_metrics": metrics(&new, after),
        "previous_overlap_metrics": metrics(&old, before),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    fn case() -> Case {
        Case {
            sponsor: SponsorSide {
                annual_budget_cents: Some(100_000),
                preferred_categories: list(&["Music", "food"]),
                regions: list(&["United States"]),
                objectives: None,
            },
            event: EventSide {
                categories: list(&["music"]),
                regions: list(&["us"]),
                insights: None,
                embedding: None,
            },
            weights: Weights::default(),
        }
    }

    #[test]
    fn each_key_changes_what_it_names_and_nothing_else() {
        let base = case();
        let check = |overrides: Value, change: &dyn Fn(&mut Case)| {
            let mut expected = base.clone();
            change(&mut expected);
            assert_eq!(base.with(&overrides).unwrap(), expected, "{overrides}");
        };
        check(json!({}), &|_| ());
        check(json!({"annual_budget_cents": 5}), &|c| c.sponsor.annual_budget_cents = Some(5));
        check(json!({"annual_budget_cents": null, "budget_factor": 2}), &|c| {
            c.sponsor.annual_budget_cents = None;
        });
        check(json!({"budget_factor": 2.5}), &|c| c.sponsor.annual_budget_cents = Some(250_000));
        check(json!({"preferred_categories": ["a"]}), &|c| {
            c.sponsor.preferred_categories = list(&["a"]);
        });
        check(json!({"add_categories": ["a"], "remove_categories": ["MUSIC "]}), &|c| {
            c.sponsor.preferred_categories = list(&["food", "a"]);
        });
        check(json!({"regions": []}), &|c| c.sponsor.regions.clear());
        check(json!({"remove_regions": ["USA"], "add_regions": ["UK"]}), &|c| {
            c.sponsor.regions = list(&["UK"]);
        });
        check(json!({"event_categories": ["a"], "add_event_categories": ["b"]}), &|c| {
            c.event.categories = list(&["a", "b"]);
        });
        check(json!({"remove_event_categories": ["music"]}), &|c| c.event.categories.clear());
        check(json!({"event_regions": ["a"]}), &|c| c.event.regions = list(&["a"]));
        check(json!({"add_event_regions": ["b"], "remove_event_regions": ["usa"]}), &|c| {
            c.event.regions = list(&["b"]);
        });
        check(json!({"geo_distribution": {"US": 4}}), &|c| {
            c.event.insights = Some(Insights {
                geo_distribution: vec![("US".into(), 4.0)],
                ..Insights::default()
            });
        });
        check(json!({"engagement_score": 0.5, "ticket_conversion_rate": null}), &|c| {
            c.event.insights =
                Some(Insights { engagement_score: Some(0.5), ..Insights::default() });
        });
        check(json!({"weights": {"geo_fit": 1}}), &|c| {
            c.weights = Weights::from_json(&json!({"geo_fit": 1})).unwrap();
        });
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (overrides, says) in [
            (json!([]), "object"),
            (json!(null), "object"),
            (json!({"budget": 1}), "budget"),
            (json!({"annual_budget_cents": -1}), "annual_budget_cents"),
            (json!({"annual_budget_cents": 1.5}), "annual_budget_cents"),
            (json!({"annual_budget_cents": "1"}), "annual_budget_cents"),
            (json!({"budget_factor": -1}), "budget_factor"),
            (json!({"budget_factor": null}), "budget_factor"),
            (json!({"regions": "US"}), "regions"),
            (json!({"add_regions": [1]}), "add_regions"),
            (json!({"remove_categories": null}), "remove_categories"),
            (json!({"event_categories": ["x".repeat(201)]}), "event_categories"),
            (json!({"geo_distribution": {"US": -1}}), "geo_distribution"),
            (json!({"geo_distribution": ["US"]}), "geo_distribution"),
            (json!({"engagement_score": 1.01}), "engagement_score"),
            (json!({"ticket_conversion_rate": "high"}), "ticket_conversion_rate"),
            (json!({"weights": {"geo_fit": 0.5}}), "0.5"),
        ] {
            let error = case().with(&overrides).unwrap_err();
            assert_eq!(error.sqlstate(), "22023", "{overrides}");
            assert!(error.to_string().contains(says) && error.hint().is_some(), "{error}");
        }
        let unknown = case().with(&json!({"budget": 1})).unwrap_err();
        assert!(KEYS.iter().all(|key| unknown.hint().unwrap().contains(key)));
    }

    #[test]
    fn a_difference_says_what_changed() {
        let before = case();
        let after = before.with(&json!({"budget_factor": 3})).unwrap();
        let found = difference(&before, &after);
        // .25 of .5 and of .75; .35 * (.3 + .4) + .15 + 0 + .05 beside it.
        assert_eq!(found["previous_score"], json!(0.57));
        assert_eq!(found["score"], json!(0.6325));
        assert_eq!(found["difference"], json!(0.0625));
        assert_eq!(found["changed"], json!({"budget_fit": {"before": 0.5, "after": 0.75}}));
        assert_eq!(found["overlap_metrics"]["budget_fit"], json!(0.75));
        assert_eq!(difference(&before, &before)["changed"], json!({}));
        let other = before.with(&json!({"weights": {"geo_fit": 1}})).unwrap();
        let weights = &difference(&before, &other)["changed"];
        assert_eq!(weights["weights.geo_fit"], json!({"before": 0.15, "after": 1.0}));
        assert!(weights.get("geo_fit").is_none());
    }
}
