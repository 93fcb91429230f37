//! Who vmcp is to an authorization server: registered beforehand, described by a document of its own, or registered
//! on the spot, in this order.

use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::error::{LoginError, quoted};
use super::grant::{Grant, GrantClient, Proof, Registration};
use super::reach::Reach;
use crate::discovery;
use crate::{AuthorizationServer, OAuth};

/// What a login needs a client for.
pub(super) struct Purpose<'a> {
    pub(super) server: &'a AuthorizationServer,
    pub(super) redirect_uri: &'a Url,
    pub(super) scopes: &'a [String],
    /// An earlier login at the same issuer.
    pub(super) before: Option<&'a Grant>,
    /// Seconds since 1970.
    pub(super) now: u64,
}

/// Becomes a client.
pub(super) async fn identify(
    reach: &Reach,
    settings: &OAuth,
    purpose: &Purpose<'_>,
) -> Result<GrantClient, LoginError> {
    if let Some(client) = &settings.client {
        return Ok(GrantClient::Configured(client.id.clone()));
    }
    if let Some(document) = &settings.client_metadata_url
        && purpose.server.client_id_metadata_document_supported
    {
        return Ok(GrantClient::Document(document.as_url().to_string()));
    }
    if let Some(Grant { client: GrantClient::Registered(registration), .. }) = purpose.before
        && registration.serves(purpose.redirect_uri, purpose.scopes, purpose.now)
    {
        return Ok(GrantClient::Registered(registration.clone()));
    }
    let Some(endpoint) = &purpose.server.registration_endpoint else {
        return Err(LoginError::NoClient {
            issuer: purpose.server.issuer.clone(),
            redirect_uri: purpose.redirect_uri.to_string(),
        });
    };
    register(reach, endpoint, purpose).await.map(GrantClient::Registered)
}

/// RFC 7591.
async fn register(
    reach: &Reach,
    endpoint: &Url,
    purpose: &Purpose<'_>,
) -> Result<Registration, LoginError> {
    let failed =
        |reason: String| LoginError::Registration { issuer: purpose.server.issuer.clone(), reason };
    let method = method(purpose.server).map_err(failed)?;
    let answer = reach
        .post_json(endpoint, metadata(method, purpose))
        .await
        .map_err(|error| failed(error.to_string()))?;
    if !matches!(answer.status(), StatusCode::CREATED | StatusCode::OK) {
        return Err(failed(refusal(answer.status(), answer.body())));
    }
    let document: Registered = serde_json::from_slice(answer.body()).map_err(|error| {
        failed(format!("its answer is not a registration ({})", category(&error)))
    })?;
    let issued = document.client_secret.map(SecretString::from);
    let proof = proof(method, document.token_endpoint_auth_method.as_deref(), issued, purpose);
    if document.client_id.is_empty() {
        return Err(failed("its answer has no client_id".to_owned()));
    }
    Ok(Registration {
        id: document.client_id,
        proof: proof.map_err(failed)?,
        secret_expires_at: document.client_secret_expires_at.filter(|end| *end > 0),
        redirect_uri: purpose.redirect_uri.to_string(),
        scopes: purpose.scopes.to_vec(),
    })
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: Option<String>,
    client_secret_expires_at: Option<u64>,
    token_endpoint_auth_method: Option<String>,
}

/// What vmcp says about itself.
fn metadata(method: &str, purpose: &Purpose<'_>) -> String {
    let redirect = purpose.redirect_uri;
    // OpenID Connect servers allow loopback addresses to native applications only.
    let kind = if discovery::is_loopback(redirect) { "native" } else { "web" };
    let mut document = json!({
        "client_name": "vmcp",
        "software_id": "vmcp",
        "software_version": env!("CARGO_PKG_VERSION"),
        "application_type": kind,
        "redirect_uris": [redirect.as_str()],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    });
    if !purpose.scopes.is_empty() {
        document["scope"] = purpose.scopes.join(" ").into();
    }
    document.to_string()
}

/// How to prove at the token endpoint who we are. A program on a user's machine keeps no secret from that user, so
/// none is asked for where the server can do without. Else what the server names first: some serve that one best.
fn method(server: &AuthorizationServer) -> Result<&'static str, String> {
    const NONE: &str = "none";
    let Some(methods) = &server.token_endpoint_auth_methods_supported else { return Ok(NONE) };
    let known = [NONE, "client_secret_basic", "client_secret_post"];
    let mut offered =
        methods.iter().filter_map(|one| known.into_iter().find(|method| method == one));
    if offered.clone().any(|method| method == NONE) {
        return Ok(NONE);
    }
    offered.next().ok_or_else(|| format!("it offers clients only {}", quoted(&methods.join(", "))))
}

/// The method that was registered counts, not the one that was asked for.
fn proof(
    asked: &str,
    registered: Option<&str>,
    secret: Option<SecretString>,
    purpose: &Purpose<'_>,
) -> Result<Proof, String> {
    let said = purpose.server.token_endpoint_auth_methods_supported.is_some();
    let method = match registered {
        Some(method) => method,
        // A secret that nobody asked for, of a server that says nothing about methods, is for what RFC 7591, §2
        // takes where nothing is said.
        None if !said && secret.is_some() => "client_secret_basic",
        None => asked,
    };
    match (method, secret) {
        ("none", _) => Ok(Proof::None),
        ("client_secret_basic", Some(secret)) => Ok(Proof::Basic(secret)),
        ("client_secret_post", Some(secret)) => Ok(Proof::Post(secret)),
        ("client_secret_basic" | "client_secret_post", None) => {
            Err(format!("it registered {method} but gave no client_secret"))
        }
        (other, _) => {
            Err(format!("it registered the method {}, which is not offered here", quoted(other)))
        }
    }
}

/// RFC 7591, §3.2.2, as far as the server keeps to it.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        error: Option<String>,
        error_description: Option<String>,
    }
    let mut text = format!("it answered {}", status.as_u16());
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(body) {
        for part in [refusal.error, refusal.error_description].into_iter().flatten() {
            text += ": ";
            text += &quoted(&part);
        }
    }
    text
}

/// What is wrong with JSON, without what it says: it may hold a secret.
fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a member is missing or of the wrong type",
        _ => "not JSON",
    }
}
