//! What the provider says about itself: RFC 8414 and OpenID Connect discovery.

use serde_json::{Value, json};

use crate::idp::Shared;
use crate::idp::answer::Outcome;

/// The path of the RFC 8414 document of an issuer without a path.
pub(crate) const OAUTH: &str = "/.well-known/oauth-authorization-server";
/// The path of the OpenID Connect document, below the issuer.
pub(crate) const OPENID: &str = "/.well-known/openid-configuration";

/// The endpoint that a path names: below the issuer's path or, for a well-known document, before it (RFC 8414 §3.1).
pub(crate) fn endpoint<'a>(path: &'a str, issuer_path: &str) -> &'a str {
    let inserted = path
        .strip_suffix(issuer_path)
        .filter(|rest| [OAUTH, OPENID].contains(rest) && !issuer_path.is_empty());
    // RFC 8414 knows the insertion only; OpenID Connect appends, and MCP clients try both.
    let appended =
        path.strip_prefix(issuer_path).filter(|rest| *rest != OAUTH || issuer_path.is_empty());
    inserted.or(appended).unwrap_or(path)
}

/// The document.
pub(crate) fn answer(shared: &Shared, openid: bool) -> Outcome {
    let script = shared.script.lock();
    let issuer = format!("http://{}{}", shared.address, script.issuer_path);
    let mut document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "revocation_endpoint": format!("{issuer}/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported":
            ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
        "authorization_response_iss_parameter_supported": true,
    });
    let mut add = |name: &str, value: Value| document[name] = value;
    if script.registration {
        add("registration_endpoint", json!(format!("{issuer}/register")));
    }
    if script.documents {
        add("client_id_metadata_document_supported", json!(true));
    }
    if let Some(scopes) = &script.scopes {
        add("scopes_supported", json!(scopes));
    }
    if openid {
        add("subject_types_supported", json!(["public"]));
        add("id_token_signing_alg_values_supported", json!([shared.key.algorithm()]));
    }
    let mut outcome = Outcome::json(200, document);
    outcome.headers.retain(|(name, _)| name == "content-type");
    outcome
}
