//! An issuer's keys, fetched once for all who wait, and never more often than is good for the issuer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{Request, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use vmcp_config::Oidc;
use vmcp_net::{Client, Egress, Fetch, Pool, PoolKey};

use super::Denied;
use super::keys::{self, Algorithm, Key};
use crate::{AuthorizationServer, tasks};

/// For how long keys are used without asking whether they still are the issuer's.
const FRESH: Duration = Duration::from_secs(600);
/// How often a token with an unknown key may make vmcp ask.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(2);
/// How long one document may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest document.
const MAX_BYTES: usize = 512 * 1024;

/// The keys of one issuer.
pub(super) struct Keyring(Arc<Shared>);

struct Shared {
    source: Source,
    /// Held for a look.
    held: Mutex<Held>,
    /// Whoever has it fetches; the others wait for what comes.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    keys: Arc<Vec<Arc<Key>>>,
    /// When they were fetched; `None` before the first time.
    fetched: Option<Instant>,
    /// When an unknown key made vmcp ask.
    missed: Option<Instant>,
    failed: Option<(Instant, String)>,
}

/// Where keys come from.
struct Source {
    issuer: String,
    jwks: Option<Url>,
    insecure: bool,
    private: Option<bool>,
    base: PoolKey,
    http: Client,
}

/// What is read of the issuer's metadata (RFC 8414 §2, OpenID Connect Discovery 1.0 §3).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

/// What a look at the keys says.
enum Look {
    Found(Arc<Key>),
    Fetch,
    Unknown,
    Failed(String),
}

// === impl Keyring ===

impl Keyring {
    pub(super) fn new(http: &Client, oidc: &Oidc) -> Result<Self, String> {
        let trust = oidc.trust.clone().map(Bytes::from);
        let base = PoolKey { trust, ..PoolKey::new("callers' issuer") };
        let source = Source {
            issuer: oidc.issuer.clone(),
            jwks: oidc.jwks_url.as_ref().map(|url| url.as_url().clone()),
            insecure: oidc.insecure_http,
            private: oidc.private,
            base,
            http: http.clone(),
        };
        // Certificates that cannot be read are found now.
        http.pool(&source.base).map_err(|error| error.to_string())?;
        Ok(Self(Arc::new(Shared { source, held: Mutex::default(), turn: Default::default() })))
    }

    /// The key for a token with this header.
    pub(super) async fn find(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Arc<Key>, Denied> {
        match self.0.look(algorithm, id, false) {
            Look::Found(key) => return Ok(key),
            Look::Unknown => return Err(Denied::Invalid("an unknown key")),
            Look::Failed(why) => return Err(Denied::Unavailable(why)),
            Look::Fetch => {}
        }
        // It runs to its end, so that whoever hangs up does not make the others begin anew.
        let (shared, wanted) = (Arc::clone(&self.0), id.map(str::to_owned));
        let fetched = tasks::detached(async move {
            let _turn = shared.turn.lock().await;
            // Somebody else may have fetched while we waited.
            if let Look::Fetch = shared.look(algorithm, wanted.as_deref(), true) {
                shared.fetch().await;
            }
        });
        fetched.await.ok_or_else(|| Denied::Unavailable("vmcp stops".to_owned()))?;
        match self.0.look(algorithm, id, false) {
            Look::Found(key) => Ok(key),
            Look::Failed(why) => Err(Denied::Unavailable(why)),
            Look::Unknown | Look::Fetch => Err(Denied::Invalid("an unknown key")),
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Looks for a key. Where `take` is set, a fetch that is due is the caller's to do, and counts from now.
    fn look(&self, algorithm: Algorithm, id: Option<&str>, take: bool) -> Look {
        let mut held = self.held.lock();
        let now = Instant::now();
        let within = |since: Option<Instant>, time| since.is_some_and(|since| now - since < time);
        let failing = within(held.failed.as_ref().map(|(when, _)| *when), RETRY);
        let found = choose(&held.keys, algorithm, id);
        if !within(held.fetched, FRESH) && !failing {
            return Look::Fetch;
        }
        if let Some(key) = found {
            return Look::Found(key);
        }
        if held.fetched.is_none() {
            let why = held.failed.as_ref().map(|(_, why)| why.clone());
            return Look::Failed(why.unwrap_or_default());
        }
        if within(held.missed, COOL_DOWN) {
            return Look::Unknown;
        }
        if take {
            held.missed = Some(now);
        }
        Look::Fetch
    }

    async fn fetch(&self) {
        let fetched = self.source.keys().await;
        let mut held = self.held.lock();
        match fetched {
            Ok(keys) => {
                held.keys = Arc::new(keys.into_iter().map(Arc::new).collect());
                held.fetched = Some(Instant::now());
                held.failed = None;
            }
            // What is held stays: the issuer being away makes no key wrong.
            Err(why) => {
                tracing::warn!(%why, "the keys of the callers' issuer cannot be fetched");
                held.failed = Some((Instant::now(), why));
            }
        }
    }
}

/// The only key that fits. Without an id in the token there must be no choice.
fn choose(keys: &[Arc<Key>], algorithm: Algorithm, id: Option<&str>) -> Option<Arc<Key>> {
    let mut fitting = keys.iter().filter(|key| key.fits(algorithm, id));
    let first = fitting.next()?;
    fitting.next().is_none().then(|| Arc::clone(first))
}

// === impl Source ===

impl Source {
    async fn keys(&self) -> Result<Vec<Key>, String> {
        let url = match &self.jwks {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let document = self.get(&url).await?;
        let keys =
            keys::read(&document).ok_or("the document at its `jwks_uri` is no set of keys")?;
        // A set that is empty for a moment must not take all keys away.
        if keys.is_empty() {
            Err("none of its keys can verify a token".to_owned())
        } else {
            Ok(keys)
        }
    }

    /// Where the issuer says its keys are.
    async fn discover(&self) -> Result<Url, String> {
        let issuer = Url::parse(&self.issuer).map_err(|error| error.to_string())?;
        let mut problem = String::new();
        // Who gives tokens to people mostly speaks OpenID Connect, so the order is the other one.
        for place in AuthorizationServer::places(&issuer).into_iter().rev() {
            match self.get(&place).await.and_then(|document| self.keys_of(&document)) {
                Ok(url) => return Ok(url),
                Err(why) => problem = why,
            }
        }
        Err(problem)
    }

    fn keys_of(&self, document: &[u8]) -> Result<Url, String> {
        let read: Result<Metadata, _> = serde_json::from_slice(document);
        let metadata = read.map_err(|error| format!("its metadata cannot be read: {error}"))?;
        // Anybody can publish keys under the name of another one (RFC 8414 §3.3).
        if metadata.issuer != self.issuer {
            return Err("its metadata is of another issuer".to_owned());
        }
        let url = Url::parse(&metadata.jwks_uri).map_err(|error| format!("`jwks_uri`: {error}"))?;
        let safe = url.scheme() == "https"
            || url.scheme() == "http" && (self.insecure || crate::discovery::is_loopback(&url));
        if safe { Ok(url) } else { Err("its `jwks_uri` is not https".to_owned()) }
    }

    async fn get(&self, url: &Url) -> Result<Bytes, String> {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = url.as_str().parse().map_err(|_| "a URL that cannot be dialled")?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let bounds = Fetch { redirects: true, ..Fetch::new(MAX_BYTES, DEADLINE) };
        let answer = self.pool(url)?.fetch(request, bounds).await;
        let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
        match head.status {
            StatusCode::OK => Ok(body),
            other => Err(format!("it answered {other}")),
        }
    }

    /// What the operator wrote down may be dialled as it stands there; what the issuer says only if it is on the same
    /// host, or public, or private addresses are allowed.
    fn pool(&self, url: &Url) -> Result<Pool, String> {
        let host = url.host_str().unwrap_or_default();
        let written = self.jwks.as_ref().is_some_and(|jwks| jwks == url)
            || Url::parse(&self.issuer).is_ok_and(|issuer| issuer.host_str() == url.host_str());
        let egress = if written || self.private == Some(true) {
            Egress::configured_for(host, self.private, &[])
        } else {
            Egress::public()
        };
        let key = PoolKey { egress, ..self.base.clone() };
        self.http.pool(&key).map_err(|error| error.to_string())
    }
}
