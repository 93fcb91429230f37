//! A login, from the first question to the stored token.

use std::collections::BTreeSet;
use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::authorize::{OFFLINE, Pending, Wanted};
use super::client::{Purpose, identify};
use super::clock::Clock;
use super::discover::{Asked, Found, discover};
use super::error::LoginError;
use super::grant::{Grant, GrantClient, Kept};
use super::interaction::Interaction;
use super::reach::Reach;
use super::token::{self, Asking, Tokens};
use crate::discovery;
use crate::{AuthContext, AuthTarget, Challenge, CredentialKey, Form, OAuth, StoreError};

/// What to log in to, and as whom.
#[derive(Debug, Clone)]
pub struct LoginRequest<'a> {
    /// The backend.
    pub target: &'a AuthTarget,
    /// Its settings.
    pub settings: &'a OAuth,
    /// The user's part.
    pub interaction: &'a Interaction,
    /// The challenge with which the backend answered a request. Without one, it is asked first.
    pub challenge: Option<Challenge>,
    /// Scopes to ask for in addition.
    pub scopes: &'a [String],
}

/// What a login gained. No secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who issued the token.
    pub issuer: String,
    /// The client that it was issued to.
    pub client: String,
    /// What it is for.
    pub resource: String,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// How long it holds; `None` if the issuer does not say.
    pub lifetime: Option<Duration>,
    /// Whether it can be renewed without the user.
    pub renewable: bool,
}

/// Logs in to a backend after the authorization specification of MCP, and keeps what was gained in the context's
/// store, in place of an earlier login of this backend.
///
/// This is the only place where vmcp fetches what a backend names: the resource's metadata (RFC 9728), that of its
/// authorization server (RFC 8414, OpenID Connect Discovery), and a client registration (RFC 7591).
///
/// # Cancel safety
/// Dropping the future gives the login up; the store is as before, or has the new one.
pub async fn login(context: &AuthContext, request: LoginRequest<'_>) -> Result<Login, LoginError> {
    let LoginRequest { target, settings, interaction, challenge, scopes } = request;
    let reach = Reach::new(context, target, settings)?;
    let server = reach.server();
    discovery::url(server.as_str())
        .map_err(|problem| LoginError::Unusable(format!("the backend's URL {problem}")))?;
    let redirect_uri = interaction.redirect_uri();
    discovery::url(redirect_uri.as_str())
        .map_err(|problem| LoginError::Unusable(format!("the redirect URI {problem}")))?;
    let kept = Kept::new(&target.backend, server);
    // Nobody is sent anywhere for what could not be kept.
    drop(context.store.lock(&kept.lock_name()).await?);
    let (challenge, asked) = match challenge {
        Some(challenge) => (Some(challenge), Asked::Yes),
        None => ask(&reach).await?,
    };
    let found = discover(&reach, settings, challenge.as_ref(), asked).await?;
    let before = earlier(context, &kept, settings, &found).await?;
    let challenged = challenge.as_ref().and_then(|challenge| challenge.parameter("scope"));
    let wanted = wanted(settings, challenged, &found, before.as_ref(), scopes);
    let flow = Flow { reach: &reach, settings, found: &found, redirect_uri, scopes: &wanted };
    let now = Clock::start().now();
    let client = flow.identify(before.as_ref(), now).await?;
    let grant = flow.run(interaction, client).await?;
    kept.replace(&*context.store, &found.server.issuer, &grant).await?;
    Ok(Login {
        issuer: found.server.issuer,
        client: grant.client.id().to_owned(),
        lifetime: grant.lifetime(grant.issued_at),
        renewable: grant.refresh_token.is_some(),
        resource: grant.resource,
        scopes: grant.scopes,
    })
}

/// Asks the backend what it wants.
async fn ask(reach: &Reach) -> Result<(Option<Challenge>, Asked), LoginError> {
    let answer = reach
        .probe()
        .await
        .map_err(|error| LoginError::Discovery(format!("the backend cannot be asked: {error}")))?;
    let asked = match answer.status() {
        StatusCode::UNAUTHORIZED => Asked::Yes,
        _ => Asked::No,
    };
    Ok((Challenge::bearer(answer.headers()), asked))
}

/// The earlier login at the same issuer. A client that was registered beforehand at another one is told: its secret
/// is not for everybody whom a backend names.
async fn earlier(
    context: &AuthContext,
    kept: &Kept,
    settings: &OAuth,
    found: &Found,
) -> Result<Option<Grant>, LoginError> {
    let issuer = found.server.issuer.as_str();
    let of_another = |key: &CredentialKey| {
        key.issuer != issuer
            && settings.issuer.is_none()
            && settings.client.as_ref().is_some_and(|client| client.id == key.client)
    };
    let store = &*context.store;
    if let Some(old) = kept.keys(store).await?.iter().find(|key| of_another(key)) {
        return Err(LoginError::OtherIssuer(format!(
            "the backend's authorization server was {} and is now {issuer}: the client \"{}\" of the settings is \
             one of the former. Register vmcp with the new one and set `issuer`, or log out first",
            old.issuer, old.client
        )));
    }
    match kept.find(store, |key| key.issuer == issuer).await {
        Ok(found) => Ok(found.map(|(_, grant)| grant)),
        // One login that cannot be read is replaced by this one.
        Err(StoreError::Damaged { .. } | StoreError::Other(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The scopes to ask for: those of the settings, else those that the challenge names, else those that the backend
/// publishes. What was asked for earlier and what is asked for in addition is not lost.
fn wanted(
    settings: &OAuth,
    challenged: Option<&str>,
    found: &Found,
    before: Option<&Grant>,
    additional: &[String],
) -> Vec<String> {
    let mut scopes = Scopes::default();
    if settings.scopes.is_empty() {
        let requested = before.map(|grant| grant.requested.as_slice()).unwrap_or_default();
        scopes.add(requested.iter().map(String::as_str).filter(|scope| *scope != OFFLINE));
    }
    match (challenged, &found.scopes) {
        _ if !settings.scopes.is_empty() => scopes.add(settings.scopes.iter().map(String::as_str)),
        (Some(challenged), _) => scopes.add(challenged.split_ascii_whitespace()),
        (None, Some(published)) => scopes.add(published.iter().map(String::as_str)),
        (None, None) => {}
    }
    scopes.add(additional.iter().map(String::as_str));
    // Alone it would replace the scopes that a server gives to those who ask for none.
    if !scopes.list.is_empty() && found.server.offers_scope(OFFLINE) {
        scopes.add([OFFLINE]);
    }
    scopes.list
}

/// Scopes in order, each once.
#[derive(Default)]
struct Scopes {
    list: Vec<String>,
    known: BTreeSet<String>,
}

// === impl Scopes ===

impl Scopes {
    fn add<'a>(&mut self, scopes: impl IntoIterator<Item = &'a str>) {
        for scope in scopes {
            if discovery::is_scope(scope) && self.known.insert(scope.to_owned()) {
                self.list.push(scope.to_owned());
            }
        }
    }
}

struct Flow<'a> {
    reach: &'a Reach,
    settings: &'a OAuth,
    found: &'a Found,
    redirect_uri: &'a Url,
    scopes: &'a [String],
}

// === impl Flow ===

impl Flow<'_> {
    async fn identify(&self, before: Option<&Grant>, now: u64) -> Result<GrantClient, LoginError> {
        let (server, redirect_uri, scopes) = (&self.found.server, self.redirect_uri, self.scopes);
        let purpose = Purpose { server, redirect_uri, scopes, before, now };
        identify(self.reach, self.settings, &purpose).await
    }

    /// The user's part, and the code for a token.
    async fn run(
        &self,
        interaction: &Interaction,
        client: GrantClient,
    ) -> Result<Grant, LoginError> {
        let (server, resource) = (&self.found.server, self.found.resource.as_str());
        let (pending, url) = Pending::new(&Wanted {
            server,
            client: client.id(),
            redirect_uri: self.redirect_uri,
            resource,
            scopes: self.scopes,
        })?;
        let answer = interaction.present(url).await.map_err(LoginError::Presenting)?;
        let code = pending.code(&answer)?;
        let Some(authenticated) = client.authenticated(self.settings.client.as_ref()) else {
            return Err(LoginError::Unusable("the client is not in the settings".to_owned()));
        };
        let asking = Asking {
            reach: self.reach,
            issuer: &server.issuer,
            at: &server.token_endpoint,
            client: &authenticated,
        };
        let form = Form::grant("authorization_code")
            .with_secret("code", code)
            .with("redirect_uri", self.redirect_uri.as_str())
            .with_secret("code_verifier", pending.verifier())
            .with("resource", resource);
        let asked = token::ask(asking, form).await;
        let Tokens { access, refresh, lifetime, scopes } =
            asked.map_err(|error| LoginError::Token(error.into()))?;
        let now = Clock::start().now();
        Ok(Grant {
            access_token: access,
            refresh_token: refresh,
            issued_at: now,
            expires_at: lifetime.map(|lifetime| now.saturating_add(lifetime.as_secs())),
            // RFC 6749, §5.1: nothing said means as asked.
            scopes: scopes.unwrap_or_else(|| self.scopes.to_vec()),
            requested: self.scopes.to_vec(),
            resource: resource.to_owned(),
            token_endpoint: server.token_endpoint.clone(),
            revocation_endpoint: server.revocation_endpoint.clone(),
            client,
        })
    }
}
