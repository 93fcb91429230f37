//! How vmcp proves which client it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use vmcp_config::{ClientAuth, OAuthClient};
use zeroize::Zeroizing;

use super::TokenError;
use super::form::{Form, encode_into, encoded_length};

mod assertion;

use assertion::Assertion;

/// A client, and its proof, checked.
pub(super) struct Proof {
    id: String,
    kind: Kind,
}

enum Kind {
    None,
    /// The header, and what is secret in it.
    Basic(HeaderValue, SecretString),
    Post(SecretString),
    Assertion {
        assertion: Box<Assertion>,
        /// Whether the settings say whom it is for.
        fixed: bool,
    },
}

// === impl Proof ===

impl Proof {
    /// Reads the client's settings. `audience` is whom signed assertions are for where the settings do not say.
    pub(super) fn new(client: &OAuthClient, audience: &str) -> Result<Self, String> {
        let id = client.id.clone();
        if id.is_empty() {
            return Err("the client id is empty".to_owned());
        }
        let kind = match &client.auth {
            ClientAuth::None => Kind::None,
            ClientAuth::Basic(secret) | ClientAuth::Post(secret)
                if secret.expose_secret().is_empty() =>
            {
                return Err(format!("the secret of client \"{id}\" is empty"));
            }
            ClientAuth::Basic(secret) => Kind::Basic(basic(&id, secret)?, secret.clone()),
            ClientAuth::Post(secret) => Kind::Post(secret.clone()),
            ClientAuth::PrivateKeyJwt { key_pem, algorithm, key_id, audience: set } => {
                let (key_id, audience) = (key_id.as_deref(), set.as_deref().unwrap_or(audience));
                let assertion = Assertion::new(&id, audience, key_pem, *algorithm, key_id)
                    .map_err(|why| format!("the key of client \"{id}\" {why}"))?;
                let fixed = set.is_some();
                Kind::Assertion { assertion: Box::new(assertion), fixed }
            }
        };
        Ok(Self { id, kind })
    }

    /// The same, with assertions for another audience, unless the settings name one.
    pub(super) fn meant_for(mut self, audience: &str) -> Self {
        if let Kind::Assertion { assertion, fixed: false } = &mut self.kind {
            assertion.set_audience(audience);
        }
        self
    }

    /// What is secret in a request besides its form.
    pub(super) fn secret(&self) -> Option<&str> {
        match &self.kind {
            Kind::Basic(_, secret) => Some(secret.expose_secret()),
            Kind::None | Kind::Post(_) | Kind::Assertion { .. } => None,
        }
    }

    /// Adds the proof to a request: to its form, or as the `Authorization` header that is returned.
    pub(super) fn add_to(&self, form: &mut Form) -> Result<Option<HeaderValue>, TokenError> {
        // Beside a header it says nothing new, but may be there (RFC 6749 §3.2.1), and servers of the Python SDK
        // look for it before they look at the header.
        form.add("client_id", &self.id);
        match &self.kind {
            Kind::None => {}
            Kind::Basic(header, _) => return Ok(Some(header.clone())),
            Kind::Post(secret) => form.add_secret("client_secret", secret.clone()),
            Kind::Assertion { assertion, .. } => {
                let signed = assertion.sign().map_err(TokenError::Unavailable)?;
                form.add("client_assertion_type", assertion::TYPE);
                form.add_secret("client_assertion", signed);
            }
        }
        Ok(None)
    }
}

/// `client_secret_basic`: both parts are form-encoded before they are joined, so a colon in an id is none
/// (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &SecretString) -> Result<HeaderValue, String> {
    let secret = secret.expose_secret();
    let length = encoded_length(id) + 1 + encoded_length(secret);
    let mut pair = Zeroizing::new(Vec::with_capacity(length));
    encode_into(id, &mut pair);
    pair.push(b':');
    encode_into(secret, &mut pair);
    let mut value = Zeroizing::new(String::with_capacity("Basic ".len() + length.div_ceil(3) * 4));
    value.push_str("Basic ");
    STANDARD.encode_string(&*pair, &mut value);
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Wiped(value)))
        .map_err(|_| "the client's id and secret cannot be sent".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Text that is wiped when it is dropped, as bytes.
struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests;
