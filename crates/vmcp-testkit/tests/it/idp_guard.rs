//! A backend that wants tokens of the identity provider.

use std::io;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, BearerGuard, IdentityProvider, RawClient};

#[tokio::test]
async fn a_backend_wants_tokens_and_remembers_who_came() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    let guard = BearerGuard::new(&idp).audience_is_resource().scope("tools/call wipe", "admin");
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
    let backend = Backend::builder()
        .tool(tool("look"), Answer::text("seen"))
        .tool(tool("wipe"), Answer::text("gone"))
        .bearer(&guard)
        .start()
        .await?;
    let client = RawClient::new(&backend.url())?;
    let reply = client.request("initialize", json!({})).await?;
    assert_eq!(reply.status, 401);
    let metadata = format!("http://{}/.well-known/oauth-protected-resource/mcp", backend.address());
    let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
    assert_eq!(reply.header("www-authenticate"), Some(challenge.as_str()));
    let mut reply = RawClient::new(&metadata)?.get().await?;
    let document: Value = serde_json::from_slice(&reply.bytes().await?).unwrap();
    assert_eq!(document["resource"], backend.url());
    assert_eq!(document["authorization_servers"], json!([idp.issuer()]));
    assert_eq!(document["scopes_supported"], json!(["admin"]));

    let other = idp.issue("alice", json!({"aud": "http://else.test"}))?;
    client.set_header("authorization", &format!("Bearer {other}"));
    let reply = client.request("initialize", json!({})).await?;
    assert_eq!(reply.status, 401);
    assert!(reply.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));

    let token = idp.issue("alice", json!({"aud": backend.url(), "scope": "read"}))?;
    client.set_header("authorization", &format!("Bearer {token}"));
    client.handshake("2025-11-25", json!({})).await?;
    client.tool("look", "{}").await?;
    let reply = client.request("tools/call", json!({"name": "wipe"})).await?;
    assert_eq!(reply.status, 403);
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\", scope=\"admin\""), "{challenge}");
    assert_eq!(guard.subjects("tools/call"), ["alice"]);
    assert_eq!(guard.admitted().last().and_then(|one| one.name.clone()).as_deref(), Some("look"));

    idp.revoke(&token);
    assert_eq!(client.request("tools/call", json!({"name": "look"})).await?.status, 401);
    assert_eq!(guard.refused().len(), 4);
    Ok(())
}
