//! Where tokens for a backend are to be had: its own metadata, then that of its authorization server.

use http::StatusCode;
use url::Url;

use super::error::{LoginError, quoted};
use super::reach::Reach;
use crate::discovery::origin_of;
use crate::{AuthorizationServer, Challenge, OAuth, ProtectedResource};

/// Authorization servers of one backend that are tried.
const MAX_SERVERS: usize = 4;

/// What is needed to ask for a token.
#[derive(Debug)]
pub(super) struct Found {
    /// What the token is to be for: as the backend published it, or its URL.
    pub(super) resource: String,
    /// The scopes that the backend says it has.
    pub(super) scopes: Option<Vec<String>>,
    /// Who gives it.
    pub(super) server: AuthorizationServer,
}

/// Whether a backend has asked for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Yes,
    No,
}

/// Finds out. A backend that publishes nothing but asks for credentials is taken for one of the first authorization
/// specification of MCP (2025-03-26): it is its own authorization server.
pub(super) async fn discover(
    reach: &Reach,
    settings: &OAuth,
    challenge: Option<&Challenge>,
    asked: Asked,
) -> Result<Found, LoginError> {
    let pin = settings.issuer.as_ref().map(|issuer| issuer.as_url());
    let named = challenge.and_then(|challenge| challenge.parameter("resource_metadata"));
    if let Some(document) = protected_resource(reach, named).await? {
        if !document.covers(reach.server()) {
            let (resource, server) = (document.resource, shown(reach.server()));
            return Err(LoginError::OtherResource { resource, server });
        }
        let server = first_usable(reach, issuers(&document, pin)?, pin).await?;
        let ProtectedResource { resource, scopes_supported, .. } = document;
        return usable(Found { resource, scopes: scopes_supported, server });
    }
    let server = match pin {
        Some(pin) => first_usable(reach, vec![pin.as_str().to_owned()], Some(pin)).await?,
        None if asked == Asked::Yes => own(reach).await?,
        None => return Err(LoginError::NotAsked),
    };
    usable(Found { resource: canonical(reach.server()), scopes: None, server })
}

fn usable(found: Found) -> Result<Found, LoginError> {
    if found.server.has_pkce() {
        return Ok(found);
    }
    Err(LoginError::NoPkce { issuer: found.server.issuer })
}

/// What the backend says about itself; `None` if it publishes nothing.
async fn protected_resource(
    reach: &Reach,
    named: Option<&str>,
) -> Result<Option<ProtectedResource>, LoginError> {
    if let Some(text) = named {
        let wrong = |why: String| {
            LoginError::Discovery(format!("the resource metadata that the backend names: {why}"))
        };
        let at = crate::discovery::url(text)
            .map_err(|problem| wrong(format!("{} {problem}", quoted(text))))?;
        let answer = reach.document(&at).await;
        let answer = answer.map_err(|error| wrong(format!("{}: {error}", shown(&at))))?;
        if answer.status() != StatusCode::OK {
            return Err(wrong(format!("{} answered {}", shown(&at), answer.status())));
        }
        let document = ProtectedResource::parse(answer.body());
        return document.map(Some).map_err(|error| wrong(format!("{}: {error}", shown(&at))));
    }
    for at in ProtectedResource::well_known(reach.server()) {
        let answer = reach.document(&at).await.map_err(|error| {
            LoginError::Discovery(format!("resource metadata at {}: {error}", shown(&at)))
        })?;
        // Servers that answer every path with their start page publish nothing either.
        if answer.status() == StatusCode::OK
            && let Ok(document) = ProtectedResource::parse(answer.body())
        {
            return Ok(Some(document));
        }
    }
    Ok(None)
}

/// The issuers to try: those of the document, or the one that is trusted, if it is among them.
fn issuers(document: &ProtectedResource, pin: Option<&Url>) -> Result<Vec<String>, LoginError> {
    let named = &document.authorization_servers;
    let Some(pin) = pin else { return Ok(named.iter().take(MAX_SERVERS).cloned().collect()) };
    match named.iter().find(|issuer| is_pinned(pin, issuer)) {
        Some(issuer) => Ok(vec![issuer.clone()]),
        None => Err(LoginError::OtherIssuer(format!(
            "the backend names the authorization servers {}, but `issuer` trusts {pin} only",
            quoted(&named.join(", "))
        ))),
    }
}

async fn first_usable(
    reach: &Reach,
    issuers: Vec<String>,
    pin: Option<&Url>,
) -> Result<AuthorizationServer, LoginError> {
    let mut reasons = Vec::new();
    for issuer in issuers {
        let is_right = |document: &AuthorizationServer| match pin {
            // Whoever wrote it down need not know whether a slash ends it.
            Some(pin) => is_pinned(pin, &document.issuer),
            None => document.is_of(&issuer),
        };
        match metadata(reach, &issuer, is_right).await {
            Ok(server) => return Ok(server),
            Err(lack) => reasons.push(lack.told(&issuer)),
        }
    }
    Err(LoginError::Discovery(reasons.join("; ")))
}

/// The backend's own origin as authorization server, documented or not.
async fn own(reach: &Reach) -> Result<AuthorizationServer, LoginError> {
    let origin = origin_of(reach.server());
    let is_right = |document: &AuthorizationServer| {
        document.issuer.strip_suffix('/').unwrap_or(&document.issuer) == origin
    };
    match metadata(reach, &origin, is_right).await {
        Ok(server) => Ok(server),
        Err(Lack { broken: false, .. }) => Ok(AuthorizationServer::undocumented(reach.server())),
        Err(lack) => Err(LoginError::Discovery(lack.told(&origin))),
    }
}

/// Why there is no metadata.
struct Lack {
    reasons: Vec<String>,
    /// Something was published that must not be used, or nobody could be asked. Else nothing is published.
    broken: bool,
}

// === impl Lack ===

impl Lack {
    fn told(&self, issuer: &str) -> String {
        format!(
            "no metadata of the authorization server {}: {}",
            quoted(issuer),
            self.reasons.join(", ")
        )
    }
}

async fn metadata(
    reach: &Reach,
    issuer: &str,
    is_right: impl Fn(&AuthorizationServer) -> bool,
) -> Result<AuthorizationServer, Lack> {
    let mut lack = Lack { reasons: Vec::new(), broken: false };
    let places = match AuthorizationServer::well_known(issuer) {
        Ok(places) => places,
        Err(problem) => {
            return Err(Lack { reasons: vec![format!("the issuer {problem}")], broken: true });
        }
    };
    for at in places {
        let answer = match reach.document(&at).await {
            Ok(answer) => answer,
            Err(error) => {
                // The other places are on the same host.
                lack.reasons.push(format!("{}: {error}", shown(&at)));
                lack.broken = true;
                break;
            }
        };
        if answer.status() != StatusCode::OK {
            lack.reasons.push(format!("{} answered {}", shown(&at), answer.status().as_u16()));
            continue;
        }
        match AuthorizationServer::parse(answer.body()) {
            Ok(document) if is_right(&document) => return Ok(document),
            Ok(document) => {
                lack.broken = true;
                lack.reasons.push(format!(
                    "{} is of the issuer {}, which is not the same",
                    shown(&at),
                    document.issuer
                ));
            }
            Err(error) => {
                // A start page is no document; a document that cannot be used is one.
                lack.broken |= answer.body().trim_ascii_start().starts_with(b"{");
                lack.reasons.push(format!("{}: {error}", shown(&at)));
            }
        }
    }
    Err(lack)
}

/// Whether an issuer is the one that the configuration trusts. A configuration holds URLs, and those end in a slash
/// that an identifier need not have.
pub(super) fn is_pinned(pin: &Url, issuer: &str) -> bool {
    let Ok(issuer) = crate::discovery::issuer(issuer) else { return false };
    let bare = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    bare(pin) == bare(&issuer)
}

/// The backend's URL as an identifier: without query and fragment, and without the slash of a bare host.
pub(super) fn canonical(server: &Url) -> String {
    let mut url = server.clone();
    url.set_query(None);
    url.set_fragment(None);
    if url.path() == "/" { origin_of(&url) } else { url.into() }
}

/// A URL for people: its query may hold a key.
fn shown(url: &Url) -> String {
    vmcp_config::SafeUrl::from(url.clone()).to_string()
}
