//! The token endpoint: one grant after the other (RFC 6749 §4 to §6, RFC 7523).

use serde_json::{Value, json};

use crate::idp::answer::Outcome;
use crate::idp::client::{self, IdpClient, Proof};
use crate::idp::ledger::IdpRequest;
use crate::idp::{Shared, code, exchange, merge};

/// Each grant type with its short name.
const GRANTS: [(&str, &str); 5] = [
    ("urn:ietf:params:oauth:grant-type:token-exchange", "token_exchange"),
    ("urn:ietf:params:oauth:grant-type:jwt-bearer", "jwt_bearer"),
    ("client_credentials", "client_credentials"),
    ("refresh_token", "refresh_token"),
    ("authorization_code", "authorization_code"),
];

/// Claims that belong to one token and do not pass from it to the next.
const OWN: [&str; 10] =
    ["iss", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id", "resource", "act"];

pub(crate) type Granted = Result<Outcome, Outcome>;

/// The short name of a grant type, or itself.
pub(crate) fn short(grant: &str) -> &str {
    GRANTS.iter().find(|(full, _)| *full == grant).map_or(grant, |(_, short)| short)
}

pub(crate) fn answer(shared: &Shared, request: &IdpRequest) -> Outcome {
    grant(shared, request).unwrap_or_else(|refusal| refusal)
}

fn grant(shared: &Shared, request: &IdpRequest) -> Granted {
    let content = request.header("content-type").unwrap_or_default();
    if content.split(';').next() != Some("application/x-www-form-urlencoded") {
        return Err(bad(format!("content-type is {content:?}")));
    }
    for name in request.form.iter().map(|(name, _)| name.as_str()) {
        // RFC 6749 §3.2; RFC 8693 §2.1 and RFC 8707 §2 allow two to be repeated.
        if !matches!(name, "resource" | "audience") && request.fields(name).len() > 1 {
            return Err(bad(format!("{name} is repeated")));
        }
    }
    need(request, "grant_type")?;
    let client = client::authenticate(shared, request)?;
    if let Some(IdpClient { id, grants: Some(grants), .. }) = &client
        && !grants.contains(&request.grant)
    {
        let text = format!("client {id:?} may not use {}", request.grant);
        return Err(Outcome::error(400, "unauthorized_client", text));
    }
    match request.grant.as_str() {
        "token_exchange" => exchange::grant(shared, request, client.as_ref()),
        "jwt_bearer" => jwt_bearer(shared, request, client.as_ref()),
        "client_credentials" => client_credentials(shared, request, client.as_ref()),
        "authorization_code" => code::grant(shared, request, client.as_ref()),
        "refresh_token" => refresh_token(shared, request, client.as_ref()),
        other => Err(Outcome::error(400, "unsupported_grant_type", other)),
    }
}

/// RFC 6749 §4.4.
fn client_credentials(
    shared: &Shared,
    request: &IdpRequest,
    client: Option<&IdpClient>,
) -> Granted {
    let Some(client) = client.filter(|client| !matches!(client.proof, Proof::None)) else {
        return Err(Outcome::error(400, "unauthorized_client", "only for confidential clients"));
    };
    respond(shared, request, Some(client), json!({"sub": client.id}), Value::Null)
}

/// RFC 7523 §2.1: an assertion of a trusted issuer, made for this one.
fn jwt_bearer(shared: &Shared, request: &IdpRequest, client: Option<&IdpClient>) -> Granted {
    let assertion = need(request, "assertion")?;
    let jwt = shared.verify(assertion, Some(&shared.issuer())).map_err(|reason| {
        Outcome::error(400, "invalid_grant", format!("the assertion does not hold: {reason}"))
    })?;
    if jwt.claim("sub").is_none() {
        return Err(Outcome::error(400, "invalid_grant", "the assertion has no sub"));
    }
    let mut claims = inherited(&jwt.claims);
    if let Some(resource) = jwt.claims.get("resource") {
        claims["aud"] = resource.clone();
    }
    respond(shared, request, client, claims, Value::Null)
}

/// RFC 6749 §6.
fn refresh_token(shared: &Shared, request: &IdpRequest, client: Option<&IdpClient>) -> Granted {
    let token = need(request, "refresh_token")?;
    let rotates = shared.script.lock().rotates;
    let id = client.map(|client| client.id.as_str());
    let refreshed = shared.state.lock().refresh(token, id, rotates);
    let refreshed = refreshed.map_err(|reason| Outcome::error(400, "invalid_grant", reason))?;
    let had = refreshed.claims["scope"].as_str().unwrap_or_default();
    let asked = request.field("scope").unwrap_or(had);
    if !asked.split(' ').all(|scope| had.split(' ').any(|other| other == scope)) {
        let text = format!("{asked:?} is more than the {had:?} of the refresh token");
        return Err(Outcome::error(400, "invalid_scope", text));
    }
    let mut claims = refreshed.claims.clone();
    claims["scope"] = json!(asked);
    let extra = json!({"refresh_token": refreshed.next, "scope": asked});
    respond(shared, request, client, claims, extra)
}

/// The claims that a token passes on to one made from it.
pub(crate) fn inherited(claims: &Value) -> Value {
    let mut kept = claims.clone();
    if let Value::Object(members) = &mut kept {
        members.retain(|name, _| !OWN.contains(&name.as_str()));
    }
    kept
}

/// Issues an access token for what the request asks, after a check that it may be asked for.
pub(crate) fn respond(
    shared: &Shared,
    request: &IdpRequest,
    client: Option<&IdpClient>,
    claims: Value,
    extra: Value,
) -> Granted {
    let mut all = asked(shared, request)?;
    merge(&mut all, claims);
    // What is asked for now wins over what an assertion or a refresh token carried.
    merge(&mut all, asked(shared, request)?);
    if let Some(client) = client {
        all["client_id"] = json!(client.id);
    }
    let scope = all.get("scope").cloned();
    let token = shared.sign("at+jwt", all).map_err(|error| broken(&error))?;
    let lifetime = shared.script.lock().lifetime.as_secs();
    let mut body = json!({"access_token": token, "token_type": "Bearer", "expires_in": lifetime});
    if let Some(scope) = scope {
        body["scope"] = scope;
    }
    merge(&mut body, extra);
    Ok(Outcome::json(200, body))
}

/// The claims that say what was asked for: `aud` (audiences and resources) and `scope`.
pub(crate) fn asked(shared: &Shared, request: &IdpRequest) -> Result<Value, Outcome> {
    let script = shared.script.lock();
    let mut targets = request.fields("audience");
    for resource in request.fields("resource") {
        // RFC 8707 §2.
        if !resource.contains("://") || resource.contains('#') {
            return Err(invalid_target(format!("{resource:?} is no absolute URI")));
        }
        targets.push(resource);
    }
    if let Some(allowed) = &script.targets
        && let Some(target) =
            targets.iter().find(|target| !allowed.iter().any(|one| one == *target))
    {
        return Err(invalid_target(format!("no tokens for {target:?}")));
    }
    let scope = request.field("scope");
    if let (Some(scope), Some(allowed)) = (scope, &script.scopes)
        && let Some(name) = scope.split(' ').find(|name| !allowed.iter().any(|one| one == name))
    {
        return Err(Outcome::error(400, "invalid_scope", format!("no such scope: {name:?}")));
    }
    let mut claims = json!({});
    match targets.as_slice() {
        [] => {}
        [one] => claims["aud"] = json!(one),
        many => claims["aud"] = json!(many),
    }
    if let Some(scope) = scope {
        claims["scope"] = json!(scope);
    }
    Ok(claims)
}

/// A field that must be there and say something.
pub(crate) fn need<'a>(request: &'a IdpRequest, name: &str) -> Result<&'a str, Outcome> {
    let value = request.field(name).filter(|value| !value.is_empty());
    value.ok_or_else(|| bad(format!("{name} is missing")))
}

pub(crate) fn bad(text: String) -> Outcome {
    Outcome::error(400, "invalid_request", text)
}

fn invalid_target(text: String) -> Outcome {
    Outcome::error(400, "invalid_target", text)
}

pub(crate) fn broken(error: &std::io::Error) -> Outcome {
    Outcome::error(500, "server_error", error.to_string())
}
