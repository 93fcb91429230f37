//! Stage *identify*: who calls, and what of the request's head goes with the calls in it.
//!
//! It stands before the parser and before the session table, so that nobody unknown reaches either. The
//! endpoint is open for now: everybody is the same anonymous caller.

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use vmcp_auth::{Caller, Identity};
use vmcp_backend::TraceContext;
use vmcp_config::Config;

use crate::guard::origin::single;
use crate::respond::Rejection;

/// Trace context (W3C), as HTTP carries it.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What is meant for vmcp alone, whatever a configuration that was not read from a file says.
const OWN: [HeaderName; 3] = [AUTHORIZATION, COOKIE, HOST];

/// Establishes callers.
pub(crate) struct Doorman {
    anonymous: Arc<Identity>,
    /// Headers that calls take along, if the client sends them.
    passed: Box<[HeaderName]>,
}

/// Who makes one request, and what its calls take along.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) identity: Arc<Identity>,
    headers: Option<Arc<HeaderMap>>,
    pub(crate) trace: Option<TraceContext>,
}

// === impl Doorman ===

impl Doorman {
    pub(crate) fn new(config: &Config) -> Self {
        let names = config.passthrough_headers.iter().filter_map(|name| name.parse().ok());
        let passed = names.filter(|name| !OWN.contains(name)).collect();
        Self { anonymous: Arc::new(Identity::anonymous()), passed }
    }

    /// The caller of one request; asked anew for each, since a session is no proof of identity.
    pub(crate) fn identify(&self, head: &Parts) -> Result<Asker, Rejection> {
        // Two credentials on one request would let two readers see two callers.
        single(&head.headers, AUTHORIZATION)?;
        let identity = Arc::clone(&self.anonymous);
        Ok(Asker { identity, headers: self.passed(&head.headers)?, trace: trace(&head.headers) })
    }

    /// The headers to pass on. One that stands there twice would let two backends see two values.
    fn passed(&self, headers: &HeaderMap) -> Result<Option<Arc<HeaderMap>>, Rejection> {
        let mut passed = HeaderMap::new();
        for name in &self.passed {
            let text = single(headers, name)?.filter(|text| !text.is_empty());
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
                passed.insert(name.clone(), value);
            }
        }
        // An empty map allocates nothing.
        Ok((!passed.is_empty()).then(|| Arc::new(passed)))
    }
}

// === impl Asker ===

impl Asker {
    /// Who a call is made for. Allocates nothing.
    pub(crate) fn caller(&self) -> Caller {
        Caller { identity: Some(Arc::clone(&self.identity)), headers: self.headers.clone() }
    }
}

/// The trace a request belongs to. One that is written wrongly is none (W3C Trace Context §3.2): it is no reason to
/// refuse a call.
fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    let parent = single(headers, TRACEPARENT).ok()??;
    let mut states = headers.get_all(TRACESTATE).iter().filter_map(|state| state.to_str().ok());
    let state = states.next().map(|first| {
        // §3.3.1: several lines are one list.
        states.fold(first.to_owned(), |all, state| format!("{all},{state}"))
    });
    TraceContext::parse(parent, state.as_deref())
}
