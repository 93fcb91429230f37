//! Who calls, and as whom vmcp calls a backend.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`identity`](Identity) | the caller, as the edge established it |
//! | [`outgoing`](OutgoingAuthRegistry) | the strategies that put credentials on a request to a backend |
//!
//! Invariants: a caller's own token never becomes a backend's credential by itself (MCP forbids token
//! passthrough), and no error of this crate contains a secret; errors name the backend and the strategy.

mod identity;
mod outgoing;

pub use identity::{Identity, IdentityKind};
pub use outgoing::{
    AuthError, Credentials, HeaderInjection, OutgoingAuth, OutgoingAuthRegistry, OutgoingRule,
    Unauthenticated,
};
