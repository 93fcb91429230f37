//! Strategy `token_exchange`: the caller's token is exchanged for one that the backend takes (RFC 8693).
//!
//! Each caller has a token of its own there. What vmcp does for itself goes with a token of vmcp's own, if the client
//! has a secret or a key to ask for one, and else without any: never with a user's.

use secrecy::ExposeSecret;
use vmcp_config::{OAuthClient, OutgoingAuth, TokenExchange, TokenType};

use super::bearer::{self, Target};
use super::on_behalf::{Grant, OnBehalf};
use super::{AuthContext, AuthFailure, AuthTarget, Authenticator, Strategy};
use crate::{CallerToken, Fetched, Form, KeyParts, PlainHttp, TokenEndpoint};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Exchanges the caller's token.
pub(super) struct Exchange;

/// What an exchange needs.
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
        let exchange = Bound { endpoint, settings: settings.clone() };
        let users = |parts| user_key(parts, settings);
        Ok(Box::new(OnBehalf::new(&context.tokens, exchange, parts, itself, users)))
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

// === impl Bound ===

impl Grant for Bound {
    fn provider(&self) -> Option<&str> {
        self.settings.subject_provider.as_deref()
    }

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
