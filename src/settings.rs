//! Server parameters of the library, and other parameters that it reads.
//!
//! `unsafe` is needed to ask the server for a parameter by name.
#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;

/// Threads that one session may use; 0 stands for the default, the smaller of four and the cores.
static MAX_THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
/// Sessions of one database that may compute in parallel at the same time; 0 stands for the cores.
static MAX_PARALLEL_CALLS: GucSetting<i32> = GucSetting::<i32>::new(0);
/// Memory for one batch of a long computation.
static MAX_BATCH_MB: GucSetting<i32> = GucSetting::<i32>::new(64);
/// Memory for the programmes that a session keeps at hand.
static PROGRAMME_CACHE_MB: GucSetting<i32> = GucSetting::<i32>::new(64);

/// Registers the parameters; all are for superusers, since they spend the whole machine's means.
pub fn register() {
    let int = |name, short, long, setting, least, most, flags| {
        GucRegistry::define_int_guc(
            name,
            short,
            long,
            setting,
            least,
            most,
            GucContext::Suset,
            flags,
        );
    };
    int(
        c"convene.max_threads",
        c"Threads that one session may compute with.",
        c"0 means the smaller of four and the number of cores. Read when a session first computes in parallel.",
        &MAX_THREADS,
        0,
        256,
        GucFlags::default(),
    );
    int(
        c"convene.max_parallel_calls",
        c"Calls that may compute in parallel at the same time in one database.",
        c"0 means the number of cores. A call that finds no place computes in one thread.",
        &MAX_PARALLEL_CALLS,
        0,
        1024,
        GucFlags::default(),
    );
    int(
        c"convene.max_batch_mb",
        c"Memory that one batch of a long computation may take.",
        c"Larger work is done in several batches.",
        &MAX_BATCH_MB,
        1,
        16384,
        GucFlags::UNIT_MB,
    );
    int(
        c"convene.programme_cache_mb",
        c"Memory that a session may keep for the programmes of events it was asked about.",
        c"The least recently used programme goes first. A programme larger than this is used once and dropped.",
        &PROGRAMME_CACHE_MB,
        0,
        16384,
        GucFlags::UNIT_MB,
    );
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How many threads the pool of this session gets.
pub fn max_threads() -> usize {
    match MAX_THREADS.get() {
        0 => cores().min(4),
        threads => threads as usize,
    }
}

/// How many calls may compute in parallel at once in this database.
pub fn max_parallel_calls() -> usize {
    match MAX_PARALLEL_CALLS.get() {
        0 => cores(),
        calls => calls as usize,
    }
}

/// Bytes that one batch of a long computation may take.
pub fn max_batch_bytes() -> usize {
    MAX_BATCH_MB.get() as usize * 1024 * 1024
}

/// Bytes that the programmes kept by this session may take.
pub fn programme_cache_bytes() -> usize {
    PROGRAMME_CACHE_MB.get() as usize * 1024 * 1024
}

/// The value of any server parameter as text; `None` where it was never set.
pub fn config(name: &CStr) -> Option<String> {
    // SAFETY: returns null or a C string that stays valid until the parameter changes; it is copied
    // at once.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    }
}
