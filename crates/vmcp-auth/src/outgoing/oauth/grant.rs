//! What a login gained, and how it is kept in the store.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::discover::canonical;
use super::error::LoginError;
use crate::digest::{Digest, digest};
use crate::{ClientAuth, CredentialKey, CredentialStore, OAuthClient, StoreError, TokenCache};

/// The version of [`Document`].
const VERSION: u64 = 1;
/// Room for a document, so that none is left behind by growing.
const ROOM: usize = 4 * 1024;

/// What a login gained.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) access_token: SecretString,
    pub(super) refresh_token: Option<SecretString>,
    /// When it was issued, in seconds since 1970.
    pub(super) issued_at: u64,
    /// When the access token ends; `None` if the issuer did not say.
    pub(super) expires_at: Option<u64>,
    /// What was granted.
    pub(super) scopes: Vec<String>,
    /// What was asked for.
    pub(super) requested: Vec<String>,
    pub(super) resource: String,
    pub(super) token_endpoint: Url,
    pub(super) revocation_endpoint: Option<Url>,
    pub(super) client: GrantClient,
}

/// The client that a grant was given to.
#[derive(Clone)]
pub(super) enum GrantClient {
    /// One that the configuration knows: its id; the rest is not ours to keep.
    Configured(String),
    /// One whose id is the URL of a document.
    Document(String),
    /// One that registered itself.
    Registered(Registration),
}

/// What a registration gave (RFC 7591, §3.2.1).
#[derive(Clone)]
pub(super) struct Registration {
    pub(super) id: String,
    pub(super) proof: Proof,
    /// When the secret ends, in seconds since 1970.
    pub(super) secret_expires_at: Option<u64>,
    pub(super) redirect_uri: String,
    pub(super) scopes: Vec<String>,
}

/// How a registered client proves who it is.
#[derive(Clone)]
pub(super) enum Proof {
    None,
    Basic(SecretString),
    Post(SecretString),
}

// === impl Grant ===

impl Grant {
    /// Whether the access token will hold for as long as a request takes. One that is short-lived by intention is
    /// used for the first half of its life.
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        let Some(end) = self.expires_at else { return true };
        let life = end.saturating_sub(self.issued_at);
        let skew = TokenCache::SKEW.as_secs().min(life / 2);
        now.saturating_add(skew) < end
    }

    /// How long the access token holds from now on.
    pub(super) fn lifetime(&self, now: u64) -> Option<Duration> {
        self.expires_at.map(|end| Duration::from_secs(end.saturating_sub(now)))
    }

    /// Tells access tokens apart without holding one.
    pub(super) fn mark(&self) -> Digest {
        digest(self.access_token.expose_secret().as_bytes())
    }

    fn to_secret(&self) -> Result<SecretString, StoreError> {
        let (kind, id, registration) = match &self.client {
            GrantClient::Configured(id) => ("configured", id, None),
            GrantClient::Document(id) => ("document", id, None),
            GrantClient::Registered(registration) => {
                ("registered", &registration.id, Some(registration.document()))
            }
        };
        let document = Document {
            version: VERSION,
            access_token: self.access_token.expose_secret().into(),
            refresh_token: self.refresh_token.as_ref().map(|token| token.expose_secret().into()),
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            scopes: self.scopes.clone(),
            requested: self.requested.clone(),
            resource: self.resource.clone(),
            token_endpoint: self.token_endpoint.clone().into(),
            revocation_endpoint: self.revocation_endpoint.clone().map(String::from),
            client_kind: kind.to_owned(),
            client: id.clone(),
            registration,
        };
        let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
        serde_json::to_writer(&mut *text, &document)
            .map_err(|error| StoreError::Other(error.to_string()))?;
        let text = std::str::from_utf8(&text).map_err(|error| StoreError::Other(error.to_string()));
        text.map(SecretString::from)
    }

    fn from_secret(secret: &SecretString) -> Result<Self, StoreError> {
        let document: Document = serde_json::from_str(secret.expose_secret()).map_err(|error| {
            // A message of the parser may quote what it found.
            let place = format!("line {}, column {}", error.line(), error.column());
            StoreError::Other(format!("a stored login cannot be read ({place}); log in again"))
        })?;
        if document.version != VERSION {
            let text = "a login of another version of vmcp is stored; log in again";
            return Err(StoreError::Other(text.to_owned()));
        }
        let url = |text: &str| {
            crate::discovery::url(text)
                .map_err(|problem| StoreError::Other(format!("a stored endpoint {problem}")))
        };
        let Document { client, registration, .. } = &document;
        Ok(Self {
            client: match (document.client_kind.as_str(), registration) {
                ("document", _) => GrantClient::Document(client.clone()),
                ("registered", Some(one)) => GrantClient::Registered(one.read(client.clone())),
                _ => GrantClient::Configured(client.clone()),
            },
            token_endpoint: url(&document.token_endpoint)?,
            revocation_endpoint: document.revocation_endpoint.as_deref().map(url).transpose()?,
            access_token: document.access_token.as_str().into(),
            refresh_token: document.refresh_token.as_ref().map(|token| token.as_str().into()),
            issued_at: document.issued_at,
            expires_at: document.expires_at,
            scopes: document.scopes,
            requested: document.requested,
            resource: document.resource,
        })
    }
}

// === impl GrantClient ===

impl GrantClient {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Configured(id) | Self::Document(id) => id,
            Self::Registered(registration) => &registration.id,
        }
    }

    /// The client as a token endpoint wants it. What the configuration knows counts; it may have changed.
    pub(super) fn authenticated(&self, configured: Option<&OAuthClient>) -> Option<OAuthClient> {
        let id = self.id().to_owned();
        match self {
            Self::Configured(id) => configured.filter(|client| client.id == *id).cloned(),
            Self::Document(_) => Some(OAuthClient { id, auth: ClientAuth::None }),
            Self::Registered(registration) => {
                let auth = match &registration.proof {
                    Proof::None => ClientAuth::None,
                    Proof::Basic(secret) => ClientAuth::Basic(secret.clone()),
                    Proof::Post(secret) => ClientAuth::Post(secret.clone()),
                };
                Some(OAuthClient { id, auth })
            }
        }
    }
}

// === impl Registration ===

impl Registration {
    /// Whether it will do for another login.
    pub(super) fn serves(&self, redirect_uri: &Url, scopes: &[String], now: u64) -> bool {
        self.redirect_uri == redirect_uri.as_str()
            && scopes.iter().all(|scope| self.scopes.contains(scope))
            && self.secret_expires_at.is_none_or(|end| now < end)
    }

    fn document(&self) -> RegistrationDocument {
        let (method, secret) = match &self.proof {
            Proof::None => ("none", None),
            Proof::Basic(secret) => ("client_secret_basic", Some(secret)),
            Proof::Post(secret) => ("client_secret_post", Some(secret)),
        };
        RegistrationDocument {
            method: method.to_owned(),
            secret: secret.map(|secret| secret.expose_secret().into()),
            secret_expires_at: self.secret_expires_at,
            redirect_uri: self.redirect_uri.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

/// How a [`Grant`] is written. A text that is a secret is wiped when it was written or read.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u64,
    access_token: Secret,
    refresh_token: Option<Secret>,
    issued_at: u64,
    expires_at: Option<u64>,
    scopes: Vec<String>,
    requested: Vec<String>,
    resource: String,
    token_endpoint: String,
    revocation_endpoint: Option<String>,
    client_kind: String,
    client: String,
    registration: Option<RegistrationDocument>,
}

#[derive(Serialize, Deserialize)]
struct RegistrationDocument {
    method: String,
    secret: Option<Secret>,
    secret_expires_at: Option<u64>,
    redirect_uri: String,
    scopes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(from = "String")]
struct Secret(#[serde(serialize_with = "as_text")] Zeroizing<String>);

// === impl RegistrationDocument ===

impl RegistrationDocument {
    fn read(&self, id: String) -> Registration {
        let secret = self.secret.as_ref().map(|secret| SecretString::from(secret.as_str()));
        Registration {
            id,
            proof: match (self.method.as_str(), secret) {
                ("client_secret_basic", Some(secret)) => Proof::Basic(secret),
                ("client_secret_post", Some(secret)) => Proof::Post(secret),
                _ => Proof::None,
            },
            secret_expires_at: self.secret_expires_at,
            redirect_uri: self.redirect_uri.clone(),
            scopes: self.scopes.clone(),
        }
    }
}

// === impl Secret ===

impl Secret {
    fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

fn as_text<S: serde::Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

/// The logins of one backend in a store.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    backend: String,
    server: String,
}

// === impl Kept ===

impl Kept {
    pub(super) fn new(backend: &str, server: &Url) -> Self {
        let mut server = server.clone();
        server.set_query(None);
        Self { backend: backend.to_owned(), server: canonical(&server) }
    }

    /// What to hold while a login of this backend is replaced.
    pub(super) fn lock_name(&self) -> String {
        format!("{}\n{}", self.backend, self.server)
    }

    pub(super) fn key(&self, issuer: &str, client: &str) -> CredentialKey {
        CredentialKey {
            backend: self.backend.clone(),
            server: self.server.clone(),
            issuer: issuer.to_owned(),
            client: client.to_owned(),
        }
    }

    pub(super) async fn keys(
        &self,
        store: &dyn CredentialStore,
    ) -> Result<Vec<CredentialKey>, StoreError> {
        let mut keys = store.keys().await?;
        keys.retain(|key| key.backend == self.backend && key.server == self.server);
        Ok(keys)
    }

    /// The login that is there, if `fits` takes its key.
    pub(super) async fn find(
        &self,
        store: &dyn CredentialStore,
        fits: impl Fn(&CredentialKey) -> bool,
    ) -> Result<Option<(CredentialKey, Grant)>, StoreError> {
        let Some(key) = self.keys(store).await?.into_iter().find(fits) else { return Ok(None) };
        match store.get(&key).await? {
            Some(secret) => Ok(Some((key, Grant::from_secret(&secret)?))),
            None => Ok(None),
        }
    }

    /// Keeps `grant`. What the backend had of other issuers, or as other clients, is forgotten.
    pub(super) async fn replace(
        &self,
        store: &dyn CredentialStore,
        issuer: &str,
        grant: &Grant,
    ) -> Result<(), LoginError> {
        let _lock = store.lock(&self.lock_name()).await?;
        let key = self.key(issuer, grant.client.id());
        put(store, &key, grant).await?;
        for old in self.keys(store).await?.iter().filter(|old| **old != key) {
            store.remove(old).await?;
        }
        Ok(())
    }
}

/// Keeps `grant` under `key`.
pub(super) async fn put(
    store: &dyn CredentialStore,
    key: &CredentialKey,
    grant: &Grant,
) -> Result<(), StoreError> {
    store.put(key, grant.to_secret()?).await
}
