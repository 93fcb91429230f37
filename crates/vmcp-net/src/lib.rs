//! The only outbound HTTP client.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`key`](PoolKey) | when two requests may share connections |
//! | [`client`](Client) | all pools of the process |
//! | [`egress`](Egress) | which addresses may be dialled |
//! | [`pool`](Pool) | one exchange: send, follow a redirect of the same origin, give the streaming body |
//! | `line` | an HTTP/1 connection, driven by whoever uses it |
//! | `shelf` | connections that wait for their next request |
//! | [`fetch`](Fetch) | a whole response, bounded |
//! | [`body`](Body) | a response body, chunk by chunk |
//! | `redirect` | which redirects are followed |
//! | `dial`, `connect`, `tls` | dialling: deadline, proxies, certificates, the version of HTTP |
//! | [`error`](NetError) | what fails, and whether the request may have reached the server |
//!
//! Invariants: a request never leaves the origin it was made for; nothing is dialled that [`Egress`] does not
//! allow, wherever DNS leads; connections are shared only under equal [`PoolKey`]s; no exchange but a
//! [`fetch`](Pool::fetch) has a total timeout (streams live long, callers own deadlines), every connect has one;
//! a body is never decompressed; TLS uses one explicit provider and does not depend on a process default.

mod body;
mod client;
mod connect;
mod dial;
mod egress;
mod error;
mod fetch;
mod key;
mod line;
mod pool;
mod redirect;
mod shelf;
mod tasks;
mod tls;

pub use body::Body;
pub use client::Client;
pub use egress::{AddressClass, Egress};
pub use error::NetError;
pub use fetch::Fetch;
pub use key::{PoolKey, ProxyMode};
pub use pool::Pool;
