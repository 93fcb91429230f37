//! What logins there are, and how they end.

use std::time::Duration;

use super::clock::Clock;
use super::error::LoginError;
use super::grant::{Grant, Kept};
use super::reach::Reach;
use super::token::{self, Asking};
use crate::{AuthContext, AuthTarget, Form, OAuth};

/// What is known of a backend's login. No secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginStatus {
    /// Who issued the token.
    pub issuer: String,
    /// The client that it was issued to.
    pub client: String,
    /// What it is for.
    pub resource: String,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// How long the token still holds; zero if it is over, `None` if the issuer did not say.
    pub lifetime: Option<Duration>,
    /// Whether it can be renewed without the user.
    pub renewable: bool,
}

/// What a logout did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logout {
    /// How many logins were forgotten; none if there was none.
    pub forgotten: usize,
    /// What became of them at their issuers.
    pub revocations: Vec<Revocation>,
}

/// What became of tokens at their issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// The issuer knows that they are over.
    Done {
        /// The issuer.
        issuer: String,
    },
    /// The issuer takes none back (RFC 7009): they hold until they end by themselves.
    NotOffered {
        /// The issuer.
        issuer: String,
    },
    /// The issuer was not told: they hold until they end by themselves.
    Failed {
        /// The issuer.
        issuer: String,
        /// Why.
        reason: String,
    },
}

/// The logins of a backend: one, or none. There are several only if a store was written by something else.
pub async fn logins(
    context: &AuthContext,
    target: &AuthTarget,
    settings: &OAuth,
) -> Result<Vec<LoginStatus>, LoginError> {
    let reach = Reach::new(context, target, settings)?;
    let kept = Kept::new(&target.backend, reach.server());
    let now = Clock::start().now();
    let mut found = Vec::new();
    for key in kept.keys(&*context.store).await? {
        if let Some((_, grant)) = kept.find(&*context.store, |one| *one == key).await? {
            found.push(LoginStatus {
                issuer: key.issuer,
                client: key.client,
                lifetime: grant.lifetime(now),
                renewable: grant.refresh_token.is_some(),
                resource: grant.resource,
                scopes: grant.scopes,
            });
        }
    }
    Ok(found)
}

/// Forgets the login of a backend, and tells its issuer where it wants to know (RFC 7009). It is forgotten whether
/// the issuer listens or not.
///
/// # Cancel safety
/// Dropping the future leaves it forgotten or not; tokens may be revoked already.
pub async fn logout(
    context: &AuthContext,
    target: &AuthTarget,
    settings: &OAuth,
) -> Result<Logout, LoginError> {
    let reach = Reach::new(context, target, settings)?;
    let store = &*context.store;
    let kept = Kept::new(&target.backend, reach.server());
    // A renewal that is under way ends first: what it gains is what has to be revoked.
    let _lock = store.lock(&kept.lock_name()).await?;
    let mut done = Logout { forgotten: 0, revocations: Vec::new() };
    for key in kept.keys(store).await? {
        // What cannot be read any more cannot be revoked; it is forgotten all the same.
        let grant = kept.find(store, |one| *one == key).await;
        if store.remove(&key).await? {
            done.forgotten += 1;
        }
        let issuer = key.issuer;
        done.revocations.push(match grant {
            Ok(Some((_, grant))) => revoke(&reach, settings, &grant, issuer).await,
            Ok(None) => continue,
            Err(error) => Revocation::Failed { issuer, reason: error.to_string() },
        });
    }
    Ok(done)
}

/// The refresh token first: with it, most issuers end what was issued for it.
async fn revoke(reach: &Reach, settings: &OAuth, grant: &Grant, issuer: String) -> Revocation {
    let Some(endpoint) = &grant.revocation_endpoint else {
        return Revocation::NotOffered { issuer };
    };
    let Some(client) = grant.client.authenticated(settings.client.as_ref()) else {
        let reason = "the settings have another client than the login".to_owned();
        return Revocation::Failed { issuer, reason };
    };
    let asking = Asking { reach, issuer: &issuer, at: endpoint, client: &client };
    let refresh = grant.refresh_token.as_ref().map(|token| ("refresh_token", token));
    let tokens = [refresh, Some(("access_token", &grant.access_token))];
    for (kind, token) in tokens.into_iter().flatten() {
        let form =
            Form::default().with_secret("token", token.clone()).with("token_type_hint", kind);
        if let Err(failure) = token::revoke(asking, form).await {
            return Revocation::Failed { issuer, reason: failure.to_string() };
        }
    }
    Revocation::Done { issuer }
}
