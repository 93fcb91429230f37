//! Stage *identify*: who calls, and what of the request's head goes with the calls in it.
//!
//! It stands before the parser and before the session table, so that nobody unknown reaches either. Callers are
//! established by their tokens, if the configuration says so; else everybody is the same caller.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use vmcp_auth::{Caller, Denied, Identity, Verifier};
use vmcp_backend::TraceContext;
use vmcp_config::{Config, IncomingAuth, Oidc};

use crate::guard::origin::single;
use crate::respond::Rejection;

mod challenge;

use challenge::{Reason, Signs};

/// Trace context (W3C), as HTTP carries it.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// What is meant for vmcp alone, whatever a configuration that was not read from a file says.
const OWN: [HeaderName; 3] = [AUTHORIZATION, COOKIE, HOST];

/// Establishes callers.
pub(crate) struct Doorman {
    way: Way,
    /// Headers that calls take along, if the client sends them.
    passed: Box<[HeaderName]>,
}

/// How callers are established.
enum Way {
    /// Everybody is the same.
    Open(Arc<Identity>),
    /// By the tokens they bring.
    Tokens(Box<(Verifier, Signs)>),
    /// By tokens that cannot be verified.
    Shut(Box<Signs>),
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
        let way = match &config.incoming_auth {
            IncomingAuth::Anonymous => Way::Open(Arc::new(Identity::anonymous())),
            IncomingAuth::Local => Way::Open(Arc::new(Identity::local())),
            IncomingAuth::Oidc(oidc) => Way::by_tokens(oidc, config),
        };
        Self { way, passed }
    }

    /// The caller of one request; asked anew for each, since a session is no proof of identity.
    ///
    /// Cancel safe: a token that is being verified is verified anew for the next request.
    pub(crate) async fn identify(&self, head: &Parts) -> Result<Asker, Rejection> {
        // Two credentials on one request would let two readers see two callers.
        let credential = single(&head.headers, AUTHORIZATION)?;
        let identity = match &self.way {
            Way::Open(everybody) => Arc::clone(everybody),
            Way::Tokens(tokens) => {
                let (verifier, signs) = &**tokens;
                let refuse = |reason| signs.refuse(head, reason);
                let token = bearer(credential).map_err(refuse)?;
                verifier.verify(token).await.map_err(|denied| {
                    tracing::debug!(%denied, "a caller is refused");
                    match denied {
                        Denied::Invalid(_) => refuse(Reason::Invalid),
                        Denied::Scope => refuse(Reason::Scope),
                        Denied::Unavailable(_) => Rejection::busy("callers cannot be verified now"),
                    }
                })?
            }
            Way::Shut(signs) => return Err(signs.refuse(head, Reason::Invalid)),
        };
        Ok(Asker { identity, headers: self.passed(&head.headers)?, trace: trace(&head.headers) })
    }

    /// The metadata of the resource that vmcp is, if it is served at this path.
    pub(crate) fn metadata(&self, path: &str) -> Option<Bytes> {
        match &self.way {
            Way::Open(_) => None,
            Way::Tokens(tokens) => tokens.1.document(path),
            Way::Shut(signs) => signs.document(path),
        }
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

// === impl Way ===

impl Way {
    fn by_tokens(oidc: &Oidc, config: &Config) -> Self {
        let signs = Signs::new(oidc, &config.listen);
        match Verifier::new(oidc) {
            Ok(verifier) => Self::Tokens(Box::new((verifier, signs))),
            Err(why) => {
                tracing::error!(%why, "callers cannot be verified, so none is served");
                Self::Shut(Box::new(signs))
            }
        }
    }
}

// === impl Asker ===

impl Asker {
    /// Who a call is made for. Allocates nothing.
    pub(crate) fn caller(&self) -> Caller {
        Caller { identity: Some(Arc::clone(&self.identity)), headers: self.headers.clone() }
    }
}

/// The token of an `Authorization` header (RFC 6750 §2.1). It is looked for nowhere else.
fn bearer(credential: Option<&str>) -> Result<&str, Reason> {
    let credential = credential.ok_or(Reason::Missing)?;
    let (scheme, token) = credential.split_once(' ').ok_or(Reason::Missing)?;
    let token = token.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Reason::Missing);
    }
    Ok(token)
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
