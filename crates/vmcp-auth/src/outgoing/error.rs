//! Why there are no credentials. Every one of these means: nothing was sent to the backend.

use std::sync::Arc;

/// Why a backend's credentials could not be had. Names the backend, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No such strategy.
    #[error("backend {backend}: auth strategy \"{strategy}\" not found (known: {known})")]
    UnknownStrategy {
        /// The backend.
        backend: Arc<str>,
        /// What was asked for.
        strategy: String,
        /// What there is.
        known: String,
    },
    /// A strategy that vmcp refuses to have.
    #[error(
        "backend {backend}: auth strategy \"passthrough\" is refused: a caller's token is issued for vmcp, \
         and MCP forbids handing it on to another server; use token_exchange, header_injection or unauthenticated"
    )]
    Passthrough {
        /// The backend.
        backend: Arc<str>,
    },
    /// The settings lack something or have something wrong.
    #[error("backend {backend}: invalid config for auth strategy \"{strategy}\": {reason}")]
    InvalidSettings {
        /// The backend.
        backend: Arc<str>,
        /// The strategy.
        strategy: String,
        /// What is wrong.
        reason: String,
    },
    /// The strategy failed on a request, which was not sent.
    #[error("authentication failed for backend {backend}: {failure}")]
    Failed {
        /// The backend.
        backend: Arc<str>,
        /// What went wrong.
        failure: AuthFailure,
    },
}

/// What a strategy can fail with. Texts are for logs: they may name issuers, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// The caller does not have the token that the strategy needs.
    #[error("{0}")]
    NoToken(String),
    /// Whoever runs vmcp has to log in first.
    #[error("{0}")]
    LoginRequired(String),
    /// The issuer says no.
    #[error("{0}")]
    Refused(String),
    /// The issuer cannot be reached, does not answer in time, or answers what cannot be used.
    #[error("{0}")]
    Unavailable(String),
}

// === impl AuthError ===

impl AuthError {
    /// The backend.
    pub fn backend(&self) -> &Arc<str> {
        match self {
            Self::UnknownStrategy { backend, .. }
            | Self::Passthrough { backend }
            | Self::InvalidSettings { backend, .. }
            | Self::Failed { backend, .. } => backend,
        }
    }

    /// What the strategy failed with; `None` if it is the configuration that is wrong.
    pub fn failure(&self) -> Option<&AuthFailure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            _ => None,
        }
    }
}
