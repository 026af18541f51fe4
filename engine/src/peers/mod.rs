//! Peers: how well two contractors fit, and who sits at which table.
