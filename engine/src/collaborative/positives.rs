//! The positive part of the interactions in both orders, and weighted Gram rows over it: all three
//! models are `W = Y' D Y` for some values `Y` and a factor `D` per person.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::{Interactions, ItemWeights};
use crate::error::Result;
use crate::stop::Stop;

/// One order of a sparse matrix: line `l` owns `cells[starts[l]..starts[l + 1]]`.
pub(super) struct Lines {
    starts: Vec<usize>,
    cells: Vec<(u32, f64)>,
}

impl Lines {
    pub(super) fn line(&self, index: usize) -> &[(u32, f64)] {
        &self.cells[self.starts[index]..self.starts[index + 1]]
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len() - 1
    }
}

/// The positive signals by person and by item.
pub(super) struct Positives {
    pub(super) by_person: Lines,
    pub(super) by_item: Lines,
}

/// The working memory of one thread: a dense row of sums and of counts, and which are in use.
pub(super) struct Row {
    pub(super) sums: Vec<f64>,
    pub(super) counts: Vec<u32>,
    touched: Vec<u32>,
}

impl Row {
    pub(super) fn new(items: usize) -> Self {
        Self { sums: vec![0.0; items], counts: vec![0; items], touched: Vec::new() }
    }

    fn clear(&mut self) {
        for &item in &self.touched {
            self.sums[item as usize] = 0.0;
            self.counts[item as usize] = 0;
        }
        self.touched.clear();
    }
}

impl Positives {
    pub(super) fn new(interactions: &Interactions) -> Self {
        let mut starts = vec![0];
        let mut cells = Vec::with_capacity(interactions.len());
        for person in 0..interactions.people() as u32 {
            let liked = interactions.of(person).iter().filter(|entry| entry.signal > 0.0);
            cells.extend(liked.map(|entry| (entry.item, f64::from(entry.signal))));
            starts.push(cells.len());
        }
        let by_person = Lines { starts, cells };
        let by_item = transpose(&by_person, interactions.items());
        Self { by_person, by_item }
    }

    pub(super) fn items(&self) -> usize {
        self.by_item.len()
    }

    /// The same cells with other values.
    pub(super) fn map(&self, value: impl Fn(u32, u32, f64) -> f64) -> Self {
        let mut cells = Vec::with_capacity(self.by_person.cells.len());
        for person in 0..self.by_person.len() {
            let line = self.by_person.line(person).iter();
            cells.extend(line.map(|&(item, x)| (item, value(person as u32, item, x))));
        }
        let by_person = Lines { starts: self.by_person.starts.clone(), cells };
        let by_item = transpose(&by_person, self.items());
        Self { by_person, by_item }
    }

    /// Row `item` of `Y' D Y` with `D = factor`, and of the number of people behind each entry.
    /// People are added in ascending order, so the sums do not depend on the thread.
    pub(super) fn gram_row(&self, item: usize, factor: Option<&[f64]>, row: &mut Row) {
        row.clear();
        for &(person, value) in self.by_item.line(item) {
            let scale = value * factor.map_or(1.0, |factors| factors[person as usize]);
            for &(other, x) in self.by_person.line(person as usize) {
                let at = other as usize;
                if row.counts[at] == 0 {
                    row.touched.push(other);
                }
                row.counts[at] += 1;
                row.sums[at] += scale * x;
            }
        }
    }

    /// The `top` largest entries off the diagonal of every row of `Y' D Y`.
    pub(super) fn neighbours(
        &self,
        factor: Option<&[f64]>,
        top: usize,
        stop: &Stop,
    ) -> Result<ItemWeights> {
        let items = self.items();
        let rows: Vec<KeptRow> = (0..items)
            .into_par_iter()
            .map_init(
                || Row::new(items),
                |row, item| {
                    stop.check()?;
                    self.gram_row(item, factor, row);
                    let others = row.touched.iter().filter(|&&other| other as usize != item);
                    let found = others.map(|&other| (other, row.sums[other as usize] as f32));
                    Ok(keep_strongest(found.collect(), &row.counts, top))
                },
            )
            .collect::<Result<_>>()?;
        Ok(assemble(items, rows))
    }
}

/// A finished row: the neighbours with their weights, and the people behind each.
pub(super) type KeptRow = (Vec<(u32, f32)>, Vec<u32>);

/// Cuts a row to its `top` strongest entries by magnitude, strongest first, ties by index.
pub(super) fn keep_strongest(mut row: Vec<(u32, f32)>, counts: &[u32], top: usize) -> KeptRow {
    row.retain(|&(_, weight)| weight != 0.0);
    if row.len() > top {
        row.select_nth_unstable_by(top, |a, b| stronger(*a, *b));
        row.truncate(top);
    }
    row.sort_unstable_by(|a, b| stronger(*a, *b));
    let people = row.iter().map(|&(item, _)| counts[item as usize]).collect();
    (row, people)
}

fn stronger(a: (u32, f32), b: (u32, f32)) -> Ordering {
    b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0))
}

/// Puts finished rows together.
pub(super) fn assemble(items: usize, rows: Vec<KeptRow>) -> ItemWeights {
    let (rows, people) = rows.into_iter().unzip();
    ItemWeights { items, rows, people }
}

fn transpose(lines: &Lines, columns: usize) -> Lines {
    let mut starts = vec![0; columns + 1];
    for &(column, _) in &lines.cells {
        starts[column as usize + 1] += 1;
    }
    for column in 0..columns {
        starts[column + 1] += starts[column];
    }
    let mut next = starts.clone();
    let mut cells = vec![(0, 0.0); lines.cells.len()];
    for line in 0..lines.len() {
        for &(column, value) in lines.line(line) {
            cells[next[column as usize]] = (line as u32, value);
            next[column as usize] += 1;
        }
    }
    Lines { starts, cells }
}
