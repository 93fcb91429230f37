//! Incoming tokens: whether a caller's token was issued for vmcp, and who the caller is.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `token` | the parts of a JWT, read strictly (RFC 7515, RFC 7519, RFC 8725, RFC 9068) |
//! | `keys` | an issuer's public keys (RFC 7517), and which algorithm each is good for |
//! | `keyring` | where they come from, and when they are asked for again |
//! | `seen` | tokens that were verified already |
//!
//! Invariants: what a token says about keys (`jku`, `jwk`, `x5u`, `x5c`) is never looked at. An algorithm is tied to the
//! kind of its key. A failure to fetch keys takes none away. A caller is never told which check failed.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;
use vmcp_config::{Oidc, TokenType};
use vmcp_net::Client;

use crate::Identity;
use crate::digest::digest;
use crate::wall_clock;

mod keyring;
mod keys;
mod seen;
mod token;

use keyring::Keyring;
use seen::Seen;
use token::{Rules, Token};

/// The longest token that is looked at, in bytes. It bounds what its claims can hold.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verifies tokens of one issuer. Asked by many at the same time.
pub struct Verifier {
    rules: Rules,
    required: Vec<String>,
    keys: Keyring,
    seen: Seen,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is not good for vmcp. The reason is for the log: who is told can forge better.
    #[error("the token is not accepted: {0}")]
    Invalid(&'static str),
    /// It is, but it lacks one of the scopes that are required.
    #[error("the token lacks a scope")]
    Scope,
    /// Whether it is good cannot be found out, since the issuer's keys cannot be had.
    #[error("the issuer's keys cannot be had: {0}")]
    Unavailable(String),
}

// === impl Verifier ===

impl Verifier {
    /// How many verified tokens are remembered.
    pub const REMEMBERED: usize = 10_000;

    /// A verifier by these rules. Dials nothing.
    ///
    /// # Errors
    /// What is wrong with the certificates.
    pub fn new(oidc: &Oidc) -> Result<Self, String> {
        Ok(Self {
            rules: Rules::new(oidc),
            required: oidc.required_scopes.clone(),
            keys: Keyring::new(&Client::new(), oidc)?,
            seen: Seen::new(Self::REMEMBERED),
        })
    }

    /// Who calls with `token`.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: keys that are being fetched arrive for the next caller.
    pub async fn verify(&self, token: &str) -> Result<Arc<Identity>, Denied> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Denied::Invalid("too long"));
        }
        let key = digest(token.as_bytes());
        let now = wall_clock::seconds();
        let identity = match self.seen.get(&key, now) {
            Some(identity) => identity,
            None => {
                let (identity, until) = self.verified(token, now).await?;
                self.seen.put(key, Arc::clone(&identity), until, now);
                identity
            }
        };
        Ok(identity)
    }

    /// The identity, and the second until which it holds.
    async fn verified(&self, text: &str, now: u64) -> Result<(Arc<Identity>, u64), Denied> {
        let token = Token::parse(text).map_err(Denied::Invalid)?;
        // Before a key is asked for: what is of another issuer is no reason to ask ours.
        let claims = token.claims(&self.rules, now).map_err(Denied::Invalid)?;
        let key = self.keys.find(token.algorithm, token.key_id.as_deref()).await?;
        if !key.verifies(token.algorithm, token.signed.as_bytes(), &token.signature) {
            return Err(Denied::Invalid("wrong signature"));
        }
        if !self.required.iter().all(|scope| claims.scopes.iter().any(|has| has == scope)) {
            return Err(Denied::Scope);
        }
        let secret = SecretString::from(text);
        let identity = Identity::verified(claims.issuer, claims.subject, claims.raw)
            .with_token(secret, TokenType::AccessToken);
        Ok((Arc::new(identity), claims.until))
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("rules", &self.rules).finish_non_exhaustive()
    }
}
