//! Tells a provider what it is before it starts.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use serde_json::Value;

use crate::idp::IdentityProvider;
use crate::idp::authorize::ResponseIssuer;
use crate::idp::client::IdpClient;
use crate::idp::key::SigningKey;

/// Tells a provider what it is before it starts.
#[derive(Default)]
pub struct IdpBuilder {
    script: Script,
}

/// What a provider has been told to do; may change while it runs.
pub(crate) struct Script {
    pub(crate) issuer_path: String,
    pub(crate) anonymous: bool,
    pub(crate) clients: Vec<IdpClient>,
    pub(crate) trusted: Vec<(String, SigningKey)>,
    pub(crate) lifetime: Duration,
    /// What tokens may be asked for; anything where there is no list.
    pub(crate) targets: Option<Vec<String>>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) rotates: bool,
    pub(crate) refreshes: bool,
    pub(crate) registration: bool,
    /// Whether a client's id may be the URL of its document, and the documents that need not be fetched.
    pub(crate) documents: bool,
    pub(crate) given_documents: HashMap<String, Value>,
    pub(crate) requires_resource: bool,
    /// The user who consents, or the error that comes of asking.
    pub(crate) user: Result<String, String>,
    pub(crate) response_issuer: ResponseIssuer,
}

// === impl IdpBuilder ===

impl IdpBuilder {
    /// Puts a client on file.
    #[must_use]
    pub fn client(mut self, client: IdpClient) -> Self {
        self.script.set_client(client);
        self
    }

    /// Serves requests that name no client, except where a client's own rights are asked for.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.script.anonymous = true;
        self
    }

    /// Puts its issuer, and all its endpoints, below this path (`/tenant`).
    #[must_use]
    pub fn issuer_path(mut self, path: &str) -> Self {
        self.script.issuer_path = path.to_owned();
        self
    }

    /// How long its tokens live, also as `expires_in`; an hour if not set.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.script.lifetime = lifetime;
        self
    }

    /// Gives tokens for these audiences and resources only (`invalid_target` otherwise).
    #[must_use]
    pub fn targets<'a>(mut self, targets: impl IntoIterator<Item = &'a str>) -> Self {
        self.script.targets = Some(targets.into_iter().map(str::to_owned).collect());
        self
    }

    /// Gives tokens with these scopes only (`invalid_scope` otherwise).
    #[must_use]
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.script.scopes = Some(scopes.into_iter().map(str::to_owned).collect());
        self
    }

    /// Leaves refresh tokens as they are when they are used.
    #[must_use]
    pub fn no_rotation(mut self) -> Self {
        self.script.rotates = false;
        self
    }

    /// Gives no refresh token with an authorization code.
    #[must_use]
    pub fn no_refresh_tokens(mut self) -> Self {
        self.script.refreshes = false;
        self
    }

    /// Registers no clients (RFC 7591), and does not offer it.
    #[must_use]
    pub fn no_registration(mut self) -> Self {
        self.script.registration = false;
        self
    }

    /// Takes clients whose id is the URL of a document that describes them, and says so.
    #[must_use]
    pub fn client_documents(mut self) -> Self {
        self.script.documents = true;
        self
    }

    /// Gives no code and no token for a code without a `resource` (RFC 8707).
    #[must_use]
    pub fn require_resource(mut self) -> Self {
        self.script.requires_resource = true;
        self
    }

    /// Starts it on a free loopback port.
    pub async fn start(self) -> io::Result<IdentityProvider> {
        IdentityProvider::listen(self.script).await
    }
}

// === impl Script ===

impl Script {
    pub(crate) fn set_client(&mut self, client: IdpClient) {
        self.clients.retain(|other| other.id != client.id);
        self.clients.push(client);
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            issuer_path: String::new(),
            anonymous: false,
            clients: Vec::new(),
            trusted: Vec::new(),
            lifetime: Duration::from_secs(3600),
            targets: None,
            scopes: None,
            rotates: true,
            refreshes: true,
            registration: true,
            documents: false,
            given_documents: HashMap::new(),
            requires_resource: false,
            user: Ok("user".to_owned()),
            response_issuer: ResponseIssuer::Own,
        }
    }
}
