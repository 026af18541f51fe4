//! A lead's score for people to read: its parts, and why it is what it is.

use serde_json::{Value, json};

use super::score::{Counters, MOST_ENGAGEMENT, MOST_FIT, MOST_INTENT, Scores};

/// The parts of a score, which add up to it. `stored` is what [`super::parts_of`] made of the fit.
#[must_use]
pub fn parts_json(counters: &Counters, scores: &Scores, assumed: bool, stored: &Value) -> Value {
    let points = counters.points();
    let sum = points.iter().fold(0i64, |sum, (_, points)| sum.saturating_add(*points));
    let by_counter: serde_json::Map<String, Value> = points
        .iter()
        .filter(|(_, points)| *points > 0)
        .map(|(name, points)| ((*name).to_owned(), json!(points)))
        .collect();
    let mut fit = json!({"score": scores.fit, "of": MOST_FIT, "assumed": assumed});
    if !assumed && let Some(criteria) = stored.get("fit") {
        fit["criteria"] = criteria.clone();
    }
    json!({
        "engagement": {"score": scores.engagement, "of": MOST_ENGAGEMENT, "points": by_counter,
                       "over_the_cap": (sum - scores.engagement).max(0)},
        "fit": fit,
        "intent": {"score": scores.intent, "of": MOST_INTENT, "interactions": counters.interaction_count},
    })
}

fn times(count: i64, one: &str, many: &str) -> String {
    if count == 1 { one.to_owned() } else { many.replace("{}", &count.to_string()) }
}

fn of_counter(name: &str, c: &Counters) -> String {
    match name {
        "booth_visits" => {
            times(c.booth_visits, "Visited your booth once", "Visited your booth {} times")
        }
        "content_downloads" => times(c.content_downloads, "Took a document", "Took {} documents"),
        "session_attendance" => times(
            c.session_attendance,
            "Came to one of your sessions",
            "Came to {} of your sessions",
        ),
        "messages_exchanged" => {
            times(c.messages_exchanged, "Exchanged a message", "Exchanged {} messages")
        }
        _ => "Asked for a meeting".to_owned(),
    }
}

/// Why a lead scores what it does: what brought most points first, then how the person meets the
/// ideal customer.
#[must_use]
pub fn reasons(counters: &Counters, assumed: bool, stored: &Value) -> Vec<String> {
    let mut points = counters.points();
    points.sort_by_key(|(_, points)| std::cmp::Reverse(*points));
    let mut said: Vec<String> = points
        .iter()
        .filter(|(_, points)| *points > 0)
        .map(|(name, _)| of_counter(name, counters))
        .collect();
    if said.is_empty() && counters.interaction_count > 0 {
        said.push(times(counters.interaction_count, "Had one contact", "Had {} contacts"));
    }
    if !assumed {
        said.extend(fit_reasons(stored));
    }
    said
}

/// How a person meets the ideal customer, what weighs most first.
#[must_use]
pub fn fit_reasons(stored: &Value) -> Vec<String> {
    const SAID: [(&str, &str); 6] = [
        ("industries", "Works in"),
        ("roles", "Has a role you look for:"),
        ("seniority", "Has the seniority you look for:"),
        ("company_sizes", "Works at a company of the size you look for:"),
        ("regions", "Comes from"),
        ("topics", "Is interested in"),
    ];
    SAID.iter()
        .filter_map(|(name, words)| {
            let matched: Vec<&str> = stored["fit"][name]["matched"]
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .collect();
            (!matched.is_empty()).then(|| format!("{words} {}", matched.join(", ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::score::scores;
    use super::*;

    #[test]
    fn parts_add_up() {
        let counters = Counters {
            booth_visits: 3,
            content_downloads: 2,
            meeting_requested: true,
            interaction_count: 6,
            ..Counters::default()
        };
        let scores = scores(&counters, 30);
        let parts = parts_json(&counters, &scores, true, &json!({}));
        assert_eq!(
            parts["engagement"],
            json!({"score": 40, "of": 40, "over_the_cap": 10,
            "points": {"booth_visits": 30, "content_downloads": 10, "meeting_requested": 10}})
        );
        assert_eq!(parts["fit"], json!({"score": 30, "of": 30, "assumed": true}));
        assert_eq!(parts["intent"], json!({"score": 18, "of": 30, "interactions": 6}));
        assert_eq!(
            reasons(&counters, true, &json!({})),
            ["Visited your booth 3 times", "Took 2 documents", "Asked for a meeting"]
        );
    }

    #[test]
    fn fit_speaks_only_of_what_was_met() {
        let stored = json!({"fit": {"industries": {"points": 0.0, "of": 9.0},
                                    "topics": {"points": 6.0, "of": 6.0, "matched": ["ai", "data"]}}});
        let one = Counters { interaction_count: 1, ..Counters::default() };
        assert_eq!(reasons(&one, false, &stored), ["Had one contact", "Is interested in ai, data"]);
        assert_eq!(reasons(&one, true, &stored), ["Had one contact"]);
        assert!(reasons(&Counters::default(), true, &stored).is_empty());
    }
}
