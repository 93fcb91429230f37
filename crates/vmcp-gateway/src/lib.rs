//! Many backends as one MCP server: all product behaviour, without HTTP and without a revision.
//!
//! A [`Gateway`] keeps a catalogue of what its backends offer; a client holds a [`MultiSession`],
//! which answers lists from the catalogue and forwards calls to the backend that owns the name.
//!
//! | module | what it is for, in reading order |
//! | --- | --- |
//! | `gateway` | the whole: start, open a session, status, close |
//! | `core` | what every part shares |
//! | `session` | what one client holds: its backend sessions, its own view if it has one, its level, progress tokens |
//! | `route` | which backend a request is for; forwarding |
//! | `relay` | a reply on its way back |
//! | `seal` | what is given to a client to be given back unread and unchanged |
//! | `hub` | who shares the session of a shared backend |
//! | `catalogue` | what the backends offer, kept fresh by one refresher each |
//! | `index` | what the backends offer, kept for the next vmcp |
//! | `naming` | the backends' names to advertised names; every conflict is reported |
//! | `policy` | what callers may do, applied to what there is |
//! | `explain` | what decides, for operators |
//! | `view` | what clients see: pages written, names to owners |
//! | `level` | levels of log messages |
//! | `status`, `metrics` | what operators see |
//! | `tasks` | the only place where tasks are spawned |
//!
//! Invariants: no request waits for a backend it is not for; a list is answered without any backend; the same
//! configuration and the same inventories give the same names, whoever answered first; a client's backend session
//! never claims more than the client declared; what a client may not see it cannot tell from what does not exist.

mod catalogue;
mod core;
mod explain;
mod gateway;
mod hub;
mod index;
mod level;
mod metrics;
mod naming;
mod policy;
mod relay;
mod route;
mod seal;
mod session;
mod status;
mod tasks;
mod view;

pub use explain::Explanation;
pub use gateway::Gateway;
pub use index::Index;
pub use level::Level;
pub use metrics::Metrics;
pub use naming::conflict::{Capability, Cause, Conflict};
pub use relay::Reply;
pub use seal::{Seals, lasting, still_lasting};
pub use session::{ClientSink, MultiSession};
pub use status::{BackendState, BackendStatus, Counts, Reason, Source, Status};
