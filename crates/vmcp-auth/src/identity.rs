//! The caller, as the edge established it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use vmcp_config::TokenType;

use crate::digest::{Digest, digest};

/// Who makes a request: issuer, subject and claims of the credential that was verified, and the tokens with which
/// vmcp may ask for others in the caller's name.
///
/// Two identities are the same principal iff kind, issuer and subject are equal; claims and tokens change with every
/// login. `Debug` shows neither claims nor tokens.
#[derive(Clone)]
pub struct Identity {
    kind: IdentityKind,
    issuer: Arc<str>,
    subject: Arc<str>,
    claims: Arc<str>,
    token: Option<CallerToken>,
    upstream: BTreeMap<Arc<str>, CallerToken>,
}

/// How an identity came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdentityKind {
    /// Nobody was asked: the endpoint is open.
    Anonymous,
    /// The user who started vmcp: stdin and stdout of this process.
    Local,
    /// A verified credential.
    Verified,
}

/// A token of the caller's. It proves to an issuer for whom a token is wanted, and is never sent to a backend as
/// it is. `Debug` does not show it.
#[derive(Clone)]
pub struct CallerToken {
    secret: SecretString,
    kind: TokenType,
    digest: Digest,
}

// === impl IdentityKind ===

impl IdentityKind {
    /// Its name, where callers are compared or told of.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Local => "local",
            Self::Verified => "verified",
        }
    }
}

// === impl Identity ===

impl Identity {
    /// The caller of an open endpoint.
    pub fn anonymous() -> Self {
        Self::new(IdentityKind::Anonymous, "".into(), "anonymous".into(), "{}".into())
    }

    /// The user who started this process.
    pub fn local() -> Self {
        Self::new(IdentityKind::Local, "".into(), "local".into(), "{}".into())
    }

    /// A caller whose credential was verified; `claims` is the raw JSON object of its claims.
    pub fn verified(
        issuer: impl Into<Arc<str>>,
        subject: impl Into<Arc<str>>,
        claims: impl Into<Arc<str>>,
    ) -> Self {
        Self::new(IdentityKind::Verified, issuer.into(), subject.into(), claims.into())
    }

    /// The same, with the token it called with.
    #[must_use]
    pub fn with_token(mut self, token: SecretString, kind: TokenType) -> Self {
        self.token = Some(CallerToken::new(token, kind));
        self
    }

    /// The same, with the access token that it has at another issuer, which the configuration knows as `provider`.
    #[must_use]
    pub fn with_upstream_token(
        mut self,
        provider: impl Into<Arc<str>>,
        token: SecretString,
    ) -> Self {
        self.upstream.insert(provider.into(), CallerToken::new(token, TokenType::AccessToken));
        self
    }

    /// How this identity came to be.
    pub fn kind(&self) -> IdentityKind {
        self.kind
    }

    /// Who vouches for the caller; empty when nobody does.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The caller's name, unique at its issuer.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The claims as a raw JSON object.
    pub fn claims(&self) -> &str {
        &self.claims
    }

    /// The token that the caller called with.
    pub fn token(&self) -> Option<&CallerToken> {
        self.token.as_ref()
    }

    /// The caller's token at another issuer.
    pub fn upstream_token(&self, provider: &str) -> Option<&CallerToken> {
        self.upstream.get(provider)
    }

    /// Whether both are the same principal.
    pub fn same_principal(&self, other: &Self) -> bool {
        self.kind == other.kind && self.issuer == other.issuer && self.subject == other.subject
    }

    fn new(kind: IdentityKind, issuer: Arc<str>, subject: Arc<str>, claims: Arc<str>) -> Self {
        Self { kind, issuer, subject, claims, token: None, upstream: BTreeMap::new() }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("kind", &self.kind)
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

// === impl CallerToken ===

impl CallerToken {
    fn new(secret: SecretString, kind: TokenType) -> Self {
        let digest = digest(secret.expose_secret().as_bytes());
        Self { secret, kind, digest }
    }

    /// The token itself.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// What it is.
    pub fn kind(&self) -> &TokenType {
        &self.kind
    }

    /// SHA-256 of it: it stands for the token in cache keys.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl fmt::Debug for CallerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallerToken").field("kind", &self.kind).finish_non_exhaustive()
    }
}
