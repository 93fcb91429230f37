//! Strategy `header_injection`: one fixed header on every request, whoever calls.

use http::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use vmcp_config::{HeaderInjection, OutgoingAuth};

use super::{
    AuthContext, AuthTarget, Authenticating, Authenticator, CredentialScope, OutgoingRequest,
    Receipt, Strategy,
};
use crate::Identity;

/// Headers that frame or route a message, or say what its answer may be: set from a configuration they would break or
/// redirect it.
const RESTRICTED: [&str; 18] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "expect",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "transfer-encoding",
    "content-length",
    "content-type",
    "content-encoding",
    "accept",
    "accept-encoding",
    "last-event-id",
];

/// Sets one header to a fixed secret.
pub(super) struct Injection;

/// The header, checked.
struct Injected {
    name: HeaderName,
    value: HeaderValue,
}

// === impl Injection ===

impl Strategy for Injection {
    fn name(&self) -> &str {
        "header_injection"
    }

    fn bind(
        &self,
        _target: &AuthTarget,
        settings: &OutgoingAuth,
        _context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        let OutgoingAuth::HeaderInjection(HeaderInjection { name, value }) = settings else {
            return Err("a header name and a value are needed".to_owned());
        };
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("\"{name}\" is not a header name"))?;
        if RESTRICTED.contains(&name.as_str()) || name.as_str().starts_with("mcp-") {
            return Err(format!("header \"{name}\" is set by vmcp itself"));
        }
        Ok(Box::new(Injected { name, value: sensitive(value)? }))
    }
}

fn sensitive(value: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value.expose_secret())
        .map_err(|_| "the value has characters that no header may carry".to_owned())?;
    // Sensitive values are never put in an HTTP/2 header table and print as "Sensitive".
    value.set_sensitive(true);
    Ok(value)
}

// === impl Injected ===

impl Authenticator for Injected {
    fn scope(&self) -> CredentialScope {
        CredentialScope::Shared
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        _identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        request.headers.insert(&self.name, self.value.clone());
        Authenticating::Ready(Ok(Receipt::none()))
    }
}
