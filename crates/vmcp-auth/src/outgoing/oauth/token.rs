//! The token endpoint of a login, and the one where tokens are given back.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;
use vmcp_config::SafeUrl;

use super::reach::Reach;
use crate::discovery;
use crate::{AuthFailure, Form, OAuthClient, PlainHttp, TokenEndpoint, TokenError};

/// What an issuer gave.
pub(super) struct Tokens {
    pub(super) access: SecretString,
    pub(super) refresh: Option<SecretString>,
    pub(super) lifetime: Option<Duration>,
    /// What was granted, if the issuer says it.
    pub(super) scopes: Option<Vec<String>>,
}

/// Whom to ask, as whom.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) reach: &'a Reach,
    /// The issuer whose endpoint it is.
    pub(super) issuer: &'a str,
    pub(super) at: &'a Url,
    pub(super) client: &'a OAuthClient,
}

/// Sends a grant.
pub(super) async fn ask(asking: Asking<'_>, form: Form) -> Result<Tokens, TokenError> {
    let answer = endpoint(asking)?.ask(form).await?.bearer()?;
    let list = |text: String| {
        let scopes = text.split_ascii_whitespace().filter(|scope| discovery::is_scope(scope));
        scopes.map(str::to_owned).collect()
    };
    Ok(Tokens {
        access: answer.access_token,
        refresh: answer.refresh_token,
        lifetime: answer.lifetime,
        scopes: answer.scope.map(list),
    })
}

/// Whether an issuer will not take a refresh token any more (RFC 6749, §5.2).
pub(super) fn is_spent(error: &TokenError) -> bool {
    error.code() == Some("invalid_grant")
}

/// Tells an issuer that a token is over (RFC 7009).
pub(super) async fn revoke(asking: Asking<'_>, form: Form) -> Result<(), AuthFailure> {
    endpoint(asking)?.tell(form).await.map_err(AuthFailure::from)
}

/// What a client signs is meant for the issuer: the endpoint's URL may be another one's too.
fn endpoint(asking: Asking<'_>) -> Result<TokenEndpoint, TokenError> {
    let Asking { reach, issuer, at, client } = asking;
    let (key, url) = (reach.key(at), SafeUrl::from(at.clone()));
    TokenEndpoint::new(reach.http(), &key, &url, Some(client), PlainHttp::Loopback)
        .map(|endpoint| endpoint.for_issuer(issuer))
        .map_err(TokenError::Unavailable)
}
