//! RFC 9728: which authorization servers give tokens for a resource.

use serde::Deserialize;
use url::Url;

use super::{DocumentError, at_path, read, url, wrong};

/// What a protected resource says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// The resource's identifier, exactly as it was published: it is sent like that (RFC 8707).
    pub resource: String,
    /// The issuers that give tokens for it, in its order.
    pub authorization_servers: Vec<String>,
    /// The scopes that are asked for when a challenge names none; `None` if it does not say.
    pub scopes_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Document {
    resource: String,
    #[serde(default)]
    authorization_servers: Option<Vec<String>>,
    #[serde(default)]
    scopes_supported: Option<Vec<String>>,
}

// === impl ProtectedResource ===

impl ProtectedResource {
    /// Where the document is: at this path of the host, with the resource's own path behind it (RFC 9728, §3).
    pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

    /// Reads a document. Whether it is about the right resource is for [`covers`](Self::covers).
    pub fn parse(document: &[u8]) -> Result<Self, DocumentError> {
        let Document { resource, authorization_servers, scopes_supported } = read(document)?;
        url(&resource).map_err(|problem| wrong("resource", &problem))?;
        let authorization_servers = authorization_servers.unwrap_or_default();
        if authorization_servers.is_empty() {
            return Err(wrong("authorization_servers", &"names no server"));
        }
        Ok(Self { resource, authorization_servers, scopes_supported })
    }

    /// Where the document of `server` may be, best first: for its path, then for its whole host.
    pub fn well_known(server: &Url) -> Vec<Url> {
        let mut places = Vec::new();
        let path = server.path();
        for path in [path, path.trim_end_matches('/')] {
            if path.len() > 1 {
                let mut place = at_path(server, &format!("{}{path}", Self::WELL_KNOWN));
                place.set_query(server.query());
                places.push(place);
            }
        }
        places.push(at_path(server, Self::WELL_KNOWN));
        for place in &mut places {
            place.set_fragment(None);
        }
        places.dedup();
        places
    }

    /// Whether a token for this resource is one for `server`: scheme, host and port are the same, and the resource's
    /// path is the server's or one above it.
    ///
    /// Anything else would let a server ask for tokens that are meant for another one (RFC 9728, §3.3).
    pub fn covers(&self, server: &Url) -> bool {
        let Ok(resource) = url(&self.resource) else { return false };
        let same_origin = resource.scheme() == server.scheme()
            && resource.host() == server.host()
            && resource.port_or_known_default() == server.port_or_known_default();
        let above = resource.path().trim_end_matches('/');
        let below = server.path().strip_prefix(above);
        same_origin
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            && resource.query().is_none_or(|query| server.query() == Some(query))
    }
}
