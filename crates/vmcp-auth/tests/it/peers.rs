//! Callers of an issuer, a backend that wants its tokens, and requests between them as a session sends them.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use serde_json::{Value, json};
use url::Url;
use vmcp_auth::{
    AuthContext, AuthError, AuthFailure, AuthTarget, ClientAuth, Credentials, Identity,
    OAuthClient, OutgoingAuth, OutgoingAuthRegistry, OutgoingRequest, Rejection, TokenExchange,
    TokenType, Verdict,
};
use vmcp_config::SafeUrl;
use vmcp_net::Fetch;
use vmcp_testkit::{Answer, Backend, BearerGuard, IdentityProvider, Recorded};

/// An issuer, and a backend that wants its tokens.
pub(crate) struct Peers {
    pub(crate) idp: IdentityProvider,
    pub(crate) guard: BearerGuard,
    pub(crate) backend: Backend,
    pub(crate) context: AuthContext,
}

/// How often a request was sent, and how the last time was answered.
pub(crate) type Sent = (StatusCode, usize);

// === impl Peers ===

impl Peers {
    /// An issuer that serves whoever comes.
    pub(crate) async fn start() -> Self {
        Self::of(IdentityProvider::start().await.unwrap()).await
    }

    pub(crate) async fn of(idp: IdentityProvider) -> Self {
        let guard = BearerGuard::new(&idp);
        // What comes after the token is of no interest here.
        let fine =
            || Answer::http(200, "application/json", r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
        let builder = Backend::builder().bearer(&guard).guard(move |_| Some(fine()));
        let backend = builder.start().await.unwrap();
        Self { idp, guard, backend, context: AuthContext::default() }
    }

    /// Settings that exchange tokens there.
    pub(crate) fn exchange(&self) -> TokenExchange {
        TokenExchange {
            token_url: url(&self.idp.token_url()),
            client: None,
            audience: Some("files".to_owned()),
            resources: Vec::new(),
            scopes: Vec::new(),
            subject_token_type: TokenType::AccessToken,
            requested_token_type: None,
            subject_provider: None,
            actor: None,
        }
    }

    /// Credentials for the backend. All of one `Peers` share their tokens.
    pub(crate) fn bind(&self, settings: &OutgoingAuth) -> Credentials {
        self.try_bind("files", settings).unwrap()
    }

    pub(crate) fn try_bind(
        &self,
        backend: &str,
        settings: &OutgoingAuth,
    ) -> Result<Credentials, AuthError> {
        let target = AuthTarget { url: Some(url(&self.backend.url())), ..AuthTarget::new(backend) };
        OutgoingAuthRegistry::with_context(self.context.clone()).resolve(&target, settings)
    }

    /// Credentials that exchange tokens with the usual settings.
    pub(crate) fn exchanging(&self) -> Credentials {
        self.bind(&OutgoingAuth::TokenExchange(self.exchange()))
    }

    /// A caller with a fresh token of the issuer.
    pub(crate) fn caller(&self, subject: &str) -> Identity {
        let token = self.idp.issue(subject, json!({})).unwrap();
        let identity = Identity::verified(self.idp.issuer(), subject, "{}");
        identity.with_token(token.into(), TokenType::AccessToken)
    }

    /// Sends a request as a session does: with credentials, and once more where the strategy wants it.
    pub(crate) async fn call(
        &self,
        credentials: &Credentials,
        identity: Option<&Identity>,
    ) -> Result<Sent, AuthError> {
        let uri: Uri = self.backend.url().parse().unwrap();
        let target = AuthTarget::new("session");
        let pool = self.context.http.pool(&target.configured(&url(&self.backend.url()))).unwrap();
        let who = identity.map_or("vmcp", Identity::subject);
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"who": who}});
        let body = Bytes::from(body.to_string());
        let mut times = 0;
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "application/json".parse().unwrap());
            headers.insert("accept", "application/json, text/event-stream".parse().unwrap());
            let request = OutgoingRequest {
                method: &Method::POST,
                uri: &uri,
                headers: &mut headers,
                body: &body,
            };
            let receipt = credentials.apply(request, identity).await?;
            let mut request = Request::post(uri.clone()).body(body.clone()).unwrap();
            *request.headers_mut() = headers;
            let bounds = Fetch::new(64 * 1024, vmcp_testkit::PATIENCE);
            let answer = pool.fetch(request, bounds).await.unwrap();
            times += 1;
            let status = answer.status();
            let rejection = Rejection { receipt: &receipt, status, headers: answer.headers() };
            if times > 1 || credentials.rejected(rejection, identity).await != Verdict::Retry {
                return Ok((status, times));
            }
        }
    }

    /// The same where nothing comes of it: nothing may have been sent.
    pub(crate) async fn fail(
        &self,
        credentials: &Credentials,
        identity: Option<&Identity>,
    ) -> AuthFailure {
        let before = self.backend.requests().len();
        let error = self.call(credentials, identity).await.unwrap_err();
        assert_eq!(self.backend.requests().len(), before, "{error}");
        assert!(error.to_string().starts_with("authentication failed for backend files: "));
        error.failure().unwrap().clone()
    }

    /// The only token request so far.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        let requests = self.idp.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests[0].form.clone()
    }

    /// The `Authorization` headers that the backend saw.
    pub(crate) fn presented(&self) -> Vec<Option<String>> {
        let header = |request: &Recorded| request.header("authorization").map(str::to_owned);
        self.backend.requests().iter().map(header).collect()
    }

    /// Checks everything the backend ever saw: each request came with a token of whoever it was made for.
    pub(crate) fn check_principals(&self) -> usize {
        let requests = self.backend.requests();
        for request in &requests {
            let header = request.header("authorization").unwrap();
            let claims = self.idp.verify(header.strip_prefix("Bearer ").unwrap()).unwrap();
            assert_eq!(claims["sub"], request.json()["params"]["who"]);
        }
        requests.len()
    }
}

pub(crate) const OK: StatusCode = StatusCode::OK;

pub(crate) fn url(text: &str) -> SafeUrl {
    SafeUrl::from(Url::parse(text).unwrap())
}

pub(crate) fn client(id: &str, auth: ClientAuth) -> OAuthClient {
    OAuthClient { id: id.to_owned(), auth }
}

pub(crate) fn basic(id: &str, secret: &str) -> OAuthClient {
    client(id, ClientAuth::Basic(secret.to_owned().into()))
}

/// The value of a form's only field of this name.
pub(crate) fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = form.iter().filter(|(field, _)| field == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} is there twice");
    value
}

/// A caller's claims with a chain of so many actors.
pub(crate) fn delegated(times: usize) -> Value {
    (0..times).fold(json!({"sub": "a"}), |inner, _| json!({"sub": "a", "act": inner}))
}
