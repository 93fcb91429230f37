//! A session that the backend forgot is opened again, once, and the call that proved it is repeated once.

use serde_json::json;
use vmcp_backend::{Call, ErrorKind, Executed};
use vmcp_testkit::Answer;

use crate::rig::{failure, open, open_heard, pair, run, streamable, t, text, with_tool};

#[tokio::test]
async fn a_forgotten_session_costs_one_handshake_that_nobody_sees() {
    for status in [404, 400] {
        let backend = with_tool(Answer::text("x")).lost_status(status).start().await.unwrap();
        let (session, heard) = open_heard(streamable(&backend.url())).await;
        assert_eq!(text(&run(&session, t()).await), "x");
        let first = session.session_id();
        backend.forget_sessions();
        assert_eq!(text(&run(&session, t()).await), "x");
        heard.lost().await;
        assert_eq!(heard.count(), 0);
        assert_ne!(session.session_id(), first);
        assert_eq!(backend.count("initialize"), 2);
        // One before, one refused, one repeated.
        assert_eq!(backend.count("tools/call"), 3);
    }
}

#[tokio::test]
async fn all_concurrent_callers_share_one_handshake() {
    let (backend, session) = pair(Answer::text("x")).await;
    backend.forget_sessions();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let session = session.clone();
        running.spawn(async move { text(&run(&session, t()).await).to_owned() });
    }
    while let Some(outcome) = running.join_next().await {
        assert_eq!(outcome.unwrap(), "x");
    }
    assert_eq!(backend.count("initialize"), 2);
}

#[tokio::test]
async fn level_and_subscriptions_are_told_again() {
    let backend = with_tool(Answer::text("x"))
        .resource(json!({"uri": "x:1", "name": "n"}), Answer::usual())
        .resource(json!({"uri": "x:2", "name": "n"}), Answer::usual())
        .capabilities(json!({"tools": {}, "logging": {}, "resources": {"subscribe": true}}))
        .start()
        .await
        .unwrap();
    let session = open(streamable(&backend.url())).await;
    for (method, params) in [
        ("logging/setLevel", r#"{"level":"debug"}"#),
        ("resources/subscribe", r#"{"uri":"x:1"}"#),
        ("resources/subscribe", r#"{"uri":"x:2"}"#),
        ("resources/unsubscribe", r#"{"uri":"x:2"}"#),
    ] {
        let all = run(&session, Call::new(method, Some(params.into()))).await;
        assert!(all.response.get("result").is_some(), "{all:?}");
    }
    backend.forget_sessions();
    assert_eq!(text(&run(&session, t()).await), "x");
    let fresh = session.session_id();
    let told: Vec<_> = backend
        .requests()
        .into_iter()
        .filter(|request| request.session == fresh)
        .filter_map(|request| request.method)
        .collect();
    assert_eq!(
        told,
        ["notifications/initialized", "logging/setLevel", "resources/subscribe", "tools/call"]
    );
}

#[tokio::test]
async fn a_backend_that_never_keeps_a_session_is_given_up() {
    let (backend, session) = pair(Answer::status(404)).await;
    let error = failure(&session, t()).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
    assert_eq!(backend.count("tools/call"), 2);
    assert_eq!(backend.count("initialize"), 2);
}

#[tokio::test]
async fn without_a_session_id_a_404_is_just_that() {
    let backend = with_tool(Answer::status(404)).no_session_id().start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    assert_eq!(session.session_id(), None);
    let error = failure(&session, t()).await;
    assert_eq!(error.executed, Executed::No);
    assert_eq!(backend.count("tools/call"), 1);
    assert_eq!(backend.count("initialize"), 1);
    session.close().await;
    assert_eq!(backend.count("DELETE"), 0);
}

#[tokio::test]
async fn missing_credentials_are_no_loss_of_the_session() {
    let (backend, session) = pair(Answer::status(401)).await;
    assert_eq!(failure(&session, t()).await.kind, ErrorKind::Unauthorized);
    assert_eq!(backend.count("initialize"), 1);
}

#[tokio::test]
async fn who_waits_for_a_handshake_that_fails_shares_its_failure() {
    let (backend, session) = pair(Answer::text("x")).await;
    backend.forget_sessions();
    backend.on("initialize", Answer::status(500));
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let session = session.clone();
        running.spawn(async move { failure(&session, t()).await });
    }
    while let Some(outcome) = running.join_next().await {
        let error = outcome.unwrap();
        assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
    }
    let attempts = backend.count("initialize") - 1;
    assert!(attempts <= 3, "{attempts} attempts for ten callers");
    backend.on("initialize", None);
    assert_eq!(text(&run(&session, t()).await), "x");
}

#[tokio::test]
async fn a_restarted_backend_is_used_again() {
    let (backend, session) = pair(Answer::text("x")).await;
    run(&session, t()).await;
    backend.restart().await.unwrap();
    assert_eq!(text(&run(&session, t()).await), "x");
    session.notify("notifications/roots/list_changed", None).await.unwrap();
    assert_eq!(backend.count("notifications/roots/list_changed"), 1);
}

#[tokio::test]
async fn a_notification_finds_a_lost_session_too() {
    let (backend, session) = pair(Answer::text("x")).await;
    backend.forget_sessions();
    session.notify("notifications/roots/list_changed", None).await.unwrap();
    assert_eq!(backend.count("initialize"), 2);
    assert_eq!(backend.count("notifications/roots/list_changed"), 2);
}
