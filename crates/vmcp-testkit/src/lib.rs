//! Peers on real sockets for tests: scriptable backends and raw clients.
//!
//! Everything here speaks MCP with its own few lines of code and shares nothing with the crates under test, so that a
//! test which uses it is checked by an independent oracle. Fakes are peers on the wire, never mocks of our own traits.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`Backend`] | an MCP server on a loopback socket that does exactly what it is told, faults included, and records all it hears |
//! | [`Answer`] | what a backend does with one request: steps (wait, notify, ask the client, close early), then an end |
//! | [`Gate`] | lets a test hold an answer back and know when the request has arrived; instead of sleeping |
//! | [`RawServer`] | a TCP listener that answers with arbitrary bytes, for what is not even HTTP |
//! | [`BlackHole`] | a port that answers nothing at all |
//! | [`Http2Backend`] | a backend on HTTP/2 that resets, goes away and floods, frame by frame |
//! | [`Authority`] | certificates for servers with TLS, and what is wrong with them |
//! | [`IdentityProvider`] | an OAuth authorization server: tokens, clients, faults, and a ledger of all it heard |
//! | [`BearerGuard`] | makes a backend want tokens of such a provider, and remembers who came |
//! | [`Aws`] | an STS endpoint that gives out temporary keys, and backends that want requests signed with them |
//! | [`RawClient`] | an MCP client that shows every status, header and byte |
//! | [`StatelessClient`] | the same for the revision without sessions: each part of a request can be bent, rounds of questions answered |
//! | [`LineClient`] | the same over the standard streams of a child process |
//! | [`stdio_peer`] | the path of `testkit-stdio`, an MCP server over standard streams with its own faults |
//!
//! ```
//! use vmcp_testkit::{Answer, Backend, RawClient};
//! use serde_json::json;
//!
//! # fn main() -> std::io::Result<()> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let backend = Backend::builder()
//!     .tool(json!({"name": "hello", "inputSchema": {"type": "object"}}), Answer::text("hello"))
//!     .tool(json!({"name": "slow", "inputSchema": {"type": "object"}}), Answer::never())
//!     .start()
//!     .await?;
//!
//! let client = RawClient::new(&backend.url())?;
//! client.handshake("2025-11-25", json!({})).await?;
//! let reply = client.call("tools/call", json!({"name": "hello", "arguments": {}})).await?;
//! assert_eq!(reply["result"]["content"][0]["text"], "hello");
//! assert_eq!(backend.count("tools/call"), 1);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Waiting without sleeping
//! [`Backend::wait_for`], [`Backend::wait_listeners`], [`Backend::wait_abandoned`] and [`Gate`] wait for what a test
//! is about; each gives up with an error after [`PATIENCE`].

mod answer;
mod aws;
mod backend;
mod black_hole;
mod body;
mod call;
mod client;
mod gate;
mod http2;
mod idp;
mod jobs;
mod json;
mod raw_server;
mod record;
mod sse;
mod stdio;
mod tasks;
mod tls;

pub use answer::Answer;
pub use aws::{Aws, AwsSession, SigV4Guard, SigV4Scope, Signed, verify_sigv4};
pub use backend::{Backend, Builder, Era, Listing, Transport};
pub use black_hole::BlackHole;
pub use call::Call;
pub use client::{LineClient, Listening, Prepared, RawClient, RawReply, StatelessClient};
pub use gate::Gate;
pub use http2::{Http2Backend, Http2Fault};
pub use idp::{
    Admitted, BearerGuard, IdentityProvider, IdpAnswer, IdpBuilder, IdpClient, IdpRequest,
    ResponseIssuer, SigningKey, browse,
};
pub use jobs::Jobs;
pub use json::Json;
pub use raw_server::{RawRequest, RawServer, RawStep};
pub use record::Recorded;
pub use sse::SseEvent;
pub use stdio::stdio_peer;
pub use tls::{Authority, Certificate};

/// How long anything that waits in this crate waits before it gives up with an error.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// The revisions a backend agrees to in a handshake when its script does not pin one; the last is the newest.
pub(crate) const REVISIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
