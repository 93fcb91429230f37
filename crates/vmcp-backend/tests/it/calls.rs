//! What a call costs, and that nothing of it is lost on the way.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use vmcp_backend::{Call, ErrorKind, Event, Response};
use vmcp_testkit::{Answer, Backend, Gate, Transport};

use crate::rig::{call, open, open_heard, pair, read, run, streamable, t, text, tool, with_tool};

#[tokio::test]
async fn twenty_calls_are_one_handshake_and_twenty_posts_on_one_connection() {
    let backend = with_tool(Answer::text("x")).transport(Transport::Json).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    for _ in 0..20 {
        assert_eq!(text(&run(&session, t()).await), "x");
    }
    assert_eq!(backend.count("initialize"), 1);
    assert_eq!(backend.count("tools/call"), 20);
    assert_eq!(backend.requests().len(), 22);
    assert_eq!(backend.connections(), 1);
    let ids: std::collections::HashSet<_> =
        backend.heard("tools/call").iter().map(vmcp_testkit::Recorded::id).collect();
    assert_eq!(ids.len(), 20);
}

#[tokio::test]
async fn event_streams_keep_their_connection_too() {
    let backend = with_tool(Answer::text("x")).transport(Transport::Sse).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    for _ in 0..20 {
        let reply = session.forward(t()).await.unwrap();
        assert!(reply.streamed);
        assert_eq!(text(&read(reply, &json!({})).await), "x");
    }
    assert_eq!(backend.count("initialize"), 1);
    // The end of a stream may arrive after its last event; a call that comes in between dials anew.
    assert!(backend.connections() <= 3, "{}", backend.connections());
}

#[tokio::test]
async fn concurrent_calls_need_no_more_connections_than_there_are_calls() {
    let gate = Gate::new();
    let (backend, session) = pair(Answer::echo().gate(&gate)).await;
    let mut running = tokio::task::JoinSet::new();
    for n in 0..8 {
        let session = session.clone();
        running.spawn(async move {
            let all = run(&session, call(&json!({"name": "t", "arguments": {"n": n}}))).await;
            (n, text(&all).to_owned())
        });
    }
    gate.reached(8).await.unwrap();
    gate.open();
    while let Some(outcome) = running.join_next().await {
        let (n, text) = outcome.unwrap();
        assert_eq!(text, format!(r#"{{"name":"t","arguments":{{"n":{n}}}}}"#));
    }
    assert!(backend.connections() <= 9, "{}", backend.connections());
    assert_eq!(backend.count("initialize"), 1);
}

#[tokio::test]
async fn params_and_results_pass_byte_for_byte() {
    let result = r#"{ "content" : [], "z":1.0e2,"a":"\u00e9é", "big":18446744073709551617 }"#;
    let backend =
        with_tool(Answer::result(result)).transport(Transport::Json).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let params =
        r#"{ "name":"t", "arguments":{"z":1.50,"a":"\u0041","u":18446744073709551617}, "x":null }"#;
    let call = Call::new("tools/call", Some(Bytes::from_static(params.as_bytes())));
    let mut reply = session.forward(call).await.unwrap();
    assert!(!reply.streamed);
    let Some(Event::Response(Response::Whole(message))) = reply.next().await else { panic!() };
    assert_eq!(message.result().unwrap(), result);
    assert!(reply.next().await.is_none());
    assert_eq!(backend.connections(), 1);
    let heard = backend.heard("tools/call");
    let body = String::from_utf8(heard[0].body.to_vec()).unwrap();
    assert!(body.contains(params), "{body}");
}

#[tokio::test]
async fn progress_comes_back_under_the_callers_own_token() {
    let answer = Answer::text("x")
        .progress(1, Some(2.0), Some("half"))
        .log("info", "l")
        .progress(2, None, None);
    let (backend, session) = pair(answer).await;
    for token in [json!(0), json!("a"), json!(77_000)] {
        let params = json!({"name": "t", "_meta": {"progressToken": token, "other": 1}});
        let all = run(&session, call(&params)).await;
        let methods: Vec<_> =
            all.notifications.iter().map(|n| n["method"].as_str().unwrap()).collect();
        assert_eq!(
            methods,
            ["notifications/progress", "notifications/message", "notifications/progress"]
        );
        assert_eq!(all.notifications[0]["params"]["progressToken"], token);
        assert_eq!(all.notifications[0]["params"]["message"], "half");
        assert_eq!(text(&all), "x");
    }
    // On the backend's side each call has its own.
    let heard = backend.heard("tools/call");
    for request in &heard {
        let json = request.json();
        assert_eq!(json["params"]["_meta"]["progressToken"], json["id"]);
        assert_eq!(json["params"]["_meta"]["other"], 1);
    }
}

#[tokio::test]
async fn a_request_of_the_backend_is_answered_under_its_own_id() {
    let answer = Answer::text("x").ask("elicitation/create", json!({"message": "who?"}));
    let (backend, session) = pair(answer).await;
    let reply = session.forward(t()).await.unwrap();
    let all = read(reply, &json!({"action": "accept", "content": {"a": 1.5}})).await;
    assert_eq!(text(&all), "x");
    let replies = backend.replies();
    assert_eq!(replies[0]["result"], json!({"action": "accept", "content": {"a": 1.5}}));
    assert_ne!(replies[0]["id"], "client's");
}

#[tokio::test]
async fn a_request_of_the_backend_that_is_dropped_is_refused() {
    let answer = Answer::text("x").ask("roots/list", json!({}));
    let (backend, session) = pair(answer).await;
    let mut reply = session.forward(t()).await.unwrap();
    let Some(Event::Request(request)) = reply.next().await else { panic!() };
    assert_eq!(request.method(), "roots/list");
    drop(request);
    assert_eq!(text(&read(reply, &json!({})).await), "x");
    assert_eq!(backend.replies()[0]["error"]["code"], -32603);
}

#[tokio::test]
async fn a_ping_of_the_backend_is_answered_at_once() {
    let (backend, session) = pair(Answer::text("x").ask("ping", json!({}))).await;
    assert_eq!(text(&run(&session, t()).await), "x");
    assert_eq!(backend.replies()[0]["result"], json!({}));
}

#[tokio::test]
async fn list_changed_goes_to_the_sink_also_from_a_calls_stream() {
    let answer = Answer::text("x").notify("notifications/tools/list_changed", json!({}));
    let backend = with_tool(answer).start().await.unwrap();
    let (session, heard) = open_heard(streamable(&backend.url())).await;
    assert!(run(&session, t()).await.notifications.is_empty());
    heard.notification("notifications/tools/list_changed").await;
}

#[tokio::test]
async fn typed_operations_read_answers_whole() {
    let backend = Backend::builder()
        .tool(tool("t"), Answer::echo())
        .resource(json!({"uri": "x:1", "name": "n"}), Answer::usual())
        .prompt(json!({"name": "p"}), Answer::error(-32602, "no"))
        .start()
        .await
        .unwrap();
    let session = open(streamable(&backend.url())).await;
    let arguments = Bytes::from_static(br#"{"a":"\"q\""}"#);
    let meta = Bytes::from_static(br#"{"m":1}"#);
    let result = session.call_tool("t", Some(arguments), Some(meta)).await.unwrap();
    assert_eq!(result.text(), r#"{"name":"t","arguments":{"a":"\"q\""},"_meta":{"m":1}}"#);
    assert_eq!(session.read_resource("x:1").await.unwrap().contents()[0].uri, "x:1");
    let error = session.get_prompt("p", None).await.unwrap_err();
    assert!(matches!(&error.kind, ErrorKind::Answered(error) if error.code() == -32602));
    assert_eq!(
        error.to_string(),
        "prompt \"p\" get failed on backend b: answered with error -32602: no"
    );
}

#[tokio::test]
async fn a_server_in_this_process_is_a_backend_too() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let serve = || {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let (input, mut output) = tokio::io::split(theirs);
            let mut lines = BufReader::new(input).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let message: serde_json::Value = serde_json::from_str(&line).unwrap();
                let Some(id) = message.get("id") else { continue };
                let result = match message["method"].as_str().unwrap() {
                    "initialize" => json!({"protocolVersion": "2025-06-18", "capabilities": {}}),
                    method => json!({"content": [{"type": "text", "text": method}]}),
                };
                let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
                let _ = output.write_all(format!("{answer}\n").as_bytes()).await;
            }
        });
        ours
    };
    let endpoint = vmcp_backend::Endpoint::InProcess(Arc::new(serve));
    let session = open(vmcp_backend::BackendTarget::new("b", endpoint)).await;
    assert_eq!(session.hello().revision.as_str(), "2025-06-18");
    for _ in 0..3 {
        assert_eq!(text(&run(&session, t()).await), "tools/call");
    }
    session.close().await;
}
