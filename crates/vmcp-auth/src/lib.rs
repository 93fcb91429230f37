//! Who calls, and as whom vmcp calls a backend.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`identity`](Identity) | the caller, as the edge established it |
//! | [`caller`](Caller) | who a call is made for, as it travels with the call |
//! | [`incoming`](Verifier) | whether a caller's token is good for vmcp |
//! | [`policy`](Policy) | what callers may do |
//! | [`outgoing`](OutgoingAuthRegistry) | the strategies that put credentials on a request to a backend |
//! | [`tokens`](TokenCache) | tokens that were got, and their being got once for all who wait |
//! | [`token_endpoint`](TokenEndpoint) | asking an issuer for a token |
//! | [`challenge`](Challenge) | what a backend that refuses a request asks for |
//! | [`discovery`](AuthorizationServer) | what servers publish about themselves |
//! | [`store`](CredentialStore) | credentials that outlive this process |
//!
//! Invariants: a caller's own token never becomes a backend's credential by itself (MCP forbids token
//! passthrough), and no error of this crate contains a secret; errors name the backend and the strategy.
//!
//! # The life of a credential
//!
//! 1. A backend is connected: [`OutgoingAuthRegistry::resolve`] finds the [`Strategy`] that its [`OutgoingAuth`]
//!    names and binds it. Settings that cannot work are an error now; nothing is dialled.
//! 2. Each HTTP request of each session: [`Credentials::apply`] has the bound [`Authenticator`] change the
//!    request's headers, in the name of the caller of this request. An error means that nothing was sent.
//! 3. The backend answers 401 or 403: [`Credentials::rejected`] says whether the request is worth a second attempt with
//!    other credentials. There is never a third.
//!
//! # Adding a strategy
//!
//! A strategy is a [`Strategy`] that is registered under its name, and an [`Authenticator`] that it makes for each
//! backend. An embedder's settings come as raw JSON in [`OutgoingAuth::Custom`]. The strategies that vmcp brings are
//! made of the same parts, each in a file of `src/outgoing/`. What to decide:
//!
//! - **Whose credentials?** [`Authenticator::scope`]: [`CredentialScope::PerCaller`] if they depend on who calls. Then
//!   what the backend says to one caller is never shown to another.
//! - **What goes with vmcp's own requests?** [`Authenticator::authenticate`] is called without an identity for probes and
//!   listings: vmcp's own credentials or none, never a user's.
//! - **Can it be known at once?** Then return [`Authenticating::Ready`], which costs nothing. Otherwise
//!   [`Authenticating::later`], and get what is needed through the [`TokenCache`]: it gets a token once for all who
//!   wait, within a deadline, keeps it as long as it holds, and forgets it when it is rejected.
//! - **What makes a token the same as another?** Everything that the issuer's answer depends on goes into the
//!   [`TokenKey`]: for a caller's token its issuer, its subject, and the [digest](CallerToken::digest) of the token that
//!   it called with, so that a refreshed one counts at once.
//! - **What if the backend refuses?** [`Authenticator::rejected`]: evict exactly the token of the [`Receipt`], and say
//!   [`Verdict::Retry`] if there can be another one.
//!
//! Secrets stay in [`SecretString`](secrecy::SecretString) or [`Credential`]; a reason that is returned as text never
//! contains one. What is wrong with settings is said by [`Strategy::bind`], which dials nothing.
//!
//! A strategy that gets a token for each caller from an HTTP service of its own:
//!
//! ```
//! use std::sync::Arc;
//! use vmcp_auth::{
//!     AuthContext, AuthTarget, Authenticating, Authenticator, BoxFuture, Credential, CredentialScope, Custom,
//!     Fetched, Form, Identity, KeyParts, OutgoingAuth, OutgoingAuthRegistry, OutgoingRequest, PlainHttp, Receipt,
//!     Rejection, Strategy, TokenCache, TokenEndpoint, Verdict,
//! };
//!
//! struct Vouchers;
//!
//! struct Bound {
//!     endpoint: Arc<TokenEndpoint>,
//!     tokens: TokenCache,
//!     key: KeyParts,
//! }
//!
//! impl Strategy for Vouchers {
//!     fn name(&self) -> &str {
//!         "vouchers"
//!     }
//!
//!     fn bind(
//!         &self,
//!         target: &AuthTarget,
//!         settings: &OutgoingAuth,
//!         context: &AuthContext,
//!     ) -> Result<Box<dyn Authenticator>, String> {
//!         let OutgoingAuth::Custom(custom) = settings else { return Err("a URL is needed".into()) };
//!         let url: String = serde_json::from_str(&custom.settings).map_err(|error| error.to_string())?;
//!         let url = url::Url::parse(&url).map_err(|error| error.to_string())?.into();
//!         let pool = target.configured(&url);
//!         let endpoint = TokenEndpoint::new(&context.http, &pool, &url, None, PlainHttp::Loopback)?;
//!         let key = KeyParts::new(self.name(), &target.backend).part(url.as_url().as_str());
//!         Ok(Box::new(Bound { endpoint: Arc::new(endpoint), tokens: context.tokens.clone(), key }))
//!     }
//! }
//!
//! impl Authenticator for Bound {
//!     fn scope(&self) -> CredentialScope {
//!         CredentialScope::PerCaller
//!     }
//!
//!     fn authenticate<'a>(
//!         &'a self,
//!         request: OutgoingRequest<'a>,
//!         identity: Option<&'a Identity>,
//!     ) -> Authenticating<'a> {
//!         let Some(identity) = identity else { return Authenticating::Ready(Ok(Receipt::none())) };
//!         let key = self.key.clone().part(identity.issuer()).part(identity.subject()).finish();
//!         if let Some(token) = self.tokens.held(key) {
//!             token.credential.put_on(request.headers);
//!             return Authenticating::Ready(Ok(token.receipt));
//!         }
//!         Authenticating::later(async move {
//!             let (endpoint, subject) = (Arc::clone(&self.endpoint), identity.subject().to_owned());
//!             let fetch = || async move {
//!                 let given = endpoint.ask(Form::grant("voucher").with("for", subject)).await?.bearer()?;
//!                 let credential = Credential::bearer(&given.access_token)?;
//!                 Ok(Fetched { credential, lifetime: given.lifetime })
//!             };
//!             let token = self.tokens.get(key, fetch).await?;
//!             token.credential.put_on(request.headers);
//!             Ok(token.receipt)
//!         })
//!     }
//!
//!     fn rejected<'a>(&'a self, rejection: Rejection<'a>, _: Option<&'a Identity>) -> BoxFuture<'a, Verdict> {
//!         Box::pin(async move {
//!             if rejection.status != 401 || rejection.receipt.used().is_none() {
//!                 return Verdict::Final(None);
//!             }
//!             self.tokens.evict(rejection.receipt);
//!             Verdict::Retry
//!         })
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut registry = OutgoingAuthRegistry::new();
//! registry.register(Arc::new(Vouchers))?;
//! let settings = r#""https://vouchers.example/get""#.into();
//! let settings = OutgoingAuth::Custom(Custom { strategy: "vouchers".to_owned(), settings });
//! let credentials = registry.resolve(&AuthTarget::new("files"), &settings)?;
//! assert_eq!(credentials.scope(), CredentialScope::PerCaller);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/custom_strategy.rs` is a whole one that needs to ask nobody.

mod caller;
mod identity;
mod incoming;
mod policy;

mod outgoing;

mod token_endpoint;
mod tokens;

mod challenge;
mod discovery;
mod store;
mod tasks;

mod digest;
mod jwt;
mod wall_clock;

pub use caller::Caller;
pub use challenge::Challenge;
pub use digest::Digest;
pub use discovery::{
    AuthorizationServer, DocumentError, MAX_DOCUMENT_BYTES, ProtectedResource, UrlProblem,
};
pub use identity::{CallerToken, Identity, IdentityKind};
pub use incoming::{Denied, Verifier};
pub use outgoing::{
    AuthContext, AuthError, AuthFailure, AuthTarget, Authenticating, Authenticator, BoxFuture,
    CredentialScope, Credentials, Interaction, Login, LoginError, LoginRequest, LoginStatus,
    Logout, OutgoingAuthRegistry, OutgoingRequest, Receipt, RegisterError, Rejection, Revocation,
    Strategy, Verdict, login, logins, logout,
};
pub use policy::{
    Decision, Hints, Judgement, Policy, PolicyErrors, PolicyItem, PolicyKind, PolicyProblem,
    Standing, Subject, Why,
};
pub use store::{
    CredentialKey, CredentialStore, FileStore, MemoryStore, StoreError, StoreKey, StoreLock,
    Storing,
};
pub use token_endpoint::{Form, PlainHttp, TokenEndpoint, TokenError, TokenResponse};
pub use tokens::{AwsKeys, Credential, Fetched, HeldToken, KeyParts, TokenCache, TokenKey};
pub use vmcp_config::{
    ActorToken, AwsSts, ClientAuth, ClientCredentials, Custom, HeaderInjection, JwtAlgorithm,
    OAuth, OAuthClient, OutgoingAuth, RoleMapping, TokenExchange, TokenType, UpstreamInject, Xaa,
};
