use proptest::prelude::*;

use super::super::goals::{Complements, Goals};
use super::super::profile::{Profile, word};

fn person(wants: &[String], offers: &[String]) -> Profile {
    Profile { looking_for: wants.to_vec(), can_offer: offers.to_vec(), ..Profile::default() }.tidy()
}

/// The formula as it is written down.
fn plainly(of: &Profile, to: &Profile, complements: &Complements) -> f64 {
    let best = |own: &str, others: &[String], strength: &dyn Fn(&str, &str) -> f64| {
        others.iter().map(|other| strength(own, &word(other))).fold(0.0, f64::max)
    };
    let share = |own: &[String], others: &[String], strength: &dyn Fn(&str, &str) -> f64| {
        if own.is_empty() {
            return 0.0;
        }
        own.iter().map(|w| best(&word(w), others, strength)).sum::<f64>() / own.len() as f64
    };
    let met =
        share(&of.looking_for, &to.can_offer, &|want, offer| complements.strength(want, offer));
    let sought =
        share(&of.can_offer, &to.looking_for, &|offer, want| complements.strength(want, offer));
    met.max(sought)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn levels_of_bits_are_the_formula(
        said in prop::collection::vec((prop::collection::vec(0_u32..3000, 0..6), prop::collection::vec(0_u32..3000, 0..6)), 1..12),
        rows in prop::collection::vec((0_u32..3000, 0_u32..3000, 0_u32..=4), 0..40),
        modulus in prop::sample::select(vec![5_u32, 40, 100, 3000]),
    ) {
        let name = |number: &u32| format!("Word{}", number % modulus);
        let people: Vec<Profile> = said
            .iter()
            .map(|(wants, offers)| {
                person(&wants.iter().map(name).collect::<Vec<_>>(), &offers.iter().map(name).collect::<Vec<_>>())
            })
            .collect();
        let complements = Complements::new(
            rows.iter().map(|(want, offer, quarters)| (name(want), name(offer), f64::from(*quarters) / 4.0)),
        );
        let goals = Goals::new(&people, &complements);
        let mut row = vec![0.0; people.len()];
        for (a, of) in people.iter().enumerate() {
            goals.row(a, 0..people.len(), &mut row);
            for (b, to) in people.iter().enumerate() {
                let expected = plainly(of, to, &complements);
                prop_assert!((goals.one(a, b) - expected).abs() < 1e-12);
                prop_assert!((row[b] - expected).abs() < 1e-12);
                prop_assert_eq!(goals.both(a, b), (goals.one(a, b), goals.one(b, a)));
            }
        }
    }
}

#[test]
fn a_thousand_words_become_lists() {
    let words: Vec<String> = (0..1500).map(|n| format!("w{n}")).collect();
    let people = [person(&words, &[]), person(&[], &words[..300]), person(&words, &words)];
    let goals = Goals::new(&people, &Complements::default());
    assert!((goals.one(0, 1) - 0.2).abs() < 1e-12);
    assert!((goals.one(1, 0) - 1.0).abs() < 1e-12);
    assert!(goals.known(0, 1) && goals.known(0, 2) && !goals.known(0, 0) && goals.bytes() > 0);
}

#[test]
fn repeated_words_count_once_and_blanks_not_at_all() {
    let said = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let me = person(&said(&["Investors", " investors ", "", "  ", "mentors"]), &[]);
    assert_eq!(me.looking_for, ["Investors", "mentors"]);
    let them = person(&[], &said(&["INVESTORS"]));
    let goals = Goals::new(&[me, them], &Complements::default());
    assert!((goals.one(0, 1) - 0.5).abs() < 1e-12);
}

#[test]
fn what_an_event_says_goes_before_what_is_said_for_all() {
    let row = |strength| ("Investors".to_owned(), "investment ".to_owned(), strength);
    assert!((Complements::new([row(1.0)]).strength("investors", "investment") - 1.0).abs() < 1e-12);
    assert!(
        Complements::new([row(1.0), row(0.0)]).strength("investors", "investment").abs() < 1e-12
    );
}
