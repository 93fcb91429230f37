//! What a request is authenticated with, once it was got.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::AuthFailure;

/// A credential. Cheap to clone; `Debug` does not show it, and it is wiped from memory with its last clone.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credential {
    /// The value of a header, as it is sent: `Bearer …`.
    Header(HeaderValue),
    /// Keys that requests are signed with.
    Aws(Arc<AwsKeys>),
}

/// Temporary credentials of AWS.
pub struct AwsKeys {
    /// The id, sent with each request.
    pub access_key_id: String,
    /// What signs.
    pub secret_access_key: SecretString,
    /// Sent with each request.
    pub session_token: SecretString,
}

// === impl Credential ===

impl Credential {
    /// The longest token that is sent, in bytes. Servers take shorter headers than that.
    pub const MAX_TOKEN: usize = 32 * 1024;

    /// The value of an `Authorization` header with a bearer token (RFC 6750, §2.1).
    ///
    /// # Errors
    /// If the token has characters that a header cannot carry, or is longer than [`MAX_TOKEN`](Self::MAX_TOKEN).
    pub fn bearer(token: &SecretString) -> Result<Self, AuthFailure> {
        let token = token.expose_secret();
        // RFC 6750 allows less, but issuers use what else a header can carry without doubt.
        let fine = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || token.len() > Self::MAX_TOKEN || !fine {
            let text = "the issuer's token is not one that a header can carry";
            return Err(AuthFailure::Unavailable(text.to_owned()));
        }
        let mut value = Zeroizing::new(Vec::with_capacity("Bearer ".len() + token.len()));
        value.extend_from_slice(b"Bearer ");
        value.extend_from_slice(token.as_bytes());
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(value)).map_err(|_| {
            AuthFailure::Unavailable("the issuer's token cannot be sent".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(Self::Header(value))
    }

    /// Puts it on a request as its `Authorization`; `false` if it is not a header's value.
    pub fn put_on(&self, headers: &mut HeaderMap) -> bool {
        match self {
            Self::Header(value) => {
                headers.insert(AUTHORIZATION, value.clone());
                true
            }
            Self::Aws(_) => false,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header(_) => "Header(…)",
            Self::Aws(_) => "Aws(…)",
        })
    }
}

// === impl AwsKeys ===

impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
