//! A backend that knows its callers, the issuer of their tokens, and the callers.

use std::sync::Arc;

use vmcp_auth::{Caller, Identity, OutgoingAuth, TokenExchange, TokenType};
use vmcp_backend::{BackendTarget, CallContext, Connector, Session};
use vmcp_testkit::{Answer, Backend, BearerGuard, Builder, IdentityProvider};

use crate::rig::{connector, hello, streamable, url, with_tool};

/// A backend that takes tokens for the audience `b` only, and the provider that gives them.
pub(crate) struct World {
    pub(crate) idp: IdentityProvider,
    pub(crate) guard: BearerGuard,
    pub(crate) backend: Backend,
    pub(crate) connector: Connector,
    pub(crate) target: Arc<BackendTarget>,
}

impl World {
    pub(crate) async fn new(answer: Answer) -> Self {
        Self::of(with_tool(answer)).await
    }

    pub(crate) async fn of(builder: Builder) -> Self {
        let idp = IdentityProvider::start().await.unwrap();
        let guard = BearerGuard::new(&idp).audience("b").no_document();
        let backend = builder.bearer(&guard).start().await.unwrap();
        let mut target = streamable(&backend.url());
        target.auth = OutgoingAuth::TokenExchange(exchange(&idp));
        Self { idp, guard, backend, connector: connector(), target: Arc::new(target) }
    }

    /// A caller with a token of its own; another one each time, as after another login.
    pub(crate) fn caller(&self, subject: &str) -> Caller {
        let token = self.idp.issue(subject, serde_json::json!({})).unwrap();
        let identity = Identity::verified(self.idp.issuer(), subject, "{}");
        Caller::from(identity.with_token(token.into(), TokenType::AccessToken))
    }

    pub(crate) async fn open(&self, caller: Caller) -> Session {
        self.connector.open(&self.target, caller, hello(), None).await.unwrap()
    }

    /// Whose token each call of a tool had.
    pub(crate) fn callers(&self) -> Vec<String> {
        self.guard.subjects("tools/call")
    }

    pub(crate) fn exchanges(&self) -> usize {
        self.idp.count("token_exchange")
    }

    /// Takes back the token that the backend saw last: it refuses it from now on.
    pub(crate) fn revoke_last(&self) {
        self.idp.revoke(&self.guard.admitted().last().unwrap().token);
    }
}

/// The handle for calls of `caller`.
pub(crate) fn of(session: &Session, caller: &Caller) -> Session {
    session.with(CallContext::of(caller.clone()))
}

pub(crate) fn exchange(idp: &IdentityProvider) -> TokenExchange {
    TokenExchange {
        token_url: url(&idp.token_url()),
        client: None,
        audience: Some("b".to_owned()),
        resources: Vec::new(),
        scopes: Vec::new(),
        subject_token_type: TokenType::AccessToken,
        requested_token_type: None,
        subject_provider: None,
        actor: None,
    }
}
