//! Dynamic client registration (RFC 7591) and revocation (RFC 7009).

use serde_json::{Value, json};

use crate::idp::Shared;
use crate::idp::answer::Outcome;
use crate::idp::client::{self, IdpClient};
use crate::idp::document::strings;
use crate::idp::ledger::IdpRequest;
use crate::idp::token::need;

/// Registers whoever asks; a secret has characters that only careful encoding survives.
pub(crate) fn register(shared: &Shared, request: &IdpRequest) -> Outcome {
    if !shared.script.lock().registration {
        return Outcome::empty(404);
    }
    let Ok(metadata @ Value::Object(_)) = serde_json::from_slice::<Value>(&request.body) else {
        return refuse("invalid_client_metadata", "the body is no JSON object");
    };
    let Some(redirects) = strings(&metadata["redirect_uris"]).filter(|uris| !uris.is_empty())
    else {
        return refuse("invalid_redirect_uri", "redirect_uris is missing");
    };
    let fits = |uri: &String| {
        !uri.contains('#') && (uri.starts_with("https://") || uri.starts_with("http://"))
    };
    if let Some(uri) = redirects.iter().find(|uri| !fits(uri)) {
        return refuse("invalid_redirect_uri", &format!("{uri:?} is no place to send a user to"));
    }
    let number = shared.state.lock().number();
    let id = format!("registered-{number}");
    let secret = format!("s+e%c/r:e=t {number}");
    // RFC 7591 §2: what is not said means Basic.
    let method = metadata["token_endpoint_auth_method"].as_str().unwrap_or("client_secret_basic");
    let mut client = match method {
        "none" => IdpClient::public(&id),
        "client_secret_basic" => IdpClient::basic(&id, &secret),
        "client_secret_post" => IdpClient::post(&id, &secret),
        other => return refuse("invalid_client_metadata", &format!("no clients with {other}")),
    };
    client.redirects = redirects;
    // RFC 7591 §2: what is not said means codes alone.
    let grants = strings(&metadata["grant_types"]);
    client.grants = Some(grants.unwrap_or_else(|| vec!["authorization_code".to_owned()]));
    let mut answer = metadata.clone();
    answer["client_id"] = json!(id);
    answer["client_id_issued_at"] = json!(shared.clock.now());
    answer["token_endpoint_auth_method"] = json!(method);
    answer["grant_types"] = json!(client.grants);
    if method != "none" {
        answer["client_secret"] = json!(secret);
        answer["client_secret_expires_at"] = json!(0);
    }
    shared.script.lock().set_client(client);
    Outcome::json(201, answer)
}

/// Revokes a token of the client that asks; a token that is unknown is already as it should be.
pub(crate) fn revoke(shared: &Shared, request: &IdpRequest) -> Outcome {
    let client = match client::authenticate(shared, request) {
        Ok(client) => client,
        Err(refusal) => return refusal,
    };
    let token = match need(request, "token") {
        Ok(token) => token,
        Err(refusal) => return refusal,
    };
    let id = client.as_ref().map(|client| client.id.as_str());
    let own = {
        let state = shared.state.lock();
        state.refreshes_for(token, id)
    } || shared.verify(token, None).is_ok_and(|jwt| jwt.claim("client_id") == id);
    if own {
        shared.state.lock().revoke(token);
    }
    Outcome::empty(200)
}

fn refuse(error: &str, text: &str) -> Outcome {
    Outcome::error(400, error, text)
}
