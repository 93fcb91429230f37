//! The client's side of vmcp: the only crate with a server.
//!
//! [`Server`] answers MCP over HTTP for one [`Gateway`](vmcp_gateway::Gateway); [`front::stdio::run`] does the
//! same over one pair of pipes. A request meets the modules in this order (`stack` is the page that says so):
//!
//! | module | stage |
//! | --- | --- |
//! | `listen` | connections: how many, for how long |
//! | `guard` | what is checked before anything is believed or stored |
//! | `identify` | who calls |
//! | [`front`] | the only code on this side that knows a revision |
//! | `admit` | how much at one time |
//! | `session` | what one client holds: streams, calls in flight, questions of servers |
//! | `route` | each message to whoever takes it |
//! | `relay` | from the gateway's reply to the client's connection |
//! | `respond` | the one translation of failures; bodies and complete responses |
//!
//! Beside them: `probe` (health, readiness, status, metrics pages), `metrics`, `edge` (what all
//! connections share), `tasks` (who owns each task), `unwind` (what a panic costs).
//!
//! Invariants: a usual call starts no task and holds no lock while it waits; a client's id keys nothing; a
//! response never overtakes a notification of its call; no text of a backend's failure reaches a client.

mod admit;
mod edge;
pub mod front;
mod guard;
mod identify;
mod listen;
mod metadata;
mod metrics;
mod probe;
mod relay;
mod respond;
mod route;
mod server;
mod session;
mod stack;
mod tasks;
mod tls;
mod unwind;

pub use metrics::Metrics;
pub use server::Server;
pub use tls::{Reload, Tls, TlsError};
