//! Asking a token endpoint for a token (RFC 6749 §3.2): the one place that does.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `form` | the request's body, encoded |
//! | `proof` | how vmcp proves which client it is (RFC 6749 §2.3, RFC 7523) |
//! | `response` | what comes back, read strictly: who cannot be understood gave no token |
//!
//! Invariants: a token endpoint is HTTPS or on this machine, and a request never goes anywhere else: no redirect is
//! followed. An answer is at most [`TokenEndpoint::MAX_ANSWER`] bytes and takes at most
//! [`TokenEndpoint::DEADLINE`]. Both bodies are wiped from memory after use, and no error repeats a secret of the
//! request, even if the issuer does.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use url::{Host, Url};
use vmcp_config::{OAuthClient, SafeUrl};
use vmcp_net::{Client, Fetch, Pool, PoolKey};
use zeroize::Zeroize;

mod form;
mod proof;
mod response;

pub use form::Form;
pub use response::{TokenError, TokenResponse};

use proof::Proof;

/// One token endpoint, asked as one client. Asked by many at the same time.
pub struct TokenEndpoint {
    shown: String,
    uri: Uri,
    pool: Pool,
    proof: Option<Proof>,
}

/// Which token endpoints may be asked without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainHttp {
    /// Those on this machine only.
    Loopback,
    /// Any: the configuration says so in so many words.
    Anywhere,
}

// === impl TokenEndpoint ===

impl TokenEndpoint {
    /// How long an answer may take, with everything that is needed for it.
    pub const DEADLINE: Duration = crate::TokenCache::DEADLINE;
    /// The longest answer that is read, in bytes.
    pub const MAX_ANSWER: usize = 128 * 1024;

    /// The endpoint at `url`, reached through the connections of `key`, and asked as `client`, if anybody. Dials
    /// nothing.
    ///
    /// # Errors
    /// What is wrong with the URL or the client's key, without a secret.
    pub fn new(
        http: &Client,
        key: &PoolKey,
        url: &SafeUrl,
        client: Option<&OAuthClient>,
        plain: PlainHttp,
    ) -> Result<Self, String> {
        let shown = url.to_string();
        let uri = checked(url.as_url(), plain).map_err(|why| format!("token URL {shown} {why}"))?;
        let proof = client.map(|client| Proof::new(client, url.as_url().as_str())).transpose()?;
        let pool = http.pool(key).map_err(|error| error.to_string())?;
        Ok(Self { shown, uri, pool, proof })
    }

    /// The same, where what a client signs is meant for `issuer`, by its issuer identifier. Without, it is meant for
    /// the endpoint's URL (RFC 7523 §3 allows both).
    #[must_use]
    pub fn for_issuer(mut self, issuer: &str) -> Self {
        self.proof = self.proof.map(|proof| proof.meant_for(issuer));
        self
    }

    /// Sends a grant, and gives the token that it is answered with.
    ///
    /// # Cancel safety
    /// Dropping the future gives the exchange up; the issuer may have seen it.
    pub async fn ask(&self, mut form: Form) -> Result<TokenResponse, TokenError> {
        let (head, body) = self.exchange(&mut form).await?.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let read = TokenResponse::parse(head.status, content_type, &body);
        wipe(body);
        let response = read.map_err(|error| self.refused(error, &form))?;
        tracing::debug!(endpoint = %self.shown, lifetime = ?response.lifetime, "token");
        Ok(response)
    }

    /// Sends a form whose answer has no content but says yes or no: a revocation (RFC 7009 §2.2).
    ///
    /// # Cancel safety
    /// As [`ask`](Self::ask).
    pub async fn tell(&self, mut form: Form) -> Result<(), TokenError> {
        let (head, body) = self.exchange(&mut form).await?.into_parts();
        if head.status == StatusCode::OK {
            return Ok(());
        }
        let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        match TokenResponse::parse(head.status, content_type, &body) {
            Err(error) => Err(self.refused(error, &form)),
            Ok(_) => Ok(()),
        }
    }

    async fn exchange(&self, form: &mut Form) -> Result<Response<Bytes>, TokenError> {
        let authorization = match &self.proof {
            Some(proof) => proof.add_to(form)?,
            None => None,
        };
        let mut request = Request::new(form.encode());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        let bounds = Fetch::new(Self::MAX_ANSWER, Self::DEADLINE);
        let answer = self.pool.fetch(request, bounds).await;
        answer.map_err(|error| self.told(TokenError::Unavailable(error.to_string())))
    }

    /// What the issuer says, without what it was not to repeat.
    fn refused(&self, error: TokenError, form: &Form) -> TokenError {
        let secret = self.proof.as_ref().and_then(Proof::secret);
        self.told(error.without(form.secrets().chain(secret)))
    }

    /// Whom the error is about, and a line for the log.
    fn told(&self, error: TokenError) -> TokenError {
        let error = error.of(&self.shown);
        tracing::debug!(endpoint = %self.shown, %error, "no token");
        error
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint").field("url", &self.shown).finish_non_exhaustive()
    }
}

/// The URL as it is asked; what is wrong with it, as the end of a sentence.
fn checked(url: &Url, plain: PlainHttp) -> Result<Uri, &'static str> {
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => return Err("has no host"),
    };
    match url.scheme() {
        "https" => {}
        "http" if here || plain == PlainHttp::Anywhere => {}
        _ => return Err("must be https (http only on this machine)"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a user or password");
    }
    let mut url = url.clone();
    url.set_fragment(None);
    url.as_str().parse().map_err(|_| "cannot be dialled")
}

/// Overwrites a body that nobody else holds.
fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        body.as_mut().zeroize();
    }
}

#[cfg(test)]
mod tests;
