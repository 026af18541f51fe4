//! How an attendee meets a sponsor's ideal customer.

use serde_json::{Map, Value, json};

use super::score::MOST_FIT;
use super::words::{holds, level, levels, normal};

/// Criteria and what each weighs, in hundredths; what a sponsor leaves open drops out and the others share.
const WEIGHTS: [(&str, i64); 6] = [
    ("industries", 25),
    ("roles", 20),
    ("seniority", 20),
    ("company_sizes", 15),
    ("regions", 10),
    ("topics", 10),
];
/// Words that are read of one criterion.
const MOST_WORDS: usize = 200;
/// Characters of a word that are read.
const MOST_CHARS: usize = 200;

/// A word as it was written, and in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    written: String,
    normal: String,
}

/// Whom a sponsor wants to meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdealCustomer {
    criteria: [Vec<Wanted>; 6],
}

impl IdealCustomer {
    /// Reads `sponsor_profiles.ideal_customer`, and the interests of `target_audience` as topics.
    /// A word alone counts as a list of one; what is no text counts for nothing. `None` where
    /// nobody is described.
    #[must_use]
    pub fn parse(ideal_customer: &Value, target_audience: &Value) -> Option<Self> {
        let criteria = WEIGHTS.map(|(name, _)| {
            let mut words = wanted(&ideal_customer[name], name);
            if name == "topics" {
                let known: Vec<String> = words.iter().map(|word| word.normal.clone()).collect();
                words.extend(
                    wanted(&target_audience["interests"], name)
                        .into_iter()
                        .filter(|word| !known.contains(&word.normal)),
                );
            }
            words
        });
        criteria.iter().any(|words| !words.is_empty()).then_some(Self { criteria })
    }
}

fn wanted(value: &Value, criterion: &str) -> Vec<Wanted> {
    let entries = match value {
        Value::Array(entries) => entries.as_slice(),
        Value::String(_) => std::slice::from_ref(value),
        _ => &[],
    };
    let mut words: Vec<Wanted> = Vec::new();
    for text in entries.iter().filter_map(Value::as_str).take(MOST_WORDS) {
        let written: String = text.trim().chars().take(MOST_CHARS).collect();
        let normal = if criterion == "seniority" { level(&written) } else { normal(&written) };
        if !normal.is_empty() && !words.iter().any(|word| word.normal == normal) {
            words.push(Wanted { written, normal });
        }
    }
    words
}

/// What is known of an attendee, as it was written. Empty lists and texts: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The person's industry, from wherever it is known.
    pub industries: Vec<String>,
    /// Size or stage of the company.
    pub company_sizes: Vec<String>,
    /// People who work there, where that is known.
    pub employees: Option<i64>,
    /// Job title.
    pub title: String,
    /// Category of the role: founder, executive, manager and so on.
    pub role: String,
    /// Country, state and city.
    pub regions: Vec<String>,
    /// Topics and industries that the person is interested in.
    pub topics: Vec<String>,
}

/// One criterion that the sponsor described, and how it was met.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// Its name in `ideal_customer`.
    pub name: &'static str,
    /// Points it brought.
    pub points: f64,
    /// Points it could bring.
    pub of: f64,
    /// The sponsor's words that the person meets.
    pub matched: Vec<String>,
    /// Whether anything is known of the person here; what is unknown brings nothing.
    pub known: bool,
}

/// The fit of a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// 0 to 30: the points of the criteria, rounded once.
    pub score: i64,
    /// One entry per criterion that was described, in a fixed order.
    pub criteria: Vec<Criterion>,
}

impl IdealCustomer {
    /// How a person meets it.
    #[must_use]
    pub fn fit(&self, person: &Person) -> Fit {
        let total: i64 = WEIGHTS
            .iter()
            .zip(&self.criteria)
            .filter(|(_, words)| !words.is_empty())
            .map(|((_, weight), _)| weight)
            .sum();
        let facts = Facts::new(person);
        // In whole numbers over one denominator: half a point is one, whatever thirds it is added to. Only
        // the share of one criterion, that of topics, is no whole one.
        let (mut brings, mut over) = (0, 1);
        let criteria: Vec<Criterion> = WEIGHTS
            .iter()
            .zip(&self.criteria)
            .filter(|(_, words)| !words.is_empty())
            .map(|((name, weight), words)| {
                let of = (MOST_FIT * weight) as f64 / total as f64;
                let met: Vec<&Wanted> =
                    words.iter().filter(|word| facts.meets(name, &word.normal)).collect();
                let (share, whole) = facts.share(name, met.len() as i64, words.len() as i64);
                brings = brings * whole + weight * share * over;
                over *= whole;
                Criterion {
                    name,
                    points: of * share as f64 / whole as f64,
                    of,
                    matched: met.into_iter().map(|word| word.written.clone()).collect(),
                    known: facts.known(name),
                }
            })
            .collect();
        let all = (total * over).max(1);
        let score = (2 * MOST_FIT * brings + all) / (2 * all);
        Fit { score: score.clamp(0, MOST_FIT), criteria }
    }
}

/// A person in the form in which words are compared.
struct Facts {
    industries: Vec<String>,
    company_sizes: Vec<String>,
    title: String,
    role: String,
    levels: Vec<&'static str>,
    regions: Vec<String>,
    topics: Vec<String>,
}

impl Facts {
    fn new(person: &Person) -> Self {
        let list = |words: &[String]| {
            let mut list: Vec<String> = words.iter().map(|word| normal(word)).collect();
            list.retain(|word| !word.is_empty());
            list.sort_unstable();
            list.dedup();
            list
        };
        let (title, role) = (normal(&person.title), normal(&person.role));
        let mut company_sizes = list(&person.company_sizes);
        company_sizes.extend(person.employees.map(|people| normal(size_band(people))));
        Self {
            industries: list(&person.industries),
            company_sizes,
            levels: levels(&title, &role),
            title,
            role,
            regions: list(&person.regions),
            topics: list(&person.topics),
        }
    }

    fn list(&self, criterion: &str) -> &[String] {
        match criterion {
            "industries" => &self.industries,
            "company_sizes" => &self.company_sizes,
            "regions" => &self.regions,
            "topics" => &self.topics,
            _ => &[],
        }
    }

    fn meets(&self, criterion: &str, word: &str) -> bool {
        match criterion {
            "roles" => self.role == word || holds(&self.title, word),
            "seniority" => self.levels.contains(&word),
            _ => self.list(criterion).iter().any(|have| have == word),
        }
    }

    fn known(&self, criterion: &str) -> bool {
        match criterion {
            "roles" => !self.title.is_empty() || !self.role.is_empty(),
            "seniority" => !self.levels.is_empty(),
            _ => !self.list(criterion).is_empty(),
        }
    }

    /// A share as a fraction. Topics by the overlap coefficient, because many of them are many
    /// interests; everything else is met or not, because a list of industries is a list of
    /// alternatives.
    fn share(&self, criterion: &str, met: i64, wanted: i64) -> (i64, i64) {
        if met == 0 {
            return (0, 1);
        }
        if criterion == "topics" {
            let most = wanted.min(self.topics.len() as i64).max(1);
            return (met.min(most), most);
        }
        (1, 1)
    }
}

/// The band of company sizes, as sponsors name them, that a number of people falls into.
fn size_band(people: i64) -> &'static str {
    match people {
        ..=10 => "1-10",
        11..=50 => "11-50",
        51..=200 => "51-200",
        201..=1000 => "201-1000",
        _ => "1000+",
    }
}

/// The fit as it is stored: points by criterion, to four decimals.
#[must_use]
pub fn parts_of(fit: &Fit) -> Value {
    let rounded = |points: f64| (points * 1e4).round() / 1e4;
    let criteria: Map<String, Value> = fit
        .criteria
        .iter()
        .map(|criterion| {
            let mut entry =
                json!({"points": rounded(criterion.points), "of": rounded(criterion.of)});
            if !criterion.matched.is_empty() {
                entry["matched"] = json!(criterion.matched);
            } else if !criterion.known {
                entry["known"] = Value::Bool(false);
            }
            (criterion.name.to_owned(), entry)
        })
        .collect();
    json!({ "fit": criteria })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    fn director() -> Person {
        Person {
            industries: words(&["FinTech"]),
            company_sizes: vec![],
            employees: Some(120),
            title: "Director of Marketing".into(),
            role: "executive".into(),
            regions: words(&["Germany", "Berlin"]),
            topics: words(&["Databases", "AI"]),
        }
    }

    fn ideal(value: &Value) -> Option<IdealCustomer> {
        IdealCustomer::parse(value, &json!({}))
    }

    #[test]
    fn nothing_described_is_nobody() {
        for value in [
            json!({}),
            json!({"industries": []}),
            json!({"industries": [null, 7, " "]}),
            json!({"colour": ["red"]}),
            json!([1]),
            json!(null),
        ] {
            assert_eq!(ideal(&value), None, "{value}");
        }
        assert!(IdealCustomer::parse(&json!({}), &json!({"interests": ["ai"]})).is_some());
        assert!(IdealCustomer::parse(&json!({}), &json!({"age_buckets": ["25-34"]})).is_none());
    }

    #[test]
    fn meeting_everything_is_thirty_and_nothing_zero() {
        let everything = json!({"industries": ["fintech", "health"], "company_sizes": ["51-200"],
            "roles": ["marketing"], "seniority": ["Director"], "regions": ["germany"], "topics": ["ai"]});
        let wanted = ideal(&everything).unwrap();
        assert_eq!(wanted.fit(&director()).score, 30);
        let nobody = wanted.fit(&Person::default());
        assert_eq!(nobody.score, 0);
        assert!(nobody.criteria.iter().all(|criterion| !criterion.known));
        let other = Person { industries: words(&["retail"]), ..Person::default() };
        assert_eq!(wanted.fit(&other).score, 0);
    }

    #[test]
    fn described_criteria_share_the_points() {
        // .25 and .20 of .45: 16.67 and 13.33 points.
        let wanted = ideal(&json!({"industries": "fintech", "roles": ["sales"]})).unwrap();
        let fit = wanted.fit(&director());
        assert_eq!(fit.score, 17);
        assert!((fit.criteria[0].points - 30.0 * 0.25 / 0.45).abs() < 1e-9);
        assert_eq!(fit.criteria[0].matched, ["fintech"]);
        assert_eq!((fit.criteria[1].points, fit.criteria[1].known), (0.0, true));
    }

    #[test]
    fn topics_count_by_their_overlap() {
        // One of two: both sides have at least two.
        let wanted = ideal(&json!({"topics": ["ai", "music", "energy"]})).unwrap();
        assert_eq!(wanted.fit(&director()).score, 15);
    }

    #[test]
    fn half_a_point_is_rounded_up_whatever_it_is_the_sum_of() {
        // Roles and topics share 30 points as 2 to 1; a quarter of 10 is 2.5. In binary fractions it is less.
        let topics = ["ai", "music", "energy", "law"];
        let wanted = ideal(&json!({"roles": ["sales"], "topics": topics})).unwrap();
        let person = Person { topics: words(&["AI", "x", "y", "z"]), ..Person::default() };
        assert_eq!(wanted.fit(&person).score, 3);
        // And 20.5, of a role that is met and a twentieth of the topics.
        let many: Vec<String> = (0..20).map(|n| format!("topic {n}")).collect();
        let mine: Vec<String> = (0..19).map(|n| format!("mine {n}")).collect();
        let wanted = ideal(&json!({"roles": ["sales"], "topics": many.clone()})).unwrap();
        let topics = [vec![many[0].clone()], mine].concat();
        let person = Person { topics, title: "Head of Sales".into(), ..Person::default() };
        assert_eq!(wanted.fit(&person).score, 21);
    }

    #[test]
    fn parts_say_what_was_met() {
        let wanted = ideal(
            &json!({"industries": ["fintech"], "regions": ["France"], "company_sizes": ["1-10"]}),
        )
        .unwrap();
        let person = Person { employees: None, ..director() };
        let parts = parts_of(&wanted.fit(&person));
        assert_eq!(
            parts,
            json!({"fit": {
            "industries": {"points": 15.0, "of": 15.0, "matched": ["fintech"]},
            "company_sizes": {"points": 0.0, "of": 9.0, "known": false},
            "regions": {"points": 0.0, "of": 6.0}}})
        );
    }

    proptest! {
        #[test]
        fn a_fit_is_the_rounded_sum_of_its_criteria(
            industries in prop::collection::vec("[a-c]", 0..3), roles in prop::collection::vec("[a-c]", 0..3),
            topics in prop::collection::vec("[a-e]", 0..5), mine in prop::collection::vec("[a-e]", 0..4), title in "[a-c ]{0,5}",
        ) {
            let described = json!({"industries": industries, "roles": roles, "topics": topics});
            let person = Person { industries: mine.clone(), topics: mine, title, ..Person::default() };
            if let Some(wanted) = ideal(&described) {
                let fit = wanted.fit(&person);
                prop_assert!((0..=30).contains(&fit.score));
                let sum: f64 = fit.criteria.iter().map(|c| c.points).sum();
                prop_assert!((fit.score as f64 - sum).abs() <= 0.5 + 1e-9);
                let of: f64 = fit.criteria.iter().map(|c| c.of).sum();
                prop_assert!((of - 30.0).abs() < 1e-9);
                prop_assert!(fit.criteria.iter().all(|c| (c.points > 0.0) != c.matched.is_empty()));
            } else {
                prop_assert!(industries.is_empty() && roles.is_empty() && topics.is_empty());
            }
        }
    }
}
