//! Peers: contractors who should meet, what they say to it, and what comes of it.
