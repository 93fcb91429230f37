//! RFC 8414 and OpenID Connect Discovery 1.0: the endpoints of an authorization server, and what they can do.

use serde::Deserialize;
use url::Url;

use super::{DocumentError, UrlProblem, at_path, issuer, read, url, wrong};

const OAUTH: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// What an authorization server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationServer {
    /// Its identifier, exactly as it says it.
    pub issuer: String,
    /// Where the user is sent.
    pub authorization_endpoint: Url,
    /// Where tokens are asked for.
    pub token_endpoint: Url,
    /// Where clients register (RFC 7591).
    pub registration_endpoint: Option<Url>,
    /// Where tokens are given back (RFC 7009).
    pub revocation_endpoint: Option<Url>,
    /// Its scopes; `None` if it does not say.
    pub scopes_supported: Option<Vec<String>>,
    /// How a client may prove who it is at the token endpoint; `None` if it does not say.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// How a client may tie a code to itself (RFC 7636); `None` if it does not say, which means not at all.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether a URL may be a client's id: the client's metadata document is behind it.
    pub client_id_metadata_document_supported: bool,
    /// Whether redirects say who the issuer is (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    registration_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
    response_types_supported: Option<Vec<String>>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    client_id_metadata_document_supported: Option<bool>,
    authorization_response_iss_parameter_supported: Option<bool>,
}

// === impl AuthorizationServer ===

impl AuthorizationServer {
    /// Reads a document. Whether it is of the right issuer is for [`is_of`](Self::is_of).
    pub fn parse(document: &[u8]) -> Result<Self, DocumentError> {
        let document: Document = read(document)?;
        issuer(&document.issuer).map_err(|problem| wrong("issuer", &problem))?;
        // "code" is what the document means where it says nothing (OpenID Connect requires the member).
        if let Some(types) = &document.response_types_supported
            && !types.iter().any(|one| one == "code")
        {
            return Err(wrong("response_types_supported", &"has no \"code\""));
        }
        Ok(Self {
            authorization_endpoint: required(
                "authorization_endpoint",
                document.authorization_endpoint.as_deref(),
            )?,
            token_endpoint: required("token_endpoint", document.token_endpoint.as_deref())?,
            registration_endpoint: optional(
                "registration_endpoint",
                document.registration_endpoint.as_deref(),
            )?,
            revocation_endpoint: optional(
                "revocation_endpoint",
                document.revocation_endpoint.as_deref(),
            )?,
            scopes_supported: document.scopes_supported,
            token_endpoint_auth_methods_supported: document.token_endpoint_auth_methods_supported,
            code_challenge_methods_supported: document.code_challenge_methods_supported,
            client_id_metadata_document_supported: document
                .client_id_metadata_document_supported
                .unwrap_or_default(),
            authorization_response_iss_parameter_supported: document
                .authorization_response_iss_parameter_supported
                .unwrap_or_default(),
            issuer: document.issuer,
        })
    }

    /// Where the document of `issuer` may be, in the order in which to ask.
    pub fn well_known(of: &str) -> Result<Vec<Url>, UrlProblem> {
        Ok(Self::places(&issuer(of)?))
    }

    /// The same for an issuer whose URL was looked at already.
    pub(crate) fn places(issuer: &Url) -> Vec<Url> {
        let path = issuer.path().trim_end_matches('/');
        let mut places = vec![
            at_path(issuer, &format!("{OAUTH}{path}")),
            at_path(issuer, &format!("{OPENID}{path}")),
        ];
        if !path.is_empty() {
            places.push(at_path(issuer, &format!("{path}{OPENID}")));
        }
        places
    }

    /// Whether the document is of this issuer: the strings are the same. Anybody can publish endpoints under the
    /// name of another one (RFC 8414, §3.3), so nothing is normalised.
    pub fn is_of(&self, issuer: &str) -> bool {
        self.issuer == issuer
    }

    /// Where the endpoints are when a server on `origin` publishes nothing: the default places that servers of the
    /// first authorization specification of MCP have.
    pub fn undocumented(origin: &Url) -> Self {
        Self {
            issuer: origin_of(origin),
            authorization_endpoint: at_path(origin, "/authorize"),
            token_endpoint: at_path(origin, "/token"),
            registration_endpoint: Some(at_path(origin, "/register")),
            revocation_endpoint: None,
            scopes_supported: None,
            token_endpoint_auth_methods_supported: None,
            code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
            client_id_metadata_document_supported: false,
            authorization_response_iss_parameter_supported: false,
        }
    }

    /// Whether it ties codes to clients with S256.
    pub fn has_pkce(&self) -> bool {
        let methods = self.code_challenge_methods_supported.as_deref().unwrap_or_default();
        methods.iter().any(|method| method == "S256")
    }

    /// Whether a scope is among those that it says it has.
    pub fn offers_scope(&self, scope: &str) -> bool {
        let scopes = self.scopes_supported.as_deref().unwrap_or_default();
        scopes.iter().any(|one| one == scope)
    }
}

/// Scheme, host and port, without a slash at the end.
pub(crate) fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn required(member: &'static str, value: Option<&str>) -> Result<Url, DocumentError> {
    optional(member, value)?.ok_or_else(|| wrong(member, &"is missing"))
}

fn optional(member: &'static str, value: Option<&str>) -> Result<Option<Url>, DocumentError> {
    value.map(url).transpose().map_err(|problem| wrong(member, &problem))
}
