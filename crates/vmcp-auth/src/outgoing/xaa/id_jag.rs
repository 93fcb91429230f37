//! Whether an assertion is the one that was asked for.
//!
//! Its signature is for the server that it is meant for. But an assertion for somebody else must not be handed to that
//! server: whoever gets it could use it where it is good.

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::jwt::{claims, names};
use crate::{AuthFailure, TokenResponse, wall_clock};

/// How far clocks may differ.
const LEEWAY_SECONDS: u64 = 30;

/// Checks an assertion against what it was asked for.
pub(super) fn check(
    given: &TokenResponse,
    audience: &str,
    resource: Option<&str>,
) -> Result<(), AuthFailure> {
    let wrong = |why: &str| AuthFailure::Unavailable(format!("the issuer's ID-JAG {why}"));
    // RFC 8693 §2.2.1: no access token, so not for use as one.
    if !given.token_type.eq_ignore_ascii_case("N_A") {
        return Err(wrong("has another token_type than N_A"));
    }
    let claims =
        claims(given.access_token.expose_secret()).map_err(|_| wrong("is no readable JWT"))?;
    problem(&claims, audience, resource, wall_clock::seconds())
        .map_or(Ok(()), |why| Err(wrong(why)))
}

/// What is wrong with the claims, as the end of a sentence.
fn problem(
    claims: &Map<String, Value>,
    audience: &str,
    resource: Option<&str>,
    now: u64,
) -> Option<&'static str> {
    let aud = claims.get("aud");
    if let Some(Value::Array(many)) = aud
        && many.len() != 1
    {
        return Some("is not for one audience");
    }
    if !names(aud, audience) {
        return Some("is for another audience");
    }
    if resource.is_some_and(|resource| !names(claims.get("resource"), resource)) {
        return Some("is for another resource");
    }
    // RFC 7519 §2: a number of seconds, perhaps with a fraction.
    match claims.get("exp").and_then(Value::as_f64) {
        None => Some("does not say when it expires"),
        Some(expires) if expires + LEEWAY_SECONDS as f64 <= now as f64 => Some("has expired"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
