//! Strategy `oauth`: the client's side of the authorization of MCP (revisions 2025-03-26 to 2026-07-28).
//!
//! Whoever runs vmcp logs in once, in a browser ([`login()`]); requests then carry the token that was gained, which is
//! renewed as long as the issuer lets it. Everybody who calls through vmcp calls the backend as that user.
//!
//! A process that serves never fetches what a backend names and never sends a user anywhere: it uses what a login
//! stored, renews it where the login found it can be renewed, and says else who has to log in. A library user who
//! wants logins to happen on demand puts an [`Interaction`] into the [`AuthContext`]: then a backend that refuses a
//! request (401), or wants further scopes (403 `insufficient_scope`), makes one login come about, and the request is
//! sent once more.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `reach` | which addresses may be dialled for URLs that somebody else chose |
//! | `discover` | where tokens are to be had |
//! | `client` | who vmcp is there |
//! | `authorize` | the authorization request, and the check of its answer |
//! | `token` | the token endpoint |
//! | `grant` | what a login gained, in the store |
//! | `login` | all of these in order |
//! | `renew` | the token of a login, kept fresh |
//! | `logins` | what logins there are, and how they end |

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::WWW_AUTHENTICATE;
use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_config::OutgoingAuth;

use super::{
    AuthContext, AuthFailure, AuthTarget, Authenticating, Authenticator, BoxFuture,
    CredentialScope, OutgoingRequest, Receipt, Rejection, Strategy, Verdict,
};
use crate::digest::{Digest, digest};
use crate::discovery;
use crate::{Challenge, Credential, HeldToken, Identity, KeyParts, OAuth, TokenKey};

mod authorize;
mod client;
mod clock;
mod discover;
mod error;
mod grant;
mod interaction;
mod login;
mod logins;
mod reach;
mod renew;
mod token;

pub use error::LoginError;
pub use interaction::Interaction;
pub use login::{Login, LoginRequest, login};
pub use logins::{LoginStatus, Logout, Revocation, logins, logout};

use clock::Clock;
use grant::Kept;
use reach::Reach;
use renew::Renewal;

const NAME: &str = "oauth";
/// How long a backend without a login is not looked up again, as long as it does not complain.
const NO_LOGIN: Duration = Duration::from_secs(30);
/// How long a token that took the place of a rejected one has to do.
const REPLACED: Duration = Duration::from_secs(10);
/// Which tokens went with which receipts is remembered for so many.
const MAX_USED: usize = 64;

/// The strategy.
pub(super) struct Logins;

/// The strategy, bound to a backend.
struct Bound {
    context: AuthContext,
    target: AuthTarget,
    settings: OAuth,
    renewal: Arc<Renewal>,
    key: TokenKey,
    /// Until when there is no login to be expected. Short sections only.
    absent_until: Mutex<Option<Instant>>,
    /// Which token a receipt stands for; the newest last. Short sections only.
    used: Mutex<VecDeque<(Receipt, Digest)>>,
    /// The token that took the place of a rejected one, and until when it is not replaced in turn: a backend that
    /// rejects everything must not cost its issuer a renewal a request. Short sections only.
    replaced: Mutex<Option<(Digest, Instant)>>,
    /// Held by the one who sends the user somewhere.
    logging_in: tokio::sync::Mutex<()>,
}

// === impl Logins ===

impl Strategy for Logins {
    fn name(&self) -> &str {
        NAME
    }

    fn bind(
        &self,
        target: &AuthTarget,
        settings: &OutgoingAuth,
        context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        let OutgoingAuth::OAuth(settings) = settings else {
            return Err("the settings of a login are needed".to_owned());
        };
        let reach = Reach::new(context, target, settings).map_err(|error| error.to_string())?;
        let kept = Kept::new(&target.backend, reach.server());
        let key = KeyParts::new(NAME, &target.backend)
            .part(reach.server().as_str())
            .optional(settings.client.as_ref().map(|client| &client.id))
            .optional(settings.issuer.as_ref().map(|issuer| issuer.as_url().as_str()))
            .finish();
        Ok(Box::new(Bound {
            renewal: Arc::new(Renewal {
                store: Arc::clone(&context.store),
                reach,
                settings: settings.clone(),
                kept,
                backend: Arc::clone(&target.backend),
                clock: Clock::start(),
                rejected: Mutex::default(),
                unkept: Mutex::default(),
            }),
            context: context.clone(),
            target: target.clone(),
            settings: settings.clone(),
            key,
            absent_until: Mutex::new(None),
            used: Mutex::default(),
            replaced: Mutex::new(None),
            logging_in: tokio::sync::Mutex::new(()),
        }))
    }
}

// === impl Bound ===

impl Authenticator for Bound {
    fn scope(&self) -> CredentialScope {
        CredentialScope::Shared
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        _identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        if let Some(held) = self.context.tokens.held(self.key) {
            held.credential.put_on(request.headers);
            return Authenticating::Ready(Ok(held.receipt));
        }
        if self.goes_without() && self.absent_until.lock().is_some_and(|end| Instant::now() < end) {
            return Authenticating::Ready(Ok(Receipt::none()));
        }
        Authenticating::later(async move {
            if self.goes_without() && self.has_none().await {
                *self.absent_until.lock() = Some(Instant::now() + NO_LOGIN);
                return Ok(Receipt::none());
            }
            match self.token().await {
                Ok(held) => {
                    held.credential.put_on(request.headers);
                    Ok(held.receipt)
                }
                // The backend's challenge begins the login.
                Err(AuthFailure::LoginRequired(_)) if self.context.interaction.is_some() => {
                    Ok(Receipt::none())
                }
                Err(failure) => Err(failure),
            }
        })
    }

    fn rejected<'a>(
        &'a self,
        rejection: Rejection<'a>,
        _identity: Option<&'a Identity>,
    ) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            let outcome = match rejection.status {
                StatusCode::UNAUTHORIZED => self.unauthorized(rejection).await,
                _ => self.forbidden(rejection).await,
            };
            match outcome {
                Ok(()) => Verdict::Retry,
                Err(failure) => Verdict::Final(failure),
            }
        })
    }
}

impl Bound {
    /// Whether requests go out without credentials when nobody has logged in.
    fn goes_without(&self) -> bool {
        self.settings.passive || self.context.interaction.is_some()
    }

    /// Whether there is no login. A store that cannot be read has none: a backend that wants one will say so, and then
    /// it is told why there is none.
    async fn has_none(&self) -> bool {
        match self.renewal.stored().await {
            Ok(stored) => stored.is_none(),
            Err(error) => {
                tracing::warn!(backend = %self.target.backend, %error, "logins cannot be read");
                true
            }
        }
    }

    /// The token, got once for all who wait.
    async fn token(&self) -> Result<HeldToken, AuthFailure> {
        let renewal = Arc::clone(&self.renewal);
        let held = self.context.tokens.get(self.key, move || renewal.token()).await?;
        *self.absent_until.lock() = None;
        let mut used = self.used.lock();
        if !used.iter().any(|(receipt, _)| *receipt == held.receipt) {
            if used.len() >= MAX_USED {
                used.pop_front();
            }
            used.push_back((held.receipt, mark(&held.credential)));
        }
        drop(used);
        Ok(held)
    }

    /// The token that a request went with; `None` if it went with none.
    fn used(&self, receipt: &Receipt) -> Option<Digest> {
        receipt.used()?;
        let known = self.used.lock().iter().find(|(one, _)| one == receipt).map(|(_, mark)| *mark);
        let held = || {
            let held = self.context.tokens.held(self.key)?;
            (held.receipt == *receipt).then(|| mark(&held.credential))
        };
        known.or_else(held)
    }

    /// After a 401. `Ok`: another token is there.
    async fn unauthorized(&self, rejection: Rejection<'_>) -> Result<(), Option<AuthFailure>> {
        if !asks_for_bearer(rejection) {
            return Err(None);
        }
        let used = self.used(rejection.receipt);
        if let Some(used) = used {
            let replaces = *self.replaced.lock();
            if replaces.is_some_and(|(mark, end)| mark == used && Instant::now() < end) {
                let text = "the backend rejects even a token that was just issued for it";
                return Err(Some(AuthFailure::Refused(text.to_owned())));
            }
            self.renewal.reject(used);
            self.context.tokens.evict(rejection.receipt);
        }
        *self.absent_until.lock() = None;
        let failure = match self.token().await {
            Ok(held) if Some(mark(&held.credential)) == used => {
                self.renewal.login_required("the backend rejects the token of the login")
            }
            Ok(held) => {
                if used.is_some() {
                    let until = Instant::now() + REPLACED;
                    *self.replaced.lock() = Some((mark(&held.credential), until));
                }
                return Ok(());
            }
            Err(failure) => failure,
        };
        if matches!(failure, AuthFailure::LoginRequired(_)) && self.context.interaction.is_some() {
            return self.log_in(rejection, &[]).await.map_err(Some);
        }
        Err(Some(failure))
    }

    /// After a 403. `Ok`: a token with more scopes is there.
    async fn forbidden(&self, rejection: Rejection<'_>) -> Result<(), Option<AuthFailure>> {
        let Some(challenge) = Challenge::bearer(rejection.headers) else { return Err(None) };
        if challenge.parameter("error") != Some("insufficient_scope") {
            return Err(None);
        }
        let needed = challenge.parameter("scope").unwrap_or_default();
        let needed = needed.split_ascii_whitespace().filter(|scope| discovery::is_scope(scope));
        let needed: Vec<String> = needed.map(str::to_owned).collect();
        let stored = self.renewal.stored().await.map_err(Some)?;
        let Some((_, grant)) = stored else {
            return match self.context.interaction {
                Some(_) => self.log_in(rejection, &needed).await.map_err(Some),
                None => Err(Some(self.renewal.login_required("nobody has logged in"))),
            };
        };
        let used = self.used(rejection.receipt);
        // Another request may have asked for more meanwhile.
        if used.is_some_and(|mark| mark != grant.mark()) {
            self.look_again();
            return Ok(());
        }
        let asked_before = needed.iter().all(|scope| grant.requested.contains(scope));
        let scopes = needed.join(" ");
        if asked_before {
            let text = format!(
                "the backend wants the scopes \"{scopes}\", which were asked for and not enough"
            );
            return Err(Some(AuthFailure::Refused(text)));
        }
        if self.context.interaction.is_none() {
            return Err(Some(self.renewal.login_required_for(&scopes)));
        }
        self.log_in(rejection, &needed).await.map_err(Some)
    }

    /// Lets the user log in; of several who need it, one sends them.
    async fn log_in(&self, rejection: Rejection<'_>, scopes: &[String]) -> Result<(), AuthFailure> {
        let Some(interaction) = &self.context.interaction else {
            return Err(self.renewal.login_required("nobody has logged in"));
        };
        let before = self.used(rejection.receipt);
        let _alone = self.logging_in.lock().await;
        if let Some((_, grant)) = self.renewal.stored().await?
            && Some(grant.mark()) != before
            && !self.renewal.is_rejected(grant.mark())
        {
            self.look_again();
            return Ok(());
        }
        let request = LoginRequest {
            target: &self.target,
            settings: &self.settings,
            interaction,
            challenge: Challenge::bearer(rejection.headers),
            scopes,
        };
        login(&self.context, request).await?;
        self.look_again();
        self.token().await.map(|_| ())
    }

    /// What is in the store counts from now on, not what was read from it.
    fn look_again(&self) {
        if let Some(held) = self.context.tokens.held(self.key) {
            self.context.tokens.evict(&held.receipt);
        }
    }
}

/// Whether a 401 is about bearer tokens: it says so, or says nothing.
fn asks_for_bearer(rejection: Rejection<'_>) -> bool {
    !rejection.headers.contains_key(WWW_AUTHENTICATE)
        || Challenge::bearer(rejection.headers).is_some()
}

/// Tells tokens apart, as [`grant::Grant::mark`] does.
fn mark(credential: &Credential) -> Digest {
    match credential {
        Credential::Header(value) => {
            digest(value.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default())
        }
        _ => digest(b""),
    }
}
