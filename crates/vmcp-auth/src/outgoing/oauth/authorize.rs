//! The authorization request, and the answer to it.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;
use url::Url;
use zeroize::Zeroizing;

use super::error::{LoginError, quoted};
use crate::AuthorizationServer;
use crate::digest::digest;

/// A scope with which some servers give refresh tokens only then; it has nothing to do with the resource.
pub(super) const OFFLINE: &str = "offline_access";

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) server: &'a AuthorizationServer,
    pub(super) client: &'a str,
    pub(super) redirect_uri: &'a Url,
    pub(super) resource: &'a str,
    pub(super) scopes: &'a [String],
}

/// A request that the user is under way with. What it expects of the answer was recorded before.
pub(super) struct Pending {
    state: String,
    verifier: SecretString,
    issuer: String,
    says_issuer: bool,
    redirect_uri: Url,
}

// === impl Pending ===

impl Pending {
    /// Where to send the user, and what to expect of them.
    pub(super) fn new(wanted: &Wanted<'_>) -> Result<(Self, Url), LoginError> {
        let (state, verifier) = (random()?, random()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest(verifier.as_bytes()));
        let mut url = wanted.server.authorization_endpoint.clone();
        let scope = wanted.scopes.join(" ");
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", wanted.client)
                .append_pair("redirect_uri", wanted.redirect_uri.as_str())
                .append_pair("state", &state)
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256")
                .append_pair("resource", wanted.resource);
            if !scope.is_empty() {
                query.append_pair("scope", &scope);
            }
            // OpenID Connect Core, §11: without it the scope is ignored.
            if wanted.scopes.iter().any(|scope| scope == OFFLINE) {
                query.append_pair("prompt", "consent");
            }
        }
        let pending = Self {
            state: state.to_string(),
            verifier: SecretString::from(verifier.as_str()),
            issuer: wanted.server.issuer.clone(),
            says_issuer: wanted.server.authorization_response_iss_parameter_supported,
            redirect_uri: wanted.redirect_uri.clone(),
        };
        Ok((pending, url))
    }

    /// The code that the answer brings. Nothing of an answer is believed, an error neither, before it is known to be
    /// one to this request (`state`) and of this server (`iss`, RFC 9207, §2.4: the same string).
    pub(super) fn code(&self, answer: &Url) -> Result<SecretString, LoginError> {
        let same_place = answer.scheme() == self.redirect_uri.scheme()
            && answer.host() == self.redirect_uri.host()
            && answer.port_or_known_default() == self.redirect_uri.port_or_known_default()
            && answer.path() == self.redirect_uri.path();
        if !same_place {
            return Err(LoginError::BadAnswer("it came to another address than the redirect URI"));
        }
        let parameter = |name: &str| parameter(answer, name);
        if parameter("state")?.is_none_or(|state| *state != self.state) {
            return Err(LoginError::BadAnswer("its state is not that of the request"));
        }
        match parameter("iss")? {
            Some(issuer) if *issuer != self.issuer => {
                return Err(LoginError::BadAnswer("it is of another issuer (iss)"));
            }
            None if self.says_issuer => {
                return Err(LoginError::BadAnswer("it does not say its issuer (iss)"));
            }
            _ => {}
        }
        if let Some(error) = parameter("error")? {
            let description = parameter("error_description")?;
            let text = match &description {
                Some(description) => format!("{}: {}", quoted(&error), quoted(description)),
                None => quoted(&error),
            };
            return Err(LoginError::Denied(text));
        }
        match parameter("code")? {
            Some(code) if !code.is_empty() => Ok(SecretString::from(code.as_str())),
            _ => Err(LoginError::BadAnswer("it has no code")),
        }
    }

    /// What proves that the code is ours.
    pub(super) fn verifier(&self) -> SecretString {
        self.verifier.clone()
    }
}

/// A parameter that may be there once.
fn parameter(answer: &Url, name: &str) -> Result<Option<Zeroizing<String>>, LoginError> {
    let mut values = answer.query_pairs().filter(|(key, _)| key == name);
    let first = values.next().map(|(_, value)| Zeroizing::new(value.into_owned()));
    if values.next().is_some() {
        return Err(LoginError::BadAnswer("a parameter is there twice"));
    }
    Ok(first)
}

/// 32 random bytes, as text that goes into a URL as it is: also what RFC 7636, §4.1 recommends.
fn random() -> Result<Zeroizing<String>, LoginError> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(&mut *bytes)
        .map_err(|_| LoginError::Unusable("the machine gives no random bytes".to_owned()))?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}
