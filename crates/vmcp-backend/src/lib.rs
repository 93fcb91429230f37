//! One persistent MCP session to one backend.
//!
//! A [`Connector`] opens a [`Session`]: it resolves the outgoing credentials, dials, shakes hands. The
//! session is then used by many calls at the same time; each is one exchange with the backend, whose
//! reply is read as it comes ([`Reply`]): progress, requests back to the client, and last the response,
//! which streams when it is long. A dropped transport, a restarted backend or a forgotten session id costs
//! one new handshake that callers do not see, and a call is repeated only if it provably did not run.
//!
//! Read in this order:
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`target`](BackendTarget) | what a backend is: address, credentials, bounds |
//! | [`hello`](ClientHello) | what both sides say of themselves |
//! | [`connector`](Connector) | from a target to a session |
//! | [`session`](Session) | the operations |
//! | [`call`](Call), [`reply`](Reply), [`peer`](PeerRequest) | one call: what goes, what comes, what the backend asks |
//! | [`error`](CallError) | what fails, whose fault it is, and whether the call may have run |
//! | `link` | one session's life: the live connection, its loss, its single-flight reopening |
//! | `transport` | streamable HTTP, SSE, stdio, a server in this process |
//! | `dialect` | the only code that knows a protocol revision |
//! | `tasks` | the only place where tasks are spawned |
//!
//! Invariants: everything a backend says passes byte for byte except ids and progress tokens, which are
//! this crate's on its hop; a reply for one call never reaches another; memory per call does not grow with
//! the reply; an idle session without a listening stream owns no task on streamable HTTP.

mod call;
mod capabilities;
mod connector;
mod dialect;
mod error;
mod hello;
mod link;
mod peer;
mod reply;
mod result;
mod session;
mod target;
mod tasks;
mod transport;

pub use call::{Asking, Call, CallContext, Cancel, InputGiven, TraceContext};
pub use capabilities::{Answer, CapabilityList, Freshness};
pub use connector::Connector;
pub use error::{CallError, ConnectError, ConnectErrorKind, ErrorKind, Executed, RpcError, Side};
pub use hello::{ClientHello, Hints, ServerHello};
pub use peer::PeerRequest;
pub use reply::{Event, InputRequired, Parts, Reply, Response};
#[cfg(feature = "rmcp")]
pub use result::rmcp::RmcpCapabilities;
pub use result::{
    Blob, Content, ContentKind, PromptMessage, PromptResult, ResourceBody, ResourceContents,
    ResourceLink, ResourceResult, ResultError, Role, ToolResult,
};
pub use session::{McpSession, Outside, Session, Sink};
pub use target::{BackendTarget, CaBundle, DuplexFactory, Endpoint, StdioCommand, TargetLimits};
pub use transport::guard;
