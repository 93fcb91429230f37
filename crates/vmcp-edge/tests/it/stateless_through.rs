//! Clients without a session, in front of backends that have none.

use serde_json::{Value, json};
use vmcp_config::{Config, SealKey};
use vmcp_testkit::{Answer, Backend, StatelessClient};

use crate::rig::{Rig, body, target, tool};

const ASK: &str = "elicitation/create";

fn question() -> Value {
    json!({"message": "name?", "requestedSchema": {"type": "object"}})
}

fn accept() -> Value {
    json!({"action": "accept", "content": {"name": "x"}})
}

async fn asker() -> Backend {
    let answer = Answer::text("done").asks([("mine", ASK, question())]);
    Backend::builder().stateless().tool(tool("t"), answer).start().await.unwrap()
}

fn client(rig: &Rig) -> StatelessClient {
    let client = rig.stateless();
    client.set_capabilities(json!({"elicitation": {"form": {}}}));
    client
}

fn params() -> Value {
    json!({"name": "t", "arguments": {"a": 1}})
}

#[tokio::test]
async fn questions_pass_under_their_own_keys_and_the_state_comes_back_sealed() {
    let backend = asker().await;
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let result = client.call("tools/call", params()).await.unwrap()["result"].take();
    assert_eq!(result["inputRequests"], json!({"mine": {"method": ASK, "params": question()}}));
    let answers = json!({"mine": accept()});
    let mut reply = client.retry("tools/call", params(), &result, answers).await.unwrap();
    let message = reply.response().await.unwrap();
    assert_eq!(message["result"]["content"][0]["text"], "done", "{message}");
    let [first, second] = &backend.heard("tools/call")[..] else { panic!("two requests") };
    let (first, second) = (first.json(), second.json());
    let state = second["params"]["requestState"].as_str().unwrap();
    assert_ne!(result["requestState"], state);
    assert_eq!(second["params"]["inputResponses"], json!({"mine": accept()}));
    for heard in [first, second] {
        let meta = &heard["params"]["_meta"];
        let capabilities = &meta["io.modelcontextprotocol/clientCapabilities"];
        assert_eq!(*capabilities, json!({"elicitation": {"form": {}}}));
    }
}

#[tokio::test]
async fn a_state_that_was_changed_never_reaches_the_backend() {
    let backend = asker().await;
    let rig = Rig::before(&backend).await;
    let client = client(&rig);
    let result = client.call("tools/call", params()).await.unwrap()["result"].take();
    let own = result["requestState"].as_str().unwrap().to_owned();
    let changed =
        format!("{}{}", &own[..own.len() - 2], if own.ends_with('A') { "BB" } else { "AA" });
    let foreign = backend.heard("tools/call").len();
    for (params, state) in [
        (params(), json!(changed)),
        (params(), json!("made up")),
        (params(), json!(7)),
        (json!({"name": "t", "arguments": {"a": 2}}), json!(own)),
    ] {
        let result = json!({"requestState": state});
        let answers = json!({"mine": accept()});
        let mut reply = client.retry("tools/call", params, &result, answers).await.unwrap();
        assert_eq!(body(&mut reply).await["error"]["code"], -32602, "{state}");
    }
    assert_eq!(backend.heard("tools/call").len(), foreign);
}

#[tokio::test]
async fn another_gateway_with_the_same_key_goes_on_with_a_call() {
    let backend = asker().await;
    let keyed =
        |byte: u8| move |config: &mut Config| config.seal.key = Some(SealKey::new([byte; 32]));
    let rotated = |config: &mut Config| {
        config.seal.key = Some(SealKey::new([2; 32]));
        config.seal.previous = vec![SealKey::new([1; 32])];
    };
    let one = Rig::with(vec![target("b", &backend)], keyed(1)).await;
    let two = Rig::with(vec![target("b", &backend)], rotated).await;
    let three = Rig::with(vec![target("b", &backend)], keyed(2)).await;
    let result = client(&one).call("tools/call", params()).await.unwrap()["result"].take();
    let answers = json!({"mine": accept()});
    let retry = async |rig: &Rig| {
        let reply = client(rig).retry("tools/call", params(), &result, answers.clone()).await;
        reply.unwrap().response().await.unwrap()
    };
    assert_eq!(retry(&three).await["error"]["code"], -32602);
    assert_eq!(retry(&two).await["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn what_a_backend_says_of_freshness_stays() {
    let contents = json!({"contents": [{"uri": "test://r", "text": "x"}]});
    let backend = Backend::builder()
        .stateless()
        .cacheable(1234, "public")
        .resource(json!({"uri": "test://r", "name": "r"}), Answer::result(contents))
        .start()
        .await
        .unwrap();
    let rig = Rig::before(&backend).await;
    let read = json!({"uri": "test://r"});
    let result = rig.stateless().call("resources/read", read).await.unwrap()["result"].take();
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(1234), &json!("public")));
    assert_eq!(result["resultType"], "complete");
}

#[tokio::test]
async fn a_client_that_goes_ends_the_backends_stream() {
    let builder = Backend::builder().stateless();
    let backend = builder.tool(tool("t"), Answer::never()).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let mut asking = Box::pin(client.tool("t", json!({})));
    tokio::select! {
        reply = &mut asking => panic!("{reply:?}"),
        heard = backend.wait_for("tools/call", 1) => heard.unwrap(),
    }
    drop(asking);
    backend.wait_abandoned(1).await.unwrap();
}

#[tokio::test]
async fn changes_and_updates_of_a_backend_without_sessions_are_told() {
    let backend = Backend::builder()
        .stateless()
        .tool(tool("t"), Answer::text("done"))
        .resource(json!({"uri": "test://r", "name": "r"}), Answer::result(json!({"contents": []})))
        .start()
        .await
        .unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.stateless();
    let wishes = json!({"toolsListChanged": true, "resourceSubscriptions": ["test://r"]});
    let mut stream = client.listen(wishes.clone()).await.unwrap();
    assert_eq!(stream.acknowledged["params"]["notifications"], wishes);
    backend.resource_updated("test://r").await;
    let message = stream.next().await.unwrap().unwrap();
    assert_eq!(message["method"], "notifications/resources/updated");
    assert_eq!(
        message["params"]["_meta"],
        json!({"io.modelcontextprotocol/subscriptionId": stream.id})
    );
    backend.set_tool(tool("u"), Answer::text("done"));
    backend.list_changed("tools").await;
    let message = stream.next().await.unwrap().unwrap();
    assert_eq!(message["method"], "notifications/tools/list_changed");
}

#[tokio::test]
async fn a_state_is_for_the_backend_that_gave_it() {
    let (first, second) = (asker().await, asker().await);
    let keyed = |config: &mut Config| config.seal.key = Some(SealKey::new([1; 32]));
    let one = Rig::with(vec![target("b", &first)], keyed).await;
    let other = Rig::with(vec![target("c", &second)], keyed).await;
    let result = client(&one).call("tools/call", params()).await.unwrap()["result"].take();
    let answers = json!({"mine": accept()});
    // The same tool under the same name, but of somebody else.
    let reply = client(&other).retry("tools/call", params(), &result, answers).await;
    assert_eq!(reply.unwrap().response().await.unwrap()["error"]["code"], -32602);
    assert_eq!(second.count("tools/call"), 0);
}
