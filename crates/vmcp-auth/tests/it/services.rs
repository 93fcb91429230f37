//! Strategies without an exchange in the caller's name: vmcp's own token, tokens that a caller has elsewhere.

use serde_json::json;
use vmcp_auth::{
    AuthFailure, ClientAuth, ClientCredentials, CredentialScope, Identity, OutgoingAuth,
    UpstreamInject,
};
use vmcp_testkit::{IdentityProvider, IdpClient};

use crate::peers::{OK, Peers, basic, client, field, url};

async fn service() -> (Peers, ClientCredentials) {
    let known = IdpClient::basic("vmcp", "secret");
    let peers = Peers::of(IdentityProvider::builder().client(known).start().await.unwrap()).await;
    let settings = ClientCredentials {
        token_url: url(&peers.idp.token_url()),
        client: basic("vmcp", "secret"),
        audience: Some("files".to_owned()),
        resources: vec!["https://files.example/mcp".to_owned()],
        scopes: vec!["read".to_owned(), "write".to_owned()],
    };
    (peers, settings)
}

#[tokio::test]
async fn whoever_calls_vmcp_calls_as_itself_with_one_token() {
    let (peers, settings) = service().await;
    let credentials = peers.bind(&OutgoingAuth::ClientCredentials(settings));
    assert_eq!(credentials.scope(), CredentialScope::Shared);
    let callers = [Some(peers.caller("alice")), Some(Identity::anonymous()), None];
    for caller in callers.iter().cycle().take(20) {
        assert_eq!(peers.call(&credentials, caller.as_ref()).await.unwrap(), (OK, 1));
    }
    assert_eq!(peers.guard.subjects("ping"), vec!["vmcp"; 20]);
    let form = peers.asked();
    assert_eq!(field(&form, "grant_type"), Some("client_credentials"));
    assert_eq!(field(&form, "audience"), Some("files"));
    assert_eq!(field(&form, "resource"), Some("https://files.example/mcp"));
    assert_eq!(field(&form, "scope"), Some("read write"));
    assert_eq!(field(&form, "client_id"), Some("vmcp"));
    assert_eq!(form.len(), 5);
    // A rejected one is replaced once.
    peers.idp.revoke(&peers.guard.admitted()[0].token);
    assert_eq!(peers.call(&credentials, None).await.unwrap(), (OK, 2));
    assert_eq!(peers.idp.count("client_credentials"), 2);
}

#[tokio::test]
async fn a_client_that_cannot_prove_anything_has_no_token_of_its_own() {
    let (peers, mut settings) = service().await;
    settings.client = client("vmcp", ClientAuth::None);
    let error = peers.try_bind("files", &OutgoingAuth::ClientCredentials(settings)).unwrap_err();
    assert!(error.to_string().ends_with("the client needs a secret or a key"), "{error}");
    let kinds = ["client_credentials", "token_exchange", "upstream_inject", "xaa"];
    for strategy in kinds {
        let (strategy, settings) = (strategy.to_owned(), "{}".into());
        let settings = OutgoingAuth::Custom(vmcp_auth::Custom { strategy, settings });
        let error = peers.try_bind("files", &settings).unwrap_err().to_string();
        assert!(error.contains("needed"), "{error}");
    }
}

#[tokio::test]
async fn sends_the_token_that_the_caller_has_at_the_provider() {
    let peers = Peers::start().await;
    let settings = UpstreamInject { provider: "github".to_owned() };
    let credentials = peers.bind(&OutgoingAuth::UpstreamInject(settings));
    assert_eq!(credentials.scope(), CredentialScope::PerCaller);
    let caller = |subject: &str| {
        let token = peers.idp.issue(&format!("{subject}-there"), json!({})).unwrap();
        peers.caller(subject).with_upstream_token("github", token.into())
    };
    for subject in ["alice", "bob", "alice"] {
        let caller = caller(subject);
        assert_eq!(peers.call(&credentials, Some(&caller)).await.unwrap(), (OK, 1));
    }
    assert_eq!(peers.guard.subjects("ping"), ["alice-there", "bob-there", "alice-there"]);
    assert!(peers.idp.requests().is_empty());
    // Nobody's token for vmcp itself, and none for who has none.
    let (status, times) = peers.call(&credentials, None).await.unwrap();
    assert_eq!((status.as_u16(), times), (401, 1));
    assert_eq!(peers.presented().last(), Some(&None));
    let missing = peers.fail(&credentials, Some(&peers.caller("carol"))).await;
    let text = "provider \"github\": upstream token not found";
    assert_eq!(missing, AuthFailure::NoToken(text.to_owned()));
    // One that is rejected cannot be replaced.
    let dave = peers.caller("dave").with_upstream_token("github", "opaque".to_owned().into());
    let (status, times) = peers.call(&credentials, Some(&dave)).await.unwrap();
    assert_eq!((status.as_u16(), times), (401, 1));
    let broken = peers.caller("eve").with_upstream_token("github", "a\r\nX: y".to_owned().into());
    let failure = peers.fail(&credentials, Some(&broken)).await;
    assert!(!failure.to_string().contains("X: y"), "{failure}");
}
