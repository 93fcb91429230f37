//! The token of a login, kept fresh.
//!
//! Whoever needs a token reads the store, since another process may have renewed it. Renewing is done under the
//! store's lock, by one of all processes of the machine: most issuers take a refresh token once, and see a thief in
//! whoever comes with it a second time. A refresh token is stored before it is used, and the renewal goes on to its end
//! even if everybody who waited for it has gone: a refresh token that nobody kept is a lost login.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::clock::Clock;
use super::grant::{self, Grant, Kept};
use super::reach::Reach;
use super::token::{self, Asking, Tokens};
use crate::digest::Digest;
use crate::{AuthFailure, Credential, CredentialKey, CredentialStore, Fetched, Form, OAuth, tasks};

/// Rejected tokens that are remembered.
const MAX_REJECTED: usize = 64;

/// The login of one backend.
pub(super) struct Renewal {
    pub(super) store: Arc<dyn CredentialStore>,
    pub(super) reach: Reach,
    pub(super) settings: OAuth,
    pub(super) kept: Kept,
    pub(super) backend: Arc<str>,
    pub(super) clock: Clock,
    /// Tokens that the backend refused although they should hold. Short sections only.
    pub(super) rejected: Mutex<VecDeque<Digest>>,
    /// What was gained but could not be stored, and the token that it takes the place of. Short sections only.
    pub(super) unkept: Mutex<Option<(Digest, Grant)>>,
}

// === impl Renewal ===

impl Renewal {
    /// A token that holds, renewed if needed. Goes on in a task of its own.
    pub(super) async fn token(self: Arc<Self>) -> Result<Fetched, AuthFailure> {
        let renewed = tasks::detached(async move { self.renewed().await }).await;
        let grant = renewed.unwrap_or_else(|| {
            Err(AuthFailure::Unavailable("the runtime is shutting down".to_owned()))
        })?;
        let lifetime = grant.0.lifetime(grant.1);
        Ok(Fetched { credential: Credential::bearer(&grant.0.access_token)?, lifetime })
    }

    /// The login that is stored; `None`: there is none.
    pub(super) async fn stored(&self) -> Result<Option<(CredentialKey, Grant)>, AuthFailure> {
        let stored = self.kept.find(&*self.store, |key| self.fits(key)).await;
        Ok(stored?.map(|(key, grant)| {
            let unkept = self.unkept.lock();
            let newer = unkept.as_ref().filter(|(replaced, _)| *replaced == grant.mark());
            let newer = newer.map(|(_, newer)| newer.clone());
            (key, newer.unwrap_or(grant))
        }))
    }

    /// Remembers that a backend refused a token.
    pub(super) fn reject(&self, mark: Digest) {
        let mut rejected = self.rejected.lock();
        if !rejected.contains(&mark) {
            if rejected.len() >= MAX_REJECTED {
                rejected.pop_front();
            }
            rejected.push_back(mark);
        }
    }

    /// Whether a backend refused this one.
    pub(super) fn is_rejected(&self, mark: Digest) -> bool {
        self.rejected.lock().contains(&mark)
    }

    /// What to tell whoever runs vmcp.
    pub(super) fn login_required(&self, why: &str) -> AuthFailure {
        let backend = &self.backend;
        AuthFailure::LoginRequired(format!("{why}; run: vmcp auth login {backend}"))
    }

    /// The same, with the scopes that the backend wants. They are its words: a command to copy has none that a shell
    /// could take for more than words.
    pub(super) fn login_required_for(&self, scopes: &str) -> AuthFailure {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ._:/+@-".contains(&byte);
        let backend = &self.backend;
        AuthFailure::LoginRequired(if scopes.bytes().all(plain) {
            format!(
                "the backend wants further scopes; run: vmcp auth login {backend} --scope \"{scopes}\""
            )
        } else {
            format!(
                "the backend wants the scopes {scopes}; log in with `vmcp auth login {backend}` and these as --scope"
            )
        })
    }

    async fn renewed(&self) -> Result<(Grant, u64), AuthFailure> {
        let now = self.clock.now();
        match self.stored().await? {
            Some((_, grant)) if self.is_good(&grant, now) => return Ok((grant, now)),
            Some(_) => {}
            None => return Err(self.login_required("nobody has logged in")),
        }
        let _lock = self.store.lock(&self.kept.lock_name()).await?;
        // Somebody else may have renewed it, or logged out, while this one waited.
        let now = self.clock.now();
        let Some((key, grant)) = self.stored().await? else {
            return Err(self.login_required("nobody has logged in"));
        };
        if self.is_good(&grant, now) {
            return Ok((grant, now));
        }
        // A refresh token is stored before it is used.
        self.keep(&key, None, &grant).await?;
        self.renew(&key, grant).await
    }

    async fn renew(
        &self,
        key: &CredentialKey,
        mut grant: Grant,
    ) -> Result<(Grant, u64), AuthFailure> {
        let Some(refresh_token) = grant.refresh_token.clone() else {
            return Err(self.login_required("the login has ended"));
        };
        let Some(client) = grant.client.authenticated(self.settings.client.as_ref()) else {
            return Err(self.login_required("the settings have another client than the login"));
        };
        let asking = Asking {
            reach: &self.reach,
            issuer: &key.issuer,
            at: &grant.token_endpoint,
            client: &client,
        };
        let form = Form::grant("refresh_token")
            .with_secret("refresh_token", refresh_token)
            .with("resource", grant.resource.as_str());
        let asked = token::ask(asking, form).await;
        let now = self.clock.now();
        match asked {
            Ok(Tokens { access, refresh, lifetime, scopes }) => {
                let replaced = grant.mark();
                grant.access_token = access;
                grant.refresh_token = refresh.or(grant.refresh_token);
                grant.issued_at = now;
                grant.expires_at = lifetime.map(|lifetime| now.saturating_add(lifetime.as_secs()));
                // RFC 6749, §6: nothing said means as before.
                grant.scopes = scopes.unwrap_or(grant.scopes);
                self.keep(key, Some(replaced), &grant).await?;
                Ok((grant, now))
            }
            Err(error) if token::is_spent(&error) => {
                // It will not be taken again, and trying would look like theft.
                grant.refresh_token = None;
                grant::put(&*self.store, key, &grant).await?;
                Err(self.login_required(&format!("the login has ended ({error})")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stores what was gained in place of a token. If that cannot be done, it is remembered here, and the failure is
    /// told. Requests may go with its access token then; its refresh token is not used before it is stored.
    async fn keep(
        &self,
        key: &CredentialKey,
        replaces: Option<Digest>,
        grant: &Grant,
    ) -> Result<(), AuthFailure> {
        if replaces.is_none() && self.unkept.lock().is_none() {
            return Ok(());
        }
        let outcome = grant::put(&*self.store, key, grant).await;
        let mut unkept = self.unkept.lock();
        match outcome {
            Ok(()) => *unkept = None,
            Err(error) => {
                if let Some(replaced) = replaces {
                    *unkept = Some((replaced, grant.clone()));
                }
                tracing::error!(backend = %self.backend, %error, "a renewed login cannot be stored");
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Whether a request can go with it. One that was rejected is replaced if it can be.
    fn is_good(&self, grant: &Grant, now: u64) -> bool {
        let replaceable = grant.refresh_token.is_some();
        grant.is_fresh(now) && !(replaceable && self.is_rejected(grant.mark()))
    }

    /// A login as the client, and at the issuer, that the settings name.
    fn fits(&self, key: &CredentialKey) -> bool {
        let client = self.settings.client.as_ref();
        let issuer = self.settings.issuer.as_ref();
        client.is_none_or(|client| client.id == key.client)
            && issuer.is_none_or(|issuer| super::discover::is_pinned(issuer.as_url(), &key.issuer))
    }
}
