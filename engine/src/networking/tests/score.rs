use serde_json::{Value, json};

use super::super::algorithm::{Algorithm, PARTS, Weights};
use super::super::crowd::Crowd;
use super::super::event::{Asked, Strategy, everybody};
use super::super::goals::Complements;
use super::super::measure::{expected_matches, gini};
use super::super::profile::{Profile, Role, Stage};
use super::super::reasons::{Company, shared_reasons, their_reasons};
use super::super::score::{MetBefore, Scorer, harmonic_mean};
use super::super::ties::Ties;
use crate::pairs::{Excluded, Score, TOLERANCE, Wanted, best_of, best_of_all, rank};
use crate::stop::Stop;

const NEAR: f64 = 1e-9;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn founder() -> Profile {
    Profile {
        looking_for: words(&["investors", "mentors"]),
        can_offer: words(&["opportunities"]),
        topics: words(&["AI/ML", "Rust"]),
        industry: Some("Fintech".into()),
        stage: Some(Stage::Startup),
        role: Some(Role::Founder),
        years: Some(4),
        same_industry: true,
        complementary: true,
    }
}

fn investor() -> Profile {
    Profile {
        looking_for: words(&["partners"]),
        can_offer: words(&["investment"]),
        topics: words(&["ai/ml", "climate"]),
        industry: Some("fintech ".into()),
        stage: Some(Stage::Enterprise),
        role: Some(Role::Investor),
        years: Some(14),
        same_industry: false,
        complementary: false,
    }
}

fn complements() -> Complements {
    let row = |want: &str, offer: &str, strength| (want.to_owned(), offer.to_owned(), strength);
    Complements::new([row("investors", "investment", 1.0), row("partners", "opportunities", 1.0)])
}

#[test]
fn the_parts_by_hand() {
    let crowd = Crowd::new(&[founder(), investor()], &complements());
    let ties = Ties::new(2, &[(0, 2), (1, 2), (2, 3), (0, 4), (1, 4)], &[], None);
    let scorer =
        Scorer::new(&crowd, &ties, Algorithm::Hybrid, Weights::default(), 0.3, MetBefore::Excludes);
    let pair = scorer.pair(0, 1);
    assert_eq!(pair.known, [true; 6]);
    // One of two wants is met, the only offer is sought; the same the other way round.
    assert_eq!((pair.parts_of[0], pair.parts_to[0]), (1.0, 1.0));
    // One of three topics in common, and what the two texts have in common.
    assert!(pair.parts_of[1] > 1.0 / 6.0 && pair.parts_of[1] < 1.0);
    // Fintech both: the founder wants that, the investor something else.
    assert_eq!((pair.parts_of[2], pair.parts_to[2]), (1.0, 0.0));
    // The founder wants another role and goals that meet, the investor the same role.
    assert_eq!((pair.parts_of[3], pair.parts_to[3]), (1.0, 0.0));
    // Two stages apart, ten years apart; investors are on no ladder.
    assert!((pair.parts_of[4] - f64::midpoint(1.0 / 3.0, 0.5)).abs() < NEAR);
    // Contacts of both: one with three contacts, one with two.
    let close = 1.0 / 3.0_f64.ln() + 1.0 / 2.0_f64.ln();
    assert!(
        (pair.parts_of[5] - (1.0 + close) / (2.0 + close)).abs() < NEAR && pair.tie.common == 2
    );
    let sum: f64 = (0..6).map(|at| Weights::default().0[at] * pair.parts_to[at]).sum();
    assert!((pair.to - sum).abs() < NEAR && (pair.coverage - 1.0).abs() < NEAR);
    assert!((pair.mutual() - 2.0 * pair.of * pair.to / (pair.of + pair.to)).abs() < NEAR);
    let back = scorer.pair(1, 0);
    assert_eq!((back.of, back.to), (pair.to, pair.of));
}

#[test]
fn what_is_not_known_counts_as_the_mean() {
    let silent = Profile { can_offer: words(&["investment"]), ..Profile::default() };
    let crowd = Crowd::new(&[founder(), silent, Profile::default()], &complements());
    let ties = Ties::default();
    let mean = Scorer::mean_of(&crowd, Weights::default());
    // Of the six directions two are known, and by goals alone: half of the wants, and all of the offers.
    assert!((mean - 0.75).abs() < NEAR);
    let scorer = Scorer::new(
        &crowd,
        &ties,
        Algorithm::Hybrid,
        Weights::default(),
        mean,
        MetBefore::Excludes,
    );
    let pair = scorer.pair(0, 1);
    assert!((pair.coverage - 0.45).abs() < NEAR);
    assert!((pair.of - (0.45 * 0.5 + 0.55 * 0.75)).abs() < NEAR);
    let nothing = scorer.pair(0, 2);
    assert!(nothing.coverage.abs() < NEAR && (nothing.mutual() - mean).abs() < NEAR);
    let parts: Value =
        serde_json::from_str(&scorer.parts_json(&pair, "own", "other")).expect("JSON");
    assert_eq!(
        parts,
        json!({"goals": {"weight": 0.45, "own": 0.5, "other": 1},
               "unknown": {"weight": 0.55, "own": 0.75, "other": 0.75}})
    );
    let goals =
        Scorer::new(&crowd, &ties, Algorithm::Goals, Weights::default(), mean, MetBefore::Excludes);
    assert_eq!((goals.pair(0, 2).of, goals.pair(2, 0).of), (0.0, 0.0));
}

#[test]
fn rows_are_what_pairs_are() {
    let people: Vec<Profile> = (0..70)
        .map(|n| {
            let mut person = if n % 3 == 0 { founder() } else { investor() };
            person.years = (n % 5 != 0).then_some(n);
            person.topics = words(&[["Rust", "climate", "web"][n as usize % 3]]);
            person.can_offer.truncate((n % 2) as usize);
            person
        })
        .collect();
    let crowd = Crowd::new(&people, &complements());
    let ties = Ties::new(70, &[(1, 5), (2, 5), (5, 9)], &[(3, 4)], None);
    for algorithm in Algorithm::ALL {
        for met in [MetBefore::Excludes, MetBefore::Lowers(0.5)] {
            let scorer = Scorer::new(&crowd, &ties, algorithm, Weights::default(), 0.4, met);
            let mut row = vec![0.0; 60];
            for of in 0..70 {
                scorer.row(of, 5..65, &mut row);
                for (to, score) in (5..65).zip(&row) {
                    let one = scorer.ranked(&scorer.pair(of, to));
                    let near = (one - score).abs() <= Score::off(&scorer) + NEAR;
                    assert!(near || one.is_nan() && score.is_nan());
                    let exact = scorer.exact(of, to);
                    assert!(exact.to_bits() == one.to_bits() || exact.is_nan() && one.is_nan());
                }
                let Some(directions) = scorer.goal_directions(of, 5..65) else { continue };
                for (to, (own, theirs)) in (5..65).zip(directions) {
                    let pair = scorer.pair(of, to);
                    let near = (own - pair.of).abs() < NEAR && (theirs - pair.to).abs() < NEAR;
                    assert!(near || own.is_nan() && scorer.ranked(&pair).is_nan());
                }
            }
        }
    }
}

/// Rows only come near where interests count; whom they lead to is exact all the same.
#[test]
fn the_best_are_the_best_of_the_exact_scores() {
    let topics = ["Rust", "climate", "web", "databases", "AI/ML", "health", "payments", "robots"];
    let people: Vec<Profile> = (0..400_usize)
        .map(|n| {
            let mut person = if n % 3 == 0 { founder() } else { investor() };
            let said = [n % 8, n / 3 % 8, n / 7 % 8, n / 50 % 8];
            person.topics = said[..n % 5].iter().map(|at| topics[*at].to_owned()).collect();
            person.years = Some((n % 4) as u32);
            person.tidy()
        })
        .collect();
    let crowd = Crowd::new(&people, &complements());
    let ties = Ties::default();
    for algorithm in [Algorithm::Hybrid, Algorithm::Interests] {
        let scorer =
            Scorer::new(&crowd, &ties, algorithm, Weights::default(), 0.4, MetBefore::Excludes);
        assert!(Score::off(&scorer) > 0.0);
        let wanted = Wanted { most: 7, least: 0.2 };
        let (excluded, stop) = (Excluded::default(), Stop::default());
        let all = best_of_all(&scorer, &excluded, people.len(), wanted, &stop).expect("no stop");
        for (of, found) in all.iter().enumerate() {
            let mut ranked: Vec<(u32, u32)> = (0..people.len())
                .filter(|other| *other != of)
                .map(|other| (rank(scorer.ranked(&scorer.pair(of, other))), other as u32))
                .filter(|(score, _)| f64::from(*score) * TOLERANCE >= wanted.least)
                .collect();
            ranked.sort_by_key(|(score, other)| (std::cmp::Reverse(*score), *other));
            let expected: Vec<u32> = ranked.into_iter().take(7).map(|(_, other)| other).collect();
            assert_eq!(*found, expected);
            let one = best_of(&scorer, &excluded, of, people.len(), wanted, &stop);
            assert_eq!(one.expect("no stop"), expected);
        }
    }
}

#[test]
fn having_met_excludes_or_lowers_and_parts_still_add_up() {
    let crowd = Crowd::new(&[founder(), investor()], &complements());
    let ties = Ties::new(2, &[], &[(1, 0)], None);
    let scorer = |met| Scorer::new(&crowd, &ties, Algorithm::Hybrid, Weights::default(), 0.5, met);
    assert!(scorer(MetBefore::Excludes).ranked(&scorer(MetBefore::Excludes).pair(0, 1)).is_nan());
    let lowered = scorer(MetBefore::Lowers(0.5));
    let full = scorer(MetBefore::Lowers(1.0)).pair(0, 1).of;
    assert!((lowered.pair(0, 1).of - full / 2.0).abs() < NEAR);
    let parts: Value =
        serde_json::from_str(&lowered.parts_json(&lowered.pair(0, 1), "a", "b")).expect("JSON");
    let sum: f64 = PARTS
        .iter()
        .chain(&["unknown"])
        .filter_map(|part| Some(parts[part]["weight"].as_f64()? * parts[part]["a"].as_f64()?))
        .sum();
    assert!((sum - full / 2.0).abs() < 1e-5);
}

#[test]
fn weights_are_refused_by_name() {
    let read = |value| Weights::from_json(&value);
    assert_eq!(
        read(json!({"goals": 3, "graph": 1})),
        Ok(Weights([0.75, 0.0, 0.0, 0.0, 0.0, 0.25]))
    );
    assert_eq!(read(json!({"goals": 1e308, "roles": 1e308})).map(|w| w.0[0]), Ok(0.5));
    for (value, said) in [
        (json!([]), "weights"),
        (json!({"goal": 1}), "goal"),
        (json!({"goals": -1}), "goals"),
        (json!({"goals": "1"}), "goals"),
        (json!({"goals": 0}), "weights"),
        (json!({}), "weights"),
    ] {
        let error = read(value).expect_err("refused");
        assert!(error.to_string().contains(&format!("\"{said}\"")) && error.sqlstate() == "22023");
    }
    assert!(Algorithm::parse("svd").is_err() && Strategy::parse("best").is_err());
}

#[test]
fn the_ties_of_one_person_are_the_same_from_both_sides() {
    let contacts = [(0, 2), (1, 2), (2, 3), (0, 4), (1, 4), (3, 0)];
    let all = Ties::new(4, &contacts, &[(1, 3)], None);
    for only in 0..4 {
        let ties = Ties::new(4, &contacts, &[(1, 3)], Some(only));
        for other in (0..4).filter(|other| *other != only) {
            let (one, other) = (only as usize, other as usize);
            assert_eq!(ties.between(one, other), all.between(one, other));
            assert_eq!(ties.between(other, one), all.between(other, one));
        }
    }
}

#[test]
fn reasons_by_hand() {
    let crowd = Crowd::new(&[founder(), investor()], &complements());
    let contacts: Vec<(u32, u32)> = (2..12).flat_map(|n| [(0, n), (1, n)]).collect();
    let company = Company { least: 5, named_from: 10 };
    let said = |contacts: &[(u32, u32)]| {
        let ties = Ties::new(2, contacts, &[], None);
        let scorer = Scorer::new(
            &crowd,
            &ties,
            Algorithm::Hybrid,
            Weights::default(),
            0.5,
            MetBefore::Excludes,
        );
        let pair = scorer.pair(0, 1);
        (
            their_reasons(&founder(), &investor(), &complements(), &pair, company),
            shared_reasons(&founder(), &investor(), &complements(), &pair, company),
        )
    };
    let (mine, shared) = said(&contacts);
    assert_eq!(
        mine,
        [
            "Looking for: investors. They can offer: investment",
            "They look for: partners. You can offer: opportunities",
            "You both care about AI/ML",
            "10 people you are in touch with are in touch with them, too",
            "You both work in Fintech",
        ]
    );
    assert_eq!(shared[0], "One looks for: investors. The other can offer: investment");
    assert!(said(&contacts[..18]).0[3].starts_with("People you are in touch with"));
    assert_eq!(said(&contacts[..8]).0[3], "You both work in Fintech");
    assert_eq!(said(&contacts[..8]).0[4], "Your roles differ: founder and investor");
}

#[test]
fn measures_by_hand() {
    assert!(
        (harmonic_mean(1.0, 1.0 / 3.0) - 0.5).abs() < NEAR && harmonic_mean(0.0, 1.0).abs() < NEAR
    );
    // Person 0 is in three pairs with attention for two.
    let pairs = [(0, 1, 0.5, 1.0), (0, 2, 1.0, 1.0), (0, 3, 1.0, 0.25)];
    assert!((expected_matches(4, &pairs, 2) - (0.5 + 1.0 + 0.25) * 2.0 / 3.0).abs() < NEAR);
    assert!(gini(&[3, 3, 3]).abs() < NEAR && gini(&[0, 0]).abs() < NEAR && gini(&[]).abs() < NEAR);
    assert!((gini(&[0, 0, 0, 1]) - 0.75).abs() < NEAR);
    assert!((gini(&[1, 2]) - 1.0 / 6.0).abs() < NEAR);
}

#[test]
fn a_whole_event_finds_what_each_finds() {
    let people: Vec<Profile> = (0..400_u32)
        .map(|n| Profile {
            looking_for: words(&[
                ["a", "b", "c", "d"][(n % 4) as usize],
                ["e", "f", "g"][(n % 3) as usize],
            ]),
            can_offer: words(&[
                ["c", "d", "e"][(n * 7 % 3) as usize],
                ["a", "g"][(n % 2) as usize],
            ]),
            years: Some(n * 13 % 31),
            ..Profile::default()
        })
        .collect();
    let crowd = Crowd::new(&people, &Complements::default());
    let (ties, excluded) = (Ties::default(), Excluded::new(400, [(0, 5), (7, 9)]));
    for algorithm in [Algorithm::Hybrid, Algorithm::Goals] {
        let scorer =
            Scorer::new(&crowd, &ties, algorithm, Weights::default(), 0.5, MetBefore::Excludes);
        let asked = Asked { per_attendee: 6, least: 0.3, incoming: None, strategy: Strategy::TopK };
        let plan = everybody(&scorer, &excluded, &[], asked, &Stop::default()).expect("a plan");
        let mut expected = std::collections::BTreeSet::new();
        for of in 0..400_u32 {
            let mut all: Vec<(f64, u32)> = (0..400_u32)
                .filter(|to| *to != of && !excluded.has(of, *to))
                .map(|to| (scorer.ranked(&scorer.pair(of as usize, to as usize)), to))
                .filter(|(score, _)| *score >= 0.3 - NEAR)
                .collect();
            all.sort_by(|x, y| {
                let rank = |score: f64| (score * 1e9).round() as u64;
                rank(y.0).cmp(&rank(x.0)).then(x.1.cmp(&y.1))
            });
            expected.extend(all.iter().take(6).map(|(_, to)| (of.min(*to), of.max(*to))));
        }
        let found: Vec<(u32, u32)> = plan.suggestions.iter().map(|s| (s.a, s.b)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        assert_eq!(plan.top_k.pairs, found.len());
        let stop = Stop::default();
        stop.request();
        assert!(everybody(&scorer, &excluded, &[], asked, &stop).is_err());
    }
}
