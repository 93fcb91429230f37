//! Who may call.

use std::time::Duration;

use super::SafeUrl;

/// `incomingAuth`: how the edge finds out who calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IncomingAuth {
    /// Whoever reaches the endpoint may call, and nobody is known.
    #[default]
    Anonymous,
    /// Whoever reaches the endpoint may call, as the user who runs vmcp.
    Local,
    /// Whoever has a token for vmcp may call.
    Oidc(Box<Oidc>),
}

/// `incomingAuth.oidc`: which tokens are good for vmcp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// Who must have issued a token: `iss`, exactly.
    pub issuer: String,
    /// Whom a token must be for: one of its `aud`.
    pub audience: String,
    /// What vmcp is called in its metadata (RFC 9728), and another `aud` that is good. `None` is the audience.
    pub resource: Option<String>,
    /// Where the issuer's keys are. `None` asks the issuer's metadata.
    pub jwks_url: Option<SafeUrl>,
    /// The scopes that clients are told to ask for. Nothing checks that a token has them.
    pub scopes: Vec<String>,
    /// The scopes without which a token is refused.
    pub required_scopes: Vec<String>,
    /// Whether the issuer may stand at a private address; `None` decides by its name.
    pub private: Option<bool>,
    /// Whether the issuer may be asked without TLS, wherever it stands.
    pub insecure_http: bool,
    /// PEM certificates trusted besides the system's.
    pub trust: Option<String>,
    /// By how much the issuer's clock and ours may differ.
    pub clock_skew: Duration,
}

// === impl Oidc ===

impl Oidc {
    /// How much clocks may differ unless said otherwise.
    pub const CLOCK_SKEW: Duration = Duration::from_secs(60);
    /// How much they may differ at most.
    pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

    /// Tokens of this issuer for this audience.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            resource: None,
            jwks_url: None,
            scopes: Vec::new(),
            required_scopes: Vec::new(),
            private: None,
            insecure_http: false,
            trust: None,
            clock_skew: Self::CLOCK_SKEW,
        }
    }

    /// What vmcp is called as a resource.
    pub fn resource(&self) -> &str {
        self.resource.as_deref().unwrap_or(&self.audience)
    }
}
