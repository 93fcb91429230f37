//! As whom the client comes, by scenario.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde_json::Value;
use url::Url;
use vmcp_auth::{
    AuthorizationServer, Caller, ClientAuth, ClientCredentials, Identity, Interaction,
    JwtAlgorithm, OAuth, OAuthClient, OutgoingAuth, ProtectedResource, TokenType, Xaa,
};
use vmcp_testkit::RawClient;

use crate::Failure;

/// Where the user comes back to. Nobody listens there: the redirect is read, not followed.
const REDIRECT: &str = "http://127.0.0.1:19876/callback";
/// The document that describes this client. No server of the suite reads it.
const DOCUMENT: &str = "https://conformance-test.local/client-metadata.json";

/// What would stand in a configuration for the scenario, and who calls.
pub(crate) async fn of(
    scenario: &str,
    known: &Value,
    server: &Url,
) -> Result<(OutgoingAuth, Caller), Failure> {
    let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
    let key = known["private_key_pem"].as_str();
    let auth = match key {
        Some(key) => ClientAuth::PrivateKeyJwt {
            key_pem: key.into(),
            algorithm: match known["signing_algorithm"].as_str() {
                Some("RS256") => JwtAlgorithm::Rs256,
                _ => JwtAlgorithm::Es256,
            },
            key_id: None,
            audience: None,
        },
        None => ClientAuth::Basic(text("client_secret").into()),
    };
    let mut client = OAuthClient { id: text("client_id"), auth };
    let nobody = Caller::default();
    Ok(match scenario {
        "auth/client-credentials-jwt" | "auth/client-credentials-basic" => {
            let found = published(server).await?;
            if let ClientAuth::PrivateKeyJwt { audience, .. } = &mut client.auth {
                *audience = Some(found.issuer);
            }
            let token_url = found.token_endpoint.into();
            let (audience, resources, scopes) = (None, vec![server.to_string()], Vec::new());
            let settings = ClientCredentials { token_url, client, audience, resources, scopes };
            (OutgoingAuth::ClientCredentials(settings), nobody)
        }
        "auth/enterprise-managed-authorization" => {
            let target = published(server).await?;
            let idp_client = OAuthClient { id: text("idp_client_id"), auth: ClientAuth::None };
            let settings = Xaa {
                idp_token_url: Url::parse(&text("idp_token_endpoint"))?.into(),
                idp_client: Some(idp_client),
                target_token_url: target.token_endpoint.into(),
                target_client: Some(client),
                target_audience: target.issuer,
                target_resource: Some(server.to_string()),
                scopes: Vec::new(),
                subject_provider: None,
                subject_token_type: TokenType::IdToken,
                insecure_target: false,
            };
            let user = Identity::verified(text("idp_issuer"), "user", "{}");
            let user = user.with_token(text("idp_id_token").into(), TokenType::IdToken);
            (OutgoingAuth::Xaa(settings), Caller::new(Arc::new(user)))
        }
        _ => {
            let settings = OAuth {
                client: (scenario == "auth/pre-registration").then_some(client),
                client_metadata_url: Some(Url::parse(DOCUMENT)?.into()),
                ..OAuth::default()
            };
            (OutgoingAuth::OAuth(settings), nobody)
        }
    })
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

/// A configuration has what the suite's servers only publish.
async fn published(server: &Url) -> Result<AuthorizationServer, Failure> {
    for place in ProtectedResource::well_known(server) {
        let Ok(resource) = ProtectedResource::parse(&fetch(&place).await?) else { continue };
        for issuer in &resource.authorization_servers {
            for place in AuthorizationServer::well_known(issuer)? {
                if let Ok(found) = AuthorizationServer::parse(&fetch(&place).await?) {
                    return Ok(found);
                }
            }
        }
    }
    Err("no authorization server is published".into())
}

async fn fetch(url: &Url) -> std::io::Result<Bytes> {
    RawClient::new(url.as_str())?.send(Method::GET, &[], Bytes::new()).await?.bytes().await
}
