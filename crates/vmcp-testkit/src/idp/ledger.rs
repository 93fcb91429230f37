//! Every request to the provider, in order of arrival, and how it was answered.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::PATIENCE;

/// One HTTP request as the provider received it.
#[derive(Clone, Debug)]
pub struct IdpRequest {
    /// Its place in the order of arrival, from 0.
    pub seq: usize,
    /// The HTTP method.
    pub method: Method,
    /// The path without the query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes as they came.
    pub body: Bytes,
    /// The fields of the form or, for GET, of the query, decoded, in order.
    pub form: Vec<(String, String)>,
    /// What it asks for: the short name of the grant (`token_exchange`, `client_credentials`, `jwt_bearer`,
    /// `refresh_token`, `authorization_code`, or the raw `grant_type` of another) at the token endpoint, elsewhere
    /// the path.
    pub grant: String,
    /// Which client it says it comes from, verified or not.
    pub client: Option<String>,
    /// How it says so: `basic`, `post`, `private_key_jwt` or `none`.
    pub client_auth: &'static str,
    /// The status it was answered with; absent before the answer and where there was none.
    pub answered: Option<u16>,
}

// === impl IdpRequest ===

impl IdpRequest {
    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).first().copied()
    }

    /// All fields of this name: `resource` and `audience` may be repeated.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let named = self.form.iter().filter(|(field, _)| field == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Collects requests and wakes those who wait for them.
pub(crate) struct Ledger {
    /// Protects the list; held for single pushes and copies.
    requests: Mutex<Vec<IdpRequest>>,
    changed: watch::Sender<()>,
}

// === impl Ledger ===

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { requests: Mutex::default(), changed: watch::Sender::new(()) }
    }

    /// Records a request and gives it its place.
    pub(crate) fn record(&self, request: &mut IdpRequest) {
        let mut requests = self.requests.lock();
        request.seq = requests.len();
        requests.push(request.clone());
        drop(requests);
        self.changed.send_replace(());
    }

    /// Notes with which status a request was answered.
    pub(crate) fn answered(&self, seq: usize, status: u16) {
        if let Some(request) = self.requests.lock().get_mut(seq) {
            request.answered = Some(status);
        }
        self.changed.send_replace(());
    }

    pub(crate) fn requests(&self) -> Vec<IdpRequest> {
        self.requests.lock().clone()
    }

    pub(crate) fn count(&self, grant: &str) -> usize {
        self.requests.lock().iter().filter(|request| request.grant == grant).count()
    }

    /// Waits until so many requests for this were heard.
    pub(crate) async fn until(&self, grant: &str, count: usize) -> io::Result<()> {
        let mut changed = self.changed.subscribe();
        let wait = async { while self.count(grant) < count && changed.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, wait).await.map_err(|_| {
            let heard: Vec<_> =
                self.requests.lock().iter().map(|request| request.grant.clone()).collect();
            let text = format!("waited in vain for {count} x {grant}; heard {heard:?}");
            io::Error::new(io::ErrorKind::TimedOut, text)
        })
    }
}
