//! An OAuth authorization server on a real loopback socket that does exactly what it is told and records all it hears.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::tasks::Tasks;

pub(crate) mod answer;
mod authorize;
mod browse;
mod builder;
mod client;
mod clock;
mod code;
mod discovery;
mod document;
mod exchange;
mod form;
mod guard;
mod jwt;
mod key;
pub(crate) mod ledger;
mod refresh;
mod register;
pub(crate) mod server;
mod token;

pub use answer::IdpAnswer;
pub use authorize::ResponseIssuer;
pub use browse::browse;
pub use builder::IdpBuilder;
pub use client::IdpClient;
pub use guard::{Admitted, BearerGuard};
pub use key::SigningKey;
pub use ledger::IdpRequest;

use builder::Script;
use clock::Clock;
use code::Codes;
use jwt::Jwt;
use ledger::Ledger;
use refresh::Families;

/// A running identity provider; it and its connections end when it is dropped.
///
/// Its clock follows tokio's: a test that advances the clock makes its tokens expire.
pub struct IdentityProvider {
    pub(crate) shared: Arc<Shared>,
}

/// What the connections of one provider have in common.
pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    pub(crate) key: SigningKey,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    /// Protects what may be changed while the provider runs; held for look-ups.
    pub(crate) script: Mutex<Script>,
    /// Protects what the provider has given out and used up; held for look-ups.
    pub(crate) state: Mutex<State>,
    pub(crate) tasks: Tasks,
}

#[derive(Default)]
pub(crate) struct State {
    /// Numbers everything that must be unlike all before it.
    pub(crate) next: u64,
    pub(crate) revoked: HashSet<String>,
    /// The `jti` of client assertions seen.
    pub(crate) assertions: HashSet<String>,
    pub(crate) families: Families,
    pub(crate) codes: Codes,
    /// Answers by grant or path.
    pub(crate) answers: HashMap<String, IdpAnswer>,
}

// === impl IdentityProvider ===

impl IdentityProvider {
    /// A provider that serves whoever comes, also without a client id, and grants whatever is well asked for.
    pub async fn start() -> io::Result<Self> {
        Self::builder().anonymous().start().await
    }

    /// A provider that knows no client.
    pub fn builder() -> IdpBuilder {
        IdpBuilder::default()
    }

    async fn listen(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            key: SigningKey::es256("testkit")?,
            clock: Clock::start(),
            ledger: Ledger::new(),
            script: Mutex::new(script),
            state: Mutex::default(),
            tasks: Tasks::default(),
        });
        shared.tasks.spawn(server::accept(listener, Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Its issuer identifier.
    pub fn issuer(&self) -> String {
        self.shared.issuer()
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> String {
        self.shared.url("/token")
    }

    /// Where its public keys are.
    pub fn jwks_url(&self) -> String {
        self.shared.url("/jwks")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }
}

/// Tokens for tests.
impl IdentityProvider {
    /// A user's access token, as a client would present it. `claims` are added to, and win over, the usual ones
    /// (`iss`, `sub`, `aud` = `vmcp`, `iat`, `exp`, `jti`).
    pub fn issue(&self, subject: &str, claims: impl Into<Value>) -> io::Result<String> {
        self.shared.user_token("at+jwt", subject, claims.into())
    }

    /// A user's ID token.
    pub fn issue_id_token(&self, subject: &str, claims: impl Into<Value>) -> io::Result<String> {
        self.shared.user_token("JWT", subject, claims.into())
    }

    /// A refresh token, as a client with this id would have been given it.
    pub fn issue_refresh_token(&self, client: &str, subject: &str, scope: &str) -> String {
        let claims = json!({"sub": subject, "scope": scope});
        self.shared.state.lock().refresh_token(Some(client.to_owned()), claims)
    }

    /// The claims of a token that this provider issued and that still holds; else why it does not.
    pub fn verify(&self, token: &str) -> Result<Value, String> {
        self.shared.verify(token, None).map(|jwt| jwt.claims)
    }

    /// Makes a token worthless at once: an access token, an ID token or (with its whole family) a refresh token.
    pub fn revoke(&self, token: &str) {
        self.shared.state.lock().revoke(token);
    }
}

/// What changes while it runs.
impl IdentityProvider {
    /// Another answer to a grant (`token_exchange`, `client_credentials`, `jwt_bearer`, `refresh_token`,
    /// `authorization_code`), to every request at the token endpoint (`/token`; a grant's own answer wins), or at
    /// another path (`/jwks`). `None` takes it away.
    pub fn on(&self, grant: &str, answer: impl Into<Option<IdpAnswer>>) {
        let mut state = self.shared.state.lock();
        match answer.into() {
            Some(answer) => state.answers.insert(grant.to_owned(), answer),
            None => state.answers.remove(grant),
        };
    }

    /// How long tokens live that are issued from now on, also as `expires_in`.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.shared.script.lock().lifetime = lifetime;
    }

    /// Puts a client on file, in place of the one with its id.
    pub fn set_client(&self, client: IdpClient) {
        self.shared.script.lock().set_client(client);
    }

    /// Forgets a client.
    pub fn remove_client(&self, id: &str) {
        self.shared.script.lock().clients.retain(|client| client.id != id);
    }

    /// Describes a client whose id is this URL, in place of what could be fetched from there. The provider must
    /// take [`client_documents`](IdpBuilder::client_documents).
    pub fn set_client_document(&self, url: &str, document: impl Into<Value>) {
        self.shared.script.lock().given_documents.insert(url.to_owned(), document.into());
    }

    /// The user who consents to everything from now on; `user` if not set.
    pub fn set_user(&self, subject: &str) {
        self.shared.script.lock().user = Ok(subject.to_owned());
    }

    /// Sends users back with this error (`access_denied`) from now on, until there is a user again.
    pub fn deny(&self, error: &str) {
        self.shared.script.lock().user = Err(error.to_owned());
    }

    /// What authorization responses say about who they come from.
    pub fn set_response_issuer(&self, issuer: ResponseIssuer) {
        self.shared.script.lock().response_issuer = issuer;
    }

    /// Accepts this issuer's assertions (`jwt-bearer`) and subject tokens too.
    pub fn trust(&self, other: &IdentityProvider) {
        self.shared.script.lock().trusted.push((other.issuer(), other.shared.key.clone()));
    }
}

/// What it heard.
impl IdentityProvider {
    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<IdpRequest> {
        self.shared.ledger.requests()
    }

    /// The requests for this grant or path (see [`IdpRequest::grant`]), in order of arrival.
    pub fn heard(&self, grant: &str) -> Vec<IdpRequest> {
        self.requests().into_iter().filter(|request| request.grant == grant).collect()
    }

    /// How many requests there were for this grant or path.
    pub fn count(&self, grant: &str) -> usize {
        self.shared.ledger.count(grant)
    }

    /// Waits until there were so many requests for this grant or path.
    pub async fn wait_for(&self, grant: &str, count: usize) -> io::Result<()> {
        self.shared.ledger.until(grant, count).await
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        // The tasks hold `Shared`, which holds the tasks.
        self.shared.tasks.abort();
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn issuer(&self) -> String {
        self.url("")
    }

    /// The URL of a path below the issuer.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.address, self.script.lock().issuer_path)
    }

    fn user_token(&self, kind: &str, subject: &str, claims: Value) -> io::Result<String> {
        let mut all = json!({"sub": subject, "aud": "vmcp"});
        merge(&mut all, claims);
        self.sign(kind, all)
    }

    /// Signs claims, to which those about issuer, time and number are added where they are missing.
    pub(crate) fn sign(&self, kind: &str, claims: Value) -> io::Result<String> {
        let now = self.clock.now();
        let expires = now + self.script.lock().lifetime.as_secs();
        let mut all = json!({"iss": self.issuer(), "iat": now, "exp": expires});
        all["jti"] = json!(format!("token-{}", self.state.lock().number()));
        merge(&mut all, claims);
        jwt::encode(&self.key, kind, &all)
    }

    /// Takes a token apart that this provider, or one it trusts, issued and that still holds.
    ///
    /// `audience` is what the token must be for, if that matters.
    pub(crate) fn verify<'a>(
        &self,
        token: &'a str,
        audience: Option<&str>,
    ) -> Result<Jwt<'a>, String> {
        let jwt = Jwt::parse(token)?;
        let issuer = jwt.claim("iss").unwrap_or_default();
        let trusted = self.script.lock().trusted.clone();
        let key = match trusted.iter().find(|(other, _)| other == issuer) {
            Some((_, key)) => key,
            None if issuer == self.issuer() => &self.key,
            None => return Err(format!("its issuer {issuer:?} is not trusted")),
        };
        jwt.verify(key)?;
        jwt.check_time(self.clock.now())?;
        if self.state.lock().revoked.contains(token) {
            return Err("it was revoked".to_owned());
        }
        if let Some(audience) = audience
            && !jwt.is_for(audience)
        {
            return Err(format!("it is for {}, not for {audience:?}", jwt.claims["aud"]));
        }
        Ok(jwt)
    }
}

// === impl State ===

impl State {
    pub(crate) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// Adds members to an object; new ones win.
pub(crate) fn merge(object: &mut Value, members: Value) {
    if let (Value::Object(object), Value::Object(members)) = (object, members) {
        object.extend(members);
    }
}
