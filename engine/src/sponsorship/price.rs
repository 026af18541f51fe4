//! What a package could cost, by what comparable ones cost and how they sold.

use super::words;

/// Fewer comparables than this say nothing.
pub const LEAST_COMPARABLES: usize = 3;
/// The most that are looked at: the most alike, of those the newest.
pub const MOST_COMPARABLES: usize = 50;
/// How much more a package could have cost that sold out, against one that sold by half.
const OF_FILL: f64 = 0.2;
/// How much more is paid per hundred points of quality.
const OF_QUALITY: f64 = 0.5;
/// What a package of another type counts against one of the same.
const OTHER_TYPE: f64 = 0.5;
/// How far apart sums of the same weights may be, relative to the whole.
const TOLERANCE: f64 = 1e-9;
/// What a package counts at least, whatever its event is about.
const LEAST_ALIKE: f64 = 0.5;

/// The package that a price is sought for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// What kind of thing is sold.
    pub package_type: String,
    /// Categories of its event.
    pub categories: Vec<String>,
    /// Quality of its event, 0 to 100, where that is known.
    pub quality: Option<f64>,
}

/// A package of the same tier and currency, of another event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparable {
    /// What kind of thing is sold, where, and how good that is.
    pub offer: Offer,
    /// Its price in minor units.
    pub price_cents: i64,
    /// The share that was sold, 0 to 1, where that is final: the event is over, or none is left.
    pub fill: Option<f64>,
}

/// How a comparable counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    /// Its place in what was given.
    pub index: usize,
    /// How alike it is, 0 to 1.
    pub weight: f64,
    /// Its price, as if it had sold by half at an event as good as the offer's.
    pub adjusted: f64,
}

/// A suggested price in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggestion {
    /// The weighted median of the adjusted prices.
    pub price_cents: i64,
    /// Their weighted lower and upper quartile.
    pub low_cents: i64,
    /// See `low_cents`.
    pub high_cents: i64,
}

impl Comparable {
    /// `(1 for the same type, else 0.5) x (0.5 + 0.5 Jaccard of the categories)`.
    #[must_use]
    pub fn weight(&self, offer: &Offer) -> f64 {
        let same = words::plain(&self.offer.package_type) == words::plain(&offer.package_type);
        let alike = words::jaccard(&self.offer.categories, &offer.categories);
        (if same { 1.0 } else { OTHER_TYPE }) * (LEAST_ALIKE + (1.0 - LEAST_ALIKE) * alike)
    }

    /// `price x (1 + 0.2 (fill - 0.5)) x (1 + 0.5 (quality - its quality) / 100)`; what is not known
    /// of fill or of either quality changes nothing.
    #[must_use]
    pub fn adjusted(&self, offer: &Offer) -> f64 {
        let fill = self.fill.map_or(1.0, |fill| 1.0 + OF_FILL * (fill.clamp(0.0, 1.0) - 0.5));
        let quality = match (offer.quality, self.offer.quality) {
            (Some(here), Some(there)) => 1.0 + OF_QUALITY * (here - there) / 100.0,
            _ => 1.0,
        };
        self.price_cents as f64 * fill * quality
    }
}

/// The comparables that count, the most alike first and of equals the first given; and what they
/// suggest, if they are enough.
#[must_use]
pub fn suggest(offer: &Offer, comparables: &[Comparable]) -> (Vec<Counted>, Option<Suggestion>) {
    let mut counted: Vec<Counted> = comparables
        .iter()
        .enumerate()
        .map(|(index, one)| Counted {
            index,
            weight: one.weight(offer),
            adjusted: one.adjusted(offer),
        })
        .collect();
    counted.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.index.cmp(&b.index)));
    counted.truncate(MOST_COMPARABLES);
    if counted.len() < LEAST_COMPARABLES {
        return (counted, None);
    }
    let mut prices: Vec<(f64, f64)> =
        counted.iter().map(|one| (one.adjusted, one.weight)).collect();
    prices.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |share: f64| quantile(&prices, share).round() as i64;
    let suggestion = Suggestion { price_cents: at(0.5), low_cents: at(0.25), high_cents: at(0.75) };
    (counted, Some(suggestion))
}

/// The value below which `share` of the weight lies; between two of them their mean.
fn quantile(values: &[(f64, f64)], share: f64) -> f64 {
    let total = values.iter().fold(0.0, |sum, (_, weight)| sum + weight);
    let (wanted, near) = (share * total, TOLERANCE * total);
    let mut below = 0.0;
    for (at, (value, weight)) in values.iter().enumerate() {
        below += weight;
        if below > wanted + near {
            return *value;
        }
        if below >= wanted - near {
            return values.get(at + 1).map_or(*value, |(next, _)| f64::midpoint(*value, *next));
        }
    }
    values.last().map_or(0.0, |(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(package_type: &str, categories: &[&str], quality: Option<f64>) -> Offer {
        let categories = categories.iter().map(ToString::to_string).collect();
        Offer { package_type: package_type.into(), categories, quality }
    }

    fn sold(offer: Offer, price_cents: i64, fill: Option<f64>) -> Comparable {
        Comparable { offer, price_cents, fill }
    }

    #[test]
    fn prices_are_adjusted_by_sales_and_quality() {
        let ours = offer("booth", &["music"], Some(80.0));
        let price =
            |quality, fill| sold(offer("booth", &[], quality), 100_000, fill).adjusted(&ours);
        assert!((price(Some(80.0), Some(0.5)) - 100_000.0).abs() < 1e-6);
        assert!((price(Some(80.0), Some(1.0)) - 110_000.0).abs() < 1e-6);
        assert!((price(None, Some(0.0)) - 90_000.0).abs() < 1e-6);
        // Twenty points better: a tenth more.
        assert!((price(Some(60.0), None) - 110_000.0).abs() < 1e-6);
        assert!((price(Some(60.0), Some(1.0)) - 121_000.0).abs() < 1e-6);
    }

    #[test]
    fn likeness_counts() {
        let ours = offer("Booth", &["music", "food"], None);
        let weight = |other: Offer| sold(other, 1, None).weight(&ours);
        assert!((weight(offer("booth ", &["Food", "MUSIC"], None)) - 1.0).abs() < 1e-12);
        // One of three: .5 + .5 / 3.
        assert!((weight(offer("booth", &["food", "art"], None)) - 2.0 / 3.0).abs() < 1e-12);
        assert!((weight(offer("digital", &[], None)) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn the_suggestion_is_a_weighted_median() {
        let ours = offer("a", &[], None);
        let same = |price| sold(offer("a", &[], None), price, None);
        let other = |price| sold(offer("b", &[], None), price, None);
        // Weights .5 each: the middle one; quartiles at .375 and 1.125 of 1.5.
        let (counted, found) = suggest(&ours, &[same(300), same(100), same(200)]);
        assert_eq!(counted.iter().map(|one| one.index).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(found, Some(Suggestion { price_cents: 200, low_cents: 100, high_cents: 300 }));
        // Four alike: between the two in the middle, and between the outer two.
        let found = suggest(&ours, &[same(100), same(200), same(400), same(700)]).1;
        assert_eq!(found, Some(Suggestion { price_cents: 300, low_cents: 150, high_cents: 550 }));
        // Weights .25 .25 .5 of 1: half of the weight is below the last one, so between 200 and 900.
        let (counted, found) = suggest(&ours, &[other(100), other(200), same(900)]);
        assert_eq!(counted[0].index, 2);
        assert_eq!(found, Some(Suggestion { price_cents: 550, low_cents: 150, high_cents: 900 }));
    }

    #[test]
    fn two_are_too_few_and_fifty_enough() {
        let ours = offer("a", &[], None);
        let two = vec![sold(offer("a", &[], None), 100, None); 2];
        let (counted, found) = suggest(&ours, &two);
        assert_eq!((counted.len(), found), (2, None));
        assert_eq!(suggest(&ours, &[]), (vec![], None));
        let many: Vec<Comparable> = (0..80)
            .map(|n| {
                sold(
                    offer(if n < 30 { "b" } else { "a" }, &[], None),
                    if n < 30 { 9 } else { 5 },
                    None,
                )
            })
            .collect();
        let (counted, found) = suggest(&ours, &many);
        assert_eq!(counted.len(), MOST_COMPARABLES);
        assert!(counted.iter().all(|one| one.index >= 30));
        assert_eq!(found.map(|found| (found.low_cents, found.high_cents)), Some((5, 5)));
    }

    proptest! {
        #[test]
        fn a_suggestion_lies_among_the_adjusted_prices(
            prices in prop::collection::vec((1i64..1_000_000, prop::option::of(0.0f64..=1.0), 0.0f64..=100.0, "[ab]"), 3..20),
        ) {
            let ours = offer("a", &[], Some(50.0));
            let all: Vec<Comparable> = prices.into_iter()
                .map(|(price, fill, quality, kind)| sold(offer(&kind, &[], Some(quality)), price, fill)).collect();
            let (counted, found) = suggest(&ours, &all);
            let found = found.unwrap();
            prop_assert!(found.low_cents <= found.price_cents && found.price_cents <= found.high_cents);
            let least = counted.iter().map(|one| one.adjusted).fold(f64::INFINITY, f64::min);
            let most = counted.iter().map(|one| one.adjusted).fold(0.0, f64::max);
            prop_assert!(found.low_cents as f64 >= least - 0.5 && found.high_cents as f64 <= most + 0.5);
        }
    }
}
