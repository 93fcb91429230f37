//! As whom the client comes, by scenario.

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use url::Url;
use vmcp_auth::{
    AuthorizationServer, ClientAuth, ClientCredentials, Interaction, JwtAlgorithm, OAuth,
    OAuthClient, OutgoingAuth, ProtectedResource,
};
use vmcp_testkit::RawClient;

use crate::Failure;

/// Where the user comes back to. Nobody listens there: the redirect is read, not followed.
const REDIRECT: &str = "http://127.0.0.1:19876/callback";
/// The document that describes this client. No server of the suite reads it.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

/// What would stand in a configuration for the scenario.
pub(crate) async fn of(
    scenario: &str,
    known: &Value,
    server: &Url,
) -> Result<OutgoingAuth, Failure> {
    let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
    let id = text("client_id");
    let auth = match scenario {
        "auth/client-credentials-jwt" => ClientAuth::PrivateKeyJwt {
            key_pem: text("private_key_pem").into(),
            algorithm: match known["signing_algorithm"].as_str() {
                Some("RS256") => JwtAlgorithm::Rs256,
                _ => JwtAlgorithm::Es256,
            },
            key_id: None,
        },
        _ => ClientAuth::Basic(text("client_secret").into()),
    };
    let client = OAuthClient { id, auth };
    if scenario.starts_with("auth/client-credentials") {
        return Ok(OutgoingAuth::ClientCredentials(ClientCredentials {
            token_url: token_url(server).await?.into(),
            client,
            audience: None,
            resources: vec![server.to_string()],
            scopes: Vec::new(),
        }));
    }
    Ok(OutgoingAuth::OAuth(OAuth {
        client: (scenario == "auth/pre-registration").then_some(client),
        client_metadata_url: Some(Url::parse(DOCUMENT)?.into()),
        ..OAuth::default()
    }))
}

/// A user who agrees to everything.
pub(crate) fn user() -> Result<Interaction, Failure> {
    Ok(Interaction::new(Url::parse(REDIRECT)?, |url| async move {
        let answer = open(&url).await.map_err(|error| error.to_string())?;
        Url::parse(&answer).map_err(|error| error.to_string())
    }))
}

/// Opens the authorization page; gives where it sends the user.
async fn open(url: &Url) -> std::io::Result<String> {
    let reply = RawClient::new(url.as_str())?.send(Method::GET, &[], Bytes::new()).await?;
    let location = reply.header("location").map(str::to_owned);
    location.ok_or_else(|| std::io::Error::other("the page sends nobody anywhere"))
}

/// A configuration has the token endpoint; the suite's servers only publish it.
async fn token_url(server: &Url) -> Result<Url, Failure> {
    for place in ProtectedResource::well_known(server) {
        let Ok(resource) = ProtectedResource::parse(&fetch(&place).await?) else { continue };
        for issuer in &resource.authorization_servers {
            for place in AuthorizationServer::well_known(issuer)? {
                if let Ok(found) = AuthorizationServer::parse(&fetch(&place).await?) {
                    return Ok(found.token_endpoint);
                }
            }
        }
    }
    Err("no token endpoint is published".into())
}

async fn fetch(url: &Url) -> std::io::Result<Bytes> {
    RawClient::new(url.as_str())?.send(Method::GET, &[], Bytes::new()).await?.bytes().await
}
