//! A strategy bound to a backend, as a session uses it.

use std::fmt;
use std::sync::Arc;

use super::{
    AuthError, AuthFailure, Authenticating, Authenticator, CredentialScope, OutgoingRequest,
    Receipt, Rejection, Verdict,
};
use crate::Identity;

/// As whom one backend is called. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Credentials(Arc<Bound>);

struct Bound {
    backend: Arc<str>,
    strategy: String,
    authenticator: Box<dyn Authenticator>,
}

// === impl Credentials ===

impl Credentials {
    pub(super) fn new(
        backend: Arc<str>,
        strategy: String,
        authenticator: Box<dyn Authenticator>,
    ) -> Self {
        Self(Arc::new(Bound { backend, strategy, authenticator }))
    }

    /// Whether the credentials depend on the caller.
    pub fn scope(&self) -> CredentialScope {
        self.0.authenticator.scope()
    }

    /// The name of the strategy in use.
    pub fn strategy(&self) -> &str {
        &self.0.strategy
    }

    /// Puts credentials on a request. What the strategy sets wins over what was there under the same name.
    ///
    /// `identity` is who the request is made for, `None` if vmcp makes it for itself. After an error the headers may
    /// be half done, and the request must not be sent.
    ///
    /// # Cancel safety
    /// Safe: whoever waits for the same credentials still gets them.
    pub async fn apply(
        &self,
        request: OutgoingRequest<'_>,
        identity: Option<&Identity>,
    ) -> Result<Receipt, AuthError> {
        let outcome = match self.0.authenticator.authenticate(request, identity) {
            Authenticating::Ready(outcome) => outcome,
            Authenticating::Later(outcome) => outcome.await,
        };
        outcome.map_err(|failure| self.error(failure))
    }

    /// Whether to send a request once more, with other credentials, after the backend answered 401 or 403 to it. To
    /// be asked once a request, whatever comes after the retry. Other statuses are [`Verdict::Final`].
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn rejected(
        &self,
        rejection: Rejection<'_>,
        identity: Option<&Identity>,
    ) -> Verdict<AuthError> {
        if !rejection.is_one() {
            return Verdict::Final(None);
        }
        match self.0.authenticator.rejected(rejection, identity).await {
            Verdict::Retry => Verdict::Retry,
            Verdict::Final(failure) => Verdict::Final(failure.map(|failure| self.error(failure))),
        }
    }

    fn error(&self, failure: AuthFailure) -> AuthError {
        AuthError::Failed { backend: Arc::clone(&self.0.backend), failure }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("backend", &self.0.backend)
            .field("strategy", &self.0.strategy)
            .finish()
    }
}
