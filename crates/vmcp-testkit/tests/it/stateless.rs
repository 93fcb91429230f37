//! The stateless revision, a client and a backend of the kit.

use std::io;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, Builder, Era, RawClient, StatelessClient, Transport};

const META: &str = "io.modelcontextprotocol/";

fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

async fn connected(builder: Builder) -> io::Result<(Backend, StatelessClient)> {
    let backend = builder.start().await?;
    let client = StatelessClient::new(&backend.url())?;
    Ok((backend, client))
}

#[tokio::test]
async fn says_what_it_is_and_answers_without_a_session() -> io::Result<()> {
    for transport in [Transport::Json, Transport::Sse] {
        let builder = Backend::builder()
            .stateless()
            .transport(transport)
            .cacheable(5000, "public")
            .tool(tool("hello"), Answer::result(r#"{ "n":1.0,"content":[] }"#));
        let (backend, client) = connected(builder).await?;
        let hello = client.discover().await?;
        assert_eq!(hello["result"]["supportedVersions"], json!(["2026-07-28"]));
        assert_eq!(hello["result"]["capabilities"]["tools"]["listChanged"], true);
        assert_eq!(hello["result"]["_meta"][format!("{META}serverInfo")]["name"], "testkit");
        assert_eq!(hello["result"]["ttlMs"], 5000);
        assert_eq!(hello["result"]["cacheScope"], "public");
        let mut reply = client.request("tools/call", json!({"name": "hello"})).await?;
        assert_eq!(reply.is_stream(), transport == Transport::Sse);
        assert_eq!(reply.header("mcp-session-id"), None);
        let text = reply.text().await?.unwrap_or_default();
        assert!(text.contains(r#""resultType":"complete""#), "{text}");
        assert!(text.contains(r#" "n":1.0,"content":[] }"#), "{text}");
        assert!(!text.contains("ttlMs"), "{text}");
        assert_eq!(backend.executions().len(), 1);
        assert_eq!(client.raw().get().await?.status, 405);
        assert_eq!(client.raw().delete().await?.status, 405);
    }
    Ok(())
}

#[tokio::test]
async fn requests_that_say_too_little_are_refused() -> io::Result<()> {
    let annotated = json!({"name": "hello", "inputSchema": {"properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "o": {"properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
    }}});
    let builder = Backend::builder().stateless().tool(annotated, Answer::text("hi"));
    let (backend, client) = connected(builder).await?;
    client.tools().await?;
    let arguments = json!({"region": " eu ", "o": {"n": 42}});
    let params = json!({"name": "hello", "arguments": arguments});
    let good = || client.prepare("\"x\"", "tools/call", &params);
    let heard = backend.count("tools/call");
    assert_eq!(client.send(good()).await?.status, 200);
    assert_eq!(
        backend.heard("tools/call")[heard].header("mcp-param-region"),
        Some("=?base64?IGV1IA==?=")
    );
    let meta = |message: &mut Value, name: &str, value: Value| {
        message["params"]["_meta"][format!("{META}{name}")] = value;
    };
    for (bent, status, code) in [
        (good().header("mcp-param-n", "42.0"), 200, Value::Null),
        (good().header("mcp-protocol-version", ""), 400, json!(-32020)),
        (good().header("mcp-protocol-version", "2025-11-25"), 400, json!(-32020)),
        (good().header("mcp-method", ""), 400, json!(-32020)),
        (good().header("mcp-method", "Tools/Call"), 400, json!(-32020)),
        (good().line("mcp-method", "tools/call"), 400, json!(-32020)),
        (good().header("mcp-name", "other"), 400, json!(-32020)),
        (good().header("mcp-name", "=?base64?aGVsbG8=?="), 200, Value::Null),
        (good().header("mcp-name", "=?base64?aGVsbG8?="), 400, json!(-32020)),
        (good().header("mcp-param-region", ""), 400, json!(-32020)),
        (good().header("mcp-param-region", "eu"), 400, json!(-32020)),
        (good().header("mcp-param-n", "43"), 400, json!(-32020)),
        (good().body(|message| message["params"]["arguments"] = json!({})), 400, json!(-32020)),
        (good().body(|message| message["params"]["_meta"] = json!({})), 400, json!(-32602)),
        (good().body(|message| meta(message, "clientCapabilities", json!(1))), 400, json!(-32602)),
        (good().body(|message| meta(message, "logLevel", json!("loud"))), 400, json!(-32602)),
        (client.prepare("\"x\"", "ping", "{}"), 404, json!(-32601)),
        (client.prepare("\"x\"", "resources/subscribe", "{}"), 404, json!(-32601)),
    ] {
        let mut reply = client.send(bent.clone()).await?;
        assert_eq!(reply.status, status, "{bent:?}");
        let response = reply.response().await?;
        assert_eq!((&response["error"]["code"], &response["id"]), (&code, &json!("x")), "{bent:?}");
    }
    Ok(())
}

#[tokio::test]
async fn another_revision_is_refused_by_name() -> io::Result<()> {
    let (_backend, client) = connected(Backend::builder().stateless()).await?;
    let hello = client.raw().handshake("2025-11-25", "{}").await.map(|_| ());
    assert!(hello.is_err_and(|error| error.to_string().contains("2026-07-28")));
    client.set_revision("1900-01-01");
    let mut reply = client.request("server/discover", "{}").await?;
    assert_eq!(reply.status, 400);
    let error = reply.response().await?["error"].take();
    assert_eq!(error["code"], -32022);
    assert_eq!(error["data"], json!({"supported": ["2026-07-28"], "requested": "1900-01-01"}));
    Ok(())
}

#[tokio::test]
async fn asks_in_rounds_and_verifies_what_comes_back() -> io::Result<()> {
    let answer = Answer::text("done")
        .progress(1, None, None)
        .asks([
            ("who", "elicitation/create", json!({"message": "who?"})),
            ("what", "sampling/createMessage", json!({"messages": []})),
        ])
        .again()
        .ask("roots/list", "{}");
    let builder = Backend::builder().stateless().tool(tool("ask"), answer);
    let (backend, client) = connected(builder).await?;
    let params = json!({"name": "ask", "_meta": {"progressToken": 7}});

    let mut reply = client.request("tools/call", &params).await?;
    assert_eq!(reply.status, 400);
    let error = reply.response().await?["error"].take();
    assert_eq!(error["code"], -32021);
    assert_eq!(error["data"]["requiredCapabilities"], json!({"elicitation": {}}));

    client.set_capabilities(json!({"elicitation": {}, "sampling": {}, "roots": {}}));
    let mut reply = client.request("tools/call", &params).await?;
    assert_eq!(reply.message().await?.unwrap_or_default()["method"], "notifications/progress");
    let first = reply.response().await?["result"].take();
    assert_eq!(first["resultType"], "input_required");
    assert_eq!(first["inputRequests"]["who"]["method"], "elicitation/create");

    // Half an answer: only the other half is asked again.
    let half = json!({"who": {"action": "accept"}, "unasked": 1});
    let mut reply = client.retry("tools/call", &params, &first, half).await?;
    let second = reply.response().await?["result"].take();
    let open: Vec<_> = second["inputRequests"].as_object().into_iter().flatten().collect();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].0, "what");

    let mut tampered = second.clone();
    tampered["requestState"] =
        json!(format!("{}x", second["requestState"].as_str().unwrap_or_default()));
    let mut reply = client.retry("tools/call", &params, &tampered, json!({})).await?;
    assert_eq!(
        (reply.status.as_u16(), reply.response().await?["error"]["code"].take()),
        (200, json!(-32602))
    );
    let other = json!({"name": "ask", "arguments": {"changed": true}});
    let mut reply = client.retry("tools/call", &other, &second, json!({})).await?;
    assert_eq!(reply.response().await?["error"]["code"], -32602);

    let mut reply = client
        .retry("tools/call", &params, &second, json!({"what": {"role": "assistant"}}))
        .await?;
    let third = reply.response().await?["result"].take();
    assert_eq!((third.get("inputRequests"), third["requestState"].is_string()), (None, true));
    let mut reply = client.retry("tools/call", &params, &third, json!({})).await?;
    let fourth = reply.response().await?["result"].take();
    let (key, request) = fourth["inputRequests"]
        .as_object()
        .and_then(|all| all.iter().next())
        .unwrap_or_else(|| panic!("{fourth}"));
    assert_eq!(request["method"], "roots/list");
    let mut reply =
        client.retry("tools/call", &params, &fourth, json!({key.as_str(): {"roots": []}})).await?;
    assert_eq!(reply.response().await?["result"]["content"][0]["text"], "done");
    assert_eq!(backend.executions().len(), 1);
    assert!(backend.replies().contains(&json!({"key": "who", "result": {"action": "accept"}})));

    let (response, rounds) = client.fulfil("tools/call", &params, |_, _| json!({})).await?;
    assert_eq!((response["result"]["content"][0]["text"].as_str(), rounds), (Some("done"), 3));
    Ok(())
}

#[tokio::test]
async fn code_that_asks_runs_again_with_the_answer() -> io::Result<()> {
    let answer = Answer::run(|call| async move {
        let first = call.ask("roots/list", "{}").await;
        let second = call.ask("elicitation/create", json!({"message": "?"})).await;
        Answer::text(format!("{} {}", first["result"], second["result"]))
    });
    let (_backend, client) =
        connected(Backend::builder().stateless().tool(tool("run"), answer)).await?;
    client.set_capabilities(json!({"elicitation": {}, "roots": {}}));
    let (response, rounds) = client
        .fulfil("tools/call", json!({"name": "run"}), |_, request| request["method"].clone())
        .await?;
    assert_eq!(response["result"]["content"][0]["text"], r#""roots/list" "elicitation/create""#);
    assert_eq!(rounds, 2);
    Ok(())
}

#[tokio::test]
async fn logs_only_what_a_request_asks_for() -> io::Result<()> {
    let answer = Answer::text("done").log("debug", "d").log("error", "e");
    let builder = Backend::builder().stateless().tool(tool("log"), answer);
    let (_backend, client) = connected(builder).await?;
    for (level, expected) in
        [(None, vec![]), (Some("debug"), vec!["d", "e"]), (Some("warning"), vec!["e"])]
    {
        client.set_level(level);
        let mut reply = client.request("tools/call", json!({"name": "log"})).await?;
        let mut heard = Vec::new();
        while let Some(message) = reply.message().await? {
            heard.extend(message["params"]["data"].as_str().map(str::to_owned));
        }
        assert_eq!(heard, expected, "{level:?}");
    }
    Ok(())
}

#[tokio::test]
async fn tells_listeners_what_they_listen_for() -> io::Result<()> {
    let resource = json!({"uri": "test://one", "name": "one"});
    let builder = Backend::builder().stateless().resource(resource, Answer::usual()).capabilities(
        json!({"tools": {"listChanged": true}, "prompts": {}, "resources": {"subscribe": true}}),
    );
    let (backend, client) = connected(builder).await?;
    let wishes = json!({
        "toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["test://one"],
    });
    let mut all = client.listen(&wishes).await?;
    let tag = format!("{META}subscriptionId");
    assert_eq!(all.acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        all.acknowledged["params"],
        json!({
            "notifications": {"toolsListChanged": true, "resourceSubscriptions": ["test://one"]},
            "_meta": {tag.as_str(): all.id},
        })
    );
    let mut few = client.listen(json!({"toolsListChanged": true})).await?;
    backend.wait_listeners(2).await?;
    assert_eq!(backend.listens()[1], json!({"toolsListChanged": true}));
    assert_eq!(backend.resource_updated("test://other").await, 0);
    assert_eq!(backend.resource_updated("test://one").await, 1);
    assert_eq!(backend.list_changed("prompts").await, 0);
    assert_eq!(backend.list_changed("tools").await, 2);
    let update = all.next().await?.unwrap_or_default();
    assert_eq!(
        (&update["params"]["uri"], &update["params"]["_meta"][&tag]),
        (&json!("test://one"), &json!(all.id))
    );
    assert_eq!(all.next().await?.unwrap_or_default()["method"], "notifications/tools/list_changed");
    assert_eq!(few.next().await?.unwrap_or_default()["params"]["_meta"][&tag], few.id);
    drop(few);
    backend.wait_listens(|listens| listens.len() == 1).await?;
    assert_eq!(backend.end_listens().await, 1);
    let end = all.next().await?.unwrap_or_default();
    assert_eq!(end["id"], all.id);
    assert_eq!(end["result"], json!({"resultType": "complete", "_meta": {tag.as_str(): all.id}}));
    assert_eq!(all.next().await?, None);
    Ok(())
}

#[tokio::test]
async fn a_dropped_reply_is_a_request_taken_back() -> io::Result<()> {
    let answer = Answer::never().progress(1, None, None);
    let (backend, client) =
        connected(Backend::builder().stateless().tool(tool("busy"), answer)).await?;
    let params = json!({"name": "busy", "_meta": {"progressToken": "p"}});
    let mut reply = client.request("tools/call", params).await?;
    assert_eq!(reply.message().await?.unwrap_or_default()["params"]["progressToken"], "p");
    drop(reply);
    backend.wait_abandoned(1).await?;
    Ok(())
}

#[tokio::test]
async fn speaks_one_family_or_both_and_changes_its_mind() -> io::Result<()> {
    let builder =
        Backend::builder().dual().tool(tool("a"), Answer::text("done").ask("roots/list", "{}"));
    let (backend, client) = connected(builder).await?;
    client.set_capabilities(json!({"roots": {}}));
    let supported = client.discover().await?["result"]["supportedVersions"].take();
    assert_eq!(supported[0], "2026-07-28");
    let (response, rounds) =
        client.fulfil("tools/call", json!({"name": "a"}), |_, _| json!({})).await?;
    assert_eq!((response["result"]["content"][0]["text"].as_str(), rounds), (Some("done"), 1));
    let old = RawClient::new(&backend.url())?;
    old.handshake("2025-11-25", json!({"roots": {}})).await?;
    let mut reply = old.request("tools/call", json!({"name": "a"})).await?;
    let asked = reply.message().await?.unwrap_or_default();
    old.answer(&asked, json!({"roots": []})).await?;
    assert_eq!(reply.response().await?["result"]["content"][0]["text"], "done");

    backend.set_era(Era::Legacy);
    let mut reply = client.request("server/discover", "{}").await?;
    assert_eq!(
        (reply.status.as_u16(), reply.response().await?["error"]["code"].take()),
        (400, json!(-32001))
    );
    backend.on("server/discover", Answer::html(404));
    assert_eq!(client.request("server/discover", "{}").await?.status, 404);
    assert_eq!(old.call("ping", "{}").await?["result"], json!({}));
    backend.set_era(Era::Modern);
    backend.on("server/discover", None);
    assert_eq!(client.discover().await?["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(old.request("ping", "{}").await?.status, 400);
    Ok(())
}
