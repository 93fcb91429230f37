//! Sessions with MCP servers (*backends*), made to be held: one handshake, then as many calls as you like, at the same
//! time, for one user or for many.
//!
//! A [`Connector`] opens a [`Session`]: it resolves the outgoing credentials, dials, shakes hands. Each call is one
//! exchange with the backend, whose reply can be read whole and typed, or as it comes ([`Session::forward`]): progress,
//! requests back to the client, and last the response, which streams when it is long. A dropped transport, a restarted
//! backend or a forgotten session id costs one new handshake that callers do not see, and a call is repeated only if it
//! provably did not run.
//!
//! # Quick start
//!
//! ```
//! use std::sync::Arc;
//! use vmcp_backend::vmcp_auth::Caller;
//! use vmcp_backend::{BackendTarget, ClientHello, Connector, Endpoint, ErrorKind, Executed};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let tool = serde_json::json!({"name": "hello", "inputSchema": {"type": "object"}});
//! # let peer = vmcp_testkit::Backend::builder().tool(tool, vmcp_testkit::Answer::echo()).start().await?;
//! # let url = peer.url();
//! // One connector per process, one target per backend: keep both.
//! let connector = Connector::default();
//! let target = Arc::new(BackendTarget::new("greeter", Endpoint::from(url.parse::<url::Url>()?)));
//!
//! let hello = ClientHello::new("my-service", "1.0");
//! let (session, list) = connector.connect(&target, Caller::default(), hello, None).await?;
//! println!("{} tools", list.tools.len());
//!
//! match session.call_tool("hello", Some(r#"{"name":"Ann"}"#.into()), None).await {
//!     Ok(result) if result.is_error() => println!("the tool failed: {}", result.text()),
//!     Ok(result) => println!("{}", result.text()),
//!     Err(error) => match (&error.kind, error.executed) {
//!         (ErrorKind::Answered(answer), _) => println!("refused with code {}", answer.code()),
//!         (_, Executed::No) => println!("did not run, may be tried again: {error}"),
//!         (_, Executed::Unknown) => println!("may have run: {error}"),
//!     },
//! }
//! session.close().await;
//! # assert_eq!(list.tools.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! The examples `call_one_tool`, `list_everything` (a server in the same process) and `many_users` (token exchange)
//! run as they are.
//!
//! # Concepts
//!
//! | item | what it is |
//! | --- | --- |
//! | [`BackendTarget`] | what a backend is: address, credentials, headers, certificates, bounds |
//! | [`Connector`] | opens sessions; holds connection pools, strategies and their tokens |
//! | [`Hints`], [`ClientHello`], [`ServerHello`] | what both sides say of themselves; an earlier session's id |
//! | [`CapabilityList`] | what a backend offers, raw: nothing that it says about a tool is lost |
//! | [`Session`] | one initialised session; clones are the same one |
//! | [`McpSession`] | the same as a trait, for code that must not care what is behind it |
//! | [`ToolResult`], [`ResourceResult`], [`PromptResult`] | answers read whole: raw bytes kept, typed readers over them |
//! | [`Call`], [`Reply`], [`Event`], [`Cancel`] | one call as it comes, and the handle that takes it back |
//! | [`Caller`](vmcp_auth::Caller), [`CallContext`], [`TraceContext`] | for whom, and in which trace |
//! | [`Sink`], [`Outside`], [`PeerRequest`] | what the backend says outside calls, and what it asks |
//! | [`CallError`], [`ConnectError`] | what failed, whose fault it is, whether the call may have run |
//!
//! # Errors
//!
//! A [`CallError`] has a [`kind`](ErrorKind), a [`side`](Side), and says whether the backend may have run the call
//! ([`Executed`]). [`Executed::No`] is a promise: nothing was sent, or the backend refused it before it looked at it, so
//! repeating the call is safe whatever it does. Everything else is [`Executed::Unknown`]. A JSON-RPC error of the
//! backend is [`ErrorKind::Answered`] with its code, text and data; a tool that says that it failed is a result.
//! `Display` is for logs: it may name addresses and quote the backend; it never contains a credential.
//!
//! What can be known to be wrong is found before anything is dialled ([`ConnectErrorKind::Config`]).
//!
//! # Cancel safety
//!
//! Every async function says what happens when its future is dropped. In short: dropping a call's future, its
//! [`Reply`] or its [`Parts`] takes the call back, and the backend is told; dropping `next` of a reply loses nothing;
//! dropping an opening leaves nothing behind; dropping [`Session::close`] leaves the rest to the background, as dropping
//! the last clone of a session does.
//!
//! # Many users
//!
//! A session is opened *for* a [`Caller`](vmcp_auth::Caller), and each call can name its own, which wins over the
//! captured one at once and as a whole: a refreshed token counts from the next request on. The captured caller serves
//! what belongs to no call: the handshake, the stream outside calls, the DELETE at the end; a later login of the same
//! principal, seen on a call, takes its place. [`Caller::default`](vmcp_auth::Caller) is nobody: a probe never has a
//! user's token.
//!
//! The session does not check callers. Whoever holds it may use it, so hold one session per user wherever
//! [`Connector::scope`] says [`PerCaller`](vmcp_auth::CredentialScope::PerCaller): a backend may tie state to a session,
//! and what it offers or says to one user must not reach another. Under
//! [`Shared`](vmcp_auth::CredentialScope::Shared) all users may share a session.
//!
//! Connections carry no credentials, each request does; two requests may share one if and only if their
//! [`PoolKey`](vmcp_net::PoolKey)s are equal: same backend, certificates, proxy, allowed addresses and dial time.
//!
//! # Credentials
//!
//! [`BackendTarget::auth`] names a strategy of the [`OutgoingAuthRegistry`](vmcp_auth::OutgoingAuthRegistry). It is
//! bound once per target, and applied to every single HTTP request, DELETE included, on headers made for that request.
//! On 401 and 403 the strategy decides: if it has, or can get, other credentials, the request is sent once more, since
//! one that is refused so did not run. A caller's own token is never handed on.
//!
//! Headers of a request, in order of precedence: what frames it and names the session; the credentials;
//! [`BackendTarget::headers`]; the caller's own. A caller's header that has a configured one's name is an error
//! ([`ErrorKind::Misconfigured`]); names that frame or route a message, and credentials of the caller, are dropped.
//!
//! # What a backend says by itself
//!
//! Changes of lists, updates of resources, logs and requests outside any call go to the [`Sink`] that a session was
//! opened with. It is a function, called on the task that reads, so it must not block: hand what it is given to a queue
//! of yours, bounded as you like. A request that is dropped is refused, so nobody waits for ever. Without a sink nobody
//! listens: no stream is opened for it. [`Outside::Lost`] tells that the backend forgot the session or went away; the
//! session heals itself on its next use, but what is listed may be different then.
//!
//! # What is changed on the way
//!
//! Nothing but request ids and, in the `_meta` of requests, the progress token, reserved keys
//! (`io.modelcontextprotocol/`, which speak for one hop) and the trace context where there is none; reserved keys also
//! in the `_meta` of notifications to the backend and of results that answer its requests. Everything else, spelling of
//! numbers and order of keys included, passes byte for byte, and nothing of a backend's response is touched.
//!
//! # Bounds
//!
//! | what | where | crossing it |
//! | --- | --- | --- |
//! | opening a session | `timeouts.connect` | [`ConnectErrorKind::Timeout`] |
//! | silence during a call; any sign of life puts it off | `timeouts.call`, `timeouts.tools`, [`Call::timeout`] | [`ErrorKind::Timeout`] |
//! | the longest call | [`TargetLimits::max_call`] | [`ErrorKind::Timeout`] |
//! | a message held whole, a streamed reply, nesting | [`TargetLimits`] | [`ErrorKind::TooLarge`], [`ErrorKind::Protocol`] |
//! | pages, items, bytes, time of a listing | [`TargetLimits`], `timeouts.list` | an error, never a part of a list |
//! | waiting for calls in flight at the end | [`TargetLimits::drain`] | the session ends under them |
//! | telling the backend of the end | 5 s, credentials included | the session ends here only |
//!
//! # Cost
//!
//! An idle session on streamable HTTP without a listening stream owns no task and no connection, and less than 2 KiB:
//! all else is shared by the sessions of a target. Opening and listing are three round trips, however many kinds are
//! listed. A call costs one exchange on a pooled connection. `cargo bench -p vmcp-backend` measures it.
//!
//! # Feature `rmcp`
//!
//! Conversions between results, lists, errors and calls of this crate and the model types of rmcp, the official SDK.
//!
//! # Reading the code
//!
//! | module | what it is for |
//! | --- | --- |
//! | `target`, `hello`, `connector` | from an address to a session; what a target's sessions share |
//! | `session`, `call`, `result` | the operations |
//! | `reply`, `peer` | one call: what comes, what the backend asks |
//! | `error` | what fails |
//! | `link` | one session's life: the live connection, its loss, its single-flight reopening |
//! | `transport` | streamable HTTP, SSE, stdio, a server in this process |
//! | `dialect` | the only code that knows a protocol revision |
//! | `tasks` | the only place where tasks are spawned |
//!
//! Invariants: N calls on one session are one handshake and N requests; a reply for one call never reaches another; a
//! call is never repeated unless it provably did not run; memory per call does not grow with the reply.

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

pub use call::{Asking, Call, CallContext, Cancel, InputGiven, TaskForm, TraceContext};
pub use capabilities::{Answer, CapabilityList, Freshness, ListFreshness};
pub use connector::Connector;
pub use error::{CallError, ConnectError, ConnectErrorKind, ErrorKind, Executed, RpcError, Side};
pub use hello::{ClientHello, Hints, ServerHello};
pub use peer::{PeerRequest, input_requests};
pub use reply::{Event, InputRequired, Parts, Reply, Response};
#[cfg(feature = "rmcp")]
pub use result::rmcp::RmcpCapabilities;
pub use result::{
    Blob, Content, ContentKind, PromptMessage, PromptResult, ResourceBody, ResourceContents,
    ResourceLink, ResourceResult, ResultError, Role, ToolResult,
};
pub use session::{McpSession, Outside, Session, Sink};
pub use target::{
    BackendTarget, CaBundle, DuplexFactory, Endpoint, StdioCommand, TargetLimits, TaskLimits,
};
pub use transport::guard;

// The crates whose types are in the signatures of this one.
pub use {vmcp_auth, vmcp_config, vmcp_net, vmcp_wire};
