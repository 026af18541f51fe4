//! What goes with a person's taste beside sessions: material and exhibitors, which have words but
//! no embedding of the programme's model.

use serde_json::{Map, Value, json};

use crate::programme::Programme;
use crate::recommendation::{Kind, Person, taste_signals};
use crate::similarity::cosine;
use crate::text;

/// Share of each source, renormalised over those that an item has.
const TOPICS: f64 = 0.45;
const SESSION: f64 = 0.30;
const TEXT: f64 = 0.15;
const POPULARITY: f64 = 0.10;
/// Texts less alike than this share no more than chance.
const ALIKE: f64 = 0.1;

/// Something that can be recommended beside a session.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// Title, description, keywords: what is known in words.
    pub text: String,
    /// Tags, industry, category.
    pub topics: Vec<String>,
    /// The session that it belongs to.
    pub session: Option<u32>,
    /// How often it was taken; `None` where that is not counted.
    pub taken: Option<u32>,
}

/// Why an item is recommended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// It belongs to a session that the person chose.
    Chosen { session: u32, kind: Kind },
    /// It is about topics that the person stated.
    Topics { matched: Vec<String> },
    /// It belongs to a session that suits the person.
    Suited { session: u32 },
    /// Its words are close to the person's interests.
    Text,
    /// It is taken more than half of the others.
    Popular,
    /// It is there.
    Listed,
}

/// An item with its score.
#[derive(Clone, Debug)]
pub struct Related {
    /// Index of the item.
    pub item: usize,
    /// 0 to 1.
    pub score: f64,
    /// Scores and weights by source; weights times scores add up to the score.
    pub parts: Vec<(&'static str, f64, f64)>,
    /// The strongest cause.
    pub link: Link,
}

impl Related {
    /// The parts as SQL shows them.
    #[must_use]
    pub fn parts_json(&self) -> Value {
        let parts = self.parts.iter().map(|(name, score, weight)| {
            ((*name).to_owned(), json!({ "score": score, "weight": weight }))
        });
        Value::Object(parts.collect::<Map<_, _>>())
    }
}

/// What of a person matters here, computed once.
struct Interests<'a> {
    stated: Vec<String>,
    vector: Vec<f32>,
    liked: Vec<(u32, Kind)>,
    suits: &'a [f64],
}

fn folded(word: &str) -> String {
    word.trim().to_lowercase()
}

impl<'a> Interests<'a> {
    fn new(programme: &Programme, person: &Person, suits: &'a [f64]) -> Self {
        let stated: Vec<String> =
            person.topics.iter().chain(&person.industries).map(|word| folded(word)).collect();
        let taste = taste_signals(&person.signals, None, 0);
        let liked: Vec<(u32, Kind)> = taste
            .iter()
            .filter(|(session, signal)| *signal > 0.0 && (*session as usize) < programme.len())
            .filter_map(|(session, _)| {
                let mut kinds = person.signals.iter().filter(|s| s.session == *session);
                let strongest = kinds.clone().find(|s| s.kind != Kind::Browsed);
                strongest.or_else(|| kinds.next()).map(|signal| (*session, signal.kind))
            })
            .collect();
        let mut words = stated.join(". ");
        for (session, _) in &liked {
            let session = programme.session(*session);
            words.extend([". ", &session.text, " ", &session.topics.join(" ")]);
        }
        Self { stated, vector: text::embed(&words), liked, suits }
    }

    fn topics(&self, item: &Item) -> Option<(f64, Vec<String>)> {
        if self.stated.is_empty() || item.topics.is_empty() {
            return None;
        }
        let matched: Vec<String> = item
            .topics
            .iter()
            .filter(|topic| self.stated.contains(&folded(topic)))
            .cloned()
            .collect();
        let least = self.stated.len().min(item.topics.len()) as f64;
        Some(((matched.len() as f64 / least).min(1.0), matched))
    }

    fn session(&self, item: &Item) -> Option<(f64, Link)> {
        let session = item.session?;
        if let Some((session, kind)) = self.liked.iter().find(|(liked, _)| *liked == session) {
            return Some((1.0, Link::Chosen { session: *session, kind: *kind }));
        }
        let score = self.suits.get(session as usize).copied()?;
        Some((score.clamp(0.0, 1.0), Link::Suited { session }))
    }

    fn text(&self, item: &Item) -> Option<f64> {
        let likeness = cosine(&self.vector, &text::embed(&item.text))?;
        Some(if likeness < ALIKE { 0.0 } else { likeness.min(1.0) })
    }
}

/// Ranks items for a person. `suits` holds a score per session of the programme; equal scores keep
/// the order of `items`.
#[must_use]
pub fn relate(
    programme: &Programme,
    person: &Person,
    suits: &[f64],
    items: &[Item],
    limit: usize,
) -> Vec<Related> {
    let interests = Interests::new(programme, person, suits);
    let ranks = popularity(items);
    let mut related: Vec<Related> =
        items.iter().enumerate().map(|(at, item)| one(at, item, &interests, ranks[at])).collect();
    related.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.item.cmp(&b.item)));
    related.truncate(limit);
    related
}

fn one(at: usize, item: &Item, interests: &Interests<'_>, popularity: Option<f64>) -> Related {
    let topics = interests.topics(item);
    let session = interests.session(item);
    let text = interests.text(item);
    let known = [
        ("topics", TOPICS, topics.as_ref().map(|t| t.0)),
        ("session", SESSION, session.as_ref().map(|s| s.0)),
        ("text", TEXT, text),
        ("popularity", POPULARITY, popularity),
    ];
    let total: f64 = known.iter().filter(|(_, _, score)| score.is_some()).map(|k| k.1).sum();
    let parts: Vec<(&'static str, f64, f64)> = known
        .iter()
        .filter_map(|(name, weight, score)| score.map(|score| (*name, score, weight / total)))
        .collect();
    let score = parts.iter().map(|(_, score, weight)| score * weight).sum();
    let link = match (topics, session) {
        (_, Some((_, link @ Link::Chosen { .. }))) => link,
        (Some((_, matched)), _) if !matched.is_empty() => Link::Topics { matched },
        (_, Some((suits, link))) if suits >= 0.5 => link,
        _ if text.is_some_and(|likeness| likeness > 0.0) => Link::Text,
        _ if popularity.is_some_and(|rank| rank >= 0.5) => Link::Popular,
        _ => Link::Listed,
    };
    Related { item: at, score, parts, link }
}

/// Share of the counted items that are taken less, for those that are taken at all.
fn popularity(items: &[Item]) -> Vec<Option<f64>> {
    let counted: Vec<u32> = items.iter().filter_map(|item| item.taken).collect();
    let others = counted.len().saturating_sub(1).max(1) as f64;
    let less = |taken: u32| counted.iter().filter(|other| **other < taken).count() as f64;
    items.iter().map(|item| item.taken.map(|taken| less(taken) / others)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programme::Session;
    use crate::recommendation::Signal;

    fn programme() -> Programme {
        let session = |text: &str| Session { text: text.into(), end: 10, ..Session::default() };
        Programme::new(vec![session("Scaling Postgres"), session("Knitting")], vec![])
            .expect("two sessions")
    }

    fn item(text: &str, topics: &[&str], session: Option<u32>, taken: Option<u32>) -> Item {
        let topics = topics.iter().map(ToString::to_string).collect();
        Item { text: text.into(), topics, session, taken }
    }

    #[test]
    fn material_of_a_chosen_session_comes_first_and_says_so() {
        let signal = Signal { session: 0, kind: Kind::Bookmarked, value: None, at: 0 };
        let person =
            Person { topics: vec!["Databases".into()], signals: vec![signal], ..Person::default() };
        let items = [
            item("Wool", &["craft"], Some(1), None),
            item("Slides", &["databases"], Some(0), None),
            item("Indexing", &["databases", "speed"], None, None),
        ];
        let related = relate(&programme(), &person, &[0.0, 0.1], &items, 10);
        assert_eq!(related.iter().map(|r| r.item).collect::<Vec<_>>(), [1, 2, 0]);
        assert_eq!(related[0].link, Link::Chosen { session: 0, kind: Kind::Bookmarked });
        assert_eq!(related[1].link, Link::Topics { matched: vec!["databases".into()] });
    }

    #[test]
    fn parts_add_up_and_weights_to_one() {
        let person = Person { topics: vec!["databases".into()], ..Person::default() };
        let items = [
            item("databases at night", &["databases"], Some(0), Some(3)),
            item("", &[], None, None),
        ];
        for related in relate(&programme(), &person, &[0.5, 0.5], &items, 10) {
            let sum: f64 = related.parts.iter().map(|(_, score, weight)| score * weight).sum();
            assert!((sum - related.score).abs() < 1e-12);
            let weights: f64 = related.parts.iter().map(|(_, _, weight)| weight).sum();
            assert!(related.parts.is_empty() || (weights - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn nobody_known_gets_the_popular_first() {
        let items = [item("a", &[], None, Some(0)), item("b", &[], None, Some(9))];
        let related = relate(&programme(), &Person::default(), &[0.0, 0.0], &items, 10);
        assert_eq!(related[0].item, 1);
        assert_eq!(related[0].link, Link::Popular);
        assert_eq!(related[1].link, Link::Listed);
    }
}
