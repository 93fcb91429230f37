//! Why a login did not come about.

use crate::{AuthFailure, StoreError};

/// Why a login did not come about. Texts name servers, never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The backend, or its settings, cannot be used for a login.
    #[error("{0}")]
    Unusable(String),
    /// There is nothing to log in to.
    #[error("the backend asks nobody for credentials")]
    NotAsked,
    /// Nobody can say where tokens are to be had.
    #[error("{0}")]
    Discovery(String),
    /// The backend publishes a resource that is not itself: its tokens would be somebody else's (RFC 9728, §3.3).
    #[error(
        "the backend at {server} says that its resource is {resource}; tokens for that are not for it"
    )]
    OtherResource {
        /// What it says.
        resource: String,
        /// Where it is.
        server: String,
    },
    /// The backend names another authorization server than the one that is trusted, or that knows the client.
    #[error("{0}")]
    OtherIssuer(String),
    /// Codes could be used by whoever intercepts them (RFC 7636).
    #[error(
        "the authorization server {issuer} does not offer PKCE with S256 (code_challenge_methods_supported); \
         MCP forbids going on"
    )]
    NoPkce {
        /// The authorization server.
        issuer: String,
    },
    /// No way to become a client of the authorization server.
    #[error(
        "the authorization server {issuer} registers no clients by itself: register vmcp there with the redirect \
         URI {redirect_uri}, and put `client` into the backend's settings"
    )]
    NoClient {
        /// The authorization server.
        issuer: String,
        /// Where users come back to.
        redirect_uri: String,
    },
    /// The authorization server does not want this client.
    #[error("the registration at {issuer} failed: {reason}")]
    Registration {
        /// The authorization server.
        issuer: String,
        /// Its reason.
        reason: String,
    },
    /// The user did not get there and back.
    #[error("{0}")]
    Presenting(String),
    /// What came back is not an answer to what was asked. Nothing of it was used.
    #[error("the answer of the authorization server was rejected: {0}")]
    BadAnswer(&'static str),
    /// The authorization server, or the user, said no.
    #[error("the authorization server refused: {0}")]
    Denied(String),
    /// The code was not exchanged for a token.
    #[error("no token for the code: {0}")]
    Token(AuthFailure),
    /// What was gained could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StoreError> for AuthFailure {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<LoginError> for AuthFailure {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Token(failure) => failure,
            LoginError::Presenting(_) => Self::LoginRequired(error.to_string()),
            LoginError::Discovery(_) | LoginError::Store(_) => Self::Unavailable(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// Text of a server, for people: one line, and not too long.
pub(super) fn quoted(text: &str) -> String {
    const MAX: usize = 300;
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = plain.clone().take(MAX).collect();
    if plain.count() > MAX {
        short.push('…');
    }
    short
}
