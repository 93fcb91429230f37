//! Strategy `unauthenticated`: nothing is added to a request.

use vmcp_config::OutgoingAuth;

use super::{
    AuthContext, AuthTarget, Authenticating, Authenticator, CredentialScope, OutgoingRequest,
    Receipt, Strategy,
};
use crate::Identity;

/// Adds nothing.
pub(super) struct Nothing;

// === impl Nothing ===

impl Strategy for Nothing {
    fn name(&self) -> &str {
        "unauthenticated"
    }

    fn bind(
        &self,
        _target: &AuthTarget,
        _settings: &OutgoingAuth,
        _context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        Ok(Box::new(Self))
    }
}

impl Authenticator for Nothing {
    fn scope(&self) -> CredentialScope {
        CredentialScope::Shared
    }

    fn authenticate<'a>(
        &'a self,
        _request: OutgoingRequest<'a>,
        _identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        Authenticating::Ready(Ok(Receipt::none()))
    }
}
