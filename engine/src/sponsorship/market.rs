//! Many sponsors and many events: words are numbered once, vectors lie in one matrix per model, and
//! pairs are computed tile by tile on every thread.
//!
//! n sponsors and m events cost n x m fits of a few dozen instructions each, plus a scalar product
//! where both have a vector of one model. What is computed here is, bit for bit, what
//! [`super::fit()`] says of the pair.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::fit::{Fit, Shared, Wanted, combine};
use super::sides::{Direction, Event, EventSide, Facts, Sponsor, SponsorSide};
use super::weights::Weights;
use crate::error::Result;
use crate::pairs;
use crate::similarity;
use crate::stop::Stop;

/// Sponsors of a tile: their vectors stay in a second-level cache while the events of a tile pass.
const SPONSORS: usize = 128;
/// Events of a tile.
const EVENTS: usize = 32;

/// Sponsors and events, ready to be compared.
#[derive(Debug)]
pub struct Market {
    wanted: Vec<Wanted>,
    facts: Vec<Facts>,
    categories: Words,
    regions: Words,
    /// People by number of region, of regions that somebody wants.
    people: Vec<Vec<(u32, f64)>>,
    models: Vec<Model>,
    /// The model of each event's vector, and the vector.
    embeddings: Vec<Option<(usize, Vec<f32>)>>,
}

/// Words by number: in the order of the words, and of those only that a sponsor wants.
#[derive(Debug)]
struct Words {
    known: usize,
    wanted: Lists,
    present: Lists,
}

/// Lists end to end.
#[derive(Debug)]
struct Lists {
    ends: Vec<u32>,
    numbers: Vec<u32>,
}

impl Lists {
    fn of(&self, at: usize) -> &[u32] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.numbers[start..self.ends[at] as usize]
    }
}

impl Words {
    fn new(wanted: &[&[String]], present: &[&[String]]) -> (Self, BTreeMap<String, u32>) {
        let mut numbers: BTreeMap<String, u32> =
            wanted.iter().copied().flatten().map(|word| (word.clone(), 0)).collect();
        for (next, number) in numbers.values_mut().enumerate() {
            *number = next as u32;
        }
        let lists = |all: &[&[String]]| {
            let mut lists = Lists { ends: Vec::with_capacity(all.len()), numbers: Vec::new() };
            for words in all {
                lists.numbers.extend(words.iter().filter_map(|word| numbers.get(word)));
                lists.ends.push(lists.numbers.len() as u32);
            }
            lists
        };
        let words = Self { known: numbers.len(), wanted: lists(wanted), present: lists(present) };
        (words, numbers)
    }
}

/// The sponsors that have a vector of one model, and their vectors.
#[derive(Debug)]
struct Model {
    dimensions: usize,
    sponsors: Vec<u32>,
    rows: Vec<f32>,
}

impl Model {
    /// Cosines of a vector with the sponsors of a range; what has none is left as it is.
    fn cosines(
        &self,
        query: &[f32],
        sponsors: &Range<usize>,
        scratch: &mut [f32],
        out: &mut [f32],
    ) {
        let from = self.sponsors.partition_point(|at| (*at as usize) < sponsors.start);
        let to = self.sponsors.partition_point(|at| (*at as usize) < sponsors.end);
        let scores = &mut scratch[..to - from];
        let rows = &self.rows[from * self.dimensions..to * self.dimensions];
        similarity::scan_into(rows, query, scores);
        for (at, score) in self.sponsors[from..to].iter().zip(scores) {
            out[*at as usize - sponsors.start] = *score;
        }
    }
}

/// What one event has, by number of word; wiped after each event.
struct Marks {
    categories: Vec<u32>,
    regions: Vec<u32>,
    people: Vec<f64>,
    cosines: [f32; SPONSORS],
    scratch: [f32; SPONSORS],
}

impl Market {
    /// Sponsors and events, each known by its position from here on.
    #[must_use]
    pub fn new(sponsors: &[SponsorSide], events: &[EventSide]) -> Self {
        let sponsors: Vec<Sponsor> = sponsors.par_iter().map(Sponsor::new).collect();
        let events: Vec<Event> = events.par_iter().map(Event::new).collect();
        let (categories, _) = Words::new(
            &sponsors.iter().map(|sponsor| &sponsor.categories[..]).collect::<Vec<_>>(),
            &events.iter().map(|event| &event.categories[..]).collect::<Vec<_>>(),
        );
        let (regions, numbers) = Words::new(
            &sponsors.iter().map(|sponsor| &sponsor.regions[..]).collect::<Vec<_>>(),
            &events.iter().map(|event| &event.regions[..]).collect::<Vec<_>>(),
        );
        let numbered = |event: &Event| {
            let counts = event.counts.iter();
            counts.filter_map(|(region, count)| Some((*numbers.get(region)?, *count))).collect()
        };
        let people = events.iter().map(numbered).collect();
        let wanted = sponsors.iter().map(Wanted::of).collect();
        let facts = events.iter().map(|event| event.facts).collect();
        let models = Models::of(&sponsors);
        let embeddings = events.into_iter().map(|event| models.place(event.embedding?)).collect();
        Self { wanted, facts, categories, regions, people, models: models.all, embeddings }
    }

    /// How many sponsors there are.
    #[must_use]
    pub fn sponsors(&self) -> usize {
        self.wanted.len()
    }

    /// How many events there are.
    #[must_use]
    pub fn events(&self) -> usize {
        self.facts.len()
    }

    /// The fit of one pair.
    #[must_use]
    pub fn pair(&self, sponsor: usize, event: usize, weights: &Weights) -> Fit {
        let mut marks = self.marks();
        let mut found = Fit::NONE;
        self.tile(event, sponsor..sponsor + 1, weights, &mut marks, |_, fit| found = fit);
        found
    }

    /// The scores of all pairs of the two ranges: those of the first event with every sponsor, then
    /// those of the next. `weights` says what counts at an event. On every thread of the pool that
    /// this runs in.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] when `stop` was requested.
    pub fn scores(
        &self,
        weights: impl Fn(usize) -> Weights + Sync,
        sponsors: Range<usize>,
        events: Range<usize>,
        stop: &Stop,
    ) -> Result<Vec<f64>> {
        self.compute(weights, sponsors, events, stop, 0.0, |fit| fit.score)
    }

    /// As [`Self::scores`], with all parts.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] when `stop` was requested.
    pub fn fits(
        &self,
        weights: impl Fn(usize) -> Weights + Sync,
        sponsors: Range<usize>,
        events: Range<usize>,
        stop: &Stop,
    ) -> Result<Vec<Fit>> {
        self.compute(weights, sponsors, events, stop, Fit::NONE, |fit| fit)
    }

    /// The best sponsors of each event with their scores as they are stored, best first; of equal
    /// scores the first in order. Memory for those alone.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`] when `stop` was requested.
    pub fn best(
        &self,
        weights: impl Fn(usize) -> Weights + Sync,
        wanted: pairs::Wanted,
        stop: &Stop,
    ) -> Result<Vec<Vec<(u32, f64)>>> {
        let mut all = vec![pairs::Best::in_order(wanted); self.events()];
        self.tiles(&mut all, 1, 0..self.sponsors(), 0, stop, |event, range, best, marks| {
            self.tile(event, range.clone(), &weights(event), marks, |at, fit| {
                // What cannot be taken even when rounded up needs no rounding.
                if fit.score + 1e-6 >= best[0].floor() {
                    best[0].offer((range.start + at) as u32, fit.stored_score());
                }
            });
        })?;
        let scored = |(event, best): (usize, pairs::Best)| {
            let score = |at| self.pair(at as usize, event, &weights(event)).stored_score();
            best.into_indices().into_iter().map(|at| (at, score(at))).collect()
        };
        Ok(all.into_par_iter().enumerate().map(scored).collect())
    }

    fn compute<T: Copy + Send>(
        &self,
        weights: impl Fn(usize) -> Weights + Sync,
        sponsors: Range<usize>,
        events: Range<usize>,
        stop: &Stop,
        empty: T,
        wanted: impl Fn(Fit) -> T + Sync,
    ) -> Result<Vec<T>> {
        let width = sponsors.len();
        let mut all = vec![empty; width * events.len()];
        let first = events.start;
        self.tiles(&mut all, width, sponsors.clone(), first, stop, |event, range, row, marks| {
            let row = &mut row[range.start - sponsors.start..];
            self.tile(event, range, &weights(event), marks, |at, fit| row[at] = wanted(fit));
        })?;
        Ok(all)
    }

    /// Walks through a tile of sponsors with a tile of events at a time; `all` has `width` places
    /// for each event from `first` on, which are handed to `work`.
    fn tiles<T: Send>(
        &self,
        all: &mut [T],
        width: usize,
        sponsors: Range<usize>,
        first: usize,
        stop: &Stop,
        work: impl Fn(usize, Range<usize>, &mut [T], &mut Marks) + Sync,
    ) -> Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        let (done, events) = (AtomicUsize::new(0), all.len() / width);
        all.par_chunks_mut(width * EVENTS).enumerate().try_for_each_init(
            || self.marks(),
            |marks, (tile, places)| {
                for from in sponsors.clone().step_by(SPONSORS) {
                    stop.check()?;
                    let range = from..(from + SPONSORS).min(sponsors.end);
                    for (at, row) in places.chunks_mut(width).enumerate() {
                        work(first + tile * EVENTS + at, range.clone(), row, marks);
                    }
                }
                let tile = places.len() / width;
                let done = done.fetch_add(tile, Ordering::Relaxed) + tile;
                stop.progress((done * 1000 / events) as u32);
                Ok(())
            },
        )
    }

    fn marks(&self) -> Marks {
        Marks {
            categories: vec![0; self.categories.known],
            regions: vec![0; self.regions.known],
            people: vec![0.0; self.regions.known],
            cosines: [f32::NAN; SPONSORS],
            scratch: [0.0; SPONSORS],
        }
    }

    /// The fits of one event with a tile of sponsors.
    fn tile(
        &self,
        event: usize,
        sponsors: Range<usize>,
        weights: &Weights,
        marks: &mut Marks,
        mut each: impl FnMut(usize, Fit),
    ) {
        self.mark(event, marks, 1);
        let embedding = self.embeddings[event].as_ref();
        if let Some((model, vector)) = embedding {
            marks.cosines.fill(f32::NAN);
            self.models[*model].cosines(vector, &sponsors, &mut marks.scratch, &mut marks.cosines);
        }
        let facts = &self.facts[event];
        let count =
            |marks: &[u32], words: &[u32]| words.iter().map(|word| marks[*word as usize]).sum();
        for (at, sponsor) in sponsors.enumerate() {
            let regions = self.regions.wanted.of(sponsor);
            let shared = Shared {
                categories: count(&marks.categories, self.categories.wanted.of(sponsor)),
                regions: count(&marks.regions, regions),
                people: regions.iter().fold(0.0, |sum, word| sum + marks.people[*word as usize]),
                // Vectors of length one have no other product than a number.
                cosine: embedding.map(|_| marks.cosines[at]).filter(|cosine| !cosine.is_nan()),
            };
            each(at, combine(&self.wanted[sponsor], facts, &shared, weights));
        }
        self.mark(event, marks, 0);
    }

    /// Sets what an event has to one, or back to zero.
    fn mark(&self, event: usize, marks: &mut Marks, to: u32) {
        for word in self.categories.present.of(event) {
            marks.categories[*word as usize] = to;
        }
        for word in self.regions.present.of(event) {
            marks.regions[*word as usize] = to;
        }
        for (word, people) in &self.people[event] {
            marks.people[*word as usize] = if to == 0 { 0.0 } else { *people };
        }
    }
}

/// Vectors of sponsors by model and length.
struct Models {
    places: BTreeMap<(String, usize), usize>,
    all: Vec<Model>,
}

impl Models {
    fn of(sponsors: &[Sponsor]) -> Self {
        let mut models = Self { places: BTreeMap::new(), all: Vec::new() };
        for (at, sponsor) in sponsors.iter().enumerate() {
            let Some(Direction { model, values }) = &sponsor.objectives else { continue };
            let next = models.all.len();
            let place = *models.places.entry((model.clone(), values.len())).or_insert(next);
            if place == next {
                let dimensions = values.len();
                models.all.push(Model { dimensions, sponsors: vec![], rows: vec![] });
            }
            models.all[place].sponsors.push(at as u32);
            models.all[place].rows.extend_from_slice(values);
        }
        models
    }

    /// An event's vector with its model; `None` where no sponsor has one to compare it with.
    fn place(&self, embedding: Direction) -> Option<(usize, Vec<f32>)> {
        let place = *self.places.get(&(embedding.model, embedding.values.len()))?;
        Some((place, embedding.values))
    }
}
