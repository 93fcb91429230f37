//! The authorization endpoint, with a user who consents without being asked (RFC 6749 §4.1.1, RFC 7636, RFC 9207).

use serde_json::json;

use crate::idp::answer::Outcome;
use crate::idp::client::IdpClient;
use crate::idp::code::Code;
use crate::idp::ledger::IdpRequest;
use crate::idp::{Shared, document, form, merge};

/// What the `iss` parameter of an authorization response says (RFC 9207).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ResponseIssuer {
    /// The provider's issuer, as it should.
    #[default]
    Own,
    /// Nothing: the parameter is missing.
    Missing,
    /// Another issuer.
    Other(String),
}

/// Sends the user back to the client, or shows an error where that must not be done.
pub(crate) async fn answer(shared: &Shared, request: &IdpRequest) -> Outcome {
    let client = match client(shared, request).await {
        Ok(client) => client,
        // RFC 6749 §4.1.2.1: nobody is redirected to an address that may not be the client's.
        Err(problem) => return page(400, &problem),
    };
    let asked = request.field("redirect_uri").unwrap_or_default();
    if asked.contains('#') || !client.redirects.iter().any(|known| same_place(known, asked)) {
        return page(400, &format!("redirect_uri {asked:?} is not one of {:?}", client.redirects));
    }
    let state = request.field("state");
    let mut fields: Vec<(&str, String)> = match code(shared, request, &client, asked) {
        Ok(code) => vec![("code", code)],
        Err((error, text)) => vec![("error", error), ("error_description", text)],
    };
    fields.extend(state.map(|state| ("state", state.to_owned())));
    let issuer = shared.script.lock().response_issuer.clone();
    match issuer {
        ResponseIssuer::Own => fields.push(("iss", shared.issuer())),
        ResponseIssuer::Missing => {}
        ResponseIssuer::Other(other) => fields.push(("iss", other)),
    }
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let separator = if asked.contains('?') { '&' } else { '?' };
    Outcome::empty(302).header("location", &format!("{asked}{separator}{}", form::join(&fields)))
}

/// The client on file, or the one that its own document describes.
async fn client(shared: &Shared, request: &IdpRequest) -> Result<IdpClient, String> {
    if request.form.iter().any(|(name, _)| name != "resource" && request.fields(name).len() > 1) {
        return Err("a parameter is repeated".to_owned());
    }
    let id = request.field("client_id").ok_or("client_id is missing")?;
    let known = shared.script.lock().clients.iter().find(|client| client.id == id).cloned();
    match known {
        Some(client) => Ok(client),
        None if shared.script.lock().documents && id.contains("://") => {
            document::client(shared, id).await
        }
        None => Err(format!("unknown client {id:?}")),
    }
}

/// A code for what is asked, or the error and its description.
fn code(
    shared: &Shared,
    request: &IdpRequest,
    client: &IdpClient,
    redirect: &str,
) -> Result<String, (String, String)> {
    let fail = |error: &str, text: &str| (error.to_owned(), text.to_owned());
    let script = shared.script.lock();
    let allows = |grants: &Vec<String>| grants.iter().any(|one| one == "authorization_code");
    if !client.grants.as_ref().is_none_or(allows) {
        return Err(fail("unauthorized_client", "the client may not use codes"));
    }
    if request.field("response_type") != Some("code") {
        return Err(fail("unsupported_response_type", "response_type is not \"code\""));
    }
    if request.field("code_challenge_method") != Some("S256") {
        return Err(fail("invalid_request", "code_challenge_method is not S256"));
    }
    let challenge = request.field("code_challenge").unwrap_or_default();
    let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err(fail("invalid_request", "code_challenge is no SHA-256"));
    }
    if script.requires_resource && request.field("resource").is_none() {
        return Err(fail("invalid_target", "resource is missing"));
    }
    let user = match &script.user {
        Ok(user) => user.clone(),
        Err(error) => return Err(fail(error, "the user said no")),
    };
    drop(script);
    let mut claims = json!({"sub": user});
    // The token endpoint's own rules for targets and scopes hold here too.
    let asked = crate::idp::token::asked(shared, request).map_err(|refusal| {
        let text = |name| refusal.member(name).unwrap_or_default();
        (text("error"), text("error_description"))
    })?;
    merge(&mut claims, asked);
    let code = Code {
        client: client.id.clone(),
        redirect: redirect.to_owned(),
        challenge: challenge.to_owned(),
        resources: request.fields("resource").iter().map(|one| (*one).to_owned()).collect(),
        claims,
        nonce: request.field("nonce").map(str::to_owned),
        made: shared.clock.now(),
        used: false,
        tokens: Vec::new(),
    };
    Ok(shared.state.lock().new_code(code))
}

/// Whether a redirect URI is the registered one: the same text or, on a loopback address, with another port
/// (RFC 8252 §7.3).
fn same_place(known: &str, asked: &str) -> bool {
    let portless = |uri: &str| {
        let host = ["http://127.0.0.1", "http://[::1]"].into_iter().find(|host| {
            uri.strip_prefix(host)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?']))
        })?;
        let rest = &uri[host.len()..];
        let rest = match rest.strip_prefix(':') {
            Some(port) => port.trim_start_matches(|letter: char| letter.is_ascii_digit()),
            None => rest,
        };
        Some(format!("{host}{rest}"))
    };
    known == asked || portless(known).is_some_and(|known| portless(asked) == Some(known))
}

fn page(status: u16, text: &str) -> Outcome {
    let mut outcome = Outcome::empty(status).header("content-type", "text/plain");
    outcome.body = crate::idp::answer::OutcomeBody::Bytes(text.to_owned().into());
    outcome
}
