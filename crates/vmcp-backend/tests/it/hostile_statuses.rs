//! Every HTTP status in place of an answer, with and without a JSON-RPC error in it.

use std::time::Duration;

use vmcp_backend::{ErrorKind, Executed, Session, Side};
use vmcp_testkit::{Answer, Backend, RawServer, RawStep};

use crate::hostile::{fails_honestly, orderly};
use crate::rig::{failure, open, pair, run, streamable, t, text, with_tool};

/// What a status without a JSON-RPC error comes to.
const TABLE: [(u16, Executed, &str); 36] = [
    (300, Executed::Unknown, "HTTP 300"),
    (304, Executed::Unknown, "HTTP 304"),
    (400, Executed::Unknown, "HTTP 400"),
    (401, Executed::No, "credentials refused"),
    (402, Executed::Unknown, "HTTP 402"),
    (403, Executed::No, "credentials refused"),
    (404, Executed::No, "unavailable"),
    (405, Executed::No, "HTTP 405"),
    (406, Executed::No, "HTTP 406"),
    (407, Executed::No, "credentials refused"),
    (408, Executed::Unknown, "HTTP 408"),
    (409, Executed::Unknown, "HTTP 409"),
    (410, Executed::Unknown, "HTTP 410"),
    (411, Executed::No, "HTTP 411"),
    (412, Executed::Unknown, "HTTP 412"),
    (413, Executed::No, "HTTP 413"),
    (414, Executed::No, "HTTP 414"),
    (415, Executed::No, "HTTP 415"),
    (416, Executed::No, "HTTP 416"),
    (417, Executed::No, "HTTP 417"),
    (418, Executed::Unknown, "HTTP 418"),
    (421, Executed::No, "HTTP 421"),
    (422, Executed::Unknown, "HTTP 422"),
    (425, Executed::No, "HTTP 425"),
    (426, Executed::No, "HTTP 426"),
    (428, Executed::No, "HTTP 428"),
    (429, Executed::No, "busy"),
    (431, Executed::No, "HTTP 431"),
    (500, Executed::Unknown, "HTTP 500"),
    (501, Executed::No, "HTTP 501"),
    (502, Executed::Unknown, "unavailable"),
    (503, Executed::No, "unavailable"),
    (504, Executed::Unknown, "unavailable"),
    (505, Executed::Unknown, "HTTP 505"),
    (507, Executed::Unknown, "HTTP 507"),
    (599, Executed::Unknown, "HTTP 599"),
];

/// A backend without sessions (a 404 says that one is lost) that answers once so, then well.
async fn once(answer: Answer) -> (Backend, Session) {
    let answers = Answer::sequence([answer, Answer::text("fine")]);
    let backend = with_tool(answers).no_session_id().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    (backend, session)
}

/// A JSON-RPC error under this id, with this status.
fn refusal(status: u16, id: impl Fn(String) -> String + Send + Sync + 'static) -> Answer {
    Answer::with(move |call| {
        let id = id(call.id().unwrap_or_default());
        let error = r#"{"code":-32050,"message":"m","data":1.0}"#;
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
        Answer::http(status, "application/json", body)
    })
}

#[tokio::test]
async fn a_status_alone_is_an_error_that_says_whether_the_call_ran() {
    for (status, executed, expected) in TABLE {
        // Where nothing is known, it ran: the answer was lost behind it.
        let page = match executed {
            Executed::No => Answer::html(status),
            Executed::Unknown => Answer::html(status).executes(),
        };
        let (backend, session) = once(page).await;
        let error = fails_honestly(&backend, &session).await;
        assert_eq!(error.executed, executed, "{status}: {error}");
        assert_eq!(error.side, Side::Backend);
        assert!(error.kind.to_string().contains(expected), "{status}: {error}");
        assert_eq!(text(&run(&session, t()).await), "fine");
    }
}

#[tokio::test]
async fn a_json_rpc_error_under_the_own_id_is_the_answer() {
    for (status, ..) in TABLE.into_iter().filter(|(status, ..)| *status >= 400) {
        let (backend, session) = once(refusal(status, |id| id)).await;
        let all = run(&session, t()).await;
        assert_eq!(all.response["error"]["code"], -32050, "{status}: {all:?}");
        assert_eq!(all.response["error"]["data"].to_string(), "1.0");
        assert_eq!(backend.count("tools/call"), 1);
    }
}

#[tokio::test]
async fn a_json_rpc_error_under_no_id_counts_where_the_status_says_less() {
    for (status, executed, expected) in TABLE.into_iter().filter(|(status, ..)| *status >= 400) {
        let (backend, session) = once(refusal(status, |_| "null".to_owned())).await;
        if matches!(status, 401 | 403 | 404 | 407 | 413 | 429 | 503) {
            let error = fails_honestly(&backend, &session).await;
            assert_eq!(error.executed, executed, "{status}: {error}");
            assert!(error.kind.to_string().contains(expected), "{status}: {error}");
        } else {
            let all = run(&session, t()).await;
            assert_eq!(all.response["error"]["code"], -32050, "{status}: {all:?}");
        }
        assert_eq!(backend.count("tools/call"), 1);
    }
}

#[tokio::test]
async fn only_200_carries_an_answer() {
    for status in [201, 202, 203, 204, 205, 206, 207, 226, 299] {
        let created = Answer::with(move |call| {
            let id = call.id().unwrap_or_default();
            let body = match status {
                204 | 205 => String::new(),
                _ => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#),
            };
            Answer::http(status, "application/json", body).executes()
        });
        let (backend, session) = once(created).await;
        let error = fails_honestly(&backend, &session).await;
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{status}: {error}");
        assert_eq!(error.executed, Executed::Unknown);
        assert_eq!(text(&run(&session, t()).await), "fine");
    }
    let empty = || Answer::http(200, "application/json", "").executes();
    for answer in [Answer::status(200).executes(), empty(), Answer::nothing()] {
        let (backend, session) = once(answer).await;
        let error = fails_honestly(&backend, &session).await;
        assert!(matches!(error.kind, ErrorKind::Protocol(_)), "{error}");
        assert_eq!(error.executed, Executed::Unknown);
    }
}

#[tokio::test]
async fn a_busy_backend_is_not_asked_again_and_its_hint_is_kept() {
    let table = [
        (429, "7", ErrorKind::Busy, Some(7)),
        (503, "120", ErrorKind::Unavailable, Some(120)),
        (429, "99999999", ErrorKind::Busy, Some(24 * 60 * 60)),
        (429, "soon", ErrorKind::Busy, None),
    ];
    for (status, said, kind, seconds) in table {
        let (backend, session) = once(Answer::status(status).header("retry-after", said)).await;
        let error = fails_honestly(&backend, &session).await;
        assert_eq!((&error.kind, error.executed), (&kind, Executed::No));
        assert_eq!(error.retry_after(), seconds.map(Duration::from_secs), "{said}");
        assert_eq!(backend.count("tools/call"), 1);
        // Nothing of it lasts: who asks again is answered.
        assert_eq!(text(&run(&session, t()).await), "fine");
    }
    let (_backend, session) = once(Answer::status(429)).await;
    assert_eq!(failure(&session, t()).await.retry_after(), None);
}

#[tokio::test]
async fn what_comes_with_a_status_is_read_bounded_and_shown_to_nobody() {
    let page = "\r\n\u{1b}[31m\u{0}".repeat(1 << 18);
    let (backend, session) = pair(Answer::http(500, "text/plain", page).executes()).await;
    let error = fails_honestly(&backend, &session).await;
    let internal = error.internal().unwrap();
    assert!(internal.len() < 4096, "{} bytes", internal.len());
    assert!(!internal.chars().any(char::is_control), "{internal:?}");
    assert_eq!(error.kind.to_string(), "protocol error: the backend answered HTTP 500");

    // Half of what was announced, and then nothing more.
    let half = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 1000\r\n\r\nhalf";
    let server = RawServer::scripted(move |request| match request.json()["method"].as_str() {
        Some("tools/call") => RawStep::Reply(half.into()),
        _ => orderly(request),
    })
    .await
    .unwrap();
    let error = failure(&open(streamable(&server.url())).await, t()).await;
    assert_eq!(error.internal(), Some("HTTP 500: half"));
}
