//! Arrays that are built as the bytes the server stores, for writing by the hundred thousand: the
//! input functions of `jsonb` and `numeric` would take longer than everything else together. Tests
//! compare what is written here with what those functions make of the same text.
//!
//! `unsafe` is needed to hand the bytes to the server as a value of the array's type.
#![allow(unsafe_code)]

use pgrx::pg_sys;
use pgrx::prelude::*;

/// Bytes of the header of an array of one dimension without nulls.
const ARRAY_HEADER: usize = 24;
/// Kinds of containers of a `jsonb`.
const OBJECT: u32 = 0x2000_0000;
const LIST: u32 = 0x4000_0000;
/// Marks an entry that holds an offset and not a length.
const OFFSET: u32 = 0x8000_0000;
/// Every so many entries one holds an offset.
const STRIDE: usize = 32;
/// Marks the short form of a `numeric`, of whose header these are parts.
const SHORT: u16 = 0x8000;
const SCALE_SHIFT: u32 = 7;
const WEIGHT_MASK: i16 = 0x7f;

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

/// What was written into a `jsonb`: the kind of its entry there.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Json {
    /// A string.
    Text = 0,
    /// A number.
    Number = 0x1000_0000,
    /// An object or a list.
    Container = 0x5000_0000,
}

impl Json {
    /// A string.
    pub fn text(out: &mut Vec<u8>, text: &str) -> Self {
        out.extend_from_slice(text.as_bytes());
        Self::Text
    }

    /// A number from 0 up, `value / 10^decimals`, with the decimals that it has.
    pub fn number(out: &mut Vec<u8>, value: u64, decimals: u32) -> Self {
        pad(out);
        let (mut left, mut shown) = (value, if value == 0 { 0 } else { decimals });
        while shown > 0 && left.is_multiple_of(10) {
            left /= 10;
            shown -= 1;
        }
        numeric(out, value, decimals, shown);
        Self::Number
    }

    /// An object; `value` writes what stands under a key.
    pub fn object<T: Copy>(
        out: &mut Vec<u8>,
        fields: &mut [(&'static str, T)],
        mut value: impl FnMut(&mut Vec<u8>, T) -> Self,
    ) -> Self {
        // Keys go by length, then by their bytes.
        fields.sort_unstable_by_key(|(key, _)| (key.len(), *key));
        let mut entries = Entries::begin(out, OBJECT, fields.len(), fields.len() * 2);
        for (key, _) in fields.iter() {
            entries.add(out, |out| Self::text(out, key));
        }
        for (_, field) in fields.iter() {
            entries.add(out, |out| value(out, *field));
        }
        Self::Container
    }

    /// A list; `value` writes an element.
    pub fn list<T>(
        out: &mut Vec<u8>,
        elements: &[T],
        mut value: impl FnMut(&mut Vec<u8>, &T) -> Self,
    ) -> Self {
        let mut entries = Entries::begin(out, LIST, elements.len(), elements.len());
        for element in elements {
            entries.add(out, |out| value(out, element));
        }
        Self::Container
    }
}

/// The entries of a container while it is written.
struct Entries {
    start: usize,
    written: usize,
    total: usize,
}

impl Entries {
    fn begin(out: &mut Vec<u8>, kind: u32, elements: usize, entries: usize) -> Self {
        pad(out);
        out.extend_from_slice(&(elements as u32 | kind).to_ne_bytes());
        let start = out.len();
        out.resize(start + entries * 4, 0);
        Self { start, written: 0, total: 0 }
    }

    fn add(&mut self, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>) -> Json) {
        let before = out.len();
        let kind = value(out);
        let length = out.len() - before;
        self.total += length;
        let entry = if self.written.is_multiple_of(STRIDE) {
            OFFSET | self.total as u32
        } else {
            length as u32
        };
        put(out, self.start + self.written * 4, kind as u32 | entry);
        self.written += 1;
    }
}

/// A whole `jsonb`, of the container that `write` writes.
pub fn document(write: impl FnOnce(&mut Vec<u8>) -> Json) -> Vec<u8> {
    let mut out = Vec::new();
    write_document(&mut out, write);
    out
}

fn write_document(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Json) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    close(out, start);
    pad(out);
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
    ($(#[$about:meta])* $name:ident $(<$unit:ident>)?, $element:ident, $array:ident) => {
        $(#[$about])*
        #[derive(Default)]
        pub struct $name $(<const $unit: u32>)? {
            count: usize,
            data: Vec<u8>,
        }

        impl $(<const $unit: u32>)? IntoDatum for $name $(<$unit>)? {
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
    /// `numeric[]` of numbers with so many decimals.
    Decimals<DECIMALS>, NUMERICOID, NUMERICARRAYOID
);
packed!(
    /// `jsonb[]`.
    Documents, JSONBOID, JSONBARRAYOID
);

impl Ids {
    /// Adds an id.
    pub fn push(&mut self, id: u128) {
        self.data.extend_from_slice(&id.to_be_bytes());
        self.count += 1;
    }
}

impl FromIterator<pgrx::Uuid> for Ids {
    fn from_iter<I: IntoIterator<Item = pgrx::Uuid>>(ids: I) -> Self {
        let mut packed = Self::default();
        ids.into_iter().for_each(|id| packed.push(u128::from_be_bytes(*id.as_bytes())));
        packed
    }
}

impl Longs {
    /// Adds a number.
    pub fn push(&mut self, number: i64) {
        self.data.extend_from_slice(&number.to_ne_bytes());
        self.count += 1;
    }
}

impl<const DECIMALS: u32> Decimals<DECIMALS> {
    /// Adds a number from 0 up, in units of the last decimal.
    pub fn push(&mut self, units: i64) {
        numeric(&mut self.data, units.max(0) as u64, DECIMALS, DECIMALS);
        pad(&mut self.data);
        self.count += 1;
    }
}

impl<const DECIMALS: u32> FromIterator<i64> for Decimals<DECIMALS> {
    fn from_iter<I: IntoIterator<Item = i64>>(numbers: I) -> Self {
        let mut packed = Self::default();
        numbers.into_iter().for_each(|units| packed.push(units));
        packed
    }
}

impl Documents {
    /// Adds what `write` writes.
    pub fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Json) {
        write_document(&mut self.data, write);
        self.count += 1;
    }
}

/// Of what [`document`] wrote.
impl<'a> FromIterator<&'a Vec<u8>> for Documents {
    fn from_iter<I: IntoIterator<Item = &'a Vec<u8>>>(documents: I) -> Self {
        let mut packed = Self::default();
        for document in documents {
            packed.data.extend_from_slice(document);
            packed.count += 1;
        }
        packed
    }
}
