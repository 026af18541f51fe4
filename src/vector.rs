//! pgvector's values, read as the bytes they are: never through text.
//!
//! `unsafe` is needed to look into the server's memory; the size is checked before anything is read.
#![allow(unsafe_code)]

use pgrx::pg_sys;
use pgrx::prelude::*;

/// The server's header of a variable-length value, then u16 dimensions, u16 unused, f32 values.
const HEADER: usize = 8;

/// The numbers of a `vector`, copied out of the server's memory. A value that is not laid out as
/// pgvector's are reads as null.
pub struct Floats(pub Vec<f32>);

impl FromDatum for Floats {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _typoid: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the queries that ask for this type name a column of type vector, so the value is
        // a live varlena; detoasting returns it or a copy, with its size in the header.
        unsafe {
            let original = datum.cast_mut_ptr::<pg_sys::varlena>();
            let plain = pg_sys::pg_detoast_datum(original);
            let floats = copy(plain);
            if plain != original {
                pg_sys::pfree(plain.cast());
            }
            floats.map(Self)
        }
    }
}

/// # Safety
/// `plain` must be a live, detoasted varlena.
unsafe fn copy(plain: *mut pg_sys::varlena) -> Option<Vec<f32>> {
    // SAFETY: as promised by the caller; nothing past the size in the header is read.
    unsafe {
        let size = pgrx::varlena::varsize(plain);
        if size < HEADER {
            return None;
        }
        let start = plain.cast::<u8>();
        let dims = usize::from(start.add(4).cast::<u16>().read_unaligned());
        if size != HEADER + dims * size_of::<f32>() {
            return None;
        }
        #[allow(clippy::cast_ptr_alignment)] // Read as unaligned.
        let values = start.add(HEADER).cast::<f32>();
        Some((0..dims).map(|i| values.add(i).read_unaligned()).collect())
    }
}

impl IntoDatum for Floats {
    /// As `real[]`, which the server assigns to a `vector` column.
    fn into_datum(self) -> Option<pg_sys::Datum> {
        self.0.into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::FLOAT4ARRAYOID
    }

    /// The type's id differs between databases and its schema may change. What is read must at least
    /// be a varlena, since whoever owns the table may have put a view with anything in its place.
    fn is_compatible_with(other: pg_sys::Oid) -> bool {
        // SAFETY: catalogue look-up of a type that a result has.
        unsafe { pg_sys::get_typlen(other) == -1 }
    }
}
