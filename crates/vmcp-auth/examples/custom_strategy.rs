//! A strategy of one's own: each team has a key of its own at the backend.
//!
//! ```text
//! cargo run -p vmcp-auth --example custom_strategy
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Deserialize;
use vmcp_auth::{
    AuthContext, AuthFailure, AuthTarget, Authenticating, Authenticator, CredentialScope,
    Credentials, Custom, Identity, OutgoingAuth, OutgoingAuthRegistry, OutgoingRequest, Receipt,
    Strategy,
};

/// The strategy: one for the process.
struct TeamKeys;

/// Its settings for one backend, as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    header: String,
    keys: HashMap<String, String>,
}

/// The strategy, bound to one backend: everything is checked, so a request only looks up.
struct Bound {
    header: HeaderName,
    keys: HashMap<String, HeaderValue>,
}

/// What is read of a caller's claims.
#[derive(Deserialize)]
struct Claims {
    team: Option<String>,
}

impl Strategy for TeamKeys {
    fn name(&self) -> &str {
        "team_keys"
    }

    fn bind(
        &self,
        _target: &AuthTarget,
        settings: &OutgoingAuth,
        _context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        let OutgoingAuth::Custom(custom) = settings else { return Err("no settings".to_owned()) };
        let settings: Settings =
            serde_json::from_str(&custom.settings).map_err(|error| error.to_string())?;
        let header = HeaderName::from_bytes(settings.header.as_bytes())
            .map_err(|_| format!("\"{}\" is not a header name", settings.header))?;
        let keys = settings.keys.into_iter().map(|(team, key)| {
            // The error must not show the key.
            let mut value = HeaderValue::try_from(key)
                .map_err(|_| format!("no header can carry the key of \"{team}\""))?;
            value.set_sensitive(true);
            Ok((team, value))
        });
        Ok(Box::new(Bound { header, keys: keys.collect::<Result<_, String>>()? }))
    }
}

impl Authenticator for Bound {
    /// Nothing that the backend says to one team may be shown to another.
    fn scope(&self) -> CredentialScope {
        CredentialScope::PerCaller
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        // What vmcp does for itself goes without: there is no team to borrow a key from.
        let Some(identity) = identity else { return Authenticating::Ready(Ok(Receipt::none())) };
        let claims = serde_json::from_str::<Claims>(identity.claims());
        let team = claims.ok().and_then(|claims| claims.team).unwrap_or_default();
        let Some(key) = self.keys.get(&team) else {
            let text = format!("no key for team \"{team}\"");
            return Authenticating::Ready(Err(AuthFailure::NoToken(text)));
        };
        request.headers.insert(&self.header, key.clone());
        Authenticating::Ready(Ok(Receipt::none()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut registry = OutgoingAuthRegistry::new();
    registry.register(Arc::new(TeamKeys))?;

    let settings = |json: &str| {
        OutgoingAuth::Custom(Custom { strategy: "team_keys".to_owned(), settings: json.into() })
    };
    let files = AuthTarget::new("files");
    let good = settings(r#"{"header": "X-Team-Key", "keys": {"blue": "k-1", "red": "k-2"}}"#);
    let credentials = registry.resolve(&files, &good)?;

    let of = |claims: &str| Identity::verified("https://idp.example", "someone", claims);
    show(&credentials, "blue", Some(&of(r#"{"team": "blue"}"#))).await;
    show(&credentials, "green", Some(&of(r#"{"team": "green"}"#))).await;
    show(&credentials, "vmcp itself", None).await;

    if let Err(error) = registry.resolve(&files, &settings(r#"{"header": "bad name"}"#)) {
        println!("{error}");
    }
    Ok(())
}

/// One request, as a session would send it.
async fn show(credentials: &Credentials, who: &str, identity: Option<&Identity>) {
    let mut headers = HeaderMap::new();
    let request = OutgoingRequest {
        method: &Method::POST,
        uri: &Uri::from_static("https://files.example/mcp"),
        headers: &mut headers,
        body: &Bytes::from_static(b"{}"),
    };
    match credentials.apply(request, identity).await {
        Ok(_) => println!("{who}: {headers:?}"),
        Err(error) => println!("{who}: {error}"),
    }
}
