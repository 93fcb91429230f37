//! Strategy `token_exchange`: the caller's token is exchanged for one that the backend takes (RFC 8693).
//!
//! Each caller has a token of its own there. What vmcp does for itself goes with a token of vmcp's own, if the client
//! has a secret or a key to ask for one, and else without any: never with a user's.

use std::sync::Arc;

use secrecy::ExposeSecret;
use vmcp_config::{OAuthClient, OutgoingAuth, TokenExchange, TokenType};

use super::bearer::{self, Bearer, Target};
use super::{
    AuthContext, AuthFailure, AuthTarget, Authenticating, Authenticator, BoxFuture,
    CredentialScope, OutgoingRequest, Rejection, Strategy, Verdict, subject,
};
use crate::{CallerToken, Fetched, Form, Identity, KeyParts, PlainHttp, TokenEndpoint, TokenKey};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Exchanges the caller's token.
pub(super) struct Exchange;

struct Exchanging {
    bearer: Bearer,
    exchange: Arc<Bound>,
    /// What every caller's token depends on.
    users: KeyParts,
    /// Of the token for vmcp itself, if it can ask for one.
    service: Option<TokenKey>,
}

/// What an exchange needs, that may go on after its request.
struct Bound {
    endpoint: TokenEndpoint,
    settings: TokenExchange,
}

// === impl Exchange ===

impl Strategy for Exchange {
    fn name(&self) -> &str {
        "token_exchange"
    }

    fn bind(
        &self,
        target: &AuthTarget,
        settings: &OutgoingAuth,
        context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        let OutgoingAuth::TokenExchange(settings) = settings else {
            return Err("a token URL is needed".to_owned());
        };
        wanted(settings).check()?;
        let url = &settings.token_url;
        let endpoint = TokenEndpoint::new(
            &context.http,
            &target.configured(url),
            url,
            settings.client.as_ref(),
            PlainHttp::Loopback,
        )?;
        let parts = KeyParts::new(self.name(), &target.backend).part(url.as_url().as_str());
        let parts = bearer::client_key(parts, settings.client.as_ref());
        let parts = wanted(settings).key(parts);
        let itself = settings.client.as_ref().is_some_and(OAuthClient::is_confidential);
        Ok(Box::new(Exchanging {
            bearer: Bearer::new(&context.tokens),
            service: itself.then(|| parts.clone().part("vmcp itself").finish()),
            users: user_key(parts.part("a caller"), settings),
            exchange: Arc::new(Bound { endpoint, settings: settings.clone() }),
        }))
    }
}

fn wanted(settings: &TokenExchange) -> Target<'_> {
    Target {
        audience: settings.audience.as_deref(),
        resources: &settings.resources,
        scopes: &settings.scopes,
    }
}

fn user_key(parts: KeyParts, settings: &TokenExchange) -> KeyParts {
    let actor = settings.actor.as_ref();
    parts
        .part(settings.subject_token_type.as_urn())
        .optional(settings.requested_token_type.as_ref().map(TokenType::as_urn))
        .optional(settings.subject_provider.as_deref())
        .optional(actor.map(|actor| actor.kind.as_urn()))
        .optional(actor.map(|actor| actor.token.expose_secret()))
}

// === impl Exchanging ===

impl Authenticator for Exchanging {
    fn scope(&self) -> CredentialScope {
        CredentialScope::PerCaller
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        let exchange = Arc::clone(&self.exchange);
        let Some(identity) = identity else {
            let Some(key) = self.service else { return bearer::without() };
            let fetch = || async move { exchange.for_itself().await };
            return self.bearer.authenticate(request.headers, key, || Ok(()), fetch);
        };
        let provider = self.exchange.settings.subject_provider.as_deref();
        let token = match subject::of(identity, provider) {
            Ok(token) => token,
            Err(failure) => return bearer::refused(failure),
        };
        self.bearer.authenticate(
            request.headers,
            subject::key(self.users.clone(), identity, token),
            || subject::check_delegation(identity, token),
            || {
                let token = token.clone();
                async move { exchange.for_caller(&token).await }
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

// === impl Bound ===

impl Bound {
    async fn for_itself(&self) -> Result<Fetched, AuthFailure> {
        bearer::client_credentials(&self.endpoint, wanted(&self.settings)).await
    }

    /// RFC 8693 §2.1.
    async fn for_caller(&self, token: &CallerToken) -> Result<Fetched, AuthFailure> {
        let settings = &self.settings;
        let requested = settings.requested_token_type.as_ref().map(TokenType::as_urn);
        let mut form = wanted(settings)
            .add_to(Form::grant(GRANT))
            .with_some("requested_token_type", requested)
            .with_secret("subject_token", token.secret().clone())
            .with("subject_token_type", settings.subject_token_type.as_urn());
        if let Some(actor) = &settings.actor {
            form = form
                .with_secret("actor_token", actor.token.clone())
                .with("actor_token_type", actor.kind.as_urn());
        }
        let response = self.endpoint.ask(form).await?.bearer()?;
        // Whatever was asked for, what comes is sent as an access token. Without a wish both names for one will do.
        let kinds = match requested {
            Some(requested) => vec![requested],
            None => vec![TokenType::AccessToken.as_urn(), TokenType::Jwt.as_urn()],
        };
        bearer::fetched(&response.issued_as(&kinds)?)
    }
}
