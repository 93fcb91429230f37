//! Who calls: tokens at the door, and whose a session is.

use serde_json::{Value, json};
use vmcp_config::{Config, IncomingAuth, Oidc};
use vmcp_testkit::{Answer, Backend, IdentityProvider, IdpAnswer, RawClient, SigningKey};

use crate::rig::{LATEST, Rig, Wire, WireReply, hello, one_tool, target};

const AUDIENCE: &str = "https://gw.example/mcp";

async fn idp() -> IdentityProvider {
    IdentityProvider::start().await.unwrap()
}

fn settings(idp: &IdentityProvider) -> Oidc {
    Oidc::new(idp.issuer(), AUDIENCE)
}

fn checked(config: &mut Config, oidc: Oidc) {
    config.incoming_auth = IncomingAuth::Oidc(Box::new(oidc));
}

/// A server that takes tokens of this issuer.
async fn guarded(idp: &IdentityProvider, backend: &Backend) -> Rig {
    Rig::with(vec![target("b", backend)], |config| checked(config, settings(idp))).await
}

/// A server without backends that takes tokens by these rules.
async fn door(oidc: Oidc) -> Rig {
    Rig::with(Vec::new(), |config| checked(config, oidc)).await
}

fn token(idp: &IdentityProvider, subject: &str) -> String {
    with(idp, subject, &json!({}))
}

fn with(idp: &IdentityProvider, subject: &str, claims: &Value) -> String {
    let mut all = json!({"aud": AUDIENCE});
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    idp.issue(subject, all).unwrap()
}

async fn session(rig: &Rig, token: &str) -> RawClient {
    let client = rig.client();
    client.set_header("authorization", &format!("Bearer {token}"));
    client.handshake(LATEST, json!({})).await.unwrap();
    client
}

/// Sends a request with these lines in its head, on a connection of its own.
async fn send(rig: &Rig, line: &str, headers: &[&str], body: &str) -> WireReply {
    let mut wire = rig.wire().await;
    ask(&mut wire, line, headers, body).await
}

async fn ask(wire: &mut Wire, line: &str, headers: &[&str], body: &str) -> WireReply {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\n{headers}content-length: {length}\r\n\r\n"
    );
    wire.say(&format!("{head}{body}")).await;
    wire.reply().await.unwrap()
}

/// The first request of a session, with this value of `Authorization`.
async fn knock(rig: &Rig, authorization: &str) -> WireReply {
    let line = format!("authorization: {authorization}");
    send(rig, "POST /mcp", &[&line], &hello(LATEST)).await
}

/// A reply without what differs between any two.
fn timeless(reply: &WireReply) -> (u16, Vec<&str>, &str) {
    let lines = reply.head.lines().filter(|line| !line.starts_with("date:")).collect();
    (reply.status, lines, &reply.body)
}

#[tokio::test]
async fn a_good_token_is_served_and_goes_no_further() {
    let (idp, backend) = (idp().await, one_tool("t", Answer::text("x")).await);
    let rig = guarded(&idp, &backend).await;
    let alice = token(&idp, "alice");
    let client = session(&rig, &alice).await;
    client.tool("t", json!({})).await.unwrap();
    assert!(!backend.heard("tools/call").is_empty());
    for heard in backend.requests() {
        assert_eq!(heard.header("authorization"), None);
    }
    // Refreshed tokens are the same caller; keys are asked for once.
    client.set_header("authorization", &format!("bearer {}", token(&idp, "alice")));
    client.tool("t", json!({})).await.unwrap();
    assert_eq!(idp.count("/jwks"), 1);
}

#[tokio::test]
async fn without_a_token_the_challenge_leads_to_the_metadata() {
    let idp = idp().await;
    let oidc = Oidc { scopes: vec!["mcp:read".into(), "mcp:call".into()], ..settings(&idp) };
    let rig = door(oidc).await;
    let bare = send(&rig, "POST /mcp", &[], &hello(LATEST)).await;
    assert_eq!(bare.status, 401);
    let said: Value = serde_json::from_str(&bare.body).unwrap();
    assert_eq!(said["error"], "invalid_request");
    let wanted = format!(
        "www-authenticate: bearer realm=\"{}\", \
         resource_metadata=\"https://gw.example/.well-known/oauth-protected-resource/mcp\", \
         scope=\"mcp:read mcp:call\", error=\"invalid_request\", \
         error_description=\"a bearer token is needed\"",
        idp.issuer()
    );
    assert!(bare.head.lines().any(|line| line == wanted), "{}", bare.head);

    let good = token(&idp, "alice");
    for other in ["Bearer", "Bearer ", "Basic YTpi", &good] {
        let reply = knock(&rig, other).await;
        assert_eq!(timeless(&reply), timeless(&bare), "{other}");
    }
    let elsewhere = [
        send(&rig, &format!("POST /mcp?access_token={good}"), &[], &hello(LATEST)).await,
        send(&rig, "POST /mcp", &[&format!("cookie: access_token={good}")], &hello(LATEST)).await,
        // A header cannot be named away.
        send(&rig, "POST /mcp", &["connection: authorization"], &hello(LATEST)).await,
        send(&rig, "POST /mcp", &[&format!("authorization_: Bearer {good}")], &hello(LATEST)).await,
    ];
    assert!(elsewhere.iter().all(|reply| reply.status == 401), "{elsewhere:?}");
    assert_eq!(knock(&rig, &format!("bEARER {good}")).await.status, 200);
}

#[tokio::test]
async fn every_way_in_asks_who_calls() {
    let idp = idp().await;
    let rig = door(settings(&idp)).await;
    for line in ["POST /mcp", "GET /mcp", "DELETE /mcp", "GET /sse", "POST /message?sessionId=x"] {
        let reply =
            send(&rig, line, &["mcp-session-id: 00000000000000000000000000000000"], "").await;
        assert_eq!(reply.status, 401, "{line}");
    }
    // The place comes first.
    let mut wire = rig.wire().await;
    wire.say("GET /mcp HTTP/1.1\r\nhost: evil.example\r\naccept: text/event-stream\r\n\r\n").await;
    assert_eq!(wire.reply().await.unwrap().status, 403);
    let page = "GET /.well-known/oauth-protected-resource HTTP/1.1\r\nhost: evil.example\r\n\r\n";
    let mut wire = rig.wire().await;
    wire.say(page).await;
    assert_eq!(wire.reply().await.unwrap().status, 403);
    // Two credentials are none.
    let (one, two) = (token(&idp, "alice"), token(&idp, "bob"));
    let lines =
        [&*format!("authorization: Bearer {one}"), &*format!("authorization: Bearer {two}")];
    assert_eq!(send(&rig, "POST /mcp", &lines, &hello(LATEST)).await.status, 400);
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_not_told() {
    let (idp, other) = (idp().await, idp_of_another().await);
    let rig = door(settings(&idp)).await;
    let good = token(&idp, "alice");
    let mut parts = good.splitn(3, '.');
    let (head, _, signature) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let swapped = token(&idp, "bob").split('.').nth(1).unwrap().to_owned();
    let refused = [
        "opaque".to_owned(),
        format!("{head}.{swapped}.{signature}"),
        with(&idp, "alice", &json!({"exp": 1})),
        with(&idp, "alice", &json!({"aud": "https://gw.example/mcp.evil"})),
        with(&idp, "", &json!({})),
        token(&other, "alice"),
    ];
    let first = knock(&rig, &format!("Bearer {}", refused[0])).await;
    assert_eq!(first.status, 401);
    assert!(first.body.contains("invalid_token"));
    assert!(first.head.len() + first.body.len() < 1024);
    for token in &refused {
        let reply = knock(&rig, &format!("Bearer {token}")).await;
        assert_eq!(timeless(&reply), timeless(&first), "{token}");
    }
}

async fn idp_of_another() -> IdentityProvider {
    idp().await
}

#[tokio::test]
async fn a_missing_scope_is_told_with_the_scopes_that_are_needed() {
    let idp = idp().await;
    let needed = vec!["mcp:call".to_owned()];
    let rig = door(Oidc { required_scopes: needed, ..settings(&idp) }).await;
    let few = with(&idp, "alice", &json!({"scope": "openid mcp:caller"}));
    let reply = knock(&rig, &format!("Bearer {few}")).await;
    assert_eq!(reply.status, 403);
    assert!(reply.head.contains("error=\"insufficient_scope\""), "{}", reply.head);
    assert!(reply.head.contains("scope=\"mcp:call\""), "{}", reply.head);
    let enough = with(&idp, "alice", &json!({"scope": "openid mcp:call"}));
    assert_eq!(knock(&rig, &format!("Bearer {enough}")).await.status, 200);
}

#[tokio::test]
async fn a_session_is_its_owners_alone() {
    let (idp, backend) = (idp().await, one_tool("t", Answer::text("x")).await);
    let rig = guarded(&idp, &backend).await;
    let alice = session(&rig, &token(&idp, "alice")).await;
    let id = alice.session().unwrap();
    let unknown: String = id.chars().rev().collect();
    assert_ne!(id, unknown);
    let bob = format!("authorization: Bearer {}", token(&idp, "bob"));
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}"#;
    for (line, body) in [("POST /mcp", call), ("GET /mcp", ""), ("DELETE /mcp", "")] {
        let foreign = format!("mcp-session-id: {id}");
        let foreign = send(&rig, line, &[&bob, &foreign, "last-event-id: 1-1"], body).await;
        let absent = format!("mcp-session-id: {unknown}");
        let absent = send(&rig, line, &[&bob, &absent, "last-event-id: 1-1"], body).await;
        assert_eq!(foreign.status, 404, "{line}");
        assert_eq!(timeless(&foreign), timeless(&absent), "{line}");
        // Who calls is asked before which session is meant.
        let nobody = send(&rig, line, &[&format!("mcp-session-id: {id}")], body).await;
        assert_eq!(nobody.status, 401, "{line}");
    }
    assert_eq!(backend.count("tools/call"), 0);
    alice.tool("t", json!({})).await.unwrap();
}

#[tokio::test]
async fn clients_without_a_session_are_asked_each_time() {
    let (idp, backend) = (idp().await, one_tool("t", Answer::text("x")).await);
    let rig = guarded(&idp, &backend).await;
    let client = rig.stateless();
    let call = || client.request("tools/call", json!({"name": "t"}));
    assert_eq!(call().await.unwrap().status, 401);
    assert_eq!(backend.count("tools/call"), 0);
    client.raw().set_header("authorization", &format!("Bearer {}", token(&idp, "alice")));
    assert_eq!(call().await.unwrap().status, 200);
    client.raw().set_header("authorization", "Bearer x.y.z");
    assert_eq!(call().await.unwrap().status, 401);
}

#[tokio::test]
async fn the_metadata_is_public_under_every_path() {
    let idp = idp().await;
    let rig = door(settings(&idp)).await;
    for path in ["", "/mcp", "/sse", "/message"] {
        let line = format!("GET /.well-known/oauth-protected-resource{path}");
        let reply = send(&rig, &line, &["origin: http://localhost:3000"], "").await;
        assert_eq!(reply.status, 200, "{path}");
        let said: Value = serde_json::from_str(&reply.body).unwrap();
        let wanted = json!({
            "resource": AUDIENCE,
            "authorization_servers": [idp.issuer()],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["openid"],
        });
        assert_eq!(said, wanted, "{path}");
        assert!(reply.head.contains("access-control-allow-origin: http://localhost:3000"));
        let line = line.replace("GET", "OPTIONS");
        assert_eq!(send(&rig, &line, &[], "").await.status, 204, "{path}");
        let line = line.replace("OPTIONS", "POST");
        assert_eq!(send(&rig, &line, &[], "{}").await.status, 405, "{path}");
    }
    let absent = "GET /.well-known/oauth-protected-resource/other";
    assert_eq!(send(&rig, absent, &[], "").await.status, 404);

    let open = Rig::empty().await;
    let reply = send(&open, "GET /.well-known/oauth-protected-resource", &[], "").await;
    assert_eq!((reply.status, &*reply.body), (404, r#"{"error":"not_found"}"#));
}

#[tokio::test]
async fn an_issuer_that_is_away_is_no_reason_to_call_a_token_bad() {
    let idp = idp().await;
    let down = |path: &str| idp.on(path, IdpAnswer::status(503));
    down("/jwks");
    let rig = door(Oidc { clock_skew: Oidc::CLOCK_SKEW, ..settings(&idp) }).await;
    let alice = format!("Bearer {}", token(&idp, "alice"));
    let reply = knock(&rig, &alice).await;
    assert_eq!(reply.status, 503);
    assert!(reply.head.contains("retry-after: "), "{}", reply.head);
    // A key of somebody else's is no way around.
    let key = SigningKey::es256("testkit").unwrap();
    let forged = key.jwt(
        "at+jwt",
        &json!({"iss": idp.issuer(), "aud": AUDIENCE, "sub": "alice", "exp": 4_000_000_000_u64}),
    );
    assert_ne!(knock(&rig, &format!("Bearer {}", forged.unwrap())).await.status, 200);
}
