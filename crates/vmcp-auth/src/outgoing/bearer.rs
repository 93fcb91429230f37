//! What the strategies that send a token have in common: it is got once, sent until it is over or rejected, and got
//! once more when the backend rejects it.

use http::StatusCode;
use http::header::HeaderMap;
use secrecy::ExposeSecret;
use url::Url;
use vmcp_config::{ClientAuth, OAuthClient};

use super::{AuthFailure, Authenticating, BoxFuture, Receipt, Rejection, Verdict};
use crate::digest::digest;
use crate::{
    Credential, Fetched, Form, HeldToken, KeyParts, TokenCache, TokenEndpoint, TokenKey,
    TokenResponse,
};

/// Sends tokens of the cache as `Authorization: Bearer`.
pub(super) struct Bearer {
    tokens: TokenCache,
}

// === impl Bearer ===

impl Bearer {
    pub(super) fn new(tokens: &TokenCache) -> Self {
        Self { tokens: tokens.clone() }
    }

    /// Authenticates with the token under `key`, which `fetch` gets if it is not there. `permitted` is asked before
    /// that.
    pub(super) fn authenticate<'a, F>(
        &'a self,
        headers: &'a mut HeaderMap,
        key: TokenKey,
        permitted: impl FnOnce() -> Result<(), AuthFailure> + Send + 'a,
        fetch: impl FnOnce() -> F + Send + 'a,
    ) -> Authenticating<'a>
    where
        F: Future<Output = Result<Fetched, AuthFailure>> + Send + 'static,
    {
        if let Some(token) = self.tokens.held(key) {
            return Authenticating::Ready(Ok(put(&token, headers)));
        }
        Authenticating::later(async move {
            permitted()?;
            Ok(put(&self.tokens.get(key, fetch).await?, headers))
        })
    }

    /// A backend that answers 401 has not run the request: its token goes, and another one is worth a try. 403 is
    /// about what the token is for, which the next one is for as well.
    pub(super) fn rejected(&self, rejection: Rejection<'_>) -> BoxFuture<'static, Verdict> {
        let replaceable = rejection.receipt.used().is_some();
        let verdict = if replaceable && rejection.status == StatusCode::UNAUTHORIZED {
            self.tokens.evict(rejection.receipt);
            Verdict::Retry
        } else {
            Verdict::Final(None)
        };
        Box::pin(std::future::ready(verdict))
    }
}

fn put(token: &HeldToken, headers: &mut HeaderMap) -> Receipt {
    token.credential.put_on(headers);
    token.receipt
}

/// A request without credentials: what vmcp does for itself, where it has none of its own.
pub(super) fn without() -> Authenticating<'static> {
    Authenticating::Ready(Ok(Receipt::none()))
}

/// A request that is not sent.
pub(super) fn refused(failure: AuthFailure) -> Authenticating<'static> {
    Authenticating::Ready(Err(failure))
}

/// A token as it is kept.
pub(super) fn fetched(response: &TokenResponse) -> Result<Fetched, AuthFailure> {
    let credential = Credential::bearer(&response.access_token)?;
    Ok(Fetched { credential, lifetime: response.lifetime })
}

/// A token of vmcp's own (RFC 6749 §4.4).
pub(super) async fn client_credentials(
    endpoint: &TokenEndpoint,
    target: Target<'_>,
) -> Result<Fetched, AuthFailure> {
    let form = target.add_to(Form::grant("client_credentials"));
    fetched(&endpoint.ask(form).await?.bearer()?)
}

/// What a token is to be for, in the words that the issuer knows.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) audience: Option<&'a str>,
    pub(super) resources: &'a [String],
    pub(super) scopes: &'a [String],
}

// === impl Target ===

impl Target<'_> {
    /// What could not be asked for.
    pub(super) fn check(&self) -> Result<(), String> {
        for resource in self.resources {
            // RFC 8707 §2.
            match Url::parse(resource) {
                Ok(url) if url.fragment().is_none() => {}
                _ => return Err(format!("resource \"{resource}\" is not an absolute URI")),
            }
        }
        for scope in self.scopes {
            // RFC 6749 §3.3: they are told apart by spaces.
            if scope.is_empty() || scope.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(format!("scope {scope:?} is not one scope"));
            }
        }
        Ok(())
    }

    pub(super) fn add_to(&self, form: Form) -> Form {
        form.with_some("audience", self.audience)
            .with_each("resource", self.resources)
            .with_list("scope", self.scopes)
    }

    pub(super) fn key(&self, parts: KeyParts) -> KeyParts {
        parts.optional(self.audience).list(self.resources).list(self.scopes)
    }
}

/// Everything about a client that an issuer's answer may depend on; a rotated secret makes another one.
pub(super) fn client_key(parts: KeyParts, client: Option<&OAuthClient>) -> KeyParts {
    let Some(client) = client else { return parts.part("no client") };
    let (method, secret, more) = match &client.auth {
        ClientAuth::None => ("none", None, None),
        ClientAuth::Basic(secret) => ("basic", Some(secret), None),
        ClientAuth::Post(secret) => ("post", Some(secret), None),
        ClientAuth::PrivateKeyJwt { key_pem, algorithm, key_id, audience } => {
            (algorithm.as_str(), Some(key_pem), Some((key_id.as_deref(), audience.as_deref())))
        }
    };
    let secret = secret.map(|secret| digest(secret.expose_secret().as_bytes()));
    let (key_id, audience) = more.unwrap_or_default();
    let parts = parts.part("client").part(&client.id).part(method).optional(secret);
    parts.optional(key_id).optional(audience)
}
