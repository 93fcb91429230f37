//! The client's side of vmcp: the only crate with a server.
//!
//! [`Server`] answers MCP over HTTP for one [`Gateway`](vmcp_gateway::Gateway); [`front::stdio::run`] does the
//! same over one pair of pipes.

pub mod front;
mod metrics;
mod server;

pub use metrics::Metrics;
pub use server::Server;
