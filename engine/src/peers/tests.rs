//! Each criterion at its edges, and the packed form against the one with words.

#![allow(clippy::float_cmp)] // The parts are exact.

use proptest::prelude::*;

use super::*;
use crate::error::Error;

fn families() -> Families {
    let pair = |service: &str| (service.to_owned(), "home services".to_owned());
    Families::new([pair("hvac"), pair("plumbing"), pair("Air Conditioning")])
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn parts(a: &Profile, b: &Profile) -> Parts {
    let (a, b) = (Contractor::new(a, &families()), Contractor::new(b, &families()));
    let parts = a.parts(&b);
    assert_eq!(parts, b.parts(&a), "the same both ways round");
    parts
}

fn place(city: &str, state: &str) -> Profile {
    let known = |part: &str| Some(part.to_owned()).filter(|part| !part.is_empty());
    Profile { city: known(city), state: known(state), ..Profile::default() }
}

#[test]
fn states_are_one_whatever_they_are_called() {
    for (a, b, geographic) in [
        (("Phoenix", "AZ"), ("Dallas", "TX"), 1.0),
        (("Phoenix", "AZ"), ("Tucson", "Arizona"), 0.5),
        (("Phoenix", " a.z. "), ("phoenix", "ARIZONA"), 0.2),
        (("Phoenix", "AZ"), ("", "AZ"), 0.5),
        (("", "AZ"), ("", "AZ"), 0.5),
        (("Phoenix", ""), ("Phoenix", "AZ"), 0.5),
        (("Phoenix", ""), ("Phoenix", ""), 0.5),
        (("New  York", "NY"), ("new york", "new york"), 0.2),
        (("Toronto", "ON"), ("Ottawa", "Ontario"), 0.5),
        (("Lyon", "Rhône"), ("Paris", "Île-de-France"), 1.0),
    ] {
        assert_eq!(parts(&place(a.0, a.1), &place(b.0, b.1)).geographic, geographic, "{a:?} {b:?}");
    }
}

#[test]
fn team_sizes_at_their_edges() {
    let team = |size: u32| Profile { team_size: Some(size), ..Profile::default() };
    for (a, b, scale) in [
        (10, 10, 1.0),
        (10, 12, 1.0),
        (100, 121, 0.8),
        (10, 15, 0.8),
        (100, 151, 0.5),
        (10, 20, 0.5),
        (10, 21, 0.3),
        (1, 1000, 0.3),
        (0, 10, 0.5),
        (0, 0, 0.5),
        (u32::MAX, u32::MAX, 1.0),
    ] {
        assert_eq!(parts(&team(a), &team(b)).scale, scale, "{a} {b}");
    }
}

#[test]
fn revenue_tiers_at_their_edges() {
    let tiers = ["under_500k", "500k_1m", "1m_2m", "2m_5m", "5m_10m", "10m_plus"];
    let tier =
        |at: usize| Profile { revenue_tier: Some(tiers[at].to_owned()), ..Profile::default() };
    for (other, scale) in [(0, 1.0), (1, 0.8), (2, 0.5), (3, 0.3), (4, 0.3), (5, 0.3)] {
        assert_eq!(parts(&tier(0), &tier(other)).scale, scale);
    }
    let both = Profile { team_size: Some(10), ..tier(2) };
    assert_eq!(parts(&both, &Profile { team_size: Some(20), ..tier(3) }).scale, 0.65);
    assert_eq!(parts(&both, &tier(3)).scale, 0.8, "the team is unknown on one side");
}

#[test]
fn lists_are_compared_without_case_spaces_and_repetitions() {
    let focus = |list: &[&str]| Profile { focus_areas: words(list), ..Profile::default() };
    let offer = |list: &[&str]| Profile { services: words(list), ..Profile::default() };
    assert_eq!(parts(&focus(&[]), &focus(&[])).focus, 0.0);
    assert_eq!(parts(&focus(&[]), &focus(&["a"])).focus, 0.0);
    assert_eq!(parts(&focus(&["Hiring ", "hiring", ""]), &focus(&[" HIRING"])).focus, 1.0);
    assert_eq!(parts(&focus(&["a", "b", "c"]), &focus(&["c", "d"])).focus, 0.25);
    assert_eq!(parts(&offer(&[]), &offer(&[])).industry, 0.0);
    assert_eq!(parts(&offer(&["HVAC"]), &offer(&["plumbing"])).industry, 0.5);
    assert_eq!(parts(&offer(&["aircon ditioning"]), &offer(&["plumbing"])).industry, 0.5);
    assert_eq!(parts(&offer(&["HVAC"]), &offer(&["catering"])).industry, 0.0);
    assert_eq!(parts(&offer(&["a", "b", "c"]), &offer(&["c", "b", "x"])).industry, 2.0 / 3.0);
    assert_eq!(parts(&offer(&["a", "b"]), &offer(&["a", "x"])).industry, 0.5);
}

#[test]
fn further_criteria_count_when_they_are_weighted() {
    let person = |years: u32, disc: &str, tools: &[&str]| Profile {
        years_in_business: Some(years),
        disc_style: Some(disc.to_owned()),
        technology_stack: words(tools),
        ..Profile::default()
    };
    let found = parts(&person(10, "D", &["a", "b"]), &person(15, "S", &["b"]));
    assert_eq!((found.years, found.disc, found.tools), (0.8, 0.4, 0.5));
    let none = parts(&Profile::default(), &person(1, "I", &[]));
    assert_eq!((none.years, none.disc, none.tools), (0.5, 0.5, 0.0));
    let weights = Weights::from_json(&serde_json::json!({"yearsInBusiness": 0.25})).unwrap();
    let sum = 0.25 * 0.5 + 0.2 * 0.5 + 0.25 * 0.8;
    assert!((found.score(&weights) - sum / 1.25).abs() < 1e-12);
    assert_eq!(found.to_json(&weights)["yearsInBusiness"], 0.8);
    assert_eq!(found.to_json(&Weights::default()).as_object().unwrap().len(), 4);
}

#[test]
fn odd_weights_are_refused() {
    for (text, key) in [
        ("[]", "weights"),
        ("{\"focus\": 1}", "focus"),
        ("{\"industry\": -1}", "industry"),
        ("{\"industry\": \"x\"}", "industry"),
        ("{\"industry\": 1e300}", "industry"),
        (
            "{\"focusAreas\": 0, \"geographic\": 0, \"businessScale\": 0, \"industry\": 0}",
            "weights",
        ),
    ] {
        let refused = Weights::from_json(&serde_json::from_str(text).unwrap());
        let Err(Error::Invalid { message, .. }) = refused else { panic!("{text}: {refused:?}") };
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn types_have_reached_a_threshold_that_they_miss_by_less_than_a_billionth() {
    for (score, kind) in [
        (1.0, "ideal_peer"),
        (0.8, "ideal_peer"),
        (0.8 - 1e-10, "ideal_peer"),
        (0.799_999, "focus_area_match"),
        (0.7, "focus_area_match"),
        (0.1 + 0.2 + 0.3, "scale_match"),
        (0.599_999, "general_match"),
        (0.0, "general_match"),
    ] {
        assert_eq!(MatchType::of(score).name(), kind);
        assert_eq!(MatchType::parse(kind), Some(MatchType::of(score)));
    }
}

#[test]
fn a_score_is_rounded_once_and_half_up() {
    for (score, shown) in
        [(0.1 + 0.7, 8000), (0.871_25, 8713), (0.871_249_9, 8712), (0.0, 0), (1.0, 10_000)]
    {
        assert_eq!(ten_thousandths(score), shown);
    }
}

#[test]
fn reasons_say_what_is_so() {
    let john = Profile {
        focus_areas: words(&["hiring", "operations"]),
        team_size: Some(15),
        ..place("Phoenix", "AZ")
    };
    let sarah = Profile {
        focus_areas: words(&["Operations", "Hiring"]),
        team_size: Some(18),
        ..place("Dallas", "TX")
    };
    let told = |a: &Profile, b: &Profile| {
        reason(&Contractor::new(a, &families()), &Contractor::new(b, &families()))
    };
    assert_eq!(
        told(&john, &sarah),
        "Both focused on hiring and operations. Different markets (Phoenix, AZ vs Dallas, TX). Similar business size."
    );
    assert_eq!(
        told(&place("Phoenix", "AZ"), &place("phoenix", "Arizona")),
        "Same city (Phoenix, AZ)."
    );
    assert_eq!(told(&Profile::default(), &Profile::default()), "Open to meeting peers.");
}

#[test]
fn connectors_by_hand() {
    let met = Introduction { accepted: true, met: true, pcr: Some(10.0) };
    let nothing = Introduction::default();
    assert!((met.success() - 1.0).abs() < 1e-12);
    assert!((connector_score(&[met, nothing]) - 0.2).abs() < 1e-12);
    assert!(connector_score(&[]).abs() < 1e-12);
}

fn profiles() -> impl Strategy<Value = Profile> {
    let list = || {
        prop::collection::vec(
            prop::sample::select(vec!["a", "B ", "b", "c", "hvac", "Plumbing", ""]),
            0..5,
        )
    };
    let maybe = |values: Vec<&'static str>| prop::option::of(prop::sample::select(values));
    (
        (list(), list(), list()),
        maybe(vec!["Phoenix", "phoenix ", "Tucson", ""]),
        maybe(vec!["AZ", "arizona", "TX", ""]),
        maybe(vec!["under_500k", "1m_2m", "2m_5m", "10m_plus"]),
        prop::option::of(0_u32..40),
        prop::option::of(0_u32..30),
        maybe(vec!["D", "I", "S", "C"]),
    )
        .prop_map(|((focus, services, tools), city, state, tier, team, years, disc)| Profile {
            focus_areas: words(&focus),
            services: words(&services),
            technology_stack: words(&tools),
            city: city.map(str::to_owned),
            state: state.map(str::to_owned),
            revenue_tier: tier.map(str::to_owned),
            team_size: team,
            years_in_business: years,
            disc_style: disc.map(str::to_owned),
        })
}

proptest! {
    #[test]
    fn the_packed_form_scores_like_the_one_with_words(
        people in prop::collection::vec(profiles(), 2..12),
        further in any::<bool>(),
    ) {
        let given = if further { serde_json::json!({"discStyle": 0.3, "technologyStack": 1}) } else { serde_json::json!({}) };
        let weights = Weights::from_json(&given).unwrap();
        let people: Vec<Contractor> = people.iter().map(|p| Contractor::new(p, &families())).collect();
        let crowd = Crowd::new(&people, weights);
        for a in 0..people.len() {
            for b in (0..people.len()).filter(|b| *b != a) {
                let score = people[a].parts(&people[b]).score(&weights);
                prop_assert!((0.0..=1.0 + 1e-12).contains(&score));
                prop_assert_eq!(crowd.score(a, b).to_bits(), score.to_bits());
            }
        }
    }
}
