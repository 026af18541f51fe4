use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::collaborative::ItemWeights;
use crate::{Error, Stop};

const SESSIONS: usize = 24;
const DIMS: usize = 6;

/// A random event: two models with gaps, people of all kinds, item weights.
#[derive(Debug)]
struct Event {
    programme: Programme,
    people: Vec<Person>,
    weights: ItemWeights,
    interest: Vec<u32>,
}

impl Event {
    fn neighbours(&self, person: &Person) -> Vec<Neighbours> {
        taste_signals(&person.signals, None, 0)
            .into_iter()
            .map(|(source, _)| {
                let (to, weight) = self.weights.rows[source as usize].iter().copied().unzip();
                Neighbours { source, to, weight }
            })
            .collect()
    }
}

fn any_session() -> impl Strategy<Value = Session> {
    let topics = || vec(0_u8..6, 0..3);
    (0_i64..8, topics(), 0_u8..4, 0_u32..30, any::<bool>()).prop_map(
        |(hour, topics, format, registrations, bounded)| Session {
            topics: topics.iter().map(|topic| format!("topic {topic}")).collect(),
            format: (format > 0).then(|| format!("format {format}")),
            registrations,
            capacity: bounded.then_some(20),
            cancelled: registrations == 29,
            ..session(hour)
        },
    )
}

fn any_embeddings(model: &'static str) -> impl Strategy<Value = Embeddings> {
    let row = (0.0_f64..1.0, vec(-1.0_f32..1.0, DIMS));
    vec(row, SESSIONS).prop_map(move |rows| {
        let kept = || rows.iter().enumerate().filter(|(_, (there, _))| *there < 0.7);
        Embeddings {
            model: model.to_owned(),
            dims: DIMS,
            sessions: kept().map(|(at, _)| at as u32).collect(),
            values: kept().flat_map(|(_, (_, values))| values.iter().copied()).collect(),
        }
    })
}

fn any_signal() -> impl Strategy<Value = Signal> {
    (0..SESSIONS as u32, 0_usize..4, 1_u8..6).prop_map(|(session, kind, stars)| Signal {
        session,
        kind: Kind::ALL[kind],
        value: Some(f32::from(stars)),
        at: 0,
    })
}

fn any_person() -> impl Strategy<Value = Person> {
    let topics = vec(0_u8..8, 0..4);
    let vector = proptest::option::weighted(0.3, vec(-1.0_f32..1.0, DIMS));
    (vec(any_signal(), 0..9), topics, vec(0..SESSIONS as u32, 0..3), vector).prop_map(
        |(signals, topics, dismissed, vector)| Person {
            topics: topics.iter().map(|topic| format!("Topic {topic}")).collect(),
            formats: words(&["format 1"]),
            signals,
            dismissed,
            topic_vectors: vector.into_iter().map(|v| ("two".to_owned(), v)).collect(),
            ..Person::default()
        },
    )
}

fn any_event() -> impl Strategy<Value = Event> {
    (
        vec(any_session(), SESSIONS),
        any_embeddings("one"),
        any_embeddings("two"),
        vec(any_person(), 10..14),
        vec(vec((0..SESSIONS as u32, -0.5_f32..1.0), 0..8), SESSIONS),
        vec(0_u32..40, SESSIONS),
    )
        .prop_map(|(sessions, one, two, people, rows, interest)| Event {
            programme: Programme::new(sessions, vec![one, two]).unwrap(),
            people,
            weights: ItemWeights { items: SESSIONS, people: Vec::new(), rows },
            interest,
        })
}

fn together(event: &Event, options: &Options) -> Vec<Vec<Pick>> {
    let interest = Interest(&event.interest);
    let Event { programme, people, weights, .. } = event;
    recommend_all(programme, people, Some(weights), interest, options, &Stop::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn everybody_at_once_gets_what_each_gets_alone(event in any_event()) {
        let options = Options { limit: SESSIONS, now: 30, ..by_score() };
        for (person, picks) in event.people.iter().zip(together(&event, &options)) {
            let neighbours = event.neighbours(person);
            let interest = Interest(&event.interest);
            let alone = recommend(&event.programme, person, &neighbours, interest, &options);
            prop_assert_eq!(picks.len(), alone.len());
            for pick in &picks {
                let same = alone.iter().find(|other| other.session == pick.session).unwrap();
                prop_assert!((pick.score - same.score).abs() < 1e-4);
                prop_assert_eq!(pick.clashes_with, same.clashes_with);
            }
            for (pick, other) in picks.iter().zip(&alone) {
                prop_assert!((pick.score - other.score).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn every_list_keeps_the_promises(event in any_event(), limit in 0_usize..12) {
        let options = Options { limit, now: 30, ..Options::default() };
        let again = together(&event, &options);
        for (at, picks) in together(&event, &options).into_iter().enumerate() {
            let person = &event.people[at];
            prop_assert_eq!(&picks, &again[at]);
            prop_assert!(picks.len() <= limit);
            let mut seen = std::collections::HashSet::new();
            let mut clashing = false;
            for pick in &picks {
                let session = event.programme.session(pick.session);
                prop_assert!(seen.insert(pick.session));
                prop_assert!(!session.cancelled && session.end > 30);
                prop_assert!(!person.dismissed.contains(&pick.session));
                let known = |signal: &Signal| signal.kind != Kind::Browsed;
                let mut had = person.signals.iter().filter(|signal| known(signal));
                prop_assert!(had.all(|signal| signal.session != pick.session));
                prop_assert!((0.0..=1.0 + 1e-9).contains(&pick.score));
                prop_assert!((pick.parts.total() - pick.score).abs() < 1e-9);
                let whole: f64 = pick.parts.named().map(|(_, part)| part.weight).sum();
                prop_assert!((whole - 1.0).abs() < 1e-9);
                prop_assert_eq!(pick.causes.last(), Some(&Cause::Listed));
                prop_assert!(!clashing || pick.clashes_with.is_some());
                clashing = pick.clashes_with.is_some();
            }
        }
    }
}

#[test]
fn a_requested_stop_ends_it() {
    let stop = Stop::default();
    stop.request();
    let people = vec![Person::default(); 3];
    let done = recommend_all(
        &programme(3, &[(0, &[1.0])]),
        &people,
        None,
        Interest(&[]),
        &Options::default(),
        &stop,
    );
    assert_eq!(done, Err(Error::Cancelled));
}

#[test]
fn long_vectors_kept_small_give_the_same_scores() {
    let (sessions, dims) = (110, 14_000);
    let value = |at: usize| ((at * 7_919 + at / dims * 31) % 1_009) as f32 / 1_009.0 - 0.4;
    let embeddings = Embeddings {
        model: "m".to_owned(),
        dims,
        sessions: (0..sessions as u32).collect(),
        values: (0..sessions * dims).map(value).collect(),
    };
    let list = (0..sessions as i64).map(session).collect();
    let programme = Programme::new(list, vec![embeddings]).unwrap();
    let person = who(&[did(Kind::Attended, 3), did(Kind::Bookmarked, 8), rated(9, 1.0)]);
    let options = Options { limit: 20, ..only(Algorithm::Content) };
    let people = vec![person.clone(); sessions];
    let all = scores(&programme, &person, &[], Interest(&[]), &options);
    let picks = recommend(&programme, &person, &[], Interest(&[]), &options);
    let batch = recommend_all(&programme, &people, None, Interest(&[]), &options, &Stop::default());
    for (pick, other) in picks.iter().zip(&batch.unwrap()[0]) {
        assert!((pick.score - all[pick.session as usize]).abs() < 1e-9);
        assert!((pick.score - other.score).abs() < 1e-4);
    }
}
