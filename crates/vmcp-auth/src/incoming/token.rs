//! The parts of a JWT in compact form, read strictly: what two readers could read differently is refused.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use vmcp_config::Oidc;

use super::keys::Algorithm;

/// What a token's claims must say.
#[derive(Debug)]
pub(super) struct Rules {
    issuer: String,
    audiences: Vec<String>,
    /// Seconds.
    skew: u64,
}

/// A token taken apart; nothing is verified yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// What the signature is of.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    payload: Vec<u8>,
}

/// Claims that fit the rules.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    /// The second from which on the token is not accepted any more.
    pub(super) until: u64,
    /// The claims as they came.
    pub(super) raw: String,
}

/// An object that has no member twice.
struct Members(Map<String, Value>);

type Problem = &'static str;

// === impl Token ===

impl<'a> Token<'a> {
    /// Takes a token apart (RFC 7515 §5.2, RFC 8725 §3.11).
    pub(super) fn parse(text: &'a str) -> Result<Self, Problem> {
        let (signed, signature) = text.rsplit_once('.').ok_or("no JWT")?;
        let (header, payload) = signed.split_once('.').ok_or("no JWT")?;
        // A third dot would be in here, and is no base64url.
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| "not base64url");
        let header = members(&bytes(header)?)?;
        // Extensions that must be understood are not (RFC 7515 §4.1.11); `b64` is one (RFC 7797).
        if header.contains_key("crit") || header.contains_key("b64") {
            return Err("an extension that is not understood");
        }
        kind(header.get("typ"))?;
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err("`kid` is no text"),
        };
        Ok(Self {
            algorithm: algorithm.ok_or("an algorithm that is not accepted")?,
            key_id,
            signed,
            signature: bytes(signature)?,
            payload: bytes(payload)?,
        })
    }

    /// What it claims, if that fits at the second `now` (RFC 7519 §4.1, RFC 9068 §4).
    pub(super) fn claims(&self, rules: &Rules, now: u64) -> Result<Claims, Problem> {
        let claims = members(&self.payload)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let issuer =
            text("iss").filter(|issuer| *issuer == rules.issuer).ok_or("another issuer")?;
        if !rules.are_named(claims.get("aud")) {
            return Err("another audience");
        }
        let subject = text("sub").filter(|sub| !sub.trim().is_empty()).ok_or("no subject")?;
        // Bound to a key or a certificate of the sender's (RFC 7800 §3.1): a bearer may have stolen it.
        if claims.contains_key("cnf") {
            return Err("bound to its sender");
        }
        let expires = time(&claims, "exp")?.ok_or("no end")?;
        let until = expires.saturating_add(rules.skew);
        if until <= now {
            return Err("expired");
        }
        let latest = now.saturating_add(rules.skew);
        if time(&claims, "nbf")?.is_some_and(|begins| begins > latest) {
            return Err("not valid yet");
        }
        if time(&claims, "iat")?.is_some_and(|issued| issued > latest) {
            return Err("issued in the future");
        }
        Ok(Claims {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
            scopes: scopes(&claims),
            until,
            raw: String::from_utf8(self.payload.clone()).map_err(|_| "not UTF-8")?,
        })
    }
}

// === impl Rules ===

impl Rules {
    pub(super) fn new(oidc: &Oidc) -> Self {
        let mut audiences = vec![oidc.audience.clone()];
        audiences.extend(oidc.resource.clone());
        Self { issuer: oidc.issuer.clone(), audiences, skew: oidc.clock_skew.as_secs() }
    }

    /// Whether `aud`, one text or a list of them, names us.
    fn are_named(&self, claim: Option<&Value>) -> bool {
        let is_ours = |one: &Value| self.audiences.iter().any(|ours| one == ours);
        match claim {
            Some(one @ Value::String(_)) => is_ours(one),
            Some(Value::Array(all)) => all.iter().all(Value::is_string) && all.iter().any(is_ours),
            _ => false,
        }
    }
}

// === impl Members ===

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = entries.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a member is there twice"));
                    }
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

fn members(json: &[u8]) -> Result<Map<String, Value>, Problem> {
    let read: Result<Members, _> = serde_json::from_slice(json);
    read.map(|members| members.0).map_err(|_| "not the JSON it should be")
}

/// What kind of token it says it is (RFC 8725 §3.11, RFC 9068 §2.1): one that proves something else is none for us.
fn kind(claim: Option<&Value>) -> Result<(), Problem> {
    let Some(claim) = claim else { return Ok(()) };
    let Value::String(kind) = claim else { return Err("`typ` is no text") };
    let known = ["at+jwt", "application/at+jwt", "jwt", "application/jwt"];
    let fits = known.iter().any(|known| known.eq_ignore_ascii_case(kind));
    if fits { Ok(()) } else { Err("another kind of token") }
}

/// A point in time (RFC 7519 §2, `NumericDate`), in whole seconds.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, Problem> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(seconds) = value.as_u64() {
        return Ok(Some(seconds));
    }
    // Fractions are allowed; they are cut off, which is the earlier second.
    let seconds =
        value.as_f64().filter(|seconds| (0.0..=9_007_199_254_740_991.0).contains(seconds));
    match seconds {
        Some(seconds) => {
            let whole = std::time::Duration::try_from_secs_f64(seconds);
            whole.map(|whole| Some(whole.as_secs())).map_err(|_| "no point in time")
        }
        None => Err("no point in time"),
    }
}

/// `scope` (RFC 8693 §4.2), or `scp` as some issuers say it.
fn scopes(claims: &Map<String, Value>) -> Vec<String> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(all)) => all.split(' ').map(str::to_owned).collect(),
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
