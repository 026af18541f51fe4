//! All pairs of n people, in tiles that fit the cache, spread over threads.
