//! Answers that are late, twice, somebody else's, or no answers at all.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_backend::{BackendTarget, Endpoint, ErrorKind, Event, Executed, Response};
use vmcp_testkit::{Answer, Backend, Call, Gate, Transport};

use crate::hostile::fails_honestly;
use crate::rig::{call, failure, open, pair, run, streamable, t, text, url, with_tool};

const TRANSPORTS: [Transport; 3] = [Transport::Json, Transport::Sse, Transport::HttpSse];

fn target(backend: &Backend, transport: Transport) -> BackendTarget {
    match transport {
        Transport::HttpSse => BackendTarget::new("b", Endpoint::Sse { url: url(&backend.url()) }),
        _ => streamable(&backend.url()),
    }
}

/// A call whose answer tells which one it was.
fn numbered(n: u64) -> vmcp_backend::Call {
    call(&json!({"name": "t", "n": n}))
}

fn number(call: &Call) -> u64 {
    call.params()["n"].as_u64().unwrap_or_default()
}

/// One event with this message.
fn event(message: &Value) -> String {
    format!("data: {message}\n\n")
}

fn own_id(call: &Call) -> u64 {
    call.json()["id"].as_u64().unwrap()
}

#[tokio::test]
async fn a_late_answer_reaches_nobody() {
    for transport in TRANSPORTS {
        let gate = Gate::new();
        let late = Answer::text("late").gate(&gate);
        let answer = Answer::with(move |call| match number(call) {
            0 => late.clone(),
            n => Answer::text(n.to_string()),
        });
        let backend = with_tool(answer).transport(transport).start().await.unwrap();
        let session = open(target(&backend, transport)).await;
        let error = failure(&session, numbered(0).with_timeout(Duration::from_millis(300))).await;
        assert!(matches!(error.kind, ErrorKind::Timeout(_)), "{error}");
        assert_eq!(error.executed, Executed::Unknown);
        gate.reached(1).await.unwrap();
        gate.open();
        for n in 1..20 {
            assert_eq!(text(&run(&session, numbered(n)).await), n.to_string(), "{transport:?}");
        }
        assert_eq!(backend.count("initialize"), 1);
        assert_eq!(backend.executions().len(), 20);
    }
}

#[tokio::test]
async fn what_comes_after_a_response_is_dropped() {
    for transport in [Transport::Sse, Transport::HttpSse] {
        // The response, then things about it, then an answer to a question that nobody asked yet.
        let answer = Answer::with(|call| {
            let (id, n) = (own_id(call), number(call));
            let response = |id: u64, text: String| {
                let content = json!([{"type": "text", "text": text}]);
                json!({"jsonrpc": "2.0", "id": id, "result": {"content": content}})
            };
            let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
                "params": {"progressToken": id, "progress": 2}});
            Answer::nothing()
                .raw(event(&response(id, n.to_string())))
                .raw(event(&progress))
                .raw(event(&response(id, "again".to_owned())))
                .raw(event(&response(id + 1, "forged".to_owned())))
        });
        let backend = with_tool(answer).transport(transport).start().await.unwrap();
        let session = open(target(&backend, transport)).await;
        for n in 0..10 {
            let all = run(&session, numbered(n)).await;
            assert_eq!(text(&all), n.to_string(), "{transport:?}");
            assert!(all.notifications.is_empty());
        }
        assert_eq!(backend.executions().len(), 10);
    }
}

#[tokio::test]
async fn an_answer_under_the_id_of_another_call_in_flight_reaches_neither() {
    for transport in [Transport::Json, Transport::Sse] {
        let (first, second) = (Gate::new(), Gate::new());
        let waits = Answer::text("own").gate(&first);
        let hold = second.clone();
        let answer = Answer::with(move |call| match number(call) {
            0 => waits.clone(),
            _ => Answer::wrong_id(
                (own_id(call) - 1).to_string().as_str(),
                json!({"content": [{"type": "text", "text": "stolen"}]}),
            )
            .gate(&hold),
        });
        let backend = with_tool(answer).transport(transport).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        let waiting = tokio::spawn({
            let session = session.clone();
            async move { run(&session, numbered(0)).await }
        });
        first.reached(1).await.unwrap();
        second.open();
        let error = failure(&session, numbered(1)).await;
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error}");
        assert_eq!(error.executed, Executed::Unknown);
        first.open();
        assert_eq!(text(&waiting.await.unwrap()), "own");
        assert_eq!(backend.executions().len(), 2);
    }
}

/// A wrong id made of the right one.
type Spell = fn(u64) -> String;

#[tokio::test]
async fn every_kind_of_wrong_id_is_an_error() {
    let spell: [(&str, Spell); 11] = [
        ("another", |id| (id + 1).to_string()),
        ("as a fraction", |id| format!("{id}.5")),
        ("negative", |id| format!("-{id}")),
        ("padded", |id| format!("\"0{id}\"")),
        ("with blanks", |id| format!("\" {id}\"")),
        ("null", |_| "null".to_owned()),
        ("a boolean", |_| "true".to_owned()),
        ("a list", |id| format!("[{id}]")),
        ("an object", |id| format!("{{\"id\":{id}}}")),
        ("huge", |id| format!("1{id:030}")),
        ("empty", |_| "\"\"".to_owned()),
    ];
    let message = |id: Option<String>, text: &str| {
        let id = id.map(|id| format!(",\"id\":{id}")).unwrap_or_default();
        format!(r#"{{"jsonrpc":"2.0","result":{{"content":[],"text":"{text}"}}{id}}}"#)
    };
    // Long ones are streamed, and their id comes last.
    for long in ["x".to_owned(), "x".repeat(300_000)] {
        let missing = message(None, &long);
        let mut answers = vec![("missing", Answer::garbage(missing))];
        for (what, spell) in spell {
            let long = long.clone();
            let answer = Answer::with(move |call| {
                Answer::garbage(message(Some(spell(own_id(call))), &long))
            });
            answers.push((what, answer));
        }
        for (what, answer) in answers {
            let (backend, session) = pair(Answer::sequence([answer, Answer::text("fine")])).await;
            let error = fails_honestly(&backend, &session).await;
            assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{what}: {error}");
            assert_eq!(error.executed, Executed::Unknown, "{what}");
            assert_eq!(text(&run(&session, t()).await), "fine");
        }
    }
}

#[tokio::test]
async fn odd_text_passes_as_it_is_and_broken_text_does_not_pass() {
    let odd =
        r#"{"content":[{"type":"text","text":"\ud800 \u0000 \udc00\uD83D \u2028"}],"\ud800":1}"#;
    for (transport, long) in
        [(Transport::Json, false), (Transport::Sse, false), (Transport::Json, true)]
    {
        let odd = match long {
            true => odd.replace("2028", &format!("2028{}", "y".repeat(300_000))),
            false => odd.to_owned(),
        };
        let backend =
            with_tool(Answer::result(odd.as_str())).transport(transport).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        let whole = session.ask(t()).await.unwrap();
        let vmcp_backend::Answer::Success(result) = whole else { panic!() };
        assert_eq!(result, odd);
    }
    for broken in [&b"\xff"[..], b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\0", b"\n"] {
        for length in [1, 300_000] {
            let answer = Answer::with(move |call| {
                let head = format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{"a":""#, own_id(call));
                let filler = "z".repeat(length);
                Answer::garbage([head.as_bytes(), filler.as_bytes(), broken, b"\"}}"].concat())
            });
            let backend = with_tool(answer).transport(Transport::Json).start().await.unwrap();
            let session = open(streamable(&backend.url())).await;
            let error = fails_honestly(&backend, &session).await;
            assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{broken:?}: {error}");
            assert_eq!(error.executed, Executed::Unknown);
        }
    }
}

#[tokio::test]
async fn results_of_any_shape_pass_as_they_are() {
    let shapes = [
        "\"text\"",
        "7",
        "-0.0e-7",
        "null",
        "true",
        "[]",
        "[1,2]",
        "{}",
        r#"{"content":{}}"#,
        r#"{"content":null,"isError":"yes"}"#,
        r#"{"content":[{"type":"hologram","x":1.0}]}"#,
        r#"{"content":[7,null,"x"]}"#,
        r#"{"structuredContent":{"a":"not what the schema says"},"content":[]}"#,
        r#"{"structuredContent":[],"a":1,"a":2}"#,
        r#"{"resultType":"input_required","error":{"code":1}}"#,
    ];
    for shape in shapes {
        for transport in [Transport::Json, Transport::Sse] {
            let backend =
                with_tool(Answer::result(shape)).transport(transport).start().await.unwrap();
            let session = open(streamable(&backend.url())).await;
            let mut reply = session.forward(t()).await.unwrap();
            let Some(Event::Response(Response::Whole(message))) = reply.next().await else {
                panic!("{shape}")
            };
            assert_eq!(message.result().unwrap(), shape);
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_the_response_is_no_success() {
    for answer in
        [Answer::nothing(), Answer::nothing().log("info", "l"), Answer::nothing().raw(": x\n\n")]
    {
        let backend = with_tool(answer).transport(Transport::Sse).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        let error = fails_honestly(&backend, &session).await;
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error}");
        assert_eq!(error.executed, Executed::Unknown);
        assert_eq!(backend.executions().len(), 1);
    }
}
