//! A backend that wants tokens, the issuer of those tokens, and a user who says yes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use serde_json::json;
use url::Url;
use vmcp_auth::{
    AuthContext, AuthError, AuthTarget, CredentialStore, Credentials, Interaction, Login,
    LoginError, LoginRequest, OAuth, OutgoingAuth, OutgoingAuthRegistry, OutgoingRequest,
    Rejection, Verdict, login,
};
use vmcp_net::Client;
use vmcp_testkit::{Backend, BearerGuard, Builder, IdentityProvider, RawClient};

/// Where users come back to; nobody listens there.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// A backend called `notes`, and who may log in to it.
pub(crate) struct World {
    pub(crate) idp: IdentityProvider,
    pub(crate) guard: BearerGuard,
    pub(crate) backend: Backend,
    pub(crate) context: AuthContext,
    pub(crate) target: AuthTarget,
    pub(crate) settings: OAuth,
}

/// How a request ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was not sent, or what the strategy says about its rejection.
    Failed(String),
    /// With this status, after so many times.
    Answered(StatusCode, usize),
}

// === impl World ===

impl World {
    /// A backend that wants tokens for itself.
    pub(crate) async fn new() -> Self {
        let idp = IdentityProvider::builder().start().await.unwrap();
        let guard = BearerGuard::new(&idp).audience_is_resource();
        Self::of(idp, guard).await
    }

    pub(crate) async fn of(idp: IdentityProvider, guard: BearerGuard) -> Self {
        let builder = Backend::builder().no_session_id().bearer(&guard);
        Self::with(idp, guard, builder).await
    }

    pub(crate) async fn with(idp: IdentityProvider, guard: BearerGuard, builder: Builder) -> Self {
        let backend = builder.start().await.unwrap();
        let mut target = AuthTarget::new("notes");
        target.url = Some(Url::parse(&backend.url()).unwrap().into());
        let (context, settings) = (AuthContext::default(), OAuth::default());
        Self { idp, guard, backend, context, target, settings }
    }

    /// Keeps what logins gain there.
    pub(crate) fn store(mut self, store: impl CredentialStore + 'static) -> Self {
        self.context.store = Arc::new(store);
        self
    }

    /// Logs in, with a user who says yes.
    pub(crate) async fn login(&self) -> Result<Login, LoginError> {
        self.login_as(&user()).await
    }

    pub(crate) async fn login_as(&self, interaction: &Interaction) -> Result<Login, LoginError> {
        self.login_for(interaction, &[]).await
    }

    pub(crate) async fn login_for(
        &self,
        interaction: &Interaction,
        scopes: &[String],
    ) -> Result<Login, LoginError> {
        let (target, settings) = (&self.target, &self.settings);
        login(
            &self.context,
            LoginRequest { target, settings, interaction, challenge: None, scopes },
        )
        .await
    }

    /// Credentials in this process.
    pub(crate) fn credentials(&self) -> Credentials {
        bind(&self.context, &self.target, &self.settings)
    }

    /// Credentials in another process that shares the store.
    pub(crate) fn elsewhere(&self) -> Credentials {
        let store = Arc::clone(&self.context.store);
        let context = AuthContext { store, ..AuthContext::default() };
        bind(&context, &self.target, &self.settings)
    }

    /// Sends a request as a session does: credentials, and once more where the strategy wants it.
    pub(crate) async fn call(&self, credentials: &Credentials, method: &str) -> Outcome {
        call(&self.context.http, &self.target, credentials, method).await
    }

    /// The text of the only failure that is expected.
    pub(crate) async fn failure(&self, credentials: &Credentials, method: &str) -> String {
        match self.call(credentials, method).await {
            Outcome::Failed(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Lets time pass for tokens.
    pub(crate) async fn pass(&self, time: std::time::Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether the guard let it through. What the backend makes of it then does not matter here.
    pub(crate) fn is_fine(&self) -> bool {
        matches!(self, Self::Answered(status, _) if !matches!(status.as_u16(), 401 | 403))
    }
}

/// A user who says yes at once.
pub(crate) fn user() -> Interaction {
    Interaction::new(Url::parse(REDIRECT).unwrap(), |url| async move { follow(url).await })
}

/// The same, who counts.
pub(crate) fn counted() -> (Interaction, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let interaction = Interaction::new(Url::parse(REDIRECT).unwrap(), move |url| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { follow(url).await }
    });
    (interaction, count)
}

/// A user who comes back with something else than what the server said.
pub(crate) fn tampering(change: fn(&str) -> String) -> Interaction {
    Interaction::new(Url::parse(REDIRECT).unwrap(), move |url| async move {
        let answer = follow(url).await?;
        Url::parse(&change(answer.as_str())).map_err(|error| error.to_string())
    })
}

/// Opens the URL, and gives where it leads.
pub(crate) async fn follow(url: Url) -> Result<Url, String> {
    let client = RawClient::new(url.as_str()).map_err(|error| error.to_string())?;
    let reply = client.send(Method::GET, &[], Bytes::new()).await;
    let mut reply = reply.map_err(|error| error.to_string())?;
    match reply.header("location") {
        Some(location) => Url::parse(location).map_err(|error| error.to_string()),
        None => Err(format!("the page says {:?}", reply.bytes().await)),
    }
}

pub(crate) fn bind(context: &AuthContext, target: &AuthTarget, settings: &OAuth) -> Credentials {
    let registry = OutgoingAuthRegistry::with_context(context.clone());
    registry.resolve(target, &OutgoingAuth::OAuth(settings.clone())).unwrap()
}

async fn call(
    http: &Client,
    target: &AuthTarget,
    credentials: &Credentials,
    method: &str,
) -> Outcome {
    let url = target.url.as_ref().unwrap();
    let pool = http.pool(&target.configured(url)).unwrap();
    let uri: Uri = url.as_url().as_str().parse().unwrap();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}).to_string();
    let body = Bytes::from(body);
    let told = |error: AuthError| Outcome::Failed(error.to_string());
    for times in 1.. {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("accept", "application/json, text/event-stream".parse().unwrap());
        let request = OutgoingRequest {
            method: &Method::POST,
            uri: &uri,
            headers: &mut headers,
            body: &body,
        };
        let receipt = match credentials.apply(request, None).await {
            Ok(receipt) => receipt,
            Err(error) => return told(error),
        };
        let mut request = Request::post(uri.clone()).body(body.clone()).unwrap();
        *request.headers_mut() = headers;
        let answer = pool.send(request).await.unwrap();
        let status = answer.status();
        if times > 1 {
            return Outcome::Answered(status, times);
        }
        let rejection = Rejection { receipt: &receipt, status, headers: answer.headers() };
        match credentials.rejected(rejection, None).await {
            Verdict::Retry => {}
            Verdict::Final(Some(error)) => return told(error),
            Verdict::Final(None) => return Outcome::Answered(status, times),
        }
    }
    unreachable!("it returns")
}
