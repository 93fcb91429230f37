//! As whom vmcp calls a backend: the settings of every strategy.
//!
//! Nothing here is a token: tokens are got with these settings, by the crate that knows the strategies.
//! `Debug` of every type here shows no secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::SafeUrl;

/// As whom vmcp calls a backend: a strategy with its settings.
#[derive(Debug, Clone, Default)]
pub enum OutgoingAuth {
    /// Nothing is added.
    #[default]
    Unauthenticated,
    /// One fixed header on every request.
    HeaderInjection(HeaderInjection),
    /// The caller's token is exchanged for one of the backend's (RFC 8693).
    TokenExchange(TokenExchange),
    /// vmcp's own token, whoever calls (RFC 6749 §4.4).
    ClientCredentials(ClientCredentials),
    /// The token that the caller has at another issuer.
    UpstreamInject(UpstreamInject),
    /// Cross-application access: an ID-JAG of the caller's issuer for a token of the backend's.
    Xaa(Xaa),
    /// Temporary credentials of AWS, and a signature on every request (`SigV4`).
    AwsSts(AwsSts),
    /// The authorization of MCP itself: whoever runs vmcp logs in once, in a browser.
    OAuth(OAuth),
    /// A strategy that an embedder registers. No file can ask for it.
    Custom(Custom),
}

/// One fixed header.
#[derive(Debug, Clone)]
pub struct HeaderInjection {
    /// The header's name.
    pub name: String,
    /// Its value, sent as it is.
    pub value: SecretString,
}

/// Who vmcp is to an authorization server (RFC 6749 §2).
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// `client_id`.
    pub id: String,
    /// How it proves it.
    pub auth: ClientAuth,
}

/// How a client proves who it is (RFC 6749 §2.3, RFC 7523 §2.2).
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// Not at all: a public client, `client_id` in the body.
    None,
    /// `client_secret_basic`: the secret in an `Authorization` header.
    Basic(SecretString),
    /// `client_secret_post`: the secret in the body.
    Post(SecretString),
    /// `private_key_jwt`: an assertion signed with a key of its own.
    PrivateKeyJwt {
        /// The private key, PEM (PKCS#8, or the key's own older format).
        key_pem: SecretString,
        /// What to sign with.
        algorithm: JwtAlgorithm,
        /// `kid` of the assertion's header.
        key_id: Option<String>,
        /// `aud` of the assertion: what the server calls itself. `None` is the token URL (RFC 7523 §3), for the
        /// strategy `oauth` the issuer.
        audience: Option<String>,
    },
}

/// A signature algorithm of JWS (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JwtAlgorithm {
    /// ECDSA, P-256, SHA-256.
    Es256,
    /// ECDSA, P-384, SHA-384.
    Es384,
    /// RSASSA-PKCS1-v1_5, SHA-256.
    Rs256,
    /// RSASSA-PSS, SHA-256.
    Ps256,
    /// Ed25519.
    EdDsa,
}

/// Strategy `token_exchange`.
#[derive(Debug, Clone)]
pub struct TokenExchange {
    /// The token endpoint.
    pub token_url: SafeUrl,
    /// Who asks. With a client that has a secret or a key, probes ask for a token of its own.
    pub client: Option<OAuthClient>,
    /// `audience`.
    pub audience: Option<String>,
    /// `resource`, one parameter each (RFC 8707).
    pub resources: Vec<String>,
    /// `scope`.
    pub scopes: Vec<String>,
    /// What the caller's token is.
    pub subject_token_type: TokenType,
    /// What to ask for; `None` leaves it to the issuer.
    pub requested_token_type: Option<TokenType>,
    /// Exchange the caller's token of this provider instead of the one it called with.
    pub subject_provider: Option<String>,
    /// Who acts for the caller (RFC 8693 §1.1).
    pub actor: Option<ActorToken>,
}

/// The token of who acts for the caller.
#[derive(Debug, Clone)]
pub struct ActorToken {
    /// `actor_token`.
    pub token: SecretString,
    /// `actor_token_type`.
    pub kind: TokenType,
}

/// What a token is (RFC 8693 §3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum TokenType {
    /// An OAuth 2.0 access token.
    #[default]
    AccessToken,
    /// An OAuth 2.0 refresh token.
    RefreshToken,
    /// An ID token of OpenID Connect.
    IdToken,
    /// A JWT of no further kind.
    Jwt,
    /// A SAML 1.1 assertion.
    Saml1,
    /// A SAML 2.0 assertion.
    Saml2,
    /// An identity assertion authorization grant.
    IdJag,
    /// An issuer's own type: an absolute URI.
    Other(Arc<str>),
}

/// Strategy `client_credentials`.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: SafeUrl,
    /// Who asks; never a public client.
    pub client: OAuthClient,
    /// `audience`, which some issuers want.
    pub audience: Option<String>,
    /// `resource`, one parameter each (RFC 8707).
    pub resources: Vec<String>,
    /// `scope`.
    pub scopes: Vec<String>,
}

/// Strategy `upstream_inject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamInject {
    /// Whose token of the caller is sent.
    pub provider: String,
}

/// Strategy `xaa`.
#[derive(Debug, Clone)]
pub struct Xaa {
    /// The token endpoint of the issuer that the caller logged in at.
    pub idp_token_url: SafeUrl,
    /// Who asks there.
    pub idp_client: Option<OAuthClient>,
    /// The token endpoint of the backend's authorization server.
    pub target_token_url: SafeUrl,
    /// Who asks there. With a client, probes ask for a token of its own.
    pub target_client: Option<OAuthClient>,
    /// The issuer identifier of the backend's authorization server.
    pub target_audience: String,
    /// The backend itself (RFC 8707).
    pub target_resource: Option<String>,
    /// `scope`, at both.
    pub scopes: Vec<String>,
    /// Use the caller's ID token of this provider instead of the one it called with.
    pub subject_provider: Option<String>,
    /// What the caller's token is: an ID token.
    pub subject_token_type: TokenType,
    /// `target_token_url` may be plain HTTP.
    pub insecure_target: bool,
}

/// Strategy `aws_sts`.
#[derive(Debug, Clone)]
pub struct AwsSts {
    /// The region of STS and of the signature.
    pub region: String,
    /// The service that the signature names.
    pub service: String,
    /// The role of callers that no mapping fits.
    pub fallback_role_arn: Option<String>,
    /// Who gets which role; the fitting one of the lowest `priority` counts, of equal ones the first.
    pub role_mappings: Vec<RoleMapping>,
    /// The claim that mappings by `claim` look at.
    pub role_claim: String,
    /// How long credentials hold.
    pub session_duration: Duration,
    /// The claim that names the session in AWS' logs.
    pub session_name_claim: String,
    /// Use the caller's token of this provider instead of the one it called with.
    pub subject_provider: Option<String>,
    /// The endpoint of STS instead of the region's own.
    pub sts_url: Option<SafeUrl>,
}

/// Which callers get a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleMapping {
    /// Those whose role claim is this or contains it.
    pub claim: Option<String>,
    /// Those for whose `claims` this CEL expression is true.
    pub matcher: Option<String>,
    /// The role.
    pub role_arn: String,
    /// Lower is asked first; without one last.
    pub priority: Option<i64>,
}

/// Strategy `oauth`: the client's side of the authorization of MCP.
#[derive(Debug, Clone, Default)]
pub struct OAuth {
    /// A client registered beforehand.
    pub client: Option<OAuthClient>,
    /// The document that describes vmcp as a client: its URL is the client id.
    pub client_metadata_url: Option<SafeUrl>,
    /// What to ask for instead of what the backend says is needed.
    pub scopes: Vec<String>,
    /// The loopback port to come back to after a login; `None` takes a free one.
    pub callback_port: Option<u16>,
    /// The only authorization server to trust.
    pub issuer: Option<SafeUrl>,
    /// Use credentials of an earlier login only. Without any, requests go out as they are.
    pub passive: bool,
}

/// A strategy of an embedder.
#[derive(Clone)]
pub struct Custom {
    /// The name it is registered under.
    pub strategy: String,
    /// Its settings: raw JSON.
    pub settings: Arc<str>,
}

// === impl OutgoingAuth ===

impl OutgoingAuth {
    /// The strategy's name, as in a file.
    pub fn strategy(&self) -> &str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::HeaderInjection(_) => "header_injection",
            Self::TokenExchange(_) => "token_exchange",
            Self::ClientCredentials(_) => "client_credentials",
            Self::UpstreamInject(_) => "upstream_inject",
            Self::Xaa(_) => "xaa",
            Self::AwsSts(_) => "aws_sts",
            Self::OAuth(_) => "oauth",
            Self::Custom(custom) => &custom.strategy,
        }
    }
}

// === impl OAuthClient ===

impl OAuthClient {
    /// Whether it can prove who it is, and so ask for a token of its own.
    pub fn is_confidential(&self) -> bool {
        !matches!(self.auth, ClientAuth::None)
    }
}

// === impl JwtAlgorithm ===

impl JwtAlgorithm {
    /// `alg` of a header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for JwtAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl TokenType ===

impl TokenType {
    /// What the URNs of the registered types begin with.
    pub(crate) const REGISTERED: &str = "urn:ietf:params:oauth:token-type:";

    /// The URI, as it is sent.
    pub fn as_urn(&self) -> &str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::Saml1 => "urn:ietf:params:oauth:token-type:saml1",
            Self::Saml2 => "urn:ietf:params:oauth:token-type:saml2",
            Self::IdJag => "urn:ietf:params:oauth:token-type:id-jag",
            Self::Other(uri) => uri,
        }
    }

    /// Reads a registered type, by its short name (`id_token`) or its URN.
    pub fn known(text: &str) -> Option<Self> {
        Some(match text.strip_prefix(Self::REGISTERED).unwrap_or(text) {
            "access_token" => Self::AccessToken,
            "refresh_token" => Self::RefreshToken,
            "id_token" => Self::IdToken,
            "jwt" => Self::Jwt,
            "saml1" => Self::Saml1,
            "saml2" => Self::Saml2,
            "id-jag" => Self::IdJag,
            _ => return None,
        })
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_urn())
    }
}

// === impl Custom ===

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Custom").field("strategy", &self.strategy).finish_non_exhaustive()
    }
}
