//! Strategy `client_credentials`: vmcp calls as itself, whoever calls vmcp (RFC 6749 §4.4).

use std::sync::Arc;

use vmcp_config::{ClientCredentials, OutgoingAuth};

use super::bearer::{self, Bearer, Target};
use super::{
    AuthContext, AuthTarget, Authenticating, Authenticator, BoxFuture, CredentialScope,
    OutgoingRequest, Rejection, Strategy, Verdict,
};
use crate::{Identity, KeyParts, PlainHttp, TokenEndpoint, TokenKey};

/// Gets a token for vmcp itself.
pub(super) struct Service;

struct Serving {
    bearer: Bearer,
    key: TokenKey,
    /// May be asked after the request is gone.
    grant: Arc<(TokenEndpoint, ClientCredentials)>,
}

// === impl Service ===

impl Strategy for Service {
    fn name(&self) -> &str {
        "client_credentials"
    }

    fn bind(
        &self,
        target: &AuthTarget,
        settings: &OutgoingAuth,
        context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        let OutgoingAuth::ClientCredentials(settings) = settings else {
            return Err("a token URL and a client are needed".to_owned());
        };
        wanted(settings).check()?;
        let client = Some(&settings.client);
        if !settings.client.is_confidential() {
            return Err("the client needs a secret or a key".to_owned());
        }
        let url = &settings.token_url;
        let key = target.configured(url);
        let endpoint = TokenEndpoint::new(&context.http, &key, url, client, PlainHttp::Loopback)?;
        let parts = KeyParts::new(self.name(), &target.backend).part(url.as_url().as_str());
        let parts = wanted(settings).key(bearer::client_key(parts, client));
        Ok(Box::new(Serving {
            bearer: Bearer::new(&context.tokens),
            key: parts.finish(),
            grant: Arc::new((endpoint, settings.clone())),
        }))
    }
}

fn wanted(settings: &ClientCredentials) -> Target<'_> {
    Target {
        audience: settings.audience.as_deref(),
        resources: &settings.resources,
        scopes: &settings.scopes,
    }
}

// === impl Serving ===

impl Authenticator for Serving {
    fn scope(&self) -> CredentialScope {
        CredentialScope::Shared
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        _identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        let grant = Arc::clone(&self.grant);
        self.bearer.authenticate(
            request.headers,
            self.key,
            || Ok(()),
            || async move { bearer::client_credentials(&grant.0, wanted(&grant.1)).await },
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
