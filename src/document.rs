//! `jsonb` that a client or an administrator wrote. The server takes numbers that no double holds
//! and nesting that no parser with a bound follows; here that is an error that says so, not a crash.
//!
//! `unsafe` is needed to take such a value in and out of the server, which is done by its own
//! functions for the type.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::direct_function_call_as_datum;
use pgrx::nullable::Nullable;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;
use serde_json::Value;

use crate::error::{Outcome, invalid};

/// A value of type `jsonb`, as text.
pub struct Document(pub String);

impl Document {
    /// The value, if it is one that a double and a bounded depth can hold. `what` names it.
    pub fn parse(&self, what: &str) -> Outcome<Value> {
        match serde_json::from_str(&self.0) {
            Ok(value) => Ok(value),
            Err(error) => invalid(
                format!("{what} cannot be used: {error}"),
                "It is JSON, but with a number beyond 1.8e308 or nested more than 127 deep.",
                "Send smaller numbers and flatter values.",
            ),
        }
    }
}

impl FromDatum for Document {
    unsafe fn from_polymorphic_datum(
        datum: pg_sys::Datum,
        is_null: bool,
        _typoid: pg_sys::Oid,
    ) -> Option<Self> {
        if is_null {
            return None;
        }
        // SAFETY: the value is a live jsonb, so its output function gives a C string that is ours.
        unsafe {
            let text = direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(datum)])?;
            let text = text.cast_mut_ptr::<std::ffi::c_char>();
            let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
            pg_sys::pfree(text.cast());
            Some(Self(copy))
        }
    }
}

impl IntoDatum for Document {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        let text = CString::new(self.0).ok()?;
        // SAFETY: the input function gets a C string that lives through the call, and checks it.
        unsafe { direct_function_call_as_datum(pg_sys::jsonb_in, &[Some(text.as_ptr().into())]) }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: says of itself what is true of `pgrx::JsonB`: an argument or a result of type jsonb.
unsafe impl SqlTranslatable for Document {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Document);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

// SAFETY: unboxes by `FromDatum`, as pgrx does for its own types; every argument is an `Option`, so
// a null never comes here.
unsafe impl<'fcx> ArgAbi<'fcx> for Document {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: as promised by the caller, the argument is a jsonb.
        unsafe { arg.unbox_arg_using_from_datum() }.unwrap_or_else(|| Self("null".to_owned()))
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum().into() }
    }
}

// SAFETY: returns the datum that `IntoDatum` makes, which is of the type that is announced.
unsafe impl BoxRet for Document {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: the datum is a jsonb in the current memory context.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}
