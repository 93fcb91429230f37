//! The stream outside calls.

use std::time::Duration;

use serde_json::json;
use vmcp_backend::{Cancel, Outside};
use vmcp_testkit::{Answer, Gate, Transport};

use crate::rig::{child, open, open_heard, pair, read, run, streamable, t, text, with_tool};

#[tokio::test]
async fn hears_what_the_backend_says_outside_calls() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (session, heard) = open_heard(streamable(&backend.url())).await;
    for _ in 0..5 {
        session.listen();
    }
    backend.wait_listeners(1).await.unwrap();
    backend.list_changed("tools").await;
    heard.notification("notifications/tools/list_changed").await;
    assert_eq!(backend.count("GET"), 1);
    assert_eq!(text(&run(&session, t()).await), "x");
}

#[tokio::test]
async fn without_a_sink_or_without_being_told_nobody_listens() {
    let (backend, session) = pair(Answer::text("x")).await;
    session.listen();
    run(&session, t()).await;
    assert_eq!(backend.count("GET"), 0);
    let (session, _heard) = open_heard(streamable(&backend.url())).await;
    run(&session, t()).await;
    assert_eq!(backend.count("GET"), 0);
}

#[tokio::test]
async fn a_request_outside_calls_is_answered() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (session, heard) = open_heard(streamable(&backend.url())).await;
    session.listen();
    backend.wait_listeners(1).await.unwrap();
    let answering = async {
        let take = |outside| match outside {
            Outside::Request(request) => Some(request),
            _ => None,
        };
        let request =
            heard.take(|outside| matches!(outside, Outside::Request(_)), take).await.unwrap();
        assert_eq!(request.method(), "roots/list");
        request.refuse(-32601, "no roots").await;
    };
    let (replies, ()) = tokio::join!(backend.ask("roots/list", json!({})), answering);
    assert_eq!(replies[0]["error"], json!({"code": -32601, "message": "no roots"}));
    // A ping never reaches the sink.
    let replies = backend.ask("ping", json!({})).await;
    assert_eq!(replies[0]["result"], json!({}));
    assert_eq!(heard.count(), 0);
}

#[tokio::test]
async fn a_caller_can_wait_for_the_stream() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (session, _heard) = open_heard(streamable(&backend.url())).await;
    // Nobody listens yet, so there is nothing to wait for.
    session.listening().await;
    assert_eq!(backend.count("GET"), 0);
    for _ in 0..2 {
        session.listen();
        session.listening().await;
        assert_eq!(backend.count("GET"), 1);
    }

    let refusing =
        with_tool(Answer::text("x")).on("GET", Answer::status(405)).start().await.unwrap();
    let (session, _heard) = open_heard(streamable(&refusing.url())).await;
    session.listen();
    session.listening().await;
    assert_eq!(refusing.count("GET"), 1);
    session.close().await;
    session.listening().await;
}

#[tokio::test]
async fn a_backend_without_such_a_stream_is_asked_once() {
    let backend =
        with_tool(Answer::text("x")).on("GET", Answer::status(405)).start().await.unwrap();
    let (session, _heard) = open_heard(streamable(&backend.url())).await;
    session.listen();
    backend.wait_for("GET", 1).await.unwrap();
    for _ in 0..5 {
        assert_eq!(text(&run(&session, t()).await), "x");
        session.listen();
    }
    assert_eq!(backend.count("GET"), 1);
}

#[tokio::test]
async fn listens_again_after_the_backend_came_back_and_says_that_it_was_lost() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (session, heard) = open_heard(streamable(&backend.url())).await;
    session.listen();
    backend.wait_listeners(1).await.unwrap();
    let first = session.session_id();
    backend.restart().await.unwrap();
    heard.lost().await;
    backend.wait_listeners(1).await.unwrap();
    assert_ne!(session.session_id(), first);
    assert_eq!(backend.count("initialize"), 2);
    backend.list_changed("prompts").await;
    heard.notification("notifications/prompts/list_changed").await;
}

#[tokio::test]
async fn the_stream_ends_with_its_session() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (session, _heard) = open_heard(streamable(&backend.url())).await;
    session.listen();
    backend.wait_listeners(1).await.unwrap();
    drop(session);
    backend.wait_for("DELETE", 1).await.unwrap();
    backend.wait_abandoned(1).await.unwrap();
}

#[tokio::test]
async fn an_idle_session_owns_no_task() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let backend = with_tool(Answer::text("x")).no_keep_alive().start().await.unwrap();
    let mut sessions = Vec::new();
    for _ in 0..10 {
        let session = open(streamable(&backend.url())).await;
        run(&session, t()).await;
        sessions.push(session);
    }
    // Connections are closed by the backend; their tasks end as soon as they notice.
    let settled = async {
        while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before + 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), settled).await.unwrap();
}

#[tokio::test]
async fn what_may_have_changed_before_the_stream_was_open_is_said_to_have_changed() {
    for stateless in [false, true] {
        let capabilities = json!({"tools": {"listChanged": true}, "prompts": {}});
        let backend = with_tool(Answer::text("x")).capabilities(capabilities);
        let backend = if stateless { backend.stateless() } else { backend };
        let backend = backend.start().await.unwrap();
        let (session, heard) = open_heard(streamable(&backend.url())).await;
        session.list().await.unwrap();
        // Nobody listens yet, so this reaches nobody.
        assert_eq!(backend.list_changed("tools").await, 0);
        session.listen();
        heard.notification("notifications/tools/list_changed").await;
        assert_eq!(heard.count(), 0, "nothing that the backend would not tell about");
    }
}

#[tokio::test]
async fn a_stream_that_is_open_from_the_beginning_has_missed_nothing() {
    for stateless in [false, true] {
        let backend = with_tool(Answer::text("x"));
        let backend = if stateless { backend.stateless() } else { backend };
        let backend = backend.start().await.unwrap();
        let (session, heard) = open_heard(streamable(&backend.url())).await;
        session.listen();
        session.listening().await;
        session.list().await.unwrap();
        assert_eq!(heard.count(), 0);
    }
}

#[tokio::test]
async fn what_arrived_outside_calls_before_an_answer_can_be_read_before_it() {
    let gate = Gate::new();
    let backend = with_tool(Answer::text("x").gate(&gate)).start().await.unwrap();
    let (session, heard) = open_heard(streamable(&backend.url())).await;
    assert!(!session.speaks_aside());
    session.listen();
    assert!(session.speaks_aside());
    session.listening().await;
    for round in 1..=200 {
        gate.close();
        let logging = async {
            gate.reached(round).await.unwrap();
            // Written to two connections, one after the other.
            backend.notify("notifications/message", json!({"level": "info", "data": 1})).await;
            gate.open();
        };
        let (answered, ()) = tokio::join!(run(&session, t()), logging);
        assert_eq!(text(&answered), "x");
        session.caught_up().await;
        assert_eq!(heard.count(), round);
    }
}

#[tokio::test]
async fn nothing_is_waited_for_that_does_not_come() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (session, _heard) = open_heard(streamable(&backend.url())).await;
    session.caught_up().await;
    session.listen();
    backend.wait_listeners(1).await.unwrap();
    // Far below what each would take if time were waited for.
    let many = async {
        for _ in 0..1000 {
            session.caught_up().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), many).await.unwrap();
    backend.down().await;
    session.caught_up().await;
    assert!(session.speaks_aside(), "it is opened again");
}

#[tokio::test]
async fn a_stream_that_is_refused_or_shared_is_none_beside_the_replies() {
    let refusing =
        with_tool(Answer::text("x")).on("GET", Answer::status(405)).start().await.unwrap();
    let (session, _heard) = open_heard(streamable(&refusing.url())).await;
    session.listen();
    session.listening().await;
    while session.speaks_aside() {
        tokio::task::yield_now().await;
    }
    let (session, _heard) = open_heard(child(&[])).await;
    session.listen();
    assert!(!session.speaks_aside());
}

async fn check_thinking(transport: Transport) {
    let gate = Gate::new();
    let backend = with_tool(Answer::text("x").gate(&gate)).transport(transport);
    let backend = backend.start().await.unwrap();
    let (session, heard) = open_heard(streamable(&backend.url())).await;
    session.listen();
    session.listening().await;
    let cancel = Cancel::new();
    let called = t().with_timeout(Duration::from_millis(100)).with_cancel(cancel.clone());
    let mut calling =
        std::pin::pin!(async { read(session.forward(called).await.unwrap(), &json!({})).await });
    let mut asking = std::pin::pin!(backend.ask("roots/list", json!({})));
    let asked = heard.take(
        |outside| matches!(outside, Outside::Request(_)),
        |outside| match outside {
            Outside::Request(request) => request,
            _ => unreachable!(),
        },
    );
    let request = tokio::select! {
        _ = &mut calling => panic!("it was answered"),
        replies = &mut asking => panic!("{replies:?}"),
        request = asked => request,
    };
    assert!(!request.is_from_outside());
    let request = request.of_call(&cancel);
    assert!(request.is_from_outside());
    // The client thinks for longer than the backend may be silent.
    let thinking = tokio::time::timeout(Duration::from_millis(350), &mut calling).await;
    assert!(thinking.is_err(), "it ended");
    let (replies, ()) = tokio::join!(asking, request.refuse(-1, "no"));
    assert_eq!(replies[0]["error"]["code"], -1);
    gate.open();
    assert_eq!(text(&calling.await), "x");
}

#[tokio::test]
async fn while_a_call_is_asked_outside_it_the_backends_silence_is_not_its_own() {
    // Before it begins to answer, and after.
    check_thinking(Transport::Json).await;
    check_thinking(Transport::Sse).await;
}
