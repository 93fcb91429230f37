//! Strategy `upstream_inject`: the token that the caller has at another issuer is sent.
//!
//! That issuer gave it for the backend, so handing it on is what it is for. What vmcp does for itself goes without.

use std::sync::Arc;

use vmcp_config::OutgoingAuth;

use super::{
    AuthContext, AuthTarget, Authenticating, Authenticator, CredentialScope, OutgoingRequest,
    Receipt, Strategy, bearer, subject,
};
use crate::{Credential, Identity};

/// Sends the caller's token of a provider.
pub(super) struct Upstream;

struct Injecting {
    provider: Arc<str>,
}

// === impl Upstream ===

impl Strategy for Upstream {
    fn name(&self) -> &str {
        "upstream_inject"
    }

    fn bind(
        &self,
        _target: &AuthTarget,
        settings: &OutgoingAuth,
        _context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        match settings {
            OutgoingAuth::UpstreamInject(settings) if !settings.provider.is_empty() => {
                Ok(Box::new(Injecting { provider: settings.provider.as_str().into() }))
            }
            _ => Err("the name of a provider is needed".to_owned()),
        }
    }
}

// === impl Injecting ===

impl Authenticator for Injecting {
    fn scope(&self) -> CredentialScope {
        CredentialScope::PerCaller
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        let Some(identity) = identity else { return bearer::without() };
        let credential = subject::of(identity, Some(&self.provider))
            .and_then(|token| Credential::bearer(token.secret()));
        Authenticating::Ready(credential.map(|credential| {
            credential.put_on(request.headers);
            // The caller has no other one, so there is nothing to replace it with.
            Receipt::none()
        }))
    }
}
