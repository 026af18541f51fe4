//! Queries: prepared once per session, read in one go or in chunks.
//!
//! `unsafe` is needed to ask the server whether the transaction may write, and to give memory back.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CStr;
use std::rc::Rc;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiHeapTupleData, SpiTupleTable};

use crate::error::Outcome;
use crate::owner::with_settings;

thread_local! {
    /// Plans by the address of their text: every query here is a constant.
    static PLANS: RefCell<HashMap<*const u8, Rc<OwnedPreparedStatement>>> = RefCell::default();
}

fn plan(
    client: &SpiClient<'_>,
    sql: &'static str,
    args: &[DatumWithOid<'_>],
) -> Outcome<Rc<OwnedPreparedStatement>> {
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(&sql.as_ptr()).cloned()) {
        return Ok(plan);
    }
    let types: Vec<PgOid> = args.iter().map(|arg| PgOid::from(arg.oid())).collect();
    let plan = Rc::new(client.prepare(sql, &types)?.keep());
    PLANS.with_borrow_mut(|plans| plans.insert(sql.as_ptr(), Rc::clone(&plan)));
    Ok(plan)
}

/// One row of a result.
pub struct Row<'a>(SpiHeapTupleData<'a>);

impl Row<'_> {
    /// The value of a column, by its ordinal from 1; `None` for null.
    pub fn get<T: IntoDatum + FromDatum>(&self, ordinal: usize) -> Outcome<Option<T>> {
        Ok(self.0.get(ordinal)?)
    }

    /// The value of a column that the query never leaves null.
    pub fn want<T: IntoDatum + FromDatum>(&self, ordinal: usize) -> Outcome<T> {
        Ok(self.get(ordinal)?.ok_or(pgrx::spi::SpiError::InvalidPosition)?)
    }
}

fn rows<T>(
    table: SpiTupleTable<'_>,
    mut map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut result = Vec::with_capacity(table.len());
    for tuple in table {
        result.push(map(&Row(tuple))?);
    }
    Ok(result)
}

/// Reads the rows of a query.
pub fn read<T>(
    sql: &'static str,
    args: &[DatumWithOid<'_>],
    map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    Spi::connect(|client| {
        let plan = plan(client, sql, args)?;
        rows(client.select(plan.as_ref(), None, args)?, map)
    })
}

/// Keys from which on it pays to plan for the very ones.
const MANY_KEYS: usize = 100;

/// As [`read`], for a look-up by keys that is dearer to plan than to run for a few: then it is planned once for all
/// of them, by indexes however small the tables are at that moment. The server would plan it anew for each array that
/// has fewer than the ten elements that it takes an unknown one to have.
pub fn read_by_keys<T>(
    keys: usize,
    sql: &'static str,
    args: &[DatumWithOid<'_>],
    map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    const SETTINGS: [(&CStr, &CStr); 2] =
        [(c"plan_cache_mode", c"force_generic_plan"), (c"enable_seqscan", c"off")];
    if keys >= MANY_KEYS {
        return read(sql, args, map);
    }
    with_settings(&SETTINGS, || read(sql, args, map))
}

/// Reads the first row of a query, if there is one.
pub fn read_one<T>(
    sql: &'static str,
    args: &[DatumWithOid<'_>],
    map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Option<T>> {
    Ok(read(sql, args, map)?.into_iter().next())
}

/// On a standby, and in a transaction that may only read, the server has an answer of its own; it
/// must be asked before SPI asks for a transaction id, which would fail as an internal error.
pub fn require_writable() {
    // SAFETY: raises the server's error or does nothing; nothing here needs to be dropped.
    unsafe { pg_sys::PreventCommandIfReadOnly(c"this function".as_ptr()) };
}

/// Runs a statement that changes rows, and reads what it returns.
pub fn write<T>(
    sql: &'static str,
    args: &[DatumWithOid<'_>],
    map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    require_writable();
    Spi::connect_mut(|client| {
        let plan = plan(client, sql, args)?;
        rows(client.update(plan.as_ref(), None, args)?, map)
    })
}

/// Runs a statement that returns nothing, and counts the rows it changed.
pub fn execute(sql: &'static str, args: &[DatumWithOid<'_>]) -> Outcome<usize> {
    require_writable();
    Spi::connect_mut(|client| {
        let plan = plan(client, sql, args)?;
        Ok(client.update(plan.as_ref(), None, args)?.len())
    })
}

/// As [`read`], for a text that was put together from the catalogue; no plan of it is kept.
pub fn read_once<T>(
    sql: &str,
    args: &[DatumWithOid<'_>],
    map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    Spi::connect(|client| rows(client.select(sql, None, args)?, map))
}

/// As [`write`], for a text that was put together or names what may not be there; no plan is kept.
pub fn write_once<T>(
    sql: &str,
    args: &[DatumWithOid<'_>],
    map: impl FnMut(&Row<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    require_writable();
    Spi::connect_mut(|client| rows(client.update(sql, None, args)?, map))
}

/// As [`execute`], for a text that was put together from the catalogue.
pub fn execute_once(sql: &str, args: &[DatumWithOid<'_>]) -> Outcome<usize> {
    require_writable();
    Spi::connect_mut(|client| Ok(client.update(sql, None, args)?.len()))
}

/// The text of an SQL array whose elements need no quotes.
pub fn array(elements: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", elements.collect::<Vec<_>>().join(","))
}

/// Runs a script of statements that no plan can be kept for (DDL).
pub fn script(sql: &str) -> Outcome<()> {
    require_writable();
    Spi::connect_mut(|client| {
        client.update(sql, None, &[])?;
        Ok(())
    })
}

/// Reads a result in chunks, giving each chunk's memory back before the next: one `Spi::connect`
/// per chunk, because what is read inside one stays until it ends.
pub fn stream(
    sql: &'static str,
    args: &[DatumWithOid<'_>],
    chunk: i64,
    mut each: impl FnMut(&Row<'_>) -> Outcome<()>,
) -> Outcome<()> {
    let cursor = Spi::connect(|client| -> Outcome<String> {
        Ok(client.try_open_cursor(sql, args)?.detach_into_name())
    })?;
    loop {
        let fetched = Spi::connect(|client| -> Outcome<usize> {
            let mut found = client.find_cursor(&cursor)?;
            let table = found.fetch(chunk)?;
            let count = table.len();
            for tuple in table {
                each(&Row(tuple))?;
            }
            // Dropping the handle would close the cursor; the last chunk does want that.
            if count == chunk as usize {
                let _ = found.detach_into_name();
            }
            Ok(count)
        })?;
        if fetched < chunk as usize {
            return Ok(());
        }
        pgrx::check_for_interrupts!();
    }
}

/// Runs one portion of a long piece of work in memory of its own: the arguments of its queries would
/// otherwise be kept until the caller's statement ends.
pub fn portion<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    let mut memory = pgrx::PgMemoryContexts::new("convene portion");
    // SAFETY: what `work` gives back lives in Rust's memory; the context is deleted afterwards.
    unsafe { memory.switch_to(|_| work()) }
}
