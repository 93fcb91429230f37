//! Authorization codes: what each stands for, and the grant that uses one (RFC 6749 §4.1.3, RFC 7636 §4.6).

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::idp::answer::Outcome;
use crate::idp::client::IdpClient;
use crate::idp::ledger::IdpRequest;
use crate::idp::token::{Granted, bad, broken, need, respond};
use crate::idp::{Shared, State, merge};

/// How long a code can be used, in seconds.
const LIFETIME: u64 = 60;

/// The codes ever given out.
pub(crate) type Codes = HashMap<String, Code>;

#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) client: String,
    pub(crate) redirect: String,
    pub(crate) challenge: String,
    pub(crate) resources: Vec<String>,
    pub(crate) claims: Value,
    pub(crate) nonce: Option<String>,
    pub(crate) made: u64,
    pub(crate) used: bool,
    /// What was issued for it; falls when it is used again (RFC 6749 §4.1.2).
    pub(crate) tokens: Vec<String>,
}

pub(crate) fn grant(shared: &Shared, request: &IdpRequest, client: Option<&IdpClient>) -> Granted {
    let text = need(request, "code")?;
    let client = client.ok_or_else(|| bad("client_id is missing".to_owned()))?;
    let verifier = need(request, "code_verifier")?;
    let code = shared.state.lock().take_code(text).map_err(invalid)?;
    if code.client != client.id {
        return Err(invalid("the code was given to another client".to_owned()));
    }
    if shared.clock.now() >= code.made + LIFETIME {
        return Err(invalid("the code has expired".to_owned()));
    }
    if request.field("redirect_uri") != Some(&code.redirect) {
        return Err(invalid(format!("redirect_uri is not {:?}", code.redirect)));
    }
    check_verifier(verifier, &code.challenge).map_err(invalid)?;
    let resources = request.fields("resource");
    if shared.script.lock().requires_resource && resources.is_empty() {
        return Err(Outcome::error(400, "invalid_target", "resource is missing"));
    }
    if let Some(other) = resources.iter().find(|one| !code.resources.iter().any(|had| had == *one))
    {
        let text = format!("resource {other:?} was not authorized");
        return Err(Outcome::error(400, "invalid_target", text));
    }
    issue(shared, request, client, text, &code)
}

fn issue(
    shared: &Shared,
    request: &IdpRequest,
    client: &IdpClient,
    text: &str,
    code: &Code,
) -> Granted {
    let mut extra = json!({});
    let refreshes = shared.script.lock().refreshes
        && client
            .grants
            .as_ref()
            .is_none_or(|grants| grants.iter().any(|one| one == "refresh_token"));
    let mut issued = Vec::new();
    if refreshes {
        let claims = code.claims.clone();
        let token = shared.state.lock().refresh_token(Some(client.id.clone()), claims);
        extra["refresh_token"] = json!(token);
        issued.push(token);
    }
    let scope = code.claims["scope"].as_str().unwrap_or_default();
    if scope.split(' ').any(|scope| scope == "openid") {
        let mut claims = json!({"sub": code.claims["sub"], "aud": client.id});
        if let Some(nonce) = &code.nonce {
            merge(&mut claims, json!({"nonce": nonce}));
        }
        extra["id_token"] = json!(shared.sign("JWT", claims).map_err(|error| broken(&error))?);
    }
    let outcome = respond(shared, request, Some(client), code.claims.clone(), extra)?;
    issued.extend(outcome.member("access_token"));
    if let Some(code) = shared.state.lock().codes.get_mut(text) {
        code.tokens = issued;
    }
    Ok(outcome)
}

/// RFC 7636 §4.1 and §4.6.
fn check_verifier(verifier: &str, challenge: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(allowed) {
        return Err("code_verifier has not 43 to 128 unreserved characters".to_owned());
    }
    let expected = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    (expected == challenge)
        .then_some(())
        .ok_or_else(|| "code_verifier does not fit the challenge".to_owned())
}

fn invalid(reason: String) -> Outcome {
    Outcome::error(400, "invalid_grant", reason)
}

// === impl State ===

impl State {
    /// A code that can be used once.
    pub(crate) fn new_code(&mut self, code: Code) -> String {
        let text = format!("code-{}", self.number());
        self.codes.insert(text.clone(), code);
        text
    }

    fn take_code(&mut self, text: &str) -> Result<Code, String> {
        let code = self.codes.get_mut(text).ok_or("no such code")?;
        if !std::mem::replace(&mut code.used, true) {
            return Ok(code.clone());
        }
        for token in std::mem::take(&mut code.tokens) {
            self.revoke(&token);
        }
        Err("the code was used before; what was issued for it is revoked".to_owned())
    }
}
