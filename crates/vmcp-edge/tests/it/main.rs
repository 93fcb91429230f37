//! The server on real sockets, in front of real peers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod cancel;
mod connections;
mod faults;
mod guard;
mod handshake;
mod messages;
mod pages;
mod pipes;
mod questions;
mod resume;
mod rig;
mod sessions;
mod shapes;
