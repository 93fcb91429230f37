//! What a well-behaved backend does, on each transport.

use std::io;

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, Builder, Gate, Listing, RawClient, Transport};

const NEWEST: &str = "2025-11-25";

fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

async fn connected(builder: Builder) -> io::Result<(Backend, RawClient)> {
    let backend = builder.start().await?;
    let client = RawClient::new(&backend.url())?;
    client.handshake(NEWEST, json!({})).await?;
    Ok((backend, client))
}

#[tokio::test]
async fn answers_in_json_and_as_stream() -> io::Result<()> {
    for transport in [Transport::Json, Transport::Sse] {
        let builder =
            Backend::builder().transport(transport).tool(tool("hello"), Answer::text("hi"));
        let (backend, client) = connected(builder).await?;
        let mut reply = client.request("tools/call", json!({"name": "hello"})).await?;
        assert_eq!(reply.is_stream(), transport == Transport::Sse);
        assert_eq!(reply.response().await?["result"]["content"][0]["text"], "hi");
        assert_eq!(backend.count("tools/call"), 1);
        assert_eq!(backend.count("initialize"), 1);
        assert_eq!(backend.sessions(), [client.session().unwrap_or_default()]);
        assert_eq!(backend.heard("tools/call")[0].header("mcp-protocol-version"), Some(NEWEST));
    }
    Ok(())
}

#[tokio::test]
async fn speaks_before_it_answers_and_asks_the_client() -> io::Result<()> {
    let answer = Answer::text("done")
        .progress(1, Some(2.0), Some("half"))
        .log("info", "working")
        .ask("sampling/createMessage", json!({"messages": [], "maxTokens": 5}));
    let builder = Backend::builder().transport(Transport::Json).tool(tool("busy"), answer);
    let (backend, client) = connected(builder).await?;
    let params = json!({"name": "busy", "_meta": {"progressToken": 0}});
    let mut reply = client.request("tools/call", params).await?;
    let mut seen = Vec::new();
    while let Some(message) = reply.message().await? {
        if message["method"] == "sampling/createMessage" {
            client.answer(&message, json!({"role": "assistant"})).await?;
        }
        seen.push(message["method"].as_str().unwrap_or("response").to_owned());
    }
    assert_eq!(
        seen,
        ["notifications/progress", "notifications/message", "sampling/createMessage", "response"]
    );
    assert_eq!(backend.replies()[0]["result"]["role"], "assistant");
    Ok(())
}

#[tokio::test]
async fn code_may_drive_a_call() -> io::Result<()> {
    let answer = Answer::run(|call| async move {
        call.notify("notifications/message", json!({"level": "info", "data": 1})).await;
        let roots = call.ask("roots/list", "{}").await;
        Answer::text(roots["result"]["roots"].to_string())
    });
    let (_backend, client) = connected(Backend::builder().tool(tool("roots"), answer)).await?;
    let mut reply = client.request("tools/call", json!({"name": "roots"})).await?;
    let _log = reply.message().await?;
    let asked = reply.message().await?.unwrap_or_default();
    client.answer(&asked, json!({"roots": []})).await?;
    assert_eq!(reply.response().await?["result"]["content"][0]["text"], "[]");
    Ok(())
}

#[tokio::test]
async fn lists_by_page() -> io::Result<()> {
    let mut builder = Backend::builder().listing(Listing::EmptyCursor(2));
    for name in ["a", "b", "c", "d", "e"] {
        builder = builder.tool(tool(name), Answer::usual());
    }
    let (_backend, client) = connected(builder).await?;
    let mut names = Vec::new();
    let mut params = json!({});
    let mut cursors = Vec::new();
    loop {
        let reply = client.call("tools/list", &params).await?;
        let tools = reply["result"]["tools"].as_array().cloned().unwrap_or_default();
        names.extend(tools.iter().map(|tool| tool["name"].as_str().unwrap_or_default().to_owned()));
        let Some(next) = reply["result"]["nextCursor"].as_str() else { break };
        cursors.push(next.to_owned());
        params = json!({"cursor": next});
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert_eq!(cursors, ["", "page-2"]);
    Ok(())
}

#[tokio::test]
async fn says_things_outside_calls() -> io::Result<()> {
    let resource = json!({"uri": "test://one", "name": "one"});
    let (backend, client) =
        connected(Backend::builder().resource(resource, Answer::usual())).await?;
    assert_eq!(backend.list_changed("resources").await, 0);
    let mut stream = client.get().await?;
    backend.wait_listeners(1).await?;
    assert_eq!(backend.resource_updated("test://one").await, 0);
    client.call("resources/subscribe", json!({"uri": "test://one"})).await?;
    assert_eq!(backend.resource_updated("test://one").await, 1);
    assert_eq!(backend.list_changed("resources").await, 1);
    let first = stream.message().await?.unwrap_or_default();
    assert_eq!(first["params"]["uri"], "test://one");
    let second = stream.message().await?.unwrap_or_default();
    assert_eq!(second["method"], "notifications/resources/list_changed");
    Ok(())
}

#[tokio::test]
async fn resumes_a_stream_it_closed_early() -> io::Result<()> {
    let gate = Gate::new();
    let answer = Answer::text("late").close_stream(Some(10)).gate(&gate);
    let (backend, client) =
        connected(Backend::builder().resumable().tool(tool("poll"), answer)).await?;
    let mut reply = client.request("tools/call", json!({"name": "poll"})).await?;
    let priming = reply.event().await?.unwrap_or_default();
    assert_eq!(priming.data, "");
    let retry = reply.event().await?.unwrap_or_default();
    assert_eq!(retry.retry, Some(10));
    assert_eq!(reply.event().await?, None);
    let mut resumed = client.resume(&priming.id.unwrap_or_default()).await?;
    gate.open();
    assert_eq!(resumed.response().await?["result"]["content"][0]["text"], "late");
    assert_eq!(backend.count("GET"), 1);
    Ok(())
}

#[tokio::test]
async fn restarts_on_the_same_port_without_its_sessions() -> io::Result<()> {
    let (backend, client) = connected(Backend::builder().tool(tool("a"), Answer::usual())).await?;
    backend.down().await;
    assert!(client.call("ping", "{}").await.is_err());
    backend.restart().await?;
    let reply = client.request("ping", "{}").await?;
    assert_eq!(reply.status, 404);
    client.handshake(NEWEST, "{}").await?;
    assert_eq!(client.tool("a", "{}").await?["result"]["content"][0]["text"], "done");
    Ok(())
}

#[tokio::test]
async fn scripts_change_while_it_runs() -> io::Result<()> {
    let answers = Answer::sequence([Answer::text("1"), Answer::error(-32000, "2")]);
    let (backend, client) = connected(Backend::builder().tool(tool("a"), answers)).await?;
    assert_eq!(client.tool("a", "{}").await?["result"]["content"][0]["text"], "1");
    assert_eq!(client.tool("a", "{}").await?["error"]["message"], "2");
    backend.set_tool(tool("b"), Answer::echo());
    backend.remove_tool("a");
    let reply = client.tool("b", r#"{"n": 1.0e2}"#).await?;
    assert_eq!(reply["result"]["content"][0]["text"], r#"{"name":"b","arguments":{"n": 1.0e2}}"#);
    assert_eq!(client.tool("a", "{}").await?["error"]["code"], -32602);
    Ok(())
}

#[tokio::test]
async fn speaks_through_a_channel() -> io::Result<()> {
    let answer = Answer::text("done").progress(1, None, None).ask("roots/list", "{}");
    let builder = Backend::builder().transport(Transport::HttpSse).tool(tool("a"), answer);
    let backend = builder.start().await?;
    let client = RawClient::new(&backend.url())?;
    let mut channel = client.open_channel().await?;
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {}});
    assert_eq!(client.request("initialize", params).await?.status, 202);
    assert_eq!(channel.response().await?["result"]["protocolVersion"], "2024-11-05");
    let params = json!({"name": "a", "_meta": {"progressToken": "p"}});
    client.request("tools/call", params).await?;
    assert_eq!(channel.message().await?.unwrap_or_default()["params"]["progressToken"], "p");
    let asked = channel.message().await?.unwrap_or_default();
    client.answer(&asked, json!({"roots": []})).await?;
    assert_eq!(channel.response().await?["result"]["content"][0]["text"], "done");
    assert_eq!(backend.list_changed("tools").await, 1);
    assert_eq!(
        channel.message().await?.unwrap_or_default()["method"],
        "notifications/tools/list_changed"
    );
    Ok(())
}
