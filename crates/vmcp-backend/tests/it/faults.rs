//! What a backend can do wrong with one call: each ends in a clear error that says whether it may have run.

use serde_json::json;
use vmcp_backend::{CallError, ErrorKind, Executed, Session, Side};
use vmcp_testkit::{Answer, Backend, RawServer, Transport};

use crate::rig::{failure, open, pair, run, streamable, t, text, with_tool};

/// The error of a call that is answered so, by JSON and on an event stream; the session works after it.
async fn check(answer: Answer, executed: Executed, expected: &str) {
    for transport in [Transport::Json, Transport::Sse] {
        let backend = with_tool(Answer::sequence([answer.clone(), Answer::text("fine")]))
            .transport(transport)
            .start()
            .await
            .unwrap();
        let session = open(streamable(&backend.url())).await;
        let error = failure(&session, t()).await;
        assert_eq!(error.executed, executed, "{error}");
        assert_eq!(error.side, Side::Backend);
        assert!(error.kind.to_string().contains(expected), "{error} is not {expected}");
        check_goes_on(&backend, &session).await;
    }
}

async fn check_goes_on(backend: &Backend, session: &Session) {
    assert_eq!(backend.count("tools/call"), 1, "it was not repeated");
    assert_eq!(text(&run(session, t()).await), "fine");
    assert_eq!(backend.count("initialize"), 1);
}

#[tokio::test]
async fn wrong_ids_are_never_delivered() {
    for id in ["999999", "\"999999\"", "1.5", "-1", "\"\"", "null"] {
        let answer = Answer::wrong_id(id, json!({"content": []}));
        check(answer, Executed::Unknown, "protocol error").await;
    }
}

#[tokio::test]
async fn the_own_id_as_a_string_is_taken() {
    let answer = Answer::with(|call| {
        let id = format!("\"{}\"", call.id().unwrap_or_default());
        Answer::wrong_id(id, json!({"content": [{"type": "text", "text": "x"}]}))
    });
    let (_backend, session) = pair(answer).await;
    assert_eq!(text(&run(&session, t()).await), "x");
}

#[tokio::test]
async fn what_is_no_message_is_an_error() {
    for garbage in [
        "not json",
        "{\"jsonrpc\":\"2.0\",\"id\":",
        "[]",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}",
    ] {
        check(Answer::garbage(garbage), Executed::Unknown, "protocol error").await;
    }
    let invalid = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\"}}".to_vec();
    check(Answer::garbage(invalid), Executed::Unknown, "protocol error").await;
}

#[tokio::test]
async fn a_reply_without_a_response_is_an_error() {
    check(Answer::nothing(), Executed::Unknown, "protocol error").await;
    for status in [200, 202, 204] {
        check(Answer::status(status), Executed::Unknown, "protocol error").await;
    }
    check(Answer::nothing().log("info", "l"), Executed::Unknown, "before the response").await;
}

#[tokio::test]
async fn a_page_of_text_is_an_error() {
    check(Answer::html(200), Executed::Unknown, "neither JSON").await;
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_an_error() {
    check(Answer::hangup(), Executed::Unknown, "unavailable").await;
    check(Answer::hangup().log("info", "l"), Executed::Unknown, "unavailable").await;
    check(Answer::text("x".repeat(1000)).cut_after(300), Executed::Unknown, "").await;
}

#[tokio::test]
async fn statuses_say_whether_it_ran() {
    use Executed::{No, Unknown};
    let table = [
        (400, Unknown, "HTTP 400"),
        (401, No, "credentials refused"),
        (403, No, "credentials refused"),
        (405, No, "HTTP 405"),
        (409, Unknown, "HTTP 409"),
        (413, No, "HTTP 413"),
        (415, No, "HTTP 415"),
        (429, No, "busy"),
        (500, Unknown, "HTTP 500"),
        (502, Unknown, "unavailable"),
        (503, No, "unavailable"),
        (504, Unknown, "unavailable"),
    ];
    for (status, executed, expected) in table {
        check(Answer::html(status), executed, expected).await;
    }
}

#[tokio::test]
async fn texts_of_the_backend_stay_inside() {
    let page = Answer::http(500, "text/plain", "at 10.0.0.1\r\nX: y");
    let (_backend, session) = pair(page).await;
    let error = failure(&session, t()).await;
    assert!(!error.kind.to_string().contains("10.0.0.1"));
    assert_eq!(error.internal(), Some("HTTP 500: at 10.0.0.1  X: y"));
}

#[tokio::test]
async fn a_json_rpc_error_is_the_response_whatever_the_status() {
    for status in [400, 404, 422, 500] {
        let answer = Answer::with(move |call| {
            let id = call.id().unwrap_or_default();
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"m","data":1.0}}}}"#
            );
            Answer::http(status, "application/json", body)
        });
        let (_backend, session) = pair(answer).await;
        let all = run(&session, t()).await;
        assert_eq!(all.response["error"]["code"], -32602, "{all:?}");
    }
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"m"}}"#;
    let (_backend, session) = pair(Answer::http(400, "application/json", body)).await;
    assert_eq!(run(&session, t()).await.response["error"]["code"], -32600);
}

#[tokio::test]
async fn the_first_of_two_responses_counts() {
    let answer = Answer::twice(json!({"content": [{"type": "text", "text": "x"}]}));
    let (_backend, session) = pair(answer).await;
    for _ in 0..3 {
        assert_eq!(text(&run(&session, t()).await), "x");
    }
}

#[tokio::test]
async fn nobody_there_means_that_nothing_ran() {
    let (backend, session) = pair(Answer::text("x")).await;
    backend.down().await;
    let error = failure(&session, t()).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
}

#[tokio::test]
async fn a_message_that_must_be_held_is_bounded() {
    let answer = Answer::text("x").log("info", "y".repeat(5000));
    let backend = with_tool(answer).start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.limits.max_message_bytes = 4096;
    target.limits.hold_bytes = 1024;
    let error: CallError = failure(&open(target).await, t()).await;
    assert_eq!(error.kind, ErrorKind::TooLarge { limit: 4096 });
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    let server = RawServer::start("SSH-2.0-OpenSSH_9.6\r\n").await.unwrap();
    assert!(crate::rig::try_open(streamable(&server.url())).await.is_err());
}

#[tokio::test]
async fn batched_responses_are_taken() {
    let answer = Answer::with(|call| {
        let id = call.id().unwrap_or_default();
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}"#;
        let result = r#"{"content":[{"type":"text","text":"x"}]}"#;
        Answer::garbage(format!(r#"[{log},{{"jsonrpc":"2.0","id":{id},"result":{result}}}]"#))
    });
    let (_backend, session) = pair(answer).await;
    let all = run(&session, t()).await;
    assert_eq!(text(&all), "x");
    assert_eq!(all.notifications.len(), 1);
}
