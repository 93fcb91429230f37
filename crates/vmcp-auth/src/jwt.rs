//! What a JWT says about itself, unverified: for checks that can only make vmcp refuse.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The claims of a JWT, or why a token that looks like one has none that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It has not the form of a JWT: opaque, for whoever issued it.
    Opaque,
    /// It has, but its claims are no JSON object, or one that is nested too deeply.
    Broken,
}

/// The claims of `token` (RFC 7519 §7.2), without a look at its signature.
pub(crate) fn claims(token: &str) -> Result<Map<String, Value>, Unreadable> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Unreadable::Opaque);
    };
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Unreadable::Opaque)?;
    if claims.trim_ascii_start().first() != Some(&b'{') {
        return Err(Unreadable::Opaque);
    }
    serde_json::from_slice(&claims).map_err(|_| Unreadable::Broken)
}

/// Whether a claim that is one text or a list of texts (RFC 7519 §4.1.3) contains `wanted`.
pub(crate) fn names(claim: Option<&Value>, wanted: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(many)) => many.iter().any(|one| one == wanted),
        _ => false,
    }
}
