//! A backend behind AWS: it wants each request signed with keys that STS gave out.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::aws::{AwsSession, AwsShared, SigV4Scope, time, verify_sigv4};
use crate::backend::Builder;
use crate::record::Recorded;

/// How far a request's time may be from ours, in seconds.
const SKEW: u64 = 300;

/// Makes a backend want signed requests, and remembers who came. Clones are the same guard.
///
/// What it refuses gets a 403 with `x-amzn-errortype`, as from AWS.
#[derive(Clone)]
pub struct SigV4Guard {
    aws: Arc<AwsShared>,
    region: String,
    service: String,
    /// Protects the lists of who came and who did not.
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    signed: Vec<Signed>,
    refused: Vec<String>,
}

/// A request that came through.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The JSON-RPC method, or the HTTP method where there is none.
    pub method: String,
    /// Whose keys signed it.
    pub session: AwsSession,
    /// What the signature was for, and which headers it covers.
    pub scope: SigV4Scope,
}

// === impl SigV4Guard ===

impl SigV4Guard {
    pub(crate) fn new(aws: &Arc<AwsShared>, region: &str, service: &str) -> Self {
        Self {
            aws: Arc::clone(aws),
            region: region.to_owned(),
            service: service.to_owned(),
            seen: Arc::default(),
        }
    }

    /// The requests that came through, in order.
    pub fn signed(&self) -> Vec<Signed> {
        self.seen.lock().signed.clone()
    }

    /// The users behind the requests with this method that came through, in order.
    pub fn subjects(&self, method: &str) -> Vec<String> {
        let signed = self.signed().into_iter().filter(|one| one.method == method);
        signed.map(|one| one.session.subject).collect()
    }

    /// Why requests did not come through, in order: AWS's error type and a reason.
    pub fn refused(&self) -> Vec<String> {
        self.seen.lock().refused.clone()
    }

    fn judge(&self, request: &Recorded) -> Option<Answer> {
        match self.admit(request) {
            Ok(signed) => {
                self.seen.lock().signed.push(signed);
                None
            }
            Err((kind, reason)) => {
                self.seen.lock().refused.push(format!("{kind}: {reason}"));
                let body = json!({"__type": kind, "message": reason}).to_string();
                let answer = Answer::http(403, "application/json", body);
                let answer = answer.header("date", &time::http(self.aws.now()));
                Some(answer.header("x-amzn-errortype", kind))
            }
        }
    }

    fn admit(&self, request: &Recorded) -> Result<Signed, (&'static str, String)> {
        const WRONG: &str = "InvalidSignatureException";
        if request.header("authorization").is_none() {
            return Err(("MissingAuthenticationTokenException", "no Authorization".to_owned()));
        }
        let secret = |id: &str| self.aws.session(id).map(|session| session.secret);
        let Recorded { http_method, path, headers, body, .. } = request;
        let scope = verify_sigv4(http_method, path, headers, body, secret).map_err(|reason| {
            let unknown = reason.starts_with("unknown key");
            (if unknown { "UnrecognizedClientException" } else { WRONG }, reason)
        })?;
        if (scope.region.as_str(), scope.service.as_str()) != (&self.region, &self.service) {
            let text = format!("scope of {}/{}", scope.region, scope.service);
            return Err((WRONG, text));
        }
        let date = request.header("x-amz-date").and_then(time::parse_basic);
        let date = date.ok_or_else(|| (WRONG, "x-amz-date is no time".to_owned()))?;
        let off = date.abs_diff(self.aws.now());
        if off > SKEW {
            return Err((WRONG, format!("Signature expired: {off} s off")));
        }
        let session = self.aws.session(&scope.key_id);
        let session =
            session.ok_or_else(|| ("UnrecognizedClientException", scope.key_id.clone()))?;
        if request.header("x-amz-security-token") != Some(&session.token) {
            let text = "the security token included in the request is invalid".to_owned();
            return Err(("UnrecognizedClientException", text));
        }
        if session.expires <= Instant::now() {
            let text = "the security token included in the request is expired".to_owned();
            return Err(("ExpiredTokenException", text));
        }
        let method = request.method.clone().unwrap_or_else(|| request.http_method.to_string());
        Ok(Signed { method, session, scope })
    }
}

// === impl Builder ===

impl Builder {
    /// Wants signed requests: see [`SigV4Guard`].
    #[must_use]
    pub fn signed(self, guard: &SigV4Guard) -> Self {
        let guard = guard.clone();
        self.guard(move |request| guard.judge(request))
    }
}
