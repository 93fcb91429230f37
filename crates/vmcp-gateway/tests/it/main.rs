//! The gateway in front of real peers: servers on loopback sockets, child processes, servers in this process.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod callers;
mod calls;
mod changes;
mod contract;
mod families;
mod lists;
mod outside;
mod overlay;
mod per_caller;
mod policies;
mod resources;
mod restart;
mod shared;
mod slow;
mod time;
mod watching;
mod world;
