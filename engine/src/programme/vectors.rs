//! The vectors of one embedding model, one row per session that has one.

use crate::error::{Error, Result};
use crate::similarity::{QuantisedMatrix, dot, normalise, scan};

use super::Embeddings;

/// Up to so many numbers rows stay in single precision; above, reading them would cost more than
/// ranking them, so they are kept in 16 bits.
const SINGLE_PRECISION: usize = 1_500_000;
/// The row number of a session without a vector.
const NONE: u32 = u32::MAX;

/// Unit vectors by row.
#[derive(Debug)]
enum Rows {
    Single(Vec<f32>),
    Quantised(QuantisedMatrix),
}

/// The unit vectors of one model.
#[derive(Debug)]
pub(crate) struct Vectors {
    pub model: String,
    pub dims: usize,
    /// The session of each row.
    pub sessions: Vec<u32>,
    row_of: Vec<u32>,
    rows: Rows,
}

impl Vectors {
    /// Checks and normalises; a vector without a direction counts as not there.
    pub fn new(embeddings: Embeddings, sessions: usize) -> Result<Self> {
        check(&embeddings, sessions)?;
        let Embeddings { model, dims, sessions: owners, mut values } = embeddings;
        let mut row_of = vec![NONE; sessions];
        let mut kept = Vec::with_capacity(owners.len());
        let quantise = values.len() > SINGLE_PRECISION;
        let mut quantised = QuantisedMatrix::new(dims);
        for (place, &session) in owners.iter().enumerate() {
            if row_of[session as usize] != NONE {
                return Err(refused(&model, session, "it has two vectors of this model"));
            }
            let at = place * dims;
            if !normalise(&mut values[at..at + dims]) {
                continue;
            }
            let row = kept.len();
            row_of[session as usize] = row as u32;
            kept.push(session);
            if quantise {
                quantised.push(&values[at..at + dims]);
            } else {
                values.copy_within(at..at + dims, row * dims);
            }
        }
        let rows = if quantise {
            quantised.shrink();
            Rows::Quantised(quantised)
        } else {
            values.truncate(kept.len() * dims);
            values.shrink_to_fit();
            Rows::Single(values)
        };
        Ok(Self { model, dims, sessions: kept, row_of, rows })
    }

    pub fn row(&self, session: u32) -> Option<usize> {
        self.row_of.get(session as usize).filter(|row| **row != NONE).map(|row| *row as usize)
    }

    /// Whether [`Vectors::scan`] is only near, so that what counts needs [`Vectors::exact`].
    pub fn is_coarse(&self) -> bool {
        matches!(self.rows, Rows::Quantised(_))
    }

    /// The cosine of every row with a unit vector, the quick way.
    pub fn scan(&self, query: &[f32]) -> Vec<f32> {
        match &self.rows {
            Rows::Single(values) => scan(values, query),
            Rows::Quantised(matrix) => matrix.coarse(query),
        }
    }

    /// The cosine of one row with a unit vector.
    pub fn exact(&self, row: usize, query: &[f32]) -> f32 {
        match &self.rows {
            Rows::Single(values) => dot(self.slice(values, row), query),
            Rows::Quantised(matrix) => matrix.exact(row, query),
        }
    }

    /// The cosine of two rows.
    pub fn between(&self, a: usize, b: usize) -> f32 {
        match &self.rows {
            Rows::Single(values) => dot(self.slice(values, a), self.slice(values, b)),
            Rows::Quantised(matrix) => matrix.between(a, b),
        }
    }

    /// Hands out one row in single precision.
    pub fn with_row<T>(&self, row: usize, use_it: impl FnOnce(&[f32]) -> T) -> T {
        match &self.rows {
            Rows::Single(values) => use_it(self.slice(values, row)),
            Rows::Quantised(matrix) => use_it(&matrix.row(row)),
        }
    }

    pub fn bytes(&self) -> usize {
        let rows = match &self.rows {
            Rows::Single(values) => values.capacity() * size_of::<f32>(),
            Rows::Quantised(matrix) => matrix.bytes(),
        };
        let indices = self.sessions.capacity() + self.row_of.capacity();
        rows + indices * size_of::<u32>() + self.model.capacity()
    }

    fn slice<'a>(&self, values: &'a [f32], row: usize) -> &'a [f32] {
        &values[row * self.dims..(row + 1) * self.dims]
    }
}

fn check(embeddings: &Embeddings, sessions: usize) -> Result<()> {
    let Embeddings { model, dims, sessions: owners, values } = embeddings;
    if *dims == 0 || owners.len().checked_mul(*dims) != Some(values.len()) {
        return Err(Error::invalid(
            format!("embeddings of model \"{model}\" have {} numbers", values.len()),
            format!("{} vectors of {dims} dimensions were announced.", owners.len()),
            "Pass one vector of the model's dimensions per session.",
        ));
    }
    if let Some(&unknown) = owners.iter().find(|session| **session as usize >= sessions) {
        return Err(refused(model, unknown, "there is no such session"));
    }
    if let Some(bad) = values.iter().position(|value| !value.is_finite()) {
        return Err(refused(model, owners[bad / dims], "it has a component that is not finite"));
    }
    Ok(())
}

fn refused(model: &str, session: u32, why: &str) -> Error {
    Error::invalid(
        format!("the embedding of session {session} by model \"{model}\" is not usable"),
        format!("It was refused because {why}."),
        "Embed the session again.",
    )
}
