//! What the strategies have in common that get each caller a token of its own, and vmcp another one.

use std::sync::Arc;

use super::bearer::{self, Bearer};
use super::{
    AuthFailure, Authenticating, Authenticator, BoxFuture, CredentialScope, OutgoingRequest,
    Rejection, Verdict, subject,
};
use crate::{CallerToken, Fetched, Identity, KeyParts, TokenCache, TokenKey};

/// How the tokens are got. It may go on after the request that it is for.
pub(super) trait Grant: Send + Sync + 'static {
    /// Where the caller has the token that stands for it; `None`: it is the one that it called with.
    fn provider(&self) -> Option<&str>;

    /// A token of vmcp's own.
    fn for_itself(&self) -> impl Future<Output = Result<Fetched, AuthFailure>> + Send;

    /// A token in the name of the caller whose token this is.
    fn for_caller(
        &self,
        token: &CallerToken,
    ) -> impl Future<Output = Result<Fetched, AuthFailure>> + Send;
}

/// Sends the tokens of a grant.
pub(super) struct OnBehalf<G> {
    bearer: Bearer,
    grant: Arc<G>,
    /// What every caller's token depends on.
    users: KeyParts,
    /// Of the token for vmcp itself, if it can ask for one.
    service: Option<TokenKey>,
}

// === impl OnBehalf ===

impl<G: Grant> OnBehalf<G> {
    /// Every token depends on `parts`, a caller's on what `users` adds too. `itself`: whether vmcp can ask for a token of
    /// its own.
    pub(super) fn new(
        tokens: &TokenCache,
        grant: G,
        parts: KeyParts,
        itself: bool,
        users: impl FnOnce(KeyParts) -> KeyParts,
    ) -> Self {
        Self {
            bearer: Bearer::new(tokens),
            grant: Arc::new(grant),
            service: itself.then(|| parts.clone().part("vmcp itself").finish()),
            users: users(parts.part("a caller")),
        }
    }
}

impl<G: Grant> Authenticator for OnBehalf<G> {
    fn scope(&self) -> CredentialScope {
        CredentialScope::PerCaller
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        let grant = Arc::clone(&self.grant);
        let Some(identity) = identity else {
            let Some(key) = self.service else { return bearer::without() };
            let fetch = || async move { grant.for_itself().await };
            return self.bearer.authenticate(request.headers, key, || Ok(()), fetch);
        };
        let token = match subject::of(identity, self.grant.provider()) {
            Ok(token) => token,
            Err(failure) => return bearer::refused(failure),
        };
        self.bearer.authenticate(
            request.headers,
            subject::key(self.users.clone(), identity, token),
            || subject::check_delegation(identity, token),
            || {
                let token = token.clone();
                async move { grant.for_caller(&token).await }
            },
        )
    }

    fn rejected<'a>(
        &'a self,
        rejection: Rejection<'a>,
        _identity: Option<&'a Identity>,
    ) -> BoxFuture<'a, Verdict> {
        self.bearer.rejected(rejection)
    }
}
