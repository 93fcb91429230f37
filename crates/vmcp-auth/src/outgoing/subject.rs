//! The token in whose name another one is asked for.

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::AuthFailure;
use crate::jwt::{self, Unreadable};
use crate::{CallerToken, Identity, KeyParts, TokenKey};

/// Whose act a token may be at most: a chain of `act` claims (RFC 8693 §4.1) that is longer is refused.
pub(super) const MAX_DELEGATIONS: usize = 10;

/// The caller's token: the one it called with or, if `provider` says so, the one it has there.
pub(super) fn of<'a>(
    identity: &'a Identity,
    provider: Option<&str>,
) -> Result<&'a CallerToken, AuthFailure> {
    let (token, missing) = match provider {
        Some(provider) => (
            identity.upstream_token(provider),
            format!("provider \"{provider}\": upstream token not found"),
        ),
        None => (identity.token(), "identity has no token".to_owned()),
    };
    token.ok_or(AuthFailure::NoToken(missing))
}

/// The key of what is asked for in the name of `identity`, with this very token.
pub(super) fn key(parts: KeyParts, identity: &Identity, token: &CallerToken) -> TokenKey {
    parts.part(identity.issuer()).part(identity.subject()).part(token.digest()).finish()
}

/// Whether `identity` has passed through few enough hands for another token in its name. Both what was verified and what
/// the token says count.
pub(super) fn check_delegation(
    identity: &Identity,
    token: &CallerToken,
) -> Result<(), AuthFailure> {
    let refused = |why: &str| Err(AuthFailure::Refused(why.to_owned()));
    let Ok(verified) = serde_json::from_str::<Map<String, Value>>(identity.claims()) else {
        return refused("the caller's claims cannot be read");
    };
    let told = match jwt::claims(token.secret().expose_secret()) {
        Ok(claims) => claims,
        Err(Unreadable::Opaque) => Map::new(),
        Err(Unreadable::Broken) => return refused("the caller's token cannot be read"),
    };
    if delegations(&verified).max(delegations(&told)) > MAX_DELEGATIONS {
        return Err(AuthFailure::Refused(format!(
            "the caller's token was delegated more than {MAX_DELEGATIONS} times"
        )));
    }
    Ok(())
}

fn delegations(claims: &Map<String, Value>) -> usize {
    let act = |claims: &'_ Map<String, Value>| claims.get("act").is_some_and(Value::is_object);
    let mut count = 0;
    let mut claims = Some(claims);
    while let Some(found) = claims.filter(|claims| act(claims)) {
        count += 1;
        claims = found.get("act").and_then(Value::as_object);
    }
    count
}

#[cfg(test)]
mod tests;
