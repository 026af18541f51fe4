//! How long the recommender takes. Ignored by default: run them in release, on a quiet machine:
//! `cargo test --release -p convene-engine --test speed -- --ignored --nocapture --test-threads 1`

// A measurement that cannot be set up has nothing to report.
#![allow(clippy::expect_used)]

use std::time::{Duration, Instant};

use convene_engine::Stop;
use convene_engine::collaborative::ItemWeights;
use convene_engine::programme::{Embeddings, Programme, Session};
use convene_engine::recommendation::{
    Interest, Kind, Neighbours, Options, Person, Signal, recommend, recommend_all,
};

const DIMS: usize = 1_536;
const HOUR: i64 = 3_600_000_000;
const TOPICS: [&str; 8] = ["ai", "data", "cloud", "security", "ux", "web", "ops", "people"];

/// A small generator with a fixed sequence, so that runs compare.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    fn signed(&mut self) -> f32 {
        (self.next() % 2_001) as f32 / 1_000.0 - 1.0
    }
}

fn programme(sessions: usize, numbers: &mut Numbers) -> Programme {
    let centres: Vec<Vec<f32>> =
        TOPICS.iter().map(|_| (0..DIMS).map(|_| numbers.signed()).collect()).collect();
    let mut values = Vec::with_capacity(sessions * DIMS);
    let mut list = Vec::with_capacity(sessions);
    for at in 0..sessions {
        let topic = numbers.below(TOPICS.len());
        values.extend(centres[topic].iter().map(|x| x + numbers.signed()));
        let start = (at / 10) as i64 * HOUR;
        list.push(Session {
            topics: vec![TOPICS[topic].into(), TOPICS[numbers.below(TOPICS.len())].into()],
            format: Some("talk".into()),
            start,
            end: start + HOUR,
            capacity: Some(200),
            registrations: numbers.below(220) as u32,
            ..Session::default()
        });
    }
    let owners = (0..sessions as u32).collect();
    let embeddings = Embeddings { model: "m".into(), dims: DIMS, sessions: owners, values };
    Programme::new(list, vec![embeddings]).expect("a sound programme")
}

fn person(sessions: usize, numbers: &mut Numbers) -> Person {
    let kinds = [Kind::Browsed, Kind::Bookmarked, Kind::Attended];
    let signals = (0..8)
        .map(|at| Signal {
            session: numbers.below(sessions) as u32,
            kind: kinds[at % 3],
            value: None,
            at: 0,
        })
        .collect();
    let topics = (0..3).map(|_| TOPICS[numbers.below(TOPICS.len())].to_owned()).collect();
    Person { topics, signals, ..Person::default() }
}

fn row(sessions: usize, numbers: &mut Numbers) -> Vec<(u32, f32)> {
    (0..200.min(sessions)).map(|_| (numbers.below(sessions) as u32, numbers.signed())).collect()
}

fn best_of(runs: usize, mut work: impl FnMut()) -> Duration {
    (0..runs)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn one_person(sessions: usize) -> Duration {
    let mut numbers = Numbers(7);
    let programme = programme(sessions, &mut numbers);
    let person = person(sessions, &mut numbers);
    let interest: Vec<u32> = (0..sessions).map(|_| numbers.below(300) as u32).collect();
    let neighbours: Vec<Neighbours> = (person.signals.iter())
        .map(|signal| {
            let (to, weight) = row(sessions, &mut numbers).into_iter().unzip();
            Neighbours { source: signal.session, to, weight }
        })
        .collect();
    let options = Options::default();
    best_of(300, || {
        let picks = recommend(&programme, &person, &neighbours, Interest(&interest), &options);
        assert_eq!(picks.len(), options.limit);
    })
}

#[test]
#[ignore = "a measurement"]
fn one_person_among_few_and_many_sessions() {
    println!("300 sessions: {:?}", one_person(300));
    println!("5,000 sessions: {:?}", one_person(5_000));
}

#[test]
#[ignore = "a measurement"]
fn everybody_at_once() {
    let (sessions, people) = (500, 10_000);
    let mut numbers = Numbers(11);
    let programme = programme(sessions, &mut numbers);
    let everybody: Vec<Person> = (0..people).map(|_| person(sessions, &mut numbers)).collect();
    let rows: Vec<_> = (0..sessions).map(|_| row(sessions, &mut numbers)).collect();
    let counts = rows.iter().map(|row| vec![12; row.len()]).collect();
    let weights = ItemWeights { items: sessions, rows, people: counts };
    let interest: Vec<u32> = (0..sessions).map(|_| numbers.below(300) as u32).collect();
    let (options, stop) = (Options::default(), Stop::default());
    let taken = best_of(25, || {
        let picks = recommend_all(
            &programme,
            &everybody,
            Some(&weights),
            Interest(&interest),
            &options,
            &stop,
        );
        assert_eq!(picks.map(|p| p.len()), Ok(people));
    });
    println!("10,000 people, 500 sessions: {taken:?}");
}
