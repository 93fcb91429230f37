//! The caller, as the edge established it.

use std::sync::Arc;

/// Who makes a request: issuer, subject and claims of the credential that was verified.
///
/// Two identities are the same principal iff kind, issuer and subject are equal; claims may change
/// with every token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    kind: IdentityKind,
    issuer: Arc<str>,
    subject: Arc<str>,
    claims: Arc<str>,
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

// === impl Identity ===

impl Identity {
    /// The caller of an open endpoint.
    pub fn anonymous() -> Self {
        Self::unverified(IdentityKind::Anonymous, "anonymous")
    }

    /// The user who started this process.
    pub fn local() -> Self {
        Self::unverified(IdentityKind::Local, "local")
    }

    /// A caller whose credential was verified; `claims` is the raw JSON object of its claims.
    pub fn verified(
        issuer: impl Into<Arc<str>>,
        subject: impl Into<Arc<str>>,
        claims: impl Into<Arc<str>>,
    ) -> Self {
        Self {
            kind: IdentityKind::Verified,
            issuer: issuer.into(),
            subject: subject.into(),
            claims: claims.into(),
        }
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

    /// Whether both are the same principal.
    pub fn same_principal(&self, other: &Self) -> bool {
        self.kind == other.kind && self.issuer == other.issuer && self.subject == other.subject
    }

    fn unverified(kind: IdentityKind, subject: &str) -> Self {
        Self { kind, issuer: "".into(), subject: subject.into(), claims: "{}".into() }
    }
}
