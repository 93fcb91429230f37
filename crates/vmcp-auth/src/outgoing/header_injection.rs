//! Strategy `header_injection`: one fixed header on every request, whoever calls.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::{OutgoingAuth, OutgoingRule};
use crate::Identity;

pub(super) const NAME: &str = "header_injection";

/// Headers that frame or route a message: set from a configuration they would break or redirect it.
const RESTRICTED: [HeaderName; 9] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Sets one header to a fixed secret.
#[derive(Debug, Clone, Copy)]
pub struct HeaderInjection;

// === impl HeaderInjection ===

impl OutgoingAuth for HeaderInjection {
    fn name(&self) -> &str {
        NAME
    }

    fn validate(&self, rule: &OutgoingRule) -> Result<(), String> {
        parse(rule).map(|_| ())
    }

    fn apply(
        &self,
        rule: &OutgoingRule,
        headers: &mut HeaderMap,
        _identity: Option<&Identity>,
    ) -> Result<(), String> {
        let (name, value) = parse(rule)?;
        headers.insert(name, value);
        Ok(())
    }
}

fn parse(rule: &OutgoingRule) -> Result<(HeaderName, HeaderValue), String> {
    let OutgoingRule::HeaderInjection { name, value } = rule else {
        return Err("a header name and a value are needed".to_owned());
    };
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("\"{name}\" is not a header name"))?;
    if RESTRICTED.contains(&header) || header.as_str().starts_with("mcp-") {
        return Err(format!("header \"{header}\" is set by vmcp itself"));
    }
    Ok((header, sensitive(value)?))
}

fn sensitive(value: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value.expose_secret())
        .map_err(|_| "the value has characters that no header may carry".to_owned())?;
    // Sensitive values are never put in an HTTP/2 header table and print as "Sensitive".
    value.set_sensitive(true);
    Ok(value)
}
