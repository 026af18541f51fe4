//! Networking: what two people at an event are worth to each other.
