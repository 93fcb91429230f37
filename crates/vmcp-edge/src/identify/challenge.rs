//! What a caller without a good token is told: where to get one (RFC 6750 §3, RFC 9728 §5.1), and nothing about what
//! was wrong with the one it has.

use bytes::Bytes;
use http::header::{HOST, HeaderValue};
use http::request::Parts;
use http::{StatusCode, Uri};
use serde_json::json;
use vmcp_auth::ProtectedResource;
use vmcp_config::{Listen, Oidc};

use crate::respond::Rejection;

const WELL_KNOWN: &str = ProtectedResource::WELL_KNOWN;

/// The signs at the door: challenges, and the metadata they lead to.
pub(crate) struct Signs {
    realm: String,
    /// Where the metadata is, if the resource's own name says it.
    metadata: Option<String>,
    scopes: Option<String>,
    required: String,
    document: Bytes,
    /// The paths at which the metadata is served.
    paths: Vec<String>,
}

/// Why a caller is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is no token.
    Missing,
    /// There is one that is not good.
    Invalid,
    /// It is good, but not for this.
    Scope,
}

// === impl Signs ===

impl Signs {
    pub(crate) fn new(oidc: &Oidc, listen: &Listen) -> Self {
        let resource = named(oidc.resource());
        let mut paths = vec![WELL_KNOWN.to_owned()];
        let of_resource = resource.as_ref().map(|(_, path)| path.clone());
        let ours =
            [Some(listen.path.clone()), listen.sse.clone(), listen.sse_messages(), of_resource];
        for path in ours.into_iter().flatten() {
            let path = format!("{WELL_KNOWN}{}", path.trim_end_matches('/'));
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        let all = if oidc.scopes.is_empty() { &oidc.required_scopes } else { &oidc.scopes };
        let supported = if all.is_empty() { vec!["openid".to_owned()] } else { all.clone() };
        let document = json!({
            "resource": oidc.resource(),
            "authorization_servers": [oidc.issuer],
            "bearer_methods_supported": ["header"],
            "scopes_supported": supported,
        });
        Self {
            realm: oidc.issuer.clone(),
            metadata: resource.map(|(origin, path)| format!("{origin}{WELL_KNOWN}{path}")),
            scopes: (!all.is_empty()).then(|| all.join(" ")),
            required: oidc.required_scopes.join(" "),
            document: document.to_string().into(),
            paths,
        }
    }

    /// The metadata document, if it is served at this path.
    pub(crate) fn document(&self, path: &str) -> Option<Bytes> {
        self.paths.iter().any(|one| one == path).then(|| self.document.clone())
    }

    /// The refusal of a request.
    pub(crate) fn refuse(&self, head: &Parts, reason: Reason) -> Rejection {
        let (status, error, text) = match reason {
            Reason::Missing => {
                (StatusCode::UNAUTHORIZED, "invalid_request", "a bearer token is needed")
            }
            Reason::Invalid => {
                (StatusCode::UNAUTHORIZED, "invalid_token", "the token is not valid here")
            }
            Reason::Scope => {
                (StatusCode::FORBIDDEN, "insufficient_scope", "the token lacks a scope")
            }
        };
        let mut challenge = format!("Bearer realm=\"{}\"", quoted(&self.realm));
        if let Some(url) = self.metadata.clone().or_else(|| here(head)) {
            challenge.push_str(&format!(", resource_metadata=\"{}\"", quoted(&url)));
        }
        let scope = match reason {
            Reason::Scope => Some(&self.required),
            Reason::Missing | Reason::Invalid => self.scopes.as_ref(),
        };
        if let Some(scope) = scope {
            challenge.push_str(&format!(", scope=\"{}\"", quoted(scope)));
        }
        challenge.push_str(&format!(", error=\"{error}\", error_description=\"{text}\""));
        let body = json!({"error": error, "error_description": text}).to_string();
        let header = HeaderValue::from_str(&challenge);
        // A configuration that was not read from a file may name what no header can carry.
        let header = header.unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        Rejection::new(status, text).with_challenge(header, body.into())
    }
}

/// Origin and path of a resource that is named by its URL.
fn named(resource: &str) -> Option<(String, String)> {
    let uri: Uri = resource.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let origin = format!("{scheme}://{}", uri.authority()?);
    Some((origin, uri.path().trim_end_matches('/').to_owned()))
}

/// Where the metadata is by the names that the request used; the guard has looked at them.
fn here(head: &Parts) -> Option<String> {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(|authority| authority.as_str()))?;
    Some(format!("http://{host}{WELL_KNOWN}{}", head.uri.path()))
}

/// The inside of a quoted string (RFC 9110 §5.6.4).
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
