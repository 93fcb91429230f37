//! The shape of replies: JSON or an event stream, whole or in parts, and the order of what is in them.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, RawReply, SseEvent, Transport};

use crate::rig::{LATEST, Rig, one_tool, target, tool};

const CALL: &str = r#"{"name":"t","arguments":{},"_meta":{"progressToken":0}}"#;

async fn json_backend(answer: Answer) -> Backend {
    let builder = Backend::builder().transport(Transport::Json);
    builder.tool(tool("t"), answer).start().await.unwrap()
}

/// All events of a stream until its proper end.
async fn events(reply: &mut RawReply) -> Vec<SseEvent> {
    let mut events = Vec::new();
    while let Some(event) = reply.event().await.unwrap() {
        events.push(event);
    }
    events
}

fn data(event: &SseEvent) -> Value {
    serde_json::from_str(&event.data).unwrap_or(Value::Null)
}

#[tokio::test]
async fn a_json_answer_stays_one_and_keeps_every_byte() {
    let result = r#"{ "z":1.0, "content":[ ], "big":12345678901234567890123, "a":"\u00e9\/" }"#;
    let backend = json_backend(Answer::result(result)).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let mut reply = client.request_as("\"x\"", "tools/call", CALL).await.unwrap();
    assert!(!reply.is_stream());
    assert!(reply.header("content-length").is_some());
    let text = reply.text().await.unwrap().unwrap();
    assert!(text.contains(result) && text.contains("\"id\":\"x\""), "{text}");
}

#[tokio::test]
async fn an_event_stream_stays_one_with_headers_that_keep_proxies_from_waiting() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let reply = client.request("tools/call", CALL).await.unwrap();
    assert!(reply.is_stream());
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    assert_eq!(reply.header("x-accel-buffering"), Some("no"));
    assert_eq!(reply.header("content-length"), None);
}

#[tokio::test]
async fn streams_begin_with_an_id_to_resume_from_where_the_revision_says_so() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    for (revision, first) in [("2025-11-25", true), ("2025-06-18", false), ("2025-03-26", false)] {
        let client = rig.session(revision).await;
        let events = events(&mut client.request("tools/call", CALL).await.unwrap()).await;
        assert_eq!(events.len(), 1 + usize::from(first), "{revision}: {events:?}");
        if first {
            assert!(
                events[0].data.is_empty() && events[0].id.is_some() && events[0].retry.is_some()
            );
        }
        let last = events.last().unwrap();
        assert!(last.id.is_some() && last.retry.is_none());
        assert_eq!(data(last)["result"]["content"][0]["text"], "x");
    }
}

#[tokio::test]
async fn event_ids_are_unique_in_a_session_and_count_up_in_a_stream() {
    let answer = Answer::text("x").log("info", 1).log("info", 2);
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        let events = events(&mut client.request("tools/call", CALL).await.unwrap()).await;
        let ids: Vec<String> = events.into_iter().map(|event| event.id.unwrap()).collect();
        let stream = ids[0].split_once('.').unwrap().0;
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(id, &format!("{stream}.{at}"));
            assert!(seen.insert(id.clone()));
        }
    }
}

#[tokio::test]
async fn progress_and_logs_come_before_the_response_on_the_same_stream() {
    let mut answer = Answer::text("done");
    for n in 0..200 {
        answer = answer.progress(n, None, None).log("info", n);
    }
    let backend = one_tool("t", answer).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-06-18").await;
    let events = events(&mut client.request("tools/call", CALL).await.unwrap()).await;
    assert_eq!(events.len(), 401);
    for (n, pair) in events[..400].chunks(2).enumerate() {
        assert_eq!(data(&pair[0])["params"]["progress"], n);
        assert_eq!(data(&pair[0])["params"]["progressToken"], 0);
        assert_eq!(data(&pair[1])["params"]["data"], n);
    }
    assert_eq!(data(&events[400])["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn a_json_backend_that_speaks_first_makes_an_event_stream() {
    let backend = json_backend(Answer::text("done").log("info", "first")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-06-18").await;
    let mut reply = client.request("tools/call", CALL).await.unwrap();
    assert!(reply.is_stream());
    let events = events(&mut reply).await;
    assert_eq!(data(&events[0])["params"]["data"], "first");
    assert_eq!(data(&events[1])["result"]["content"][0]["text"], "done");
}

#[tokio::test]
async fn a_long_json_answer_is_passed_on_in_parts_under_the_clients_id() {
    const LENGTH: u64 = 3 << 20;
    let backend = json_backend(Answer::huge(LENGTH)).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let mut reply = client.request_as("\"my id\"", "tools/call", CALL).await.unwrap();
    assert!(!reply.is_stream());
    assert_eq!(reply.header("content-length"), None);
    let message = reply.response().await.unwrap();
    assert_eq!(message["id"], "my id");
    let text = message["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(text.len() as u64, LENGTH);
}

#[tokio::test]
async fn a_long_answer_in_a_stream_is_one_event() {
    const LENGTH: u64 = 3 << 20;
    let backend = one_tool("t", Answer::huge(LENGTH).log("info", "first")).await;
    let rig = Rig::before(&backend).await;
    for revision in ["2025-11-25", "2025-06-18"] {
        let client = rig.session(revision).await;
        let mut reply = client.request_as("7", "tools/call", CALL).await.unwrap();
        let events = events(&mut reply).await;
        let message = data(events.last().unwrap());
        assert_eq!(message["id"], 7);
        assert_eq!(message["result"]["content"][0]["text"].as_str().unwrap().len() as u64, LENGTH);
        assert_eq!(data(&events[events.len() - 2])["params"]["data"], "first");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_never_taken_for_complete() {
    for transport in [Transport::Json, Transport::Sse] {
        let answer = Answer::huge(3 << 20).cut_after(1 << 20);
        let builder = Backend::builder().transport(transport).tool(tool("t"), answer);
        let backend = builder.start().await.unwrap();
        let rig = Rig::before(&backend).await;
        let client = rig.session("2025-06-18").await;
        let mut reply = client.request("tools/call", CALL).await.unwrap();
        assert!(reply.bytes().await.is_err());
        // Nothing else suffers.
        assert!(client.call("tools/list", json!({})).await.unwrap()["result"].is_object());
    }
}

#[tokio::test]
async fn backends_errors_pass_and_failures_are_answered_with_status_200() {
    let backend = Backend::builder()
        .tool(
            tool("error"),
            Answer::error_object(r#"{"code":-32050,"message":"m","data":{"x":1.0}}"#),
        )
        .tool(tool("html"), Answer::html(502))
        .tool(tool("hangup"), Answer::hangup())
        .tool(tool("nothing"), Answer::nothing())
        .start()
        .await
        .unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-06-18").await;
    let mut reply = client.request("tools/call", json!({"name": "error"})).await.unwrap();
    assert!(
        reply
            .text()
            .await
            .unwrap()
            .unwrap()
            .contains(r#""error":{"code":-32050,"message":"m","data":{"x":1.0}}"#)
    );
    for name in ["html", "hangup", "nothing"] {
        let mut reply = client.request_as("5", "tools/call", json!({"name": name})).await.unwrap();
        assert_eq!(reply.status, 200, "{name}");
        let message = reply.response().await.unwrap();
        assert_eq!(message["id"], 5);
        let code = message["error"]["code"].as_i64().unwrap();
        assert!(code > 0, "{name}: {message}");
        let data = &message["error"]["data"];
        assert_eq!(data["backend"], "b", "{message}");
        assert!(["no", "unknown"].contains(&data["executed"].as_str().unwrap()));
        let text = message.to_string();
        assert!(
            !text.contains("127.0.0.1") && !text.contains(&backend.address().port().to_string())
        );
    }
}

#[tokio::test]
async fn a_backend_that_is_gone_is_unavailable_and_nothing_ran() {
    let backend = one_tool("t", Answer::text("x")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    backend.down().await;
    let message = client.tool("t", json!({})).await.unwrap();
    assert_eq!(message["error"]["code"], 1001, "{message}");
    assert_eq!(
        message["error"]["data"],
        json!({"reason": "unavailable", "executed": "no", "backend": "b"})
    );
}

#[tokio::test]
async fn a_busy_backend_says_when_to_come_back() {
    let backend = one_tool("t", Answer::status(429).header("retry-after", "7")).await;
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let message = client.tool("t", json!({})).await.unwrap();
    assert_eq!(message["error"]["code"], 1007, "{message}");
    assert_eq!(
        message["error"]["data"],
        json!({"reason": "busy", "executed": "no", "backend": "b", "retryAfter": 7})
    );
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn a_silent_backend_times_out() {
    let backend = one_tool("t", Answer::never()).await;
    let mut target = target("b", &backend);
    target.timeouts.call = std::time::Duration::from_millis(100);
    let rig = Rig::with(vec![target], |_| {}).await;
    let client = rig.session(LATEST).await;
    let message = client.tool("t", json!({})).await.unwrap();
    assert_eq!(message["error"]["code"], 1002, "{message}");
    assert_eq!(message["error"]["data"]["executed"], "unknown");
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_by_comments() {
    let backend = one_tool("t", Answer::never().log("info", "first")).await;
    let rig = Rig::with(vec![target("b", &backend)], |config| {
        config.timeouts.keep_alive = std::time::Duration::from_millis(30);
    })
    .await;
    let client = rig.session("2025-06-18").await;
    let mut get = client.get().await.unwrap();
    let mut call = client.request("tools/call", CALL).await.unwrap();
    assert_eq!(call.message().await.unwrap().unwrap()["params"]["data"], "first");
    for reply in [&mut get, &mut call] {
        for _ in 0..3 {
            assert_eq!(reply.piece().await.unwrap().unwrap(), ":\n\n");
        }
    }
}

#[tokio::test]
async fn a_batch_is_an_array_or_a_stream_with_every_answer() {
    let backend = json_backend(Answer::with(|call| {
        let text = Answer::text("x");
        if call.arguments()["log"] == true { text.log("info", "l") } else { text }
    }))
    .await;
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-03-26").await;
    let call = |id: u32, log: bool| {
        let params = json!({"name": "t", "arguments": {"log": log}});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
    };
    let plain =
        json!([call(1, false), call(2, false), {"jsonrpc": "2.0", "id": 3, "method": "ping"}]);
    let mut reply = client.post(plain.to_string()).await.unwrap();
    assert!(!reply.is_stream());
    let answers = reply.message().await.unwrap().unwrap();
    let mut ids: Vec<u64> =
        answers.as_array().unwrap().iter().map(|a| a["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);

    let chatty =
        json!([call(1, true), call(2, false), {"jsonrpc": "2.0", "id": 3, "method": "ping"}]);
    let mut reply = client.post(chatty.to_string()).await.unwrap();
    assert!(reply.is_stream());
    let events = events(&mut reply).await;
    let mut ids: Vec<u64> = events.iter().filter_map(|event| data(event)["id"].as_u64()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
    let at =
        |find: &dyn Fn(&Value) -> bool| events.iter().position(|event| find(&data(event))).unwrap();
    assert!(at(&|m| m["method"] == "notifications/message") < at(&|m| m["id"] == 1));
}

#[tokio::test]
async fn long_answers_in_a_batch_do_not_get_mixed_up() {
    const LENGTH: u64 = 300_000;
    // What a resource is passes as it comes, whatever the client's revision.
    let resource = json!({"uri": "u:r", "name": "r"});
    let backend = Backend::builder().resource(resource, Answer::huge(LENGTH));
    let backend = backend.transport(Transport::Json).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.session("2025-03-26").await;
    let call = |id| json!({"jsonrpc": "2.0", "id": id, "method": "resources/read", "params": {"uri": "u:r"}});
    let batch = json!([call("a"), call("b"), call("c")]);
    let mut reply = client.post(batch.to_string()).await.unwrap();
    let mut ids = Vec::new();
    for event in events(&mut reply).await {
        let message = data(&event);
        assert_eq!(message["result"]["content"][0]["text"].as_str().unwrap().len() as u64, LENGTH);
        ids.push(message["id"].as_str().unwrap().to_owned());
    }
    ids.sort_unstable();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_list_has_the_shape_of_its_backends_lists() {
    for (transport, streamed) in [(Transport::Json, false), (Transport::Sse, true)] {
        let builder = Backend::builder().transport(transport).tool(tool("t"), Answer::text("x"));
        let backend = builder.start().await.unwrap();
        let rig = Rig::before(&backend).await;
        let client = rig.session(LATEST).await;
        let mut reply = client.request_as("5", "tools/list", json!({})).await.unwrap();
        assert_eq!(reply.is_stream(), streamed);
        let message = reply.message().await.unwrap().unwrap();
        assert_eq!(
            (&message["id"], &message["result"]["tools"][0]["name"]),
            (&json!(5), &json!("t"))
        );
        assert_eq!(reply.piece().await.unwrap(), None);
    }
}
