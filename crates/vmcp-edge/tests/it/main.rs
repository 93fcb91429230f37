//! The server on real sockets, in front of real peers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod callers;
mod cancel;
mod connections;
mod crossing;
mod extensions;
mod faults;
mod guard;
mod handshake;
mod identity;
#[expect(dead_code, reason = "made for another crate's tests; not all of it is used here")]
#[path = "../../../vmcp-wire/tests/it/json.rs"]
mod json;
mod messages;
mod pages;
mod pipes;
mod questions;
mod resume;
mod revisions;
mod rig;
mod sessions;
mod shapes;
mod sse;
mod stateless;
mod stateless_beside;
mod stateless_calls;
mod stateless_errors;
mod stateless_fresh;
mod stateless_listen;
mod stateless_long;
mod stateless_questions;
mod stateless_through;
mod tasks;
mod tasks_bridged;
mod tasks_long;
mod tasks_progress;
mod tls;
mod verbatim;
