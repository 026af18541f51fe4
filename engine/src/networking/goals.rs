//! Wants and offers: which of what one person seeks the other has.
//!
//! The offers of a person are turned into the wants that they meet, once: then what two people have
//! for each other is a few intersections of bits. A complement of strength 0.8 is met at every level
//! up to 0.8, and the strengths of all wants add up to the counts of the levels times the steps
//! between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::profile::{Profile, word};
use crate::threads;

/// Up to this many words of bits a set is a row of bits, above it a sorted list.
const MOST_WORDS: usize = 16;

/// Which offer meets which want, and how well: 0 to 1. Equal words always meet, fully.
#[derive(Clone, Debug, Default)]
pub struct Complements {
    by_want: HashMap<String, Vec<(String, f64)>>,
}

impl Complements {
    /// The rows `(want, offer, strength)`; of two for the same words the last counts.
    #[must_use]
    pub fn new(rows: impl IntoIterator<Item = (String, String, f64)>) -> Self {
        let mut pairs = BTreeMap::new();
        for (want, offer, strength) in rows {
            pairs.insert((word(&want), word(&offer)), strength);
        }
        let mut by_want: HashMap<String, Vec<(String, f64)>> = HashMap::new();
        for ((want, offer), strength) in pairs {
            if strength > 0.0 && want != offer {
                by_want.entry(want).or_default().push((offer, strength.min(1.0)));
            }
        }
        Self { by_want }
    }

    /// How well an offer meets a want; both as [`word`] has them.
    #[must_use]
    pub fn strength(&self, want: &str, offer: &str) -> f64 {
        if want == offer {
            return 1.0;
        }
        let rows = self.by_want.get(want).map_or(&[][..], Vec::as_slice);
        rows.iter().find(|(other, _)| other == offer).map_or(0.0, |(_, strength)| *strength)
    }

    /// The offers that meet a want.
    fn offers(&self, want: &str) -> &[(String, f64)] {
        self.by_want.get(want).map_or(&[], Vec::as_slice)
    }
}

/// Sets of numbers, a row each.
#[derive(Clone, Debug)]
enum Rows {
    Bits { words: usize, bits: Vec<u64> },
    Lists(Vec<Vec<u32>>),
}

impl Rows {
    fn new(vocabulary: usize, lists: Vec<Vec<u32>>) -> Self {
        let words = vocabulary.div_ceil(64).max(1);
        if words > MOST_WORDS {
            return Self::Lists(lists);
        }
        let mut bits = vec![0; lists.len() * words];
        for (row, list) in lists.iter().enumerate() {
            for number in list {
                bits[row * words + *number as usize / 64] |= 1 << (number % 64);
            }
        }
        Self::Bits { words, bits }
    }

    #[inline]
    fn common(&self, a: usize, other: &Self, b: usize) -> u32 {
        match (self, other) {
            (Self::Bits { words: 1, bits }, Self::Bits { bits: others, .. }) => {
                (bits[a] & others[b]).count_ones()
            }
            (Self::Bits { words, bits }, Self::Bits { bits: others, .. }) => {
                let (x, y) = (&bits[a * words..][..*words], &others[b * words..][..*words]);
                x.iter().zip(y).map(|(x, y)| (x & y).count_ones()).sum()
            }
            (Self::Lists(lists), Self::Lists(others)) => {
                crate::pairs::common(&lists[a], &others[b])
            }
            // Both sides of a comparison are packed for the same vocabulary.
            _ => 0,
        }
    }

    /// The only word of every row, where rows are one word.
    fn single(&self) -> Option<&[u64]> {
        match self {
            Self::Bits { words: 1, bits } => Some(bits),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Bits { bits, .. } => bits.len() * 8,
            Self::Lists(lists) => lists.iter().map(|list| 24 + list.len() * 4).sum(),
        }
    }
}

/// One side of the market: the words of each person, and per level those of the other side's words
/// that their own meet.
#[derive(Clone, Debug)]
struct Side {
    /// One over the number of words, 0 where there is none.
    share: Vec<f64>,
    own: Rows,
    /// Per level: which words of this side each person's words of the other side answer.
    answered: Vec<Rows>,
}

/// Wants and offers of everybody.
#[derive(Clone, Debug)]
pub(super) struct Goals {
    /// What each level adds to the strength of a word that reaches it.
    steps: Vec<f64>,
    wants: Side,
    offers: Side,
}

/// A word of bits for each person.
struct Single<'a> {
    wants: &'a [u64],
    offers: &'a [u64],
    /// The wants that their offers meet.
    met: &'a [u64],
    /// The offers that meet their wants.
    sought: &'a [u64],
}

impl Goals {
    pub(super) fn new(people: &[Profile], complements: &Complements) -> Self {
        let words = |of: fn(&Profile) -> &Vec<String>| -> Vec<Vec<String>> {
            threads::map(people, |p| of(p).iter().map(|written| word(written)).collect())
        };
        let (wants, offers) = (words(|p| &p.looking_for), words(|p| &p.can_offer));
        let offered: BTreeSet<&str> = offers.iter().flatten().map(String::as_str).collect();
        let wanted: BTreeSet<&str> = wants.iter().flatten().map(String::as_str).collect();
        // Strengths that occur between words that occur.
        let mut met: Vec<(&str, &str, f64)> = Vec::new();
        for want in &wanted {
            if offered.contains(want) {
                met.push((want, want, 1.0));
            }
            for (offer, strength) in complements.offers(want) {
                if let Some(offer) = offered.get(offer.as_str()) {
                    met.push((want, offer, *strength));
                }
            }
        }
        let mut levels: Vec<f64> = met.iter().map(|(.., strength)| *strength).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        let steps = levels.iter().scan(0.0, |below, level| {
            let step = level - *below;
            *below = *level;
            Some(step)
        });
        let steps = steps.collect();
        let turned: Vec<(&str, &str, f64)> = met.iter().map(|(w, o, s)| (*o, *w, *s)).collect();
        Self {
            steps,
            wants: Side::new(&wants, &offers, &met, &levels),
            offers: Side::new(&offers, &wants, &turned, &levels),
        }
    }

    /// What the document's formula gives each of the two: the larger of the share of their wants that
    /// the other offers and the share of their offers that the other wants.
    #[inline]
    pub(super) fn both(&self, a: usize, b: usize) -> (f64, f64) {
        (self.one(a, b), self.one(b, a))
    }

    /// The same for one of them.
    #[inline]
    pub(super) fn one(&self, of: usize, to: usize) -> f64 {
        self.wants.share_met(&self.steps, of, to).max(self.offers.share_met(&self.steps, of, to))
    }

    /// As [`Goals::one`] for many, by the shortest way where the vocabulary is small and every
    /// complement is a full one.
    pub(super) fn row(&self, of: usize, with: Range<usize>, scores: &mut [f64]) {
        if let Some((step, single)) = self.single() {
            let shares = (step * self.wants.share[of], step * self.offers.share[of]);
            let own = (single.wants[of], single.offers[of]);
            let others = (&single.met[with.clone()], &single.sought[with]);
            kernels::shares(own, others, shares, scores);
            return;
        }
        for (score, to) in scores.iter_mut().zip(with) {
            *score = self.one(of, to);
        }
    }

    /// What each of many gets of one person.
    pub(super) fn column(&self, to: usize, with: Range<usize>, scores: &mut [f64]) {
        if let Some((step, single)) = self.single() {
            let theirs = (single.met[to], single.sought[to]);
            let others = (&single.wants[with.clone()], &single.offers[with.clone()]);
            let shares = (&self.wants.share[with.clone()], &self.offers.share[with]);
            kernels::shares_of_many(theirs, others, shares, step, scores);
            return;
        }
        for (score, of) in scores.iter_mut().zip(with) {
            *score = self.one(of, to);
        }
    }

    /// The words as one word of bits each, where they fit one and there is one level.
    fn single(&self) -> Option<(f64, Single<'_>)> {
        let [step] = self.steps.as_slice() else { return None };
        let single = Single {
            wants: self.wants.own.single()?,
            offers: self.offers.own.single()?,
            met: self.wants.answered.first()?.single()?,
            sought: self.offers.answered.first()?.single()?,
        };
        Some((*step, single))
    }

    /// Whether the two have said enough for a comparison: one's wants and the other's offers.
    #[inline]
    pub(super) fn known(&self, a: usize, b: usize) -> bool {
        let says = |side: &Side, person: usize| side.share[person] > 0.0;
        (says(&self.wants, a) && says(&self.offers, b))
            || (says(&self.offers, a) && says(&self.wants, b))
    }

    pub(super) fn bytes(&self) -> usize {
        self.wants.bytes() + self.offers.bytes()
    }
}

impl Side {
    fn new(
        own: &[Vec<String>],
        others: &[Vec<String>],
        met: &[(&str, &str, f64)],
        levels: &[f64],
    ) -> Self {
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        for (word, ..) in met {
            let next = numbers.len() as u32;
            numbers.entry(word).or_insert(next);
        }
        let mut by_other: HashMap<&str, Vec<(u32, f64)>> = HashMap::new();
        for (word, other, strength) in met {
            by_other.entry(other).or_default().push((numbers[word], *strength));
        }
        let listed = |words: &Vec<String>| {
            let numbers = words.iter().filter_map(|word| numbers.get(word.as_str()).copied());
            sorted(numbers.collect())
        };
        let at_level = |level: f64, words: &Vec<String>| {
            let meets = words.iter().filter_map(|word| by_other.get(word.as_str())).flatten();
            sorted(meets.filter(|(_, s)| *s >= level).map(|(number, _)| *number).collect())
        };
        let answered = levels.iter().map(|level| {
            Rows::new(numbers.len(), others.iter().map(|words| at_level(*level, words)).collect())
        });
        Self {
            share: own
                .iter()
                .map(|w| if w.is_empty() { 0.0 } else { 1.0 / w.len() as f64 })
                .collect(),
            answered: answered.collect(),
            own: Rows::new(numbers.len(), own.iter().map(listed).collect()),
        }
    }

    #[inline]
    fn share_met(&self, steps: &[f64], of: usize, to: usize) -> f64 {
        let met: f64 = steps
            .iter()
            .zip(&self.answered)
            .map(|(step, answered)| step * f64::from(self.own.common(of, answered, to)))
            .sum();
        met * self.share[of]
    }

    fn bytes(&self) -> usize {
        self.share.len() * 8
            + self.own.bytes()
            + self.answered.iter().map(Rows::bytes).sum::<usize>()
    }
}

fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The inner loop, compiled for processors that count bits and for those that do not. The lint is off
/// because the macro expands to the unsafe call of the chosen version.
mod kernels {
    #![allow(unsafe_code)]

    use multiversion::multiversion;

    #[multiversion(targets("x86_64+avx2+popcnt", "x86_64+popcnt"))]
    pub(super) fn shares(
        own: (u64, u64),
        others: (&[u64], &[u64]),
        share: (f64, f64),
        out: &mut [f64],
    ) {
        for ((met, sought), score) in others.0.iter().zip(others.1).zip(out) {
            let wants = f64::from((own.0 & met).count_ones()) * share.0;
            let offers = f64::from((own.1 & sought).count_ones()) * share.1;
            *score = if wants > offers { wants } else { offers };
        }
    }

    #[multiversion(targets("x86_64+avx2+popcnt", "x86_64+popcnt"))]
    pub(super) fn shares_of_many(
        theirs: (u64, u64),
        others: (&[u64], &[u64]),
        share: (&[f64], &[f64]),
        step: f64,
        out: &mut [f64],
    ) {
        let own = others.0.iter().zip(others.1).zip(share.0.iter().zip(share.1));
        for (((wants, offers), share), score) in own.zip(out) {
            let wants = f64::from((wants & theirs.0).count_ones()) * (step * share.0);
            let offers = f64::from((offers & theirs.1).count_ones()) * (step * share.1);
            *score = if wants > offers { wants } else { offers };
        }
    }
}
