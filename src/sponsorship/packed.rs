//! Arrays that are built as the bytes the server stores, for writing by the hundred thousand: the
//! input functions of `jsonb` and `numeric` would take longer than everything else together. A test
//! compares what is written here with what those functions make of the same text.
//!
//! `unsafe` is needed to hand the bytes to the server as a value of the array's type.
#![allow(unsafe_code)]

use convene_engine::sponsorship::{Fit, Part, Weights};
use pgrx::pg_sys;
use pgrx::prelude::*;

/// Bytes of the header of an array of one dimension without nulls.
const ARRAY_HEADER: usize = 24;
/// Marks an object among the containers of a `jsonb`.
const OBJECT: u32 = 0x2000_0000;
/// Kinds of an entry, and the mark of one that holds an offset and not a length.
const NUMERIC: u32 = 0x1000_0000;
const CONTAINER: u32 = 0x5000_0000;
const OFFSET: u32 = 0x8000_0000;
/// Every so many entries one holds an offset.
const STRIDE: usize = 32;
/// Marks the short form of a `numeric`, of whose header these are parts.
const SHORT: u16 = 0x8000;
const SCALE_SHIFT: u32 = 7;
const WEIGHT_MASK: i16 = 0x7f;
/// Decimals of a part and of a score.
const PART_DECIMALS: u32 = 12;
const SCORE_DECIMALS: u32 = 6;

fn pad(out: &mut Vec<u8>) {
    while !out.len().is_multiple_of(4) {
        out.push(0);
    }
}

fn put(out: &mut [u8], at: usize, value: u32) {
    out[at..at + 4].copy_from_slice(&value.to_ne_bytes());
}

/// Notes the length of the value that began at `start` in its header.
fn close(out: &mut [u8], start: usize) {
    let length = (out.len() - start) as u32;
    put(out, start, if cfg!(target_endian = "little") { length << 2 } else { length });
}

/// A number from 0 up, `value / 10^decimals`, shown with as many decimals as `shown`.
fn numeric(out: &mut Vec<u8>, value: u64, decimals: u32, shown: u32) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    // Groups of four digits, the first after the point at weight -1.
    let unit = 10u64.pow(decimals);
    let (whole, mut rest) = (value / unit, value % unit * 10u64.pow((4 - decimals % 4) % 4));
    let mut digits = [0u16; 8];
    let groups = decimals.div_ceil(4) as usize;
    for at in (1..=groups).rev() {
        digits[at] = (rest % 10_000) as u16;
        rest /= 10_000;
    }
    digits[0] = whole as u16;
    let first = digits[..=groups].iter().position(|digit| *digit != 0);
    let last = digits[..=groups].iter().rposition(|digit| *digit != 0);
    let (weight, digits) = match (first, last) {
        (Some(first), Some(last)) => (-(first as i16), &digits[first..=last]),
        _ => (0, &digits[..0]),
    };
    let header = SHORT | (shown << SCALE_SHIFT) as u16 | (weight & WEIGHT_MASK) as u16;
    out.extend_from_slice(&header.to_ne_bytes());
    for digit in digits {
        out.extend_from_slice(&digit.to_ne_bytes());
    }
    close(out, start);
}

/// A part of a fit, with the decimals that it has.
fn part(out: &mut Vec<u8>, value: f64) {
    let trillionths = Part::trillionths(value).max(0) as u64;
    let (mut left, mut shown) = (trillionths, PART_DECIMALS);
    while shown > 0 && left.is_multiple_of(10) {
        left /= 10;
        shown -= 1;
    }
    numeric(out, trillionths, PART_DECIMALS, if trillionths == 0 { 0 } else { shown });
}

/// Entries of an object while it is written.
struct Entries {
    start: usize,
    written: usize,
    total: usize,
}

impl Entries {
    fn begin(out: &mut Vec<u8>, count: usize) -> Self {
        out.extend_from_slice(&(count as u32 | OBJECT).to_ne_bytes());
        let start = out.len();
        out.resize(start + count * 8, 0);
        Self { start, written: 0, total: 0 }
    }

    fn add(&mut self, out: &mut [u8], kind: u32, length: usize) {
        self.total += length;
        let entry = if self.written.is_multiple_of(STRIDE) {
            OFFSET | self.total as u32
        } else {
            length as u32
        };
        put(out, self.start + self.written * 4, kind | entry);
        self.written += 1;
    }
}

/// Keys go by length, then by their bytes.
fn sort<T>(entries: &mut [(&'static str, T)]) {
    entries.sort_unstable_by_key(|(key, _)| (key.len(), *key));
}

fn object<T: Copy>(
    out: &mut Vec<u8>,
    fields: &mut [(&'static str, T)],
    mut value: impl FnMut(&mut Vec<u8>, T) -> u32,
) {
    sort(fields);
    let mut entries = Entries::begin(out, fields.len());
    for (key, _) in fields.iter() {
        out.extend_from_slice(key.as_bytes());
        entries.add(out, 0, key.len());
    }
    for (_, field) in fields.iter() {
        let before = out.len();
        pad(out);
        let kind = value(out, *field);
        let length = out.len() - before;
        entries.add(out, kind, length);
    }
}

/// `overlap_metrics` of a fit.
fn metrics(out: &mut Vec<u8>, fit: &Fit, weights: &Weights) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let number = |out: &mut Vec<u8>, value: f64| {
        part(out, value);
        NUMERIC
    };
    object(out, &mut fit.outline(weights), |out, field| match field {
        Part::Number(value) => number(out, value),
        Part::Group(keys, values) => {
            let mut fields = [("", 0.0); 5];
            for (field, (key, value)) in fields.iter_mut().zip(keys.iter().zip(values)) {
                *field = (key, value);
            }
            object(out, &mut fields[..keys.len()], number);
            CONTAINER
        }
    });
    close(out, start);
}

/// An array of `count` elements whose bytes lie end to end.
fn array(element: pg_sys::Oid, count: usize, data: &[u8]) -> pg_sys::Datum {
    let size = ARRAY_HEADER + data.len();
    // SAFETY: the memory is made here with the size that is written into it.
    unsafe {
        let place = pg_sys::palloc(size).cast::<u8>();
        let header = [
            if cfg!(target_endian = "little") { (size as u32) << 2 } else { size as u32 },
            1,
            0,
            element.to_u32(),
            count as u32,
            1,
        ];
        std::ptr::copy_nonoverlapping(header.as_ptr().cast(), place, ARRAY_HEADER);
        std::ptr::copy_nonoverlapping(data.as_ptr(), place.add(ARRAY_HEADER), data.len());
        pg_sys::Datum::from(place)
    }
}

macro_rules! packed {
    ($(#[$about:meta])* $name:ident, $element:ident, $array:ident) => {
        $(#[$about])*
        #[derive(Default)]
        pub struct $name {
            count: usize,
            data: Vec<u8>,
        }

        impl IntoDatum for $name {
            fn into_datum(self) -> Option<pg_sys::Datum> {
                Some(array(pg_sys::$element, self.count, &self.data))
            }

            fn type_oid() -> pg_sys::Oid {
                pg_sys::$array
            }
        }
    };
}

packed!(
    /// `uuid[]`.
    Ids, UUIDOID, UUIDARRAYOID
);
packed!(
    /// `bigint[]`.
    Longs, INT8OID, INT8ARRAYOID
);
packed!(
    /// `numeric[]` of scores.
    Scores, NUMERICOID, NUMERICARRAYOID
);
packed!(
    /// `jsonb[]` of `overlap_metrics`.
    Metrics, JSONBOID, JSONBARRAYOID
);

impl Ids {
    /// Adds an id.
    pub fn push(&mut self, id: u128) {
        self.data.extend_from_slice(&id.to_be_bytes());
        self.count += 1;
    }
}

impl Longs {
    /// Adds a number.
    pub fn push(&mut self, number: i64) {
        self.data.extend_from_slice(&number.to_ne_bytes());
        self.count += 1;
    }
}

impl Scores {
    /// Adds a score, in millionths.
    pub fn push(&mut self, millionths: i64) {
        numeric(&mut self.data, millionths.max(0) as u64, SCORE_DECIMALS, SCORE_DECIMALS);
        pad(&mut self.data);
        self.count += 1;
    }
}

impl Metrics {
    /// Adds the metrics of a fit.
    pub fn push(&mut self, fit: &Fit, weights: &Weights) {
        metrics(&mut self.data, fit, weights);
        pad(&mut self.data);
        self.count += 1;
    }
}
