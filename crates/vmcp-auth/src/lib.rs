//! Who calls, and as whom vmcp calls a backend.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`identity`](Identity) | the caller, as the edge established it |
//! | [`caller`](Caller) | who a call is made for, as it travels with the call |
//! | [`outgoing`](OutgoingAuthRegistry) | the strategies that put credentials on a request to a backend |
//! | [`tokens`](TokenCache) | tokens that were got, and their being got once for all who wait |
//! | [`token_endpoint`](TokenEndpoint) | asking an issuer for a token |
//! | [`challenge`](Challenge) | what a backend that refuses a request asks for |
//! | [`discovery`](AuthorizationServer) | what servers publish about themselves |
//! | [`store`](CredentialStore) | credentials that outlive this process |
//!
//! Invariants: a caller's own token never becomes a backend's credential by itself (MCP forbids token
//! passthrough), and no error of this crate contains a secret; errors name the backend and the strategy.

mod caller;
mod identity;

mod outgoing;

mod token_endpoint;
mod tokens;

mod challenge;
mod discovery;
mod store;
mod tasks;

mod digest;
mod jwt;

pub use caller::Caller;
pub use challenge::Challenge;
pub use digest::Digest;
pub use discovery::{
    AuthorizationServer, DocumentError, MAX_DOCUMENT_BYTES, ProtectedResource, UrlProblem,
};
pub use identity::{CallerToken, Identity, IdentityKind};
pub use outgoing::{
    AuthContext, AuthError, AuthFailure, AuthTarget, Authenticating, Authenticator, BoxFuture,
    CredentialScope, Credentials, Interaction, Login, LoginError, LoginRequest, LoginStatus,
    Logout, OutgoingAuthRegistry, OutgoingRequest, Receipt, RegisterError, Rejection, Revocation,
    Strategy, Verdict, login, logins, logout,
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
