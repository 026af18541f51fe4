use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::stop::Stop;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn vector(model: &str, values: &[f32]) -> Vector {
    Vector { model: model.into(), values: values.to_vec() }
}

fn sponsor() -> SponsorSide {
    SponsorSide {
        annual_budget_cents: Some(300_000),
        preferred_categories: words(&["music", "food", "art"]),
        regions: words(&["US", "CA"]),
        objectives: None,
    }
}

fn event() -> EventSide {
    EventSide {
        categories: words(&["Food", "music", "film"]),
        regions: words(&["United States"]),
        insights: Some(Insights {
            geo_distribution: vec![
                ("USA".into(), 60.0),
                ("Canada".into(), 20.0),
                ("MX".into(), 20.0),
            ],
            engagement_score: Some(0.8),
            ticket_conversion_rate: Some(0.5),
        }),
        embedding: None,
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-12
}

#[test]
fn a_pair_worked_by_hand() {
    let fit = fit(&sponsor(), &event(), &Weights::default());
    // 300000 / 400000; two of three and two of two; 80 of 100; .56 + .15; neutral.
    assert!(near(fit.budget_fit, 0.75));
    assert!(near(fit.audience_overlap, 0.6 * 2.0 / 3.0 + 0.4));
    assert!(near(fit.geo_fit, 0.8));
    assert!(near(fit.engagement_quality, 0.71));
    assert!(near(fit.objectives_similarity, 0.5));
    // .1875 + .28 + .12 + .1065 + .05
    assert!(near(fit.score, 0.744));
    assert!(near(fit.stored_score(), 0.744));
    // All but the objectives.
    assert!(near(fit.coverage, 0.9));
}

#[test]
fn nothing_known_is_neither_good_nor_bad() {
    let fit = fit(&SponsorSide::default(), &EventSide::default(), &Weights::default());
    // Nothing wanted: .5 and .5, and geo_fit is the overlap. .175 + .075 + .05
    assert!(near(fit.score, 0.3) && near(fit.coverage, 0.0));
}

#[test]
fn budgets_of_every_kind() {
    for (budget, expected) in [
        (None, 0.0),
        (Some(0), 0.0),
        (Some(-100_000), 0.0),
        (Some(-200_000), 0.0),
        (Some(100_000), 0.5),
    ] {
        assert!(near(budget_fit(budget), expected), "{budget:?}");
    }
    assert!(budget_fit(Some(i64::MAX)) < 1.0 && budget_fit(Some(i64::MIN)) < 0.5);
}

#[test]
fn vectors_are_compared_under_one_model_only() {
    let against = |model: &str, values: &[f32]| {
        let sponsor = SponsorSide { objectives: Some(vector("m", &[3.0, 4.0])), ..sponsor() };
        let event = EventSide { embedding: Some(vector(model, values)), ..event() };
        let fit = fit(&sponsor, &event, &Weights::default());
        (fit.objectives_similarity, fit.coverage > 0.95)
    };
    // The cosine of (3, 4) and (1, 0) is .6.
    assert!((against("m", &[2.0, 0.0]).0 - 0.8).abs() < 1e-7);
    assert!(against("m", &[2.0, 0.0]).1);
    assert!((against("m", &[-6.0, -8.0]).0).abs() < 1e-7);
    for (model, values) in [
        ("n", &[2.0, 0.0][..]),
        ("m", &[0.0, 0.0]),
        ("m", &[1.0]),
        ("m", &[f32::NAN, 1.0]),
        ("m", &[]),
    ] {
        assert_eq!(against(model, values), (0.5, false), "{model} {values:?}");
    }
    assert!((objectives_similarity(&[3.0, 4.0], &[1.0, 0.0]) - 0.8).abs() < 1e-7);
    assert!(near(objectives_similarity(&[0.0, 0.0], &[1.0, 0.0]), 0.5));
}

#[test]
fn a_part_of_the_audience_that_is_not_known_counts_nothing() {
    let with = |engagement_score, ticket_conversion_rate| {
        let insights = Insights { engagement_score, ticket_conversion_rate, ..Insights::default() };
        let event = EventSide { insights: Some(insights), ..event() };
        let fit = fit(&sponsor(), &event, &Weights::default());
        (fit.engagement_quality, fit.geo_fit)
    };
    // Without counts nobody can say where the audience lives.
    for (found, expected) in [
        (with(Some(0.5), None), 0.35),
        (with(None, Some(0.5)), 0.15),
        (with(None, None), 0.0),
        (with(Some(7.0), Some(-1.0)), 0.7),
    ] {
        assert!(near(found.0, expected) && near(found.1, 0.5), "{found:?}");
    }
}

#[test]
fn counts_are_merged_by_country_and_odd_ones_count_nobody() {
    let distribution =
        json!({"us": 30, "USA": 10, "Mexico": 40, "FR": -5, "DE": "many", " ": 20, "JP": null});
    let insights = Insights { geo_distribution: counts(&distribution), ..Insights::default() };
    let event = EventSide { insights: Some(insights), ..EventSide::default() };
    let wants = |regions: &[&str]| {
        let sponsor = SponsorSide { regions: words(regions), ..SponsorSide::default() };
        let fit = fit(&sponsor, &event, &Weights::default());
        (fit.geo_overlap, fit.geo_fit)
    };
    assert_eq!(wants(&["United States", "u.s."]), (1.0, 0.5));
    // A region without people is one of the event's all the same.
    assert_eq!(wants(&["Germany", "France", "Japan", "Peru"]), (0.75, 0.0));
    assert_eq!(counts(&json!([1])), vec![]);
}

#[test]
fn metrics_have_the_documented_shape_and_add_up() {
    let weights = Weights::default();
    let fit = fit(&sponsor(), &event(), &weights);
    let metrics: Value = serde_json::from_str(&fit.metrics(&weights)).unwrap();
    assert_eq!(
        metrics,
        json!({
            "budget_fit": 0.75,
            "audience_overlap": {"categories": 0.666_666_666_667, "geo": 1},
            "geo_fit": 0.8, "engagement_quality": 0.71, "objectives_similarity": 0.5,
            "weights": {"budget_fit": 0.25, "audience_overlap": 0.35, "geo_fit": 0.15,
                        "engagement_quality": 0.15, "objectives_similarity": 0.1},
            "contributions": {"budget_fit": 0.1875, "audience_overlap": 0.28, "geo_fit": 0.12,
                              "engagement_quality": 0.1065, "objectives_similarity": 0.05},
            "coverage": 0.9,
        })
    );
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["music", "Music ", "food", "ART", "art", "film", "", " ", "games"])
        .prop_map(Into::into)
}

fn region() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "US",
        "usa",
        "United States",
        "CA",
        "Canada",
        "UK",
        "gb",
        "Bay Area",
        "",
        "mx",
    ])
    .prop_map(Into::into)
}

fn direction() -> impl Strategy<Value = Option<Vector>> {
    let number = || prop::sample::select(vec![-1.0f32, -0.3, 0.0, 0.0, 0.7, 1.0, 1e20]);
    prop::option::of(("[mn]", prop::collection::vec(number(), 33..=34)))
        .prop_map(|found| found.map(|(model, values)| Vector { model, values }))
}

fn any_sponsor() -> impl Strategy<Value = SponsorSide> {
    let lists = (prop::collection::vec(word(), 0..5), prop::collection::vec(region(), 0..4));
    (prop::option::of(-10i64..10_000_000), lists, direction()).prop_map(
        |(budget, lists, objectives)| SponsorSide {
            annual_budget_cents: budget,
            preferred_categories: lists.0,
            regions: lists.1,
            objectives,
        },
    )
}

fn any_event() -> impl Strategy<Value = EventSide> {
    let count = prop::sample::select(vec![0.0, 0.1, 1.0, 7.0, 1e300, -2.0, f64::NAN]);
    let insights =
        (
            prop::collection::vec((region(), count), 0..5),
            prop::option::of(0.0..=1.0),
            prop::option::of(0.0..=1.0),
        )
            .prop_map(|(geo_distribution, engagement_score, ticket_conversion_rate)| {
                Insights { geo_distribution, engagement_score, ticket_conversion_rate }
            });
    let lists = (prop::collection::vec(word(), 0..5), prop::collection::vec(region(), 0..3));
    (lists, prop::option::of(insights), direction()).prop_map(|(lists, insights, embedding)| {
        EventSide { categories: lists.0, regions: lists.1, insights, embedding }
    })
}

fn bits(fit: &Fit) -> [u64; 9] {
    [
        fit.score,
        fit.budget_fit,
        fit.category_overlap,
        fit.geo_overlap,
        fit.audience_overlap,
        fit.geo_fit,
        fit.engagement_quality,
        fit.objectives_similarity,
        fit.coverage,
    ]
    .map(f64::to_bits)
}

fn weights_of(event: usize) -> Weights {
    if event.is_multiple_of(2) {
        return Weights::default();
    }
    Weights::from_json(&json!({"geo_fit": 0.5, "objectives_similarity": 0.5})).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_market_says_of_every_pair_what_fit_says(
        sponsors in prop::collection::vec(any_sponsor(), 0..150), events in prop::collection::vec(any_event(), 0..40),
        from in 0usize..20,
    ) {
        let market = Market::new(&sponsors, &events);
        let range = from.min(sponsors.len())..sponsors.len();
        let fits = market.fits(weights_of, range.clone(), 0..events.len(), &Stop::default()).unwrap();
        let scores = market.scores(weights_of, range.clone(), 0..events.len(), &Stop::default()).unwrap();
        prop_assert_eq!(fits.len(), range.len() * events.len());
        for (at, found) in fits.iter().enumerate() {
            let (event, sponsor) = (at / range.len(), range.start + at % range.len());
            let expected = fit(&sponsors[sponsor], &events[event], &weights_of(event));
            prop_assert_eq!(bits(found), bits(&expected));
            prop_assert_eq!(scores[at].to_bits(), expected.score.to_bits());
            if at % 97 == 0 {
                prop_assert_eq!(bits(&market.pair(sponsor, event, &weights_of(event))), bits(&expected));
            }
        }
    }

    #[test]
    fn the_best_are_the_first_of_all_in_order(
        sponsors in prop::collection::vec(any_sponsor(), 0..150), events in prop::collection::vec(any_event(), 0..40),
        most in 1usize..5, least in prop::sample::select(vec![0.0, 0.4]),
    ) {
        let market = Market::new(&sponsors, &events);
        let wanted = crate::pairs::Wanted { most, least };
        let best = market.best(weights_of, wanted, &Stop::default()).unwrap();
        prop_assert_eq!(best.len(), events.len());
        for (at, found) in best.into_iter().enumerate() {
            let mut all: Vec<(u32, f64)> = (0..).zip(&sponsors)
                .map(|(index, sponsor)| (index, fit(sponsor, &events[at], &weights_of(at)).stored_score()))
                .filter(|(_, score)| *score >= least).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            all.truncate(most);
            prop_assert_eq!(found, all);
        }
    }

    #[test]
    fn order_case_and_repetition_make_no_difference(
        sponsor in any_sponsor(), event in any_event(), turn in 0usize..5,
    ) {
        let shuffled = |list: &[String]| {
            let mut list: Vec<String> = list.iter().chain(list).map(|word| format!(" {} ", word.to_uppercase())).collect();
            let by = turn.min(list.len());
            list.rotate_left(by);
            list
        };
        let other_sponsor = SponsorSide {
            preferred_categories: shuffled(&sponsor.preferred_categories),
            regions: shuffled(&sponsor.regions),
            ..sponsor.clone()
        };
        let mut other_event = EventSide {
            categories: shuffled(&event.categories), regions: shuffled(&event.regions), ..event.clone()
        };
        if let Some(insights) = &mut other_event.insights {
            insights.geo_distribution.reverse();
        }
        let weights = Weights::default();
        prop_assert_eq!(bits(&fit(&sponsor, &event, &weights)), bits(&fit(&other_sponsor, &other_event, &weights)));
    }

    #[test]
    fn parts_times_weights_are_the_score(sponsor in any_sponsor(), event in any_event(), other in 0usize..2) {
        let weights = weights_of(other);
        let found = fit(&sponsor, &event, &weights);
        prop_assert!((0.0..=1.0).contains(&found.score) && (0.0..=1.0).contains(&found.coverage));
        prop_assert!(found.parts().iter().all(|part| (0.0..=1.0).contains(part)));
        let metrics: Value = serde_json::from_str(&found.metrics(&weights)).unwrap();
        let number = |path: &str| metrics.pointer(path).and_then(Value::as_f64).unwrap();
        let overlap = 0.6 * number("/audience_overlap/categories") + 0.4 * number("/audience_overlap/geo");
        let parts = [number("/budget_fit"), overlap, number("/geo_fit"), number("/engagement_quality"),
                     number("/objectives_similarity")];
        let sum: f64 = Weights::KEYS.iter().zip(parts).map(|(key, part)| number(&format!("/weights/{key}")) * part).sum();
        let brought: f64 = Weights::KEYS.iter().map(|key| number(&format!("/contributions/{key}"))).sum();
        prop_assert!((sum - found.score).abs() < 1e-11 && (brought - found.score).abs() < 1e-11);
        prop_assert!((found.stored_score() - found.score).abs() <= 0.5e-6 + 1e-11);
    }
}
