//! A protected resource: a backend that wants a token of the provider (RFC 6750, RFC 9728).

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::backend::Builder;
use crate::idp::{IdentityProvider, Shared, merge};
use crate::record::Recorded;

/// Where the document of RFC 9728 is for a resource without a path.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Makes a backend want a Bearer token of a provider, and remembers who came. Clones are the same guard.
///
/// Without a token it answers 401 and points at its metadata document, which it serves itself; with a bad one 401
/// `invalid_token`; with one that lacks a scope 403 `insufficient_scope`.
#[derive(Clone)]
pub struct BearerGuard {
    provider: Arc<Shared>,
    /// Protects the rules, which may change while the backend runs, and the list of who came.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    audience: Audience,
    /// What needs which scope: a method, a method and a name, or everything (an empty text).
    scopes: Vec<(String, String)>,
    document: Value,
    place: Place,
    challenge: Option<Option<String>>,
    admitted: Vec<Admitted>,
    refused: Vec<String>,
}

#[derive(Default)]
enum Audience {
    #[default]
    Any,
    Resource,
    Named(String),
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Place {
    #[default]
    Path,
    Root,
    Nowhere,
}

/// A request that came through, with the principal that its token names.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The JSON-RPC method, or the HTTP method where there is none.
    pub method: String,
    /// The tool, prompt or resource it names.
    pub name: Option<String>,
    /// The token's `sub`.
    pub subject: String,
    /// All its claims.
    pub claims: Value,
    /// The token.
    pub token: String,
}

// === impl BearerGuard ===

impl BearerGuard {
    /// Accepts every token of this provider that holds.
    pub fn new(provider: &IdentityProvider) -> Self {
        let state = State { document: json!({}), ..State::default() };
        Self { provider: Arc::clone(&provider.shared), state: Arc::new(Mutex::new(state)) }
    }

    /// Accepts tokens for this audience only.
    #[must_use]
    pub fn audience(self, audience: &str) -> Self {
        self.state.lock().audience = Audience::Named(audience.to_owned());
        self
    }

    /// Accepts tokens whose audience is the backend's own URL only (RFC 8707), as MCP demands.
    #[must_use]
    pub fn audience_is_resource(self) -> Self {
        self.state.lock().audience = Audience::Resource;
        self
    }

    /// Wants this scope for a method (`tools/call`), a method and a name (`tools/call delete`), or for everything
    /// (an empty text).
    #[must_use]
    pub fn scope(self, what: &str, scope: &str) -> Self {
        self.require_scope(what, scope);
        self
    }

    /// The same while the backend runs.
    pub fn require_scope(&self, what: &str, scope: &str) {
        self.state.lock().scopes.push((what.to_owned(), scope.to_owned()));
    }

    /// Members for the metadata document that win over its own; `null` takes one away.
    #[must_use]
    pub fn document(self, members: impl Into<Value>) -> Self {
        merge(&mut self.state.lock().document, members.into());
        self
    }

    /// Serves its document at the root's well-known path and names it nowhere.
    #[must_use]
    pub fn document_at_root(self) -> Self {
        self.state.lock().place = Place::Root;
        self
    }

    /// Serves no document and names none.
    #[must_use]
    pub fn no_document(self) -> Self {
        self.state.lock().place = Place::Nowhere;
        self
    }

    /// Answers 401 and 403 with this `WWW-Authenticate`, or without one.
    #[must_use]
    pub fn challenge(self, challenge: Option<&str>) -> Self {
        self.state.lock().challenge = Some(challenge.map(str::to_owned));
        self
    }

    /// The requests that came through, in order.
    pub fn admitted(&self) -> Vec<Admitted> {
        self.state.lock().admitted.clone()
    }

    /// The subjects of the requests with this method that came through, in order.
    pub fn subjects(&self, method: &str) -> Vec<String> {
        let admitted = self.admitted().into_iter().filter(|one| one.method == method);
        admitted.map(|one| one.subject).collect()
    }

    /// Why requests did not come through, in order.
    pub fn refused(&self) -> Vec<String> {
        self.state.lock().refused.clone()
    }

    fn judge(&self, request: &Recorded) -> Option<Answer> {
        let host = request.header("host").unwrap_or_default();
        let path = request.path.split('?').next().unwrap_or_default();
        if let Some(of) = path.strip_prefix(WELL_KNOWN) {
            return Some(self.describe(host, of));
        }
        let mut state = self.state.lock();
        let answer = match self.admit(&state, request, &format!("http://{host}{path}")) {
            Ok(admitted) => {
                state.admitted.push(admitted);
                return None;
            }
            Err((status, error, text)) => {
                state.refused.push(text.clone());
                let challenge = match &state.challenge {
                    Some(given) => given.clone(),
                    None => Some(challenge(&state, host, path, &error, &text)),
                };
                (status, challenge)
            }
        };
        let (status, challenge) = answer;
        let answer = Answer::status(status);
        Some(match challenge {
            Some(challenge) => answer.header("www-authenticate", &challenge),
            None => answer,
        })
    }

    /// Who comes, or status, further members of the challenge, and a reason.
    fn admit(
        &self,
        state: &State,
        request: &Recorded,
        resource: &str,
    ) -> Result<Admitted, (u16, String, String)> {
        let body = request.json();
        let method = request.method.clone().unwrap_or_else(|| request.http_method.to_string());
        let name = ["name", "uri"].into_iter().find_map(|key| body["params"][key].as_str());
        let Some(header) = request.header("authorization") else {
            return Err((401, String::new(), format!("{method} without a token")));
        };
        let invalid = |text: String| (401, "error=\"invalid_token\"".to_owned(), text);
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err((401, String::new(), format!("scheme {scheme:?}")));
        }
        let audience = match &state.audience {
            Audience::Any => None,
            Audience::Resource => Some(resource),
            Audience::Named(name) => Some(name.as_str()),
        };
        let jwt = self.provider.verify(token, audience).map_err(invalid)?;
        let subject = jwt.claim("sub").unwrap_or_default().to_owned();
        let full = format!("{method} {}", name.unwrap_or_default());
        let had = jwt.claim("scope").unwrap_or_default();
        let needed =
            state.scopes.iter().filter(|(what, _)| [&method, &full, ""].contains(&what.as_str()));
        let needed: Vec<&str> = needed.map(|(_, scope)| scope.as_str()).collect();
        if !needed.iter().all(|scope| had.split(' ').any(|one| one == *scope)) {
            let error = format!("error=\"insufficient_scope\", scope=\"{}\"", needed.join(" "));
            return Err((403, error, format!("{full} needs {needed:?}, the token has {had:?}")));
        }
        let name = name.map(str::to_owned);
        Ok(Admitted { method, name, subject, claims: jwt.claims, token: token.to_owned() })
    }

    /// The document of RFC 9728 for the resource at this path.
    fn describe(&self, host: &str, path: &str) -> Answer {
        let state = self.state.lock();
        let served = match state.place {
            Place::Path => !path.is_empty(),
            Place::Root => path.is_empty(),
            Place::Nowhere => false,
        };
        if !served {
            return Answer::status(404);
        }
        let mut document = json!({
            "resource": format!("http://{host}{path}"),
            "authorization_servers": [self.provider.issuer()],
            "bearer_methods_supported": ["header"],
        });
        if !state.scopes.is_empty() {
            let scopes: Vec<&str> = state.scopes.iter().map(|(_, scope)| scope.as_str()).collect();
            document["scopes_supported"] = json!(scopes);
        }
        merge(&mut document, state.document.clone());
        if let Value::Object(members) = &mut document {
            members.retain(|_, value| !value.is_null());
        }
        Answer::http(200, "application/json", document.to_string())
    }
}

fn challenge(state: &State, host: &str, path: &str, error: &str, text: &str) -> String {
    let mut members = Vec::new();
    if state.place == Place::Path {
        members.push(format!("resource_metadata=\"http://{host}{WELL_KNOWN}{path}\""));
    }
    if !error.is_empty() {
        members.push(error.to_owned());
        members.push(format!("error_description=\"{}\"", text.replace(['"', '\\'], "'")));
    }
    format!("Bearer {}", members.join(", ")).trim_end().to_owned()
}

// === impl Builder ===

impl Builder {
    /// Wants a token: see [`BearerGuard`].
    #[must_use]
    pub fn bearer(self, guard: &BearerGuard) -> Self {
        let guard = guard.clone();
        self.guard(move |request| guard.judge(request))
    }
}
