//! The clients that the provider knows, and how they prove who they are (RFC 6749 §2.3, RFC 7523 §2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::idp::answer::Outcome;
use crate::idp::jwt::Jwt;
use crate::idp::key::SigningKey;
use crate::idp::ledger::IdpRequest;
use crate::idp::{Shared, form};

/// What `client_assertion_type` must say.
pub(crate) const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client as the provider has it on file.
#[derive(Clone, Debug)]
pub struct IdpClient {
    pub(crate) id: String,
    pub(crate) proof: Proof,
    pub(crate) grants: Option<Vec<String>>,
    pub(crate) redirects: Vec<String>,
}

/// How it authenticates.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    None,
    Basic(String),
    Post(String),
    Key(SigningKey),
}

// === impl IdpClient ===

impl IdpClient {
    fn new(id: &str, proof: Proof) -> Self {
        Self { id: id.to_owned(), proof, grants: None, redirects: Vec::new() }
    }

    /// A public client: it says its id and proves nothing.
    pub fn public(id: &str) -> Self {
        Self::new(id, Proof::None)
    }

    /// A client with a password that comes in an `Authorization: Basic` header and nowhere else.
    pub fn basic(id: &str, secret: &str) -> Self {
        Self::new(id, Proof::Basic(secret.to_owned()))
    }

    /// A client with a password that comes in the form and nowhere else.
    pub fn post(id: &str, secret: &str) -> Self {
        Self::new(id, Proof::Post(secret.to_owned()))
    }

    /// A client that signs assertions with this key.
    pub fn private_key_jwt(id: &str, key: &SigningKey) -> Self {
        Self::new(id, Proof::Key(key.clone()))
    }

    /// May use these grants only (short names, as in [`IdpRequest::grant`]).
    #[must_use]
    pub fn grants<'a>(mut self, grants: impl IntoIterator<Item = &'a str>) -> Self {
        self.grants = Some(grants.into_iter().map(str::to_owned).collect());
        self
    }

    /// May be redirected to this URI; a loopback one with any port (RFC 8252 §7.3).
    #[must_use]
    pub fn redirect_uri(mut self, uri: &str) -> Self {
        self.redirects.push(uri.to_owned());
        self
    }
}

/// What a request says about its client.
pub(crate) struct Claimed {
    pub(crate) id: Option<String>,
    pub(crate) method: &'static str,
    secret: Option<String>,
    problem: Option<String>,
}

// === impl Claimed ===

impl Claimed {
    /// Reads the claim without judging it.
    pub(crate) fn read(authorization: Option<&str>, fields: &[(String, String)]) -> Self {
        let field = |name: &str| {
            fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
        };
        let mut claimed =
            Self { id: field("client_id"), method: "none", secret: None, problem: None };
        let mut methods = Vec::new();
        if let Some(secret) = field("client_secret") {
            methods.push("post");
            claimed.secret = Some(secret);
        }
        if let Some(assertion) = field("client_assertion") {
            methods.push("private_key_jwt");
            let subject =
                Jwt::parse(&assertion).ok().and_then(|jwt| jwt.claim("sub").map(str::to_owned));
            claimed.agree(subject);
            claimed.secret = Some(assertion);
        }
        if let Some(authorization) = authorization {
            methods.push("basic");
            match basic(authorization) {
                Ok((id, secret)) => {
                    claimed.agree(Some(id));
                    claimed.secret = Some(secret);
                }
                Err(problem) => claimed.problem = Some(problem),
            }
        }
        claimed.method = methods.last().copied().unwrap_or("none");
        if methods.len() > 1 {
            claimed.problem = Some(format!("more than one way to authenticate: {methods:?}"));
        }
        claimed
    }

    /// Takes the id that a proof names; another in the form is a problem.
    fn agree(&mut self, id: Option<String>) {
        if let (Some(id), Some(other)) = (&id, &self.id)
            && id != other
        {
            self.problem = Some(format!("client_id {other:?} in the form, {id:?} in the proof"));
        }
        self.id = id.or(self.id.take());
    }
}

/// Id and password of a Basic header, each of which is form-encoded inside (RFC 6749 §2.3.1).
fn basic(authorization: &str) -> Result<(String, String), String> {
    let (scheme, token) = authorization.split_once(' ').unwrap_or((authorization, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(format!("authorization scheme {scheme:?} at the token endpoint"));
    }
    let bytes = STANDARD.decode(token.trim()).map_err(|_| "Basic is not base64".to_owned())?;
    let text = String::from_utf8(bytes).map_err(|_| "Basic is not UTF-8".to_owned())?;
    let (id, secret) = text.split_once(':').ok_or("Basic has no colon")?;
    Ok((form::decode(id)?, form::decode(secret)?))
}

/// The authenticated client of a request; `None` where nobody need say who they are.
pub(crate) fn authenticate(
    shared: &Shared,
    request: &IdpRequest,
) -> Result<Option<IdpClient>, Outcome> {
    let authorization = request.header("authorization");
    let claimed = Claimed::read(authorization, &request.form);
    let refuse = |text: String| {
        let refusal = Outcome::error(401, "invalid_client", text);
        match authorization {
            Some(_) => refusal.header("www-authenticate", "Basic realm=\"token\""),
            None => refusal,
        }
    };
    if let Some(problem) = claimed.problem {
        return Err(match claimed.method {
            "basic" => refuse(problem),
            _ => Outcome::error(400, "invalid_request", problem),
        });
    }
    let Some(id) = claimed.id else {
        let anonymous = shared.script.lock().anonymous && claimed.secret.is_none();
        return anonymous.then_some(None).ok_or_else(|| refuse("no client_id".to_owned()));
    };
    let known = shared.script.lock().clients.iter().find(|client| client.id == id).cloned();
    let Some(client) = known else { return Err(refuse(format!("unknown client {id:?}"))) };
    let secret = claimed.secret.unwrap_or_default();
    let proven = match (&client.proof, claimed.method) {
        (Proof::None, "none") => Ok(()),
        (Proof::Basic(expected), "basic") | (Proof::Post(expected), "post") => {
            (*expected == secret).then_some(()).ok_or_else(|| "wrong client secret".to_owned())
        }
        (Proof::Key(key), "private_key_jwt") => assertion(shared, request, &id, key, &secret),
        (_, method) => Err(format!("client {id:?} may not authenticate by {method}")),
    };
    proven.map(|()| Some(client)).map_err(refuse)
}

/// Checks a signed assertion (RFC 7523 §3).
fn assertion(
    shared: &Shared,
    request: &IdpRequest,
    id: &str,
    key: &SigningKey,
    token: &str,
) -> Result<(), String> {
    let kind = request.field("client_assertion_type");
    if kind != Some(ASSERTION) {
        return Err(format!("client_assertion_type is {kind:?}"));
    }
    let jwt = Jwt::parse(token)?;
    jwt.verify(key)?;
    jwt.check_time(shared.clock.now())?;
    if jwt.claim("iss") != Some(id) || jwt.claim("sub") != Some(id) {
        return Err("iss and sub of a client assertion are the client's id".to_owned());
    }
    if !jwt.is_for(&shared.issuer()) && !jwt.is_for(&shared.url("/token")) {
        return Err(format!("the client assertion is for {}", jwt.claims["aud"]));
    }
    let jti = jwt.claim("jti").ok_or("the client assertion has no jti")?;
    if !shared.state.lock().assertions.insert(jti.to_owned()) {
        return Err(format!("client assertion {jti:?} was used before"));
    }
    Ok(())
}
