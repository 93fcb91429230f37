//! Strategy `xaa`: cross-application access, for a caller that its company's issuer knows and the backend's
//! authorization server trusts (draft-ietf-oauth-identity-assertion-authz-grant).
//!
//! Two steps, kept as one: the caller's ID token is exchanged at its issuer for an assertion (ID-JAG) that is meant for
//! the backend's authorization server, and that is exchanged there for an access token. Only the access token is kept:
//! assertions are for one use. What vmcp does for itself goes with a token of vmcp's own at the second server, if it has
//! a client with a secret or a key there, and else without.

use vmcp_config::{OAuthClient, OutgoingAuth, TokenType, Xaa};

use super::bearer::{self, Target};
use super::on_behalf::{Grant, OnBehalf};
use super::{AuthContext, AuthFailure, AuthTarget, Authenticator, Strategy};
use crate::{CallerToken, Fetched, Form, KeyParts, PlainHttp, TokenEndpoint};

mod id_jag;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Gets a token across two issuers.
pub(super) struct CrossApp;

/// What both steps need.
struct Steps {
    issuer: TokenEndpoint,
    target: TokenEndpoint,
    settings: Xaa,
    /// `target_resource`, as a list.
    resources: Vec<String>,
}

// === impl CrossApp ===

impl Strategy for CrossApp {
    fn name(&self) -> &str {
        "xaa"
    }

    fn bind(
        &self,
        target: &AuthTarget,
        settings: &OutgoingAuth,
        context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        let OutgoingAuth::Xaa(settings) = settings else {
            return Err("two token URLs and an audience are needed".to_owned());
        };
        if settings.target_audience.is_empty() {
            return Err("the issuer of the backend's authorization server is needed".to_owned());
        }
        if settings.subject_token_type != TokenType::IdToken {
            return Err("only an ID token can be exchanged".to_owned());
        }
        let endpoint = |url, client, plain| {
            TokenEndpoint::new(&context.http, &target.configured(url), url, client, plain)
        };
        let plain =
            if settings.insecure_target { PlainHttp::Anywhere } else { PlainHttp::Loopback };
        let (idp, own) = (settings.idp_client.as_ref(), settings.target_client.as_ref());
        let steps = Steps {
            issuer: endpoint(&settings.idp_token_url, idp, PlainHttp::Loopback)?,
            target: endpoint(&settings.target_token_url, own, plain)?
                .for_issuer(&settings.target_audience),
            resources: settings.target_resource.iter().cloned().collect(),
            settings: settings.clone(),
        };
        steps.at_target().check()?;
        let parts = steps.key(KeyParts::new(self.name(), &target.backend));
        let itself = own.is_some_and(OAuthClient::is_confidential);
        Ok(Box::new(OnBehalf::new(&context.tokens, steps, parts, itself, |users| users)))
    }
}

// === impl Steps ===

impl Steps {
    /// What the backend's authorization server is asked for without an assertion, which says it itself.
    fn at_target(&self) -> Target<'_> {
        Target { audience: None, resources: &self.resources, scopes: &self.settings.scopes }
    }

    fn key(&self, parts: KeyParts) -> KeyParts {
        let settings = &self.settings;
        let parts = parts
            .part(settings.idp_token_url.as_url().as_str())
            .part(settings.target_token_url.as_url().as_str())
            .part(&settings.target_audience)
            .optional(settings.subject_provider.as_deref());
        let parts = bearer::client_key(parts, settings.idp_client.as_ref());
        let parts = bearer::client_key(parts, settings.target_client.as_ref());
        self.at_target().key(parts)
    }
}

impl Grant for Steps {
    fn provider(&self) -> Option<&str> {
        self.settings.subject_provider.as_deref()
    }

    async fn for_itself(&self) -> Result<Fetched, AuthFailure> {
        bearer::client_credentials(&self.target, self.at_target()).await
    }

    async fn for_caller(&self, token: &CallerToken) -> Result<Fetched, AuthFailure> {
        let settings = &self.settings;
        // Draft §4.3.
        let form = Target { audience: Some(&settings.target_audience), ..self.at_target() }
            .add_to(Form::grant(EXCHANGE))
            .with("requested_token_type", TokenType::IdJag.as_urn())
            .with_secret("subject_token", token.secret().clone())
            .with("subject_token_type", settings.subject_token_type.as_urn());
        let given = self.issuer.ask(form).await?.issued_as(&[TokenType::IdJag.as_urn()])?;
        id_jag::check(&given, &settings.target_audience, settings.target_resource.as_deref())?;
        // Draft §4.4.
        let form = Form::grant(ASSERTION)
            .with_secret("assertion", given.access_token)
            .with_list("scope", &settings.scopes);
        bearer::fetched(&self.target.ask(form).await?.bearer()?)
    }
}
