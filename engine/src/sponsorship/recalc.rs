//! A recalculation: which pairs have to be compared, their fits in portions of bounded memory, and
//! which of them are worth a row.

use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::ops::Range;

use rayon::prelude::*;

use super::fit::Fit;
use super::market::Market;
use super::metrics::Part;
use super::sides::{EventSide, SponsorSide};
use super::weights::Weights;
use crate::error::Result;
use crate::stop::Stop;

/// Counts up when `overlap_metrics` gets another form, so that every row is written anew.
const FORM: u64 = 1;

/// What is stored of all fits. The default bounds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// The lowest score, in millionths.
    pub floor: i64,
    /// How many events of each sponsor; 0: all.
    pub per_sponsor: usize,
    /// How many sponsors of each event; 0: all.
    pub per_event: usize,
}

impl Bounds {
    /// Whether anything is bounded.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    fn ranked(&self) -> bool {
        self.per_sponsor > 0 || self.per_event > 0
    }
}

/// One side of the comparison.
#[derive(Clone, Debug)]
pub struct Compared<T> {
    /// Its id.
    pub id: u128,
    /// What is compared.
    pub side: T,
    /// Whether it is to be compared with all of the other side.
    pub wanted: bool,
}

/// A fit that was computed.
#[derive(Clone, Copy, Debug)]
pub struct Scored {
    /// The event, by its place in [`Recalculation::events`].
    pub event: u32,
    /// The sponsor, by its place in [`Recalculation::sponsors`].
    pub sponsor: u32,
    /// The score as it is stored, in millionths.
    pub score: i64,
    /// Digest of all that is stored; never 0.
    pub fingerprint: i64,
    /// Whether the pair is worth a row.
    pub kept: bool,
    /// The fit.
    pub fit: Fit,
}

/// A place in a list: the best comes first, equal scores by id.
type Rank = (i64, u128);

/// What has to be compared, and with what.
#[derive(Debug)]
pub struct Recalculation {
    market: Market,
    sponsors: Vec<u128>,
    events: Vec<u128>,
    weights: Vec<Weights>,
    /// So many sponsors, the first ones, are compared with every event.
    wanted: usize,
    /// Events that are compared with every sponsor.
    whole: Vec<bool>,
    /// Further pairs by event.
    pairs: HashMap<u32, Vec<u32>>,
    bounds: Bounds,
    /// The last rank of each sponsor that is kept.
    last: Vec<Rank>,
}

impl Recalculation {
    /// Sponsors and events on the market, and pairs (sponsor, event) of their ids. Every sponsor is
    /// compared with the wanted events, and every event with the wanted sponsors. Where ranks bound
    /// what is stored, all of one side has to be given, and everything is compared.
    #[must_use]
    pub fn new(
        mut sponsors: Vec<Compared<SponsorSide>>,
        mut events: Vec<(Compared<EventSide>, Weights)>,
        pairs: &[(u128, u128)],
        bounds: Bounds,
    ) -> Self {
        sponsors.sort_unstable_by_key(|sponsor| (!sponsor.wanted, sponsor.id));
        events.sort_unstable_by_key(|(event, _)| event.id);
        let wanted = sponsors.partition_point(|sponsor| sponsor.wanted);
        let whole: Vec<bool> =
            events.iter().map(|(event, _)| event.wanted || bounds.ranked()).collect();
        let place = |ids: Vec<u128>| -> HashMap<u128, u32> {
            ids.into_iter().enumerate().map(|(at, id)| (id, at as u32)).collect()
        };
        let sponsor_ids: Vec<u128> = sponsors.iter().map(|sponsor| sponsor.id).collect();
        let event_ids: Vec<u128> = events.iter().map(|(event, _)| event.id).collect();
        let (sponsor_places, event_places) = (place(sponsor_ids.clone()), place(event_ids.clone()));
        let mut further: HashMap<u32, BTreeSet<u32>> = HashMap::new();
        for (sponsor, event) in pairs {
            let (Some(sponsor), Some(event)) =
                (sponsor_places.get(sponsor), event_places.get(event))
            else {
                continue;
            };
            if *sponsor as usize >= wanted && !whole[*event as usize] {
                further.entry(*event).or_default().insert(*sponsor);
            }
        }
        let pairs = further.into_iter().map(|(at, all)| (at, all.into_iter().collect())).collect();
        let (events, weights): (Vec<_>, Vec<_>) =
            events.into_iter().map(|(event, weights)| (event.side, weights)).unzip();
        let sponsors: Vec<_> = sponsors.into_iter().map(|sponsor| sponsor.side).collect();
        let market = Market::new(&sponsors, &events);
        let last = vec![(i64::MAX, u128::MAX); sponsors.len()];
        Self {
            market,
            sponsors: sponsor_ids,
            events: event_ids,
            weights,
            wanted,
            whole,
            pairs,
            bounds,
            last,
        }
    }

    /// Ids of the sponsors, by their place.
    #[must_use]
    pub fn sponsors(&self) -> &[u128] {
        &self.sponsors
    }

    /// Ids of the events, by their place: ascending.
    #[must_use]
    pub fn events(&self) -> &[u128] {
        &self.events
    }

    /// The weights that count at an event.
    #[must_use]
    pub fn weights(&self, event: u32) -> &Weights {
        &self.weights[event as usize]
    }

    /// Whether an event is compared with every sponsor.
    #[must_use]
    pub fn is_whole(&self, event: usize) -> bool {
        self.whole[event]
    }

    /// Sponsors that are compared with more than the whole events, by their place.
    #[must_use]
    pub fn of_part(&self) -> Vec<u32> {
        let mut all: BTreeSet<u32> = (0..self.wanted as u32).collect();
        all.extend(self.pairs.values().flatten());
        all.into_iter().collect()
    }

    fn width(&self, event: usize) -> usize {
        if self.whole[event] {
            return self.sponsors.len();
        }
        self.wanted + self.pairs.get(&(event as u32)).map_or(0, Vec::len)
    }

    /// Portions of about `most` pairs, in the order of the events, without those that have none.
    #[must_use]
    pub fn portions(&self, most: usize) -> Vec<Range<usize>> {
        let mut portions = Vec::new();
        let (mut start, mut pairs) = (0, 0);
        for event in 0..self.events.len() {
            pairs += self.width(event);
            if pairs >= most {
                portions.push(start..event + 1);
                (start, pairs) = (event + 1, 0);
            }
        }
        if pairs > 0 {
            portions.push(start..self.events.len());
        }
        portions
    }

    /// Finds the rank up to which events of each sponsor are kept. Called once before
    /// [`Self::score`] where ranks bound what is stored.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] when `stop` was requested.
    pub fn rank(&mut self, most: usize, stop: &Stop) -> Result<()> {
        let per_sponsor = self.bounds.per_sponsor;
        // Where there are no more events nothing is cut off, and all pairs would be held for it.
        if per_sponsor == 0 || per_sponsor >= self.events.len() {
            return Ok(());
        }
        let mut best = vec![BinaryHeap::<Rank>::new(); self.sponsors.len()];
        for range in self.portions(most) {
            let fits = self.market.fits(
                |event| self.weights[event],
                0..self.sponsors.len(),
                range.clone(),
                stop,
            )?;
            best.par_iter_mut().enumerate().for_each(|(sponsor, best)| {
                for (at, event) in range.clone().enumerate() {
                    let score = fits[at * self.sponsors.len() + sponsor].millionths();
                    best.push((-score, self.events[event]));
                    if best.len() > per_sponsor {
                        best.pop();
                    }
                }
            });
        }
        for (last, best) in self.last.iter_mut().zip(best) {
            if best.len() == per_sponsor {
                *last = *best.peek().unwrap_or(last);
            }
        }
        Ok(())
    }

    /// The fits of a portion, ordered by event and by the sponsors' ids.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] when `stop` was requested.
    pub fn score(&self, range: Range<usize>, stop: &Stop) -> Result<Vec<Scored>> {
        let mut scored = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let whole = self.whole[start];
            let end = (start..range.end).find(|at| self.whole[*at] != whole).unwrap_or(range.end);
            let width = if whole { self.sponsors.len() } else { self.wanted };
            let fits = self.market.fits(|event| self.weights[event], 0..width, start..end, stop)?;
            let all = fits.into_par_iter().enumerate().map(|(at, fit)| {
                self.scored((start + at / width) as u32, (at % width) as u32, fit)
            });
            scored.par_extend(all);
            start = end;
        }
        for event in range {
            let further = self.pairs.get(&(event as u32)).into_iter().flatten();
            scored.extend(further.map(|sponsor| {
                let fit = self.market.pair(*sponsor as usize, event, &self.weights[event]);
                self.scored(event as u32, *sponsor, fit)
            }));
        }
        scored.par_sort_unstable_by_key(|one| (one.event, self.sponsors[one.sponsor as usize]));
        if self.bounds.any() {
            self.bound(&mut scored);
        }
        Ok(scored)
    }

    fn scored(&self, event: u32, sponsor: u32, fit: Fit) -> Scored {
        let score = fit.millionths();
        let mut digest = Digest(FORM);
        digest.id(self.events[event as usize]);
        digest.id(self.sponsors[sponsor as usize]);
        digest.add(score as u64);
        for (_, part) in fit.outline(self.weights(event)) {
            match part {
                Part::Number(value) => digest.add(Part::trillionths(value) as u64),
                Part::Group(keys, values) => {
                    for value in &values[..keys.len()] {
                        digest.add(Part::trillionths(*value) as u64);
                    }
                }
            }
        }
        let fingerprint = digest.end();
        Scored { event, sponsor, score, fingerprint, kept: true, fit }
    }

    /// Marks what is not worth a row: below the floor, or behind the last rank of its event or of its
    /// sponsor, counted over the whole market.
    fn bound(&self, scored: &mut [Scored]) {
        for of_event in scored.chunk_by_mut(|a, b| a.event == b.event) {
            let rank = |one: &Scored| (-one.score, self.sponsors[one.sponsor as usize]);
            let most = self.bounds.per_event;
            let last = if most > 0 && of_event.len() > most {
                let mut ranks: Vec<Rank> = of_event.iter().map(rank).collect();
                *ranks.select_nth_unstable(most - 1).1
            } else {
                (i64::MAX, u128::MAX)
            };
            for one in of_event {
                let at_sponsor = (-one.score, self.events[one.event as usize]);
                one.kept = one.score >= self.bounds.floor
                    && rank(one) <= last
                    && at_sponsor <= self.last[one.sponsor as usize];
            }
        }
    }
}

/// A digest of numbers that stays the same in every version: the finaliser of `MurmurHash3` over a
/// running state.
struct Digest(u64);

impl Digest {
    fn add(&mut self, value: u64) {
        let mut x = self.0.rotate_left(23).wrapping_add(value).wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.0 = x ^ (x >> 33);
    }

    fn id(&mut self, id: u128) {
        self.add((id >> 64) as u64);
        self.add(id as u64);
    }

    /// 0 stands for a row that is to be computed.
    fn end(self) -> i64 {
        (self.0 as i64).max(i64::MIN + 1) | i64::from(self.0 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sponsor(id: u128, budget: i64, wanted: bool) -> Compared<SponsorSide> {
        let side = SponsorSide {
            annual_budget_cents: Some(budget),
            preferred_categories: vec!["music".into(), format!("c{}", id % 3)],
            ..SponsorSide::default()
        };
        Compared { id, side, wanted }
    }

    fn event(id: u128, wanted: bool) -> (Compared<EventSide>, Weights) {
        let side = EventSide {
            categories: if id.is_multiple_of(2) {
                vec!["Music".into()]
            } else {
                vec![format!("c{}", id % 3)]
            },
            ..EventSide::default()
        };
        (Compared { id, side, wanted }, Weights::default())
    }

    fn all(recalculation: &Recalculation, most: usize) -> Vec<Scored> {
        let stop = Stop::default();
        let portions = recalculation.portions(most);
        portions.into_iter().flat_map(|range| recalculation.score(range, &stop).unwrap()).collect()
    }

    fn names(recalculation: &Recalculation, scored: &[Scored]) -> Vec<(u128, u128)> {
        let name = |one: &Scored| {
            (recalculation.events[one.event as usize], recalculation.sponsors[one.sponsor as usize])
        };
        scored.iter().map(name).collect()
    }

    #[test]
    fn a_sponsor_meets_every_event_an_event_every_sponsor_and_a_pair_itself() {
        let sponsors = vec![sponsor(3, 1, false), sponsor(1, 2, true), sponsor(2, 3, false)];
        let events = vec![event(30, false), event(10, true), event(20, false)];
        let pairs = [(2, 20), (3, 10), (1, 30), (9, 10), (2, 90), (2, 20)];
        let one = Recalculation::new(sponsors, events, &pairs, Bounds::default());
        let expected = [(10, 1), (10, 2), (10, 3), (20, 1), (20, 2), (30, 1)];
        for most in [1, 2, 4, 100] {
            assert_eq!(names(&one, &all(&one, most)), expected);
        }
        assert_eq!(one.portions(4).len(), 2);
        assert!(one.is_whole(0) && !one.is_whole(1));
    }

    #[test]
    fn nothing_to_compare_is_no_portion() {
        let one = Recalculation::new(vec![], vec![event(1, true)], &[], Bounds::default());
        assert!(one.portions(10).is_empty());
        let none = Recalculation::new(vec![sponsor(1, 1, true)], vec![], &[], Bounds::default());
        assert!(none.portions(10).is_empty());
    }

    #[test]
    fn a_bound_that_cuts_nothing_off_is_not_looked_for() {
        let stop = Stop::default();
        stop.request();
        let rank = |per_sponsor| {
            let bounds = Bounds { per_sponsor, ..Bounds::default() };
            let events = vec![event(1, true), event(2, true)];
            Recalculation::new(vec![sponsor(3, 1, true)], events, &[], bounds).rank(10, &stop)
        };
        assert!(rank(1).is_err() && rank(2).is_ok() && rank(1_000_000_000).is_ok());
    }

    #[test]
    fn fingerprints_tell_pairs_and_contents_apart() {
        let made = |budget| {
            let sponsors = vec![sponsor(1, budget, true), sponsor(4, budget, true)];
            let one = Recalculation::new(sponsors, vec![event(2, true)], &[], Bounds::default());
            all(&one, 10).iter().map(|one| one.fingerprint).collect::<Vec<_>>()
        };
        let (first, other) = (made(1000), made(1001));
        assert_eq!(first, made(1000));
        assert!(first[0] != first[1] && first[0] != other[0] && !first.contains(&0));
        assert_eq!(Digest(0).end(), 1);
    }

    proptest! {
        #[test]
        fn bounds_keep_what_a_sorted_list_would(
            budgets in prop::collection::vec(0i64..400_000, 1..12), events in 1u128..12,
            floor in 0i64..600_000, per_sponsor in 0usize..6, per_event in 0usize..6, most in 1usize..40,
        ) {
            let bounds = Bounds { floor, per_sponsor, per_event };
            let sponsors = budgets.iter().enumerate().map(|(at, budget)| sponsor(at as u128, *budget, true));
            let mut one = Recalculation::new(sponsors.collect(), (0..events).map(|id| event(id, true)).collect(), &[], bounds);
            one.rank(most, &Stop::default()).unwrap();
            let scored = all(&one, most);
            prop_assert_eq!(scored.len(), budgets.len() * events as usize);
            for (at, own) in scored.iter().enumerate() {
                let ahead = |of: &dyn Fn(&Scored) -> bool, id: &dyn Fn(&Scored) -> u32| scored.iter().enumerate()
                    .filter(|(other, x)| *other != at && of(x) && (-x.score, id(x)) < (-own.score, id(own))).count();
                let at_event = ahead(&|x| x.event == own.event, &|x| x.sponsor);
                let at_sponsor = ahead(&|x| x.sponsor == own.sponsor, &|x| x.event);
                let kept = own.score >= floor && (per_event == 0 || at_event < per_event)
                    && (per_sponsor == 0 || at_sponsor < per_sponsor);
                prop_assert_eq!(own.kept, kept);
            }
        }
    }
}
