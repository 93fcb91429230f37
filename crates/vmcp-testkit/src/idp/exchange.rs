//! Token exchange (RFC 8693), also for identity assertions (ID-JAG).

use serde_json::{Value, json};

use crate::idp::answer::Outcome;
use crate::idp::client::IdpClient;
use crate::idp::jwt::Jwt;
use crate::idp::ledger::IdpRequest;
use crate::idp::token::{Granted, asked, bad, broken, inherited, need, respond};
use crate::idp::{Shared, merge};

const TYPE: &str = "urn:ietf:params:oauth:token-type:";

pub(crate) fn grant(shared: &Shared, request: &IdpRequest, client: Option<&IdpClient>) -> Granted {
    let subject = presented(shared, request, "subject")?;
    let mut claims = inherited(&subject.claims);
    if request.field("actor_token").is_some() {
        let actor = presented(shared, request, "actor")?;
        claims["act"] = json!({"sub": actor.claims["sub"], "iss": actor.claims["iss"]});
    } else if request.field("actor_token_type").is_some() {
        // RFC 8693 §2.1.
        return Err(bad("actor_token_type without actor_token".to_owned()));
    }
    let wanted = request.field("requested_token_type").unwrap_or_default();
    match wanted.strip_prefix(TYPE) {
        None if wanted.is_empty() => {
            let extra = json!({"issued_token_type": format!("{TYPE}access_token")});
            respond(shared, request, client, claims, extra)
        }
        Some("access_token" | "jwt" | "id_token") => {
            respond(shared, request, client, claims, json!({"issued_token_type": wanted}))
        }
        Some("id-jag") => id_jag(shared, request, client, claims),
        _ => Err(bad(format!("no tokens of type {wanted:?}"))),
    }
}

/// The subject's or the actor's token, verified, of the type that the request says it is.
fn presented<'a>(
    shared: &Shared,
    request: &'a IdpRequest,
    whose: &str,
) -> Result<Jwt<'a>, Outcome> {
    let token = need(request, &format!("{whose}_token"))?;
    let kind = need(request, &format!("{whose}_token_type"))?;
    // RFC 8693 §2.2.2: whatever is wrong with these tokens is `invalid_request`.
    let refuse = |reason: String| bad(format!("the {whose} token does not hold: {reason}"));
    let jwt = shared.verify(token, None).map_err(refuse)?;
    let fits = match kind.strip_prefix(TYPE) {
        Some("access_token") => jwt.kind() == "at+jwt",
        Some("id_token") => jwt.kind() == "JWT",
        Some("jwt") => true,
        _ => return Err(bad(format!("unsupported {whose}_token_type {kind:?}"))),
    };
    if !fits {
        return Err(refuse(format!("it is no {kind}")));
    }
    Ok(jwt)
}

/// An identity assertion for another authorization server; no access token itself, hence `N_A`.
fn id_jag(
    shared: &Shared,
    request: &IdpRequest,
    client: Option<&IdpClient>,
    subject: Value,
) -> Granted {
    let audience = need(request, "audience")?;
    let mut claims = subject;
    merge(&mut claims, asked(shared, request)?);
    claims["aud"] = json!(audience);
    match request.fields("resource").as_slice() {
        [] => {}
        [one] => claims["resource"] = json!(one),
        many => claims["resource"] = json!(many),
    }
    if let Some(client) = client {
        claims["client_id"] = json!(client.id);
    }
    let token = shared.sign("oauth-id-jag+jwt", claims).map_err(|error| broken(&error))?;
    let lifetime = shared.script.lock().lifetime.as_secs();
    let mut body = json!({"access_token": token, "token_type": "N_A", "expires_in": lifetime});
    body["issued_token_type"] = json!(format!("{TYPE}id-jag"));
    if let Some(scope) = request.field("scope") {
        body["scope"] = json!(scope);
    }
    Ok(Outcome::json(200, body))
}
