//! Every formula against a slow one, every table of states against itself.

mod balanced;
mod goals;
mod score;
mod states;
