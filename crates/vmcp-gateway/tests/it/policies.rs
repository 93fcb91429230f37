//! What callers may do: in lists, in calls, and in what they are told.

use serde_json::{Value, json};
use vmcp_auth::{Caller, Identity};
use vmcp_backend::ErrorKind;
use vmcp_config::{Authz, Config};
use vmcp_testkit::{Answer, Backend};

use crate::world::{TestClient, World, bare, http, prompt, resource, tool};

fn person(name: &str, claims: &Value) -> Identity {
    Identity::verified("https://issuer.test", name, claims.to_string())
}

fn ruled(policies: &[&str]) -> Config {
    Config { authz: Some(Authz::cedar(policies.iter().copied())), ..bare() }
}

async fn backend() -> Backend {
    let backend = Backend::builder()
        .tool(tool("read"), Answer::text("read"))
        .tool(tool("deploy"), Answer::text("deployed"))
        .tool(tool("drop"), Answer::text("dropped"));
    backend
        .resource(resource("file:///open"), Answer::result(json!({"contents": []})))
        .resource(resource("file:///secret"), Answer::result(json!({"contents": []})))
        .prompt(prompt("greet"), Answer::result(json!({"messages": []})))
        .prompt(prompt("hidden"), Answer::result(json!({"messages": []})))
        .start()
        .await
        .unwrap()
}

const POLICIES: [&str; 5] = [
    r#"permit(principal, action == Action::"call_tool", resource == Tool::"read");"#,
    r#"permit(principal in THVGroup::"ops", action == Action::"call_tool", resource == Tool::"deploy")
       when { context.arg_env == "dev" };"#,
    r#"permit(principal in THVGroup::"root", action, resource);"#,
    r#"permit(principal, action == Action::"read_resource", resource == Resource::"file:///open");"#,
    r#"permit(principal, action == Action::"get_prompt", resource == Prompt::"greet");"#,
];

async fn refused(client: &TestClient, method: &'static str, params: Value) -> ErrorKind {
    client.refused(method, params).await
}

#[tokio::test]
async fn each_caller_sees_and_calls_what_is_permitted_to_it() {
    let backend = backend().await;
    let world = World::settled(ruled(&POLICIES), vec![http("b", &backend)]).await;
    let nobody = world.client().await;
    let ops = world.client_as(json!({}), person("o", &json!({"groups": ["ops"]}))).await;
    let root = world.client_as(json!({}), person("r", &json!({"groups": ["root"]}))).await;
    assert_eq!(nobody.list("tools/list").await, ["read"]);
    assert_eq!(ops.list("tools/list").await, ["read", "deploy"]);
    assert_eq!(root.list("tools/list").await, ["read", "deploy", "drop"]);
    assert_eq!(nobody.list("resources/list").await, ["file:///open"]);
    assert_eq!(nobody.list("prompts/list").await, ["greet"]);
    assert_eq!(nobody.text("read", json!({})).await, "read");
    assert_eq!(ops.text("deploy", json!({"env": "dev"})).await, "deployed");
    assert_eq!(root.text("drop", json!({})).await, "dropped");
    let before = backend.heard("tools/call").len();
    for (client, name, arguments) in [
        (&nobody, "drop", json!({})),
        (&nobody, "deploy", json!({"env": "dev"})),
        (&ops, "deploy", json!({"env": "prod"})),
        (&ops, "deploy", json!({"env": "dev", "ENV": "prod"})),
        (&ops, "deploy", json!({})),
        (&ops, "nowhere", json!({})),
    ] {
        let params = json!({"name": name, "arguments": arguments});
        let kind = refused(client, "tools/call", params).await;
        assert_eq!(kind, ErrorKind::UnknownTool(name.to_owned()));
    }
    assert_eq!(backend.heard("tools/call").len(), before, "nothing of it went on");
}

#[tokio::test]
async fn the_same_is_asked_of_whatever_names_a_resource_or_a_prompt() {
    let backend = backend().await;
    let world = World::settled(ruled(&POLICIES), vec![http("b", &backend)]).await;
    let client = world.client().await;
    client.ok("resources/read", json!({"uri": "file:///open"})).await;
    client.ok("prompts/get", json!({"name": "greet"})).await;
    for uri in ["file:///secret", "file:///never"] {
        for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"] {
            let kind = refused(&client, method, json!({"uri": uri})).await;
            assert_eq!(kind, ErrorKind::UnknownResource(uri.to_owned()), "{method}");
        }
        let params = json!({"ref": {"type": "ref/resource", "uri": uri},
            "argument": {"name": "a", "value": ""}});
        let kind = refused(&client, "completion/complete", params).await;
        let text = format!("there is no resource template {uri}");
        assert_eq!(kind, ErrorKind::InvalidParams(text));
    }
    for name in ["hidden", "never"] {
        let kind = refused(&client, "prompts/get", json!({"name": name})).await;
        assert_eq!(kind, ErrorKind::UnknownPrompt(name.to_owned()));
        let params = json!({"ref": {"type": "ref/prompt", "name": name},
            "argument": {"name": "a", "value": ""}});
        let kind = refused(&client, "completion/complete", params).await;
        assert_eq!(kind, ErrorKind::UnknownPrompt(name.to_owned()));
    }
    let kind = refused(&client, "vendor/method", json!({})).await;
    assert_eq!(kind, ErrorKind::MethodNotFound("vendor/method".to_owned()));
}

#[tokio::test]
async fn a_call_is_judged_by_the_claims_that_it_brings_and_the_session_is_told_what_changes() {
    let backend = backend().await;
    let world = World::settled(ruled(&POLICIES), vec![http("b", &backend)]).await;
    let mut alice = world.client_as(json!({}), person("alice", &json!({"groups": []}))).await;
    let mut other = world.client_as(json!({}), person("other", &json!({}))).await;
    assert_eq!(alice.list("tools/list").await, ["read"]);
    let newer = || Some(Caller::from(person("alice", &json!({"groups": ["root"]}))));
    let params = || json!({"name": "drop"});
    alice.hear_as("tools/call", params(), newer()).await.unwrap();
    alice.told("notifications/tools/list_changed").await;
    let older = Some(Caller::from(person("alice", &json!({"groups": []}))));
    let outcome = alice.hear_as("tools/call", params(), older).await;
    let kind = outcome.err().map(|error| error.kind);
    assert_eq!(kind, Some(ErrorKind::UnknownTool("drop".to_owned())));
    alice.told("notifications/tools/list_changed").await;
    assert!(other.so_far().is_empty(), "{:?}", other.so_far());
}

#[tokio::test]
async fn pages_are_those_of_what_the_caller_sees() {
    let mut builder = Backend::builder();
    for n in 0..40 {
        builder = builder.tool(tool(&format!("t{n:02}")), Answer::text("x"));
    }
    let backend = builder.start().await.unwrap();
    let policy = r#"permit(principal, action, resource) when { resource.name like "t*1" };"#;
    let mut config = ruled(&[policy]);
    config.aggregation.page_size = 3;
    let world = World::settled(config, vec![http("b", &backend)]).await;
    let client = world.client().await;
    let first = client.ok("tools/list", json!({})).await;
    let names = |page: &Value| -> Vec<String> {
        let tools = page["tools"].as_array().unwrap();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["t01", "t11", "t21"]);
    let next = client.ok("tools/list", json!({"cursor": first["nextCursor"]})).await;
    assert_eq!(names(&next), ["t31"]);
    assert!(next.get("nextCursor").is_none());
}

#[tokio::test]
async fn a_backend_of_which_nothing_may_be_asked_for_says_nothing() {
    let open = Backend::builder().tool(tool("read"), Answer::text("x")).start().await.unwrap();
    let closed = Backend::builder()
        .tool(tool("drop"), Answer::text("x"))
        .prompt(prompt("p"), Answer::result(json!({"messages": []})))
        .start()
        .await
        .unwrap();
    let targets = || vec![http("open", &open), http("closed", &closed)];
    let world = World::settled(ruled(&POLICIES), targets()).await;
    let told = |client: &TestClient| String::from_utf8(client.session.capabilities().to_vec());
    let nobody = told(&world.client().await).unwrap();
    let root = world.client_as(json!({}), person("r", &json!({"groups": ["root"]}))).await;
    let root = told(&root).unwrap();
    assert!(!nobody.contains("prompts") && root.contains("prompts"), "{nobody} {root}");
}

#[tokio::test]
async fn policies_that_say_nothing_offer_nothing() {
    let backend = backend().await;
    let world = World::start(ruled(&["permit(principal"]), vec![http("b", &backend)]);
    let client = world.client().await;
    assert!(client.list("tools/list").await.is_empty());
    let kind = refused(&client, "tools/call", json!({"name": "read"})).await;
    assert_eq!(kind, ErrorKind::UnknownTool("read".to_owned()));
}

#[tokio::test]
async fn a_denied_call_of_a_backend_that_is_down_is_denied() {
    let backend = backend().await;
    let world = World::settled(ruled(&POLICIES), vec![http("b", &backend)]).await;
    let client = world.client().await;
    drop(backend);
    let kind = refused(&client, "tools/call", json!({"name": "drop"})).await;
    assert_eq!(kind, ErrorKind::UnknownTool("drop".to_owned()));
}
