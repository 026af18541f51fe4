//! The marketplace: what is computed ahead for its pages, and who and what is near to whom.

mod near;
mod quality;
mod recommend;
mod refresh;
