//! As whom vmcp calls a backend.
//!
//! A backend's [`OutgoingAuth`] names a strategy. [`OutgoingAuthRegistry::resolve`] looks the strategy up and binds
//! it to the backend once, when the backend is connected: that checks all settings and dials nothing. The
//! [`Credentials`] it gives are then applied to every single HTTP request, on headers made for this request alone,
//! so a failed strategy leaves nothing half done and a repeated request starts clean.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `registry` | strategies by name |
//! | `credentials` | a strategy bound to a backend, as a session uses it |
//! | `context` | what strategies share, and what they know of the backend |
//! | `error` | why there are no credentials |
//! | `bearer`, `subject`, `on_behalf` | what strategies that send a token have in common |
//! | the others | a strategy each |

use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use vmcp_config::OutgoingAuth;

use crate::{Identity, TokenKey};

mod registry;

mod context;
mod credentials;
mod error;

mod bearer;
mod on_behalf;
mod subject;

mod aws_sts;
mod client_credentials;
mod header_injection;
mod oauth;
mod token_exchange;
mod unauthenticated;
mod upstream_inject;
mod xaa;

pub use context::{AuthContext, AuthTarget};
pub use credentials::Credentials;
pub use error::{AuthError, AuthFailure};
pub use oauth::{
    Interaction, Login, LoginError, LoginRequest, LoginStatus, Logout, Revocation, login, logins,
    logout,
};
pub use registry::{OutgoingAuthRegistry, RegisterError};

/// A boxed future, as traits that are used as objects return them.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One way to put credentials on a request. One per process; it makes an [`Authenticator`] for each backend.
pub trait Strategy: Send + Sync {
    /// The strategy's name in a configuration.
    fn name(&self) -> &str;

    /// Checks `settings` and makes of them what authenticates the requests to `target`. Dials nothing.
    ///
    /// # Errors
    /// What is wrong with the settings, for whoever wrote them; without a secret.
    fn bind(
        &self,
        target: &AuthTarget,
        settings: &OutgoingAuth,
        context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String>;
}

/// A strategy with its settings, bound to one backend. Used by many requests at the same time.
pub trait Authenticator: Send + Sync {
    /// Whether the credentials depend on the caller.
    fn scope(&self) -> CredentialScope;

    /// Puts credentials on the headers of one request.
    ///
    /// `identity` is who the request is made for. `None` means that vmcp makes it for itself (a probe, a listing):
    /// then it goes with credentials of vmcp's own or with none, never with those of a user.
    ///
    /// # Cancel safety
    /// Dropping the future must not cost anybody else the credentials they wait for.
    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        identity: Option<&'a Identity>,
    ) -> Authenticating<'a>;

    /// What to do about a backend that answered 401 or 403 to a request that was authenticated with `receipt`.
    ///
    /// [`Verdict::Retry`] sends the request once more, through [`authenticate`](Self::authenticate) again. It is
    /// asked once a request: what comes back after a retry is final.
    fn rejected<'a>(
        &'a self,
        rejection: Rejection<'a>,
        identity: Option<&'a Identity>,
    ) -> BoxFuture<'a, Verdict> {
        let _ = (rejection, identity);
        Box::pin(std::future::ready(Verdict::Final(None)))
    }
}

/// Whether credentials depend on who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialScope {
    /// Everybody calls the backend as the same: what it offers may be shown to all.
    Shared,
    /// Everybody calls as themselves: nothing that the backend said to one may be shown to another.
    PerCaller,
}

/// An HTTP request that is about to be sent. Strategies change its headers only; signatures cover the rest.
#[derive(Debug)]
pub struct OutgoingRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The absolute URL.
    pub uri: &'a Uri,
    /// The headers, complete but for the credentials. Made for this request alone.
    pub headers: &'a mut HeaderMap,
    /// The whole body.
    pub body: &'a Bytes,
}

/// The outcome of [`Authenticator::authenticate`], at once where nothing has to be waited for: no future is made for a
/// call whose credentials are there.
pub enum Authenticating<'a> {
    /// It is done.
    Ready(Result<Receipt, AuthFailure>),
    /// Somebody has to be asked first.
    Later(BoxFuture<'a, Result<Receipt, AuthFailure>>),
}

/// Which credentials a request went with, so that a rejection removes exactly those and not newer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    used: Option<(TokenKey, u64)>,
}

/// A backend's answer that refuses a request for its credentials.
#[derive(Debug, Clone, Copy)]
pub struct Rejection<'a> {
    /// What the request was authenticated with.
    pub receipt: &'a Receipt,
    /// 401 or 403.
    pub status: StatusCode,
    /// The headers of the answer, with its `WWW-Authenticate`.
    pub headers: &'a HeaderMap,
}

/// What to do about a rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<E = AuthFailure> {
    /// Send the request once more: there are, or will be, other credentials.
    Retry,
    /// Leave it at that; with the reason, if there is more to say than what the backend said.
    Final(Option<E>),
}

// === impl Authenticating ===

impl<'a> Authenticating<'a> {
    /// An outcome that has to be waited for.
    pub fn later(outcome: impl Future<Output = Result<Receipt, AuthFailure>> + Send + 'a) -> Self {
        Self::Later(Box::pin(outcome))
    }
}

// === impl Rejection ===

impl Rejection<'_> {
    /// Whether the answer is one at all: 401 or 403.
    pub fn is_one(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}

// === impl Receipt ===

impl Receipt {
    /// For credentials that cannot be replaced, or none.
    pub fn none() -> Self {
        Self::default()
    }

    /// For the credentials of this number under this key.
    pub fn of(key: TokenKey, number: u64) -> Self {
        Self { used: Some((key, number)) }
    }

    /// Key and number of what was used.
    pub fn used(&self) -> Option<(TokenKey, u64)> {
        self.used
    }
}

#[cfg(test)]
mod tests;
