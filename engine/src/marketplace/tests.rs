#![allow(clippy::float_cmp)] // Halves and quarters are exact.

use proptest::prelude::*;

use super::*;

const UNKNOWN: Event<u8> = Event {
    organization: 1,
    start: Some(100),
    ended: None,
    described: 0,
    engagement: None,
    conversion_rate: None,
    mentions: None,
    sentiment: None,
};

fn one(event: Event<u8>) -> Quality {
    qualities(&[event])[0]
}

#[test]
fn weights_add_up() {
    assert!((WEIGHTS.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(PARTS.len(), WEIGHTS.len());
}

#[test]
fn nothing_known_but_the_description() {
    // 100 (.25 * 0 + .75 * .5) = 37.5; all of it described: 62.5.
    let bare = one(UNKNOWN);
    assert_eq!(bare.score, 37.5);
    assert_eq!(bare.parts, [Some(0.0), None, None, None, None]);
    assert_eq!(bare.coverage, 0.25);
    assert_eq!(one(Event { described: 10, ..UNKNOWN }).score, 62.5);
}

#[test]
fn every_part_by_hand() {
    // completeness 8/10; engagement .6; conversion .05/(.05 + .05) = .5; volume 300/400 = .75 and mood
    // (1 + .2)/2 = .6, so .675; before it one event with engagement .8 alone: (.8 + .5)/2 = .65.
    // 100 (.25*.8 + .25*.6 + .2*.5 + .15*.675 + .15*.65) = 100 (.2 + .15 + .1 + .10125 + .0975) = 64.875.
    let before = Event { start: Some(1), ended: Some(2), engagement: Some(0.8), ..UNKNOWN };
    let event = Event {
        described: 8,
        engagement: Some(0.6),
        conversion_rate: Some(0.05),
        mentions: Some(300),
        sentiment: Some(0.2),
        ..UNKNOWN
    };
    let found = qualities(&[before, event])[1];
    assert_eq!(found.parts, [Some(0.8), Some(0.6), Some(0.5), Some(0.675), Some(0.65)]);
    assert!((found.score - 64.875).abs() <= 0.005_001, "{}", found.score);
    assert_eq!(found.coverage, 1.0);
}

#[test]
fn silence_is_known_where_mentions_were_counted() {
    assert_eq!(one(Event { mentions: Some(0), ..UNKNOWN }).parts[3], Some(0.0));
    assert_eq!(one(Event { mentions: Some(100), ..UNKNOWN }).parts[3], Some(0.5));
    assert_eq!(one(Event { mentions: None, sentiment: Some(1.0), ..UNKNOWN }).parts[3], None);
}

#[test]
fn history_is_what_ended_before() {
    let over = |start, ended, engagement| Event {
        start: Some(start),
        ended: Some(ended),
        engagement: Some(engagement),
        ..UNKNOWN
    };
    let later = Event { start: Some(30), ..UNKNOWN };
    let elsewhere = Event { organization: 2, ..later.clone() };
    let undated = Event { start: None, ..UNKNOWN };
    let found = qualities(&[
        over(1, 10, 1.0),
        over(12, 20, 0.25),
        over(25, 40, 0.0),
        later,
        elsewhere,
        undated,
    ]);
    let histories: Vec<_> = found.iter().map(|quality| quality.parts[4]).collect();
    // None before the first; (1 + .5)/2; (1 + .25 + .5)/3 twice; nothing of another organization; all three.
    assert_eq!(histories, [None, Some(0.75), Some(0.583_333), Some(0.583_333), None, Some(0.4375)]);
}

#[test]
fn an_event_that_is_over_is_not_its_own_history() {
    for (start, ended) in [(None, 10), (Some(10), 10), (Some(12), 10), (Some(i64::MAX), i64::MAX)] {
        let event = Event { start, ended: Some(ended), engagement: Some(1.0), ..UNKNOWN };
        assert_eq!(one(event).parts[4], None, "{start:?} {ended}");
    }
}

#[test]
fn few_are_compared_all_and_many_by_the_index() {
    assert_eq!(plan(2_000, 1_536, 10), Plan::Exact);
    assert_eq!(plan(1_000_000, 8_000, 10), Plan::Exact);
    assert_eq!(
        plan(2_001, 1_536, 10),
        Plan::Index { candidates: 100, ef_search: 200, half: false }
    );
    assert_eq!(
        plan(9_999, 3_072, 500),
        Plan::Index { candidates: 2_000, ef_search: 1_000, half: true }
    );
}

fn known() -> impl Strategy<Value = Event<u8>> {
    (
        (0u8..3, prop::option::of(0i64..50), prop::option::of(0i64..50), -3i32..14),
        (prop::option::of(-0.5f64..1.5), prop::option::of(-0.5f64..1.5)),
        (prop::option::of(-5i32..5_000), prop::option::of(-2.0f64..2.0)),
    )
        .prop_map(
            |(
                (organization, start, ended, described),
                (engagement, conversion_rate),
                (mentions, sentiment),
            )| {
                Event {
                    organization,
                    start,
                    ended,
                    described,
                    engagement,
                    conversion_rate,
                    mentions,
                    sentiment,
                }
            },
        )
}

proptest! {
    #[test]
    fn scores_are_the_parts_and_in_range(events in prop::collection::vec(known(), 0..30)) {
        for quality in qualities(&events) {
            prop_assert!((0.0..=100.0).contains(&quality.score));
            let sum: f64 = WEIGHTS.iter().zip(quality.parts).map(|(w, p)| 100.0 * w * p.unwrap_or(0.5)).sum();
            prop_assert!((quality.score - sum).abs() < 0.006);
            prop_assert!(quality.parts.iter().flatten().all(|part| (0.0..=1.0).contains(part)));
        }
    }

    #[test]
    fn more_is_never_worse(event in known(), more in 0.0f64..1.0) {
        let before = one(event.clone());
        let better = Event {
            described: event.described + 1,
            engagement: event.engagement.map(|value| value + more),
            conversion_rate: event.conversion_rate.map(|value| value + more),
            mentions: event.mentions.map(|value| value + 10),
            sentiment: event.sentiment.map(|value| value + more),
            ..event
        };
        prop_assert!(one(better).score >= before.score);
    }

    #[test]
    fn the_order_of_the_events_does_not_matter(events in prop::collection::vec(known(), 0..20)) {
        let mut reversed = events.clone();
        reversed.reverse();
        let mut other = qualities(&reversed);
        other.reverse();
        prop_assert_eq!(qualities(&events), other);
    }
}
