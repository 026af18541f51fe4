//! How likely a sponsor renews, what would help most, and whom to contact when.
//!
//! Computed in millionths, which hold every input exactly, so that neither the rounding nor the
//! test for 'likely' depends on how a machine writes 0.7.

/// Millionths of probability per point of engagement: 0.3 / 100.
const PER_ENGAGEMENT: i64 = 3_000;
/// Per point of satisfaction: 0.4 / 10.
const PER_SATISFACTION: i64 = 40_000;
/// Per hundredth of a percent of return: 0.3 / 50,000.
const PER_CENTIPERCENT: i64 = 6;
const MOST_ENGAGEMENT: i64 = 100;
const MOST_SATISFACTION: i64 = 10;
const MOST_CENTIPERCENT: i64 = 50_000;
/// What counts where nothing is known.
const MISSING_ENGAGEMENT: i64 = 50;
const MISSING_SATISFACTION: i64 = 5;
const MISSING_CENTIPERCENT: i64 = 0;
/// Millionths from which a renewal is likely.
const LIKELY_FROM: i64 = 700_000;
const MILLION: f64 = 1e6;

/// What a forecast is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// How much the sponsor does at the event.
    Engagement,
    /// How content the sponsor says to be.
    Satisfaction,
    /// What the sponsorship returned.
    Roi,
}

impl Factor {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engagement => "engagement",
            Self::Satisfaction => "satisfaction",
            Self::Roi => "roi",
        }
    }
}

/// One factor: what it brings, what it could bring, and whether it was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    factor: Factor,
    value: i64,
    most: i64,
    per_unit: i64,
    assumed: bool,
}

impl Share {
    fn brings(&self) -> i64 {
        self.value * self.per_unit
    }

    fn gain(&self) -> i64 {
        (self.most - self.value) * self.per_unit
    }
}

/// A forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    shares: [Share; 3],
}

/// The forecast for an engagement of 0 to 100, a satisfaction of 1 to 10 and a return in percent:
/// `0.3 engagement/100 + 0.4 satisfaction/10 + 0.3 least(roi, 500)/500`. Missing values count 50, 5
/// and 0, a negative return 0.
#[must_use]
pub fn forecast(engagement: Option<i64>, satisfaction: Option<i64>, roi: Option<f64>) -> Forecast {
    let share = |factor, value: Option<i64>, missing, most, per_unit| Share {
        factor,
        value: value.unwrap_or(missing).clamp(0, most),
        most,
        per_unit,
        assumed: value.is_none(),
    };
    let roi = roi.map(|percent| (percent * 100.0).round() as i64);
    Forecast {
        shares: [
            share(
                Factor::Engagement,
                engagement,
                MISSING_ENGAGEMENT,
                MOST_ENGAGEMENT,
                PER_ENGAGEMENT,
            ),
            share(
                Factor::Satisfaction,
                satisfaction,
                MISSING_SATISFACTION,
                MOST_SATISFACTION,
                PER_SATISFACTION,
            ),
            share(Factor::Roi, roi, MISSING_CENTIPERCENT, MOST_CENTIPERCENT, PER_CENTIPERCENT),
        ],
    }
}

impl Forecast {
    fn millionths(&self) -> i64 {
        self.shares.iter().map(Share::brings).sum()
    }

    /// In hundredths, rounded half up: 0 to 100.
    #[must_use]
    pub fn percent(&self) -> i64 {
        (self.millionths() + 5_000) / 10_000
    }

    /// Whether a renewal is likely: from 0.70 up, before any rounding.
    #[must_use]
    pub fn likely(&self) -> bool {
        self.millionths() >= LIKELY_FROM
    }

    /// What each factor brings to the probability, and whether it was assumed.
    pub fn parts(&self) -> impl Iterator<Item = (Factor, f64, bool)> + '_ {
        self.shares
            .iter()
            .map(|share| (share.factor, share.brings() as f64 / MILLION, share.assumed))
    }

    /// The factor that would raise the probability most if it were as good as can be, and by how
    /// much; `None` where all are. Of equals the first in the order of [`Factor`].
    #[must_use]
    pub fn helps_most(&self) -> Option<(Factor, f64)> {
        self.shares
            .iter()
            .rev()
            .max_by_key(|share| share.gain())
            .filter(|share| share.gain() > 0)
            .map(|share| (share.factor, share.gain() as f64 / MILLION))
    }

    /// What to do about that factor, as a sentence with its numbers.
    #[must_use]
    pub fn advice(&self) -> String {
        let Some((factor, gain)) = self.helps_most() else {
            return "Nothing is left to improve".to_owned();
        };
        let Some(share) = self.shares.iter().find(|share| share.factor == factor) else {
            return String::new();
        };
        let value = share.value;
        match (factor, share.assumed) {
            (Factor::Engagement, true) => {
                format!(
                    "Engagement is not known and counts as {value} of 100; at 100 it would add {gain:.2}"
                )
            }
            (Factor::Engagement, false) => {
                format!("Engagement is {value} of 100; at 100 it would add {gain:.2}")
            }
            (Factor::Satisfaction, true) => {
                format!(
                    "Satisfaction is not known and counts as {value} of 10: ask for it; 10 would add {gain:.2}"
                )
            }
            (Factor::Satisfaction, false) => {
                format!(
                    "Satisfaction is {value} of 10; each point more adds 0.04, 10 would add {gain:.2}"
                )
            }
            (Factor::Roi, true) => {
                format!(
                    "The return is not known and counts as 0: measure it; 500 % would add {gain:.2}"
                )
            }
            (Factor::Roi, false) => format!(
                "The return counts as {} %; 500 % would add {gain:.2}",
                value as f64 / 100.0
            ),
        }
    }
}

/// A contact in a renewal sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// A word for programs, unique within a sequence.
    pub step: &'static str,
    /// Whom it reaches: the sponsor's contact, or the organizer's person who looks after them.
    pub who: &'static str,
    /// How.
    pub channel: &'static str,
    /// Days after the start.
    pub day: u32,
    /// What it is about.
    pub purpose: &'static str,
}

const fn step(
    step: &'static str,
    who: &'static str,
    channel: &'static str,
    day: u32,
    purpose: &'static str,
) -> Step {
    Step { step, who, channel, day, purpose }
}

const WHEN_LIKELY: [Step; 4] = [
    step("results", "sponsor", "email", 0, "Thank them, and send what the sponsorship brought"),
    step("offer", "sponsor", "email", 7, "Offer the renewal, with first choice of packages"),
    step("call", "account_manager", "call", 14, "Call about the offer"),
    step("last_chance", "sponsor", "email", 28, "Say until when the offer stands"),
];

const WHEN_UNLIKELY: [Step; 5] = [
    step("listen", "account_manager", "call", 0, "Call, and ask what should have been better"),
    step(
        "results",
        "sponsor",
        "email",
        3,
        "Send what the sponsorship brought, and what will change",
    ),
    step("plan", "account_manager", "meeting", 10, "Agree on goals for the next event"),
    step("offer", "sponsor", "email", 17, "Offer the renewal on these goals"),
    step("last_chance", "sponsor", "email", 35, "Say until when the offer stands"),
];

/// Whom to contact when, so that a sponsor renews: who is likely to gets an offer soon, who is not
/// is listened to first.
#[must_use]
pub fn sequence(likely: bool) -> &'static [Step] {
    if likely { &WHEN_LIKELY } else { &WHEN_UNLIKELY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_formula_on_rows_worked_by_hand() {
        // .3 * .8 + .4 * .9 + .3 * .5
        assert_eq!(forecast(Some(80), Some(9), Some(250.0)).percent(), 75);
        assert_eq!(forecast(None, None, None).percent(), 35);
        assert_eq!(forecast(Some(100), Some(10), Some(500.0)).percent(), 100);
        assert_eq!(forecast(Some(0), Some(1), Some(-999.0)).percent(), 4);
        assert_eq!(forecast(Some(100), Some(10), Some(1e9)).percent(), 100);
    }

    #[test]
    fn likely_is_decided_before_rounding() {
        // .3 * .95 + .4 * 1 + 0 = .685; with 16.66 % of return .694996, which rounds to .69, and with 16.67 % .695002.
        let below = forecast(Some(95), Some(10), Some(16.67));
        assert_eq!((below.percent(), below.likely()), (70, false));
        assert_eq!(forecast(Some(95), Some(10), Some(16.66)).percent(), 69);
        let exactly = forecast(Some(100), Some(10), Some(0.0));
        assert_eq!((exactly.percent(), exactly.likely()), (70, true));
    }

    #[test]
    fn half_a_hundredth_goes_up() {
        // .3 * .05 = .015 and .4 * .5 = .2: .215.
        assert_eq!(forecast(Some(5), Some(5), None).percent(), 22);
    }

    #[test]
    fn the_largest_gap_helps_most() {
        assert_eq!(
            forecast(Some(100), Some(5), Some(500.0)).helps_most(),
            Some((Factor::Satisfaction, 0.2))
        );
        assert_eq!(
            forecast(Some(0), Some(10), Some(0.0)).helps_most(),
            Some((Factor::Engagement, 0.3))
        );
        assert_eq!(forecast(Some(90), Some(9), None).helps_most(), Some((Factor::Roi, 0.3)));
        assert_eq!(forecast(Some(100), Some(10), Some(500.0)).helps_most(), None);
        assert!(forecast(Some(90), Some(9), None).advice().contains("not known"));
    }

    #[test]
    fn steps_of_a_sequence_are_in_order_and_named_once() {
        for likely in [true, false] {
            let steps = sequence(likely);
            assert!(steps.windows(2).all(|pair| pair[0].day < pair[1].day));
            assert!(
                steps
                    .iter()
                    .enumerate()
                    .all(|(i, one)| steps[..i].iter().all(|other| other.step != one.step))
            );
        }
    }

    proptest! {
        #[test]
        fn parts_add_up_and_stay_a_probability(
            engagement in prop::option::of(0i64..=100), satisfaction in prop::option::of(1i64..=10),
            roi in prop::option::of(-1e9f64..1e9),
        ) {
            let forecast = forecast(engagement, satisfaction, roi);
            prop_assert!((0..=100).contains(&forecast.percent()));
            let sum: f64 = forecast.parts().map(|(_, brings, _)| brings).sum();
            prop_assert!((sum - forecast.percent() as f64 / 100.0).abs() <= 0.005 + 1e-9);
        }
    }
}
