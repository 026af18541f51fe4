//! The figures themselves.

use std::collections::BTreeMap;

/// Dwell time that counts for half, in milliseconds.
const HALF_DWELL_MS: f64 = 30_000.0;
/// Looks at the tickets per impression, and reactions per view, that count for half.
const HALF_RATE: f64 = 0.05;
/// What the parts of engagement weigh, where they are known.
const WEIGHTS: [f64; 4] = [0.35, 0.30, 0.20, 0.15];
/// What the columns can hold.
const MOST_DWELL_MS: f64 = 999_999_999_999.99;

/// Sums of all signals of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// How often the event was shown.
    pub impressions: f64,
    /// Milliseconds, of those impressions and views of posts for which they were measured.
    pub dwell_ms: f64,
    /// How many those were.
    pub dwelled: f64,
    /// Looks at the tickets.
    pub ticket_views: f64,
    /// Purchases as the ticket page saw them.
    pub purchases: f64,
    /// Views of posts.
    pub post_views: f64,
    /// Percent watched, times views.
    pub watch: f64,
    /// Those views.
    pub watched: f64,
    /// How often the event was mentioned.
    pub mentions: f64,
    /// Sentiment of texts, times their mentions.
    pub sentiment: f64,
    /// Those mentions.
    pub texts: f64,
    /// Impressions by country, as it was sent.
    pub countries: Vec<(String, f64)>,
    /// Impressions by age.
    pub ages: Vec<(String, f64)>,
}

/// What is counted where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Attendees who have not cancelled.
    pub attendees: i64,
    /// Orders made from the ticket page that were paid; nothing where there are no orders at all.
    pub orders: Option<i64>,
    /// Views of the event's videos.
    pub video_views: f64,
    /// Percent watched, times views, of videos for which it was measured.
    pub video_watch: f64,
    /// Those views.
    pub video_watched: f64,
    /// Likes and shares of videos.
    pub reactions: f64,
}

/// A row of `event_audience_insights`.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Attendees who have not cancelled.
    pub attendee_count: i32,
    /// Milliseconds, to two places.
    pub avg_dwell_time_ms: Option<f64>,
    /// Impressions by country.
    pub geo_distribution: BTreeMap<String, f64>,
    /// Shares of the impressions whose age is known, to six places.
    pub age_segments: BTreeMap<String, f64>,
    /// 0 to 1; nothing where nothing is known.
    pub engagement_score: Option<f64>,
    /// 0 to 1; nothing where nobody looked.
    pub ticket_conversion_rate: Option<f64>,
    /// How often the event was mentioned.
    pub social_mentions: i32,
    /// -1 to 1; nothing where no text was scored.
    pub sentiment_score: Option<f64>,
}

/// The figures of an event. `fold` brings the words for a country to one form.
pub fn figures(sums: &Sums, facts: &Facts, fold: impl Fn(&str) -> String) -> Figures {
    Figures {
        attendee_count: i32::try_from(facts.attendees).unwrap_or(i32::MAX),
        avg_dwell_time_ms: ratio(sums.dwell_ms, sums.dwelled)
            .map(|mean| round(mean, 2).min(MOST_DWELL_MS)),
        geo_distribution: by_country(&sums.countries, fold),
        age_segments: shares(&sums.ages),
        engagement_score: engagement(sums, facts),
        ticket_conversion_rate: conversion(sums, facts),
        social_mentions: whole(sums.mentions),
        sentiment_score: ratio(sums.sentiment, sums.texts)
            .map(|mean| round(mean.clamp(-1.0, 1.0), 6)),
    }
}

/// The weighted mean of what is known of: dwell time `d / (d + 30 s)`, the share of videos that is
/// watched, looks at the tickets per impression `r / (r + 0.05)`, and reactions (mentions, likes,
/// shares) per view of a post or video, likewise.
#[must_use]
pub fn engagement(sums: &Sums, facts: &Facts) -> Option<f64> {
    let saturating = |value: f64, half: f64| value.max(0.0) / (value.max(0.0) + half);
    let dwell = ratio(sums.dwell_ms, sums.dwelled).map(|mean| saturating(mean, HALF_DWELL_MS));
    let watch = ratio(sums.watch + facts.video_watch, sums.watched + facts.video_watched)
        .map(|percent| (percent / 100.0).clamp(0.0, 1.0));
    let interest =
        ratio(sums.ticket_views, sums.impressions).map(|rate| saturating(rate, HALF_RATE));
    let response = ratio(sums.mentions + facts.reactions, sums.post_views + facts.video_views)
        .map(|rate| saturating(rate, HALF_RATE));
    let (mut total, mut known) = (0.0, 0.0);
    for (part, weight) in [dwell, watch, interest, response].into_iter().zip(WEIGHTS) {
        if let Some(part) = part {
            total += weight * part;
            known += weight;
        }
    }
    ratio(total, known).map(|score| round(score.clamp(0.0, 1.0), 6))
}

/// Those who bought, of those who looked. Orders are the truth; where there are none at all the
/// tickets are sold elsewhere, and what the ticket page saw counts.
fn conversion(sums: &Sums, facts: &Facts) -> Option<f64> {
    let bought = facts.orders.map_or(sums.purchases, |orders| orders as f64);
    ratio(bought, sums.ticket_views).map(|rate| round(rate.clamp(0.0, 1.0), 6))
}

fn by_country(sent: &[(String, f64)], fold: impl Fn(&str) -> String) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for (country, count) in sent {
        *counts.entry(fold(country)).or_insert(0.0) += count;
    }
    counts.retain(|_, count| *count > 0.0);
    counts
}

fn shares(sent: &[(String, f64)]) -> BTreeMap<String, f64> {
    let mut counts: BTreeMap<String, f64> = BTreeMap::new();
    for (age, count) in sent {
        *counts.entry(age.trim().to_owned()).or_insert(0.0) += count;
    }
    counts.retain(|_, count| *count > 0.0);
    let total: f64 = counts.values().sum();
    counts.into_iter().map(|(age, count)| (age, round(count / total, 6))).collect()
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn round(value: f64, places: i32) -> f64 {
    let scale = 10_f64.powi(places);
    (value * scale).round() / scale
}

/// As many as a column of integers can hold.
fn whole(count: f64) -> i32 {
    count.clamp(0.0, f64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sums: &Sums, facts: &Facts) -> Figures {
        figures(sums, facts, |word| word.trim().to_uppercase())
    }

    #[test]
    fn nothing_known_is_nothing_said() {
        let figures = known(&Sums::default(), &Facts::default());
        assert_eq!(
            figures,
            Figures {
                attendee_count: 0,
                avg_dwell_time_ms: None,
                geo_distribution: BTreeMap::new(),
                age_segments: BTreeMap::new(),
                engagement_score: None,
                ticket_conversion_rate: None,
                social_mentions: 0,
                sentiment_score: None,
            }
        );
    }

    #[test]
    fn every_part_of_engagement_by_hand() {
        // 30 s on average: a half. 40 % watched. 50 looks of 1,000 impressions: a half. 5 reactions of 20 views: 0.25 / 0.3.
        let sums = Sums {
            impressions: 1000.0,
            dwell_ms: 600_000.0,
            dwelled: 20.0,
            ticket_views: 50.0,
            post_views: 15.0,
            watch: 500.0,
            watched: 10.0,
            mentions: 3.0,
            ..Sums::default()
        };
        let facts = Facts {
            video_views: 5.0,
            video_watch: 100.0,
            video_watched: 5.0,
            reactions: 2.0,
            ..Facts::default()
        };
        // 0.35 x 0.5 + 0.30 x 0.4 + 0.20 x 0.5 + 0.15 x 0.833333... = 0.175 + 0.12 + 0.1 + 0.125
        assert_eq!(engagement(&sums, &facts), Some(0.52));
        // Without dwell time: 0.345 / 0.65.
        let sums = Sums { dwell_ms: 0.0, dwelled: 0.0, ..sums };
        assert_eq!(engagement(&sums, &facts), Some(0.530_769));
        // Nothing but impressions, which nobody followed.
        let shown = Sums { impressions: 10.0, ..Sums::default() };
        assert_eq!(engagement(&shown, &Facts::default()), Some(0.0));
    }

    #[test]
    fn orders_are_the_truth() {
        let sums = Sums { ticket_views: 40.0, purchases: 20.0, ..Sums::default() };
        let rate =
            |orders| known(&sums, &Facts { orders, ..Facts::default() }).ticket_conversion_rate;
        assert_eq!(rate(None), Some(0.5));
        assert_eq!(rate(Some(10)), Some(0.25));
        assert_eq!(rate(Some(0)), Some(0.0));
        assert_eq!(rate(Some(50)), Some(1.0));
        let unseen = Sums { purchases: 20.0, ..Sums::default() };
        assert_eq!(
            known(&unseen, &Facts { orders: Some(3), ..Facts::default() }).ticket_conversion_rate,
            None
        );
    }

    #[test]
    fn countries_and_ages() {
        let list =
            |pairs: &[(&str, f64)]| pairs.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
        let sums = Sums {
            countries: list(&[("de", 3.0), ("DE ", 4.0), ("FR", 0.0), ("IT", -1.0)]),
            ages: list(&[("18-24", 1.0), ("25-34", 2.0), ("35-44", 0.0)]),
            ..Sums::default()
        };
        let figures = known(&sums, &Facts::default());
        assert_eq!(figures.geo_distribution, BTreeMap::from([("DE".to_owned(), 7.0)]));
        assert_eq!(
            figures.age_segments,
            BTreeMap::from([("18-24".to_owned(), 0.333_333), ("25-34".to_owned(), 0.666_667)])
        );
    }

    #[test]
    fn means_are_rounded_once() {
        let sums = Sums {
            dwell_ms: 1000.0,
            dwelled: 3.0,
            sentiment: -1.0,
            texts: 3.0,
            mentions: 4e9,
            ..Sums::default()
        };
        let figures = known(&sums, &Facts { attendees: 7, ..Facts::default() });
        assert_eq!(figures.avg_dwell_time_ms, Some(333.33));
        assert_eq!(figures.sentiment_score, Some(-0.333_333));
        assert_eq!((figures.attendee_count, figures.social_mentions), (7, i32::MAX));
    }
}
