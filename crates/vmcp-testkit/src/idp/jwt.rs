//! JSON Web Tokens in compact form (RFC 7519, RFC 7515), signed and read with a few own lines.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::idp::key::SigningKey;

/// A token taken apart; nothing is verified yet.
pub(crate) struct Jwt<'a> {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

/// Signs claims; `kind` becomes the header's `typ`.
pub(crate) fn encode(key: &SigningKey, kind: &str, claims: &Value) -> io::Result<String> {
    let header = json!({"typ": kind, "alg": key.algorithm(), "kid": key.id()});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

// === impl Jwt ===

impl<'a> Jwt<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, String> {
        let (signed, signature) = token.rsplit_once('.').ok_or("it is no JWT")?;
        let (header, claims) = signed.split_once('.').ok_or("it is no JWT")?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "it is not base64url");
        let value = |part| serde_json::from_slice(&bytes(part)?).map_err(|_| "it holds no JSON");
        Ok(Self {
            header: value(header)?,
            claims: value(claims)?,
            signed,
            signature: bytes(signature)?,
        })
    }

    /// A string claim.
    pub(crate) fn claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    /// The header's `typ`.
    pub(crate) fn kind(&self) -> &str {
        self.header["typ"].as_str().unwrap_or_default()
    }

    /// Whether the token names this audience.
    pub(crate) fn is_for(&self, audience: &str) -> bool {
        names(&self.claims["aud"], audience)
    }

    /// Checks the signature, and that the token was made with this key's algorithm.
    pub(crate) fn verify(&self, key: &SigningKey) -> Result<(), String> {
        let algorithm = self.header["alg"].as_str().unwrap_or_default();
        if algorithm != key.algorithm() {
            return Err(format!("its alg is {algorithm:?}, expected {}", key.algorithm()));
        }
        if !key.verifies(self.signed.as_bytes(), &self.signature) {
            return Err("its signature is wrong".to_owned());
        }
        Ok(())
    }

    /// Checks `exp` and `nbf` against the time in seconds.
    pub(crate) fn check_time(&self, now: u64) -> Result<(), String> {
        let expires = self.claims["exp"].as_u64().ok_or("it has no exp")?;
        if expires <= now {
            return Err(format!("it expired {} s ago", now - expires));
        }
        if self.claims["nbf"].as_u64().is_some_and(|begins| begins > now) {
            return Err("it is not valid yet".to_owned());
        }
        Ok(())
    }
}

/// Whether a claim that is one string or a list of strings has this one.
pub(crate) fn names(claim: &Value, wanted: &str) -> bool {
    match claim {
        Value::String(one) => one == wanted,
        Value::Array(many) => many.iter().any(|one| one == wanted),
        _ => false,
    }
}
