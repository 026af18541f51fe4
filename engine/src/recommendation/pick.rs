//! A recommended session and what its score is made of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::reasons::Cause;

/// What one source said of a session.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Its score, 0 to 1.
    pub score: f64,
    /// Its share in the whole.
    pub weight: f64,
    /// The session has nothing to score, so it got the mean of the programme.
    pub imputed: bool,
}

/// The sources that took part in a score: the weights add up to one, and the sum of weight times
/// score is the score.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, PartialEq, Default)]
pub struct Parts {
    /// Likeness to what the person liked.
    pub content: Option<Part>,
    /// Agreement with what they stated.
    pub topics: Option<Part>,
    /// What people with a similar history chose.
    pub collaborative: Option<Part>,
    /// What everybody chose.
    pub popularity: Option<Part>,
}

impl Parts {
    /// The parts that took part, by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Part)> + use<> {
        [
            ("content", self.content),
            ("topics", self.topics),
            ("collaborative", self.collaborative),
            ("popularity", self.popularity),
        ]
        .into_iter()
        .filter_map(|(name, part)| part.map(|part| (name, part)))
    }

    /// Sum of weight times score.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.named().map(|(_, part)| part.weight * part.score).sum()
    }

    /// `{"content": {"score": 0.5, "weight": 0.3}, ..}` to four decimals, with `"imputed": true`
    /// where that is so.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let object = |part: Part| {
            let mut entry = json!({"score": rounded(part.score), "weight": rounded(part.weight)});
            if part.imputed {
                entry["imputed"] = Value::Bool(true);
            }
            entry
        };
        Value::Object(
            self.named().map(|(name, part)| (name.to_owned(), object(part))).collect::<Map<_, _>>(),
        )
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

/// One recommended session.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Pick {
    /// Index of the session.
    pub session: u32,
    /// 0 to 1.
    pub score: f64,
    /// What the score is made of.
    pub parts: Parts,
    /// Every true cause, the strongest contribution first; [`Cause::Popular`] and then
    /// [`Cause::Listed`], which is always true, come last.
    pub causes: Vec<Cause>,
    /// The bookmarked session that takes place at the same time.
    pub clashes_with: Option<u32>,
    /// All places are taken.
    pub waitlist: bool,
}
