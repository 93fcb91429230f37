//! What all sessions with one target share, and when it is made anew.

use std::sync::Arc;

use vmcp_auth::Caller;
use vmcp_backend::{BackendTarget, CaBundle, ConnectErrorKind, Endpoint};
use vmcp_testkit::{Answer, Authority, Http2Backend};

use crate::rig::{connector, hello, run, streamable, t, text, url, with_tool};

#[tokio::test]
async fn a_bundle_that_changed_counts_for_the_next_connection() {
    let (ours, theirs) = (Authority::new().unwrap(), Authority::new().unwrap());
    let backend = Http2Backend::start(&ours.issue("localhost").unwrap(), []).await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut target = BackendTarget::new("b", Endpoint::StreamableHttp { url: url(&backend.url()) });
    target.ca_bundle = Some(CaBundle::Path(file.path().to_owned()));
    let (target, connector) = (Arc::new(target), connector());
    let open = || connector.open(&target, Caller::default(), hello(), None);

    std::fs::write(file.path(), theirs.bundle()).unwrap();
    let error = open().await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Unreachable(_)), "{error}");
    std::fs::write(file.path(), ours.bundle()).unwrap();
    let session = open().await.unwrap();
    let before = backend.connections();
    open().await.unwrap();
    // Nothing has changed since: it is the same pool, and its connection is used again.
    assert_eq!(backend.connections(), before);
    // Revoked trust counts at once for what is opened, and not for a session that is.
    std::fs::write(file.path(), theirs.bundle()).unwrap();
    assert!(open().await.is_err());
    assert!(run(&session, t()).await.error.is_none());
    std::fs::remove_file(file.path()).unwrap();
    let error = open().await.unwrap_err();
    assert!(matches!(&error.kind, ConnectErrorKind::Config(text) if text.contains("CA bundle")));
}

#[tokio::test]
async fn sessions_with_one_target_share_their_connections() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let target = Arc::new(streamable(&backend.url()));
    let connector = connector();
    for _ in 0..50 {
        let session = connector.open(&target, Caller::default(), hello(), None).await.unwrap();
        assert_eq!(text(&run(&session, t()).await), "x");
        session.close().await;
    }
    // One, and one more whenever the end of an answer came after the next request.
    let shared = backend.connections();
    assert!(shared <= 5, "{shared}");
    // An equal target of another name shares nothing: its slow streams must not be in the way.
    let mut other = streamable(&backend.url());
    other.id = "other".into();
    connector.open(&Arc::new(other), Caller::default(), hello(), None).await.unwrap();
    assert_eq!(backend.connections(), shared + 1);
}

#[tokio::test]
async fn a_target_is_prepared_for_as_long_as_it_lives_and_no_longer() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let connector = connector();
    // Targets that come and go, at addresses that may be the same again, are told apart.
    for n in 0..200 {
        let mut target = streamable(&backend.url());
        target.headers = vec![("X-Number".to_owned(), n.to_string().into())];
        let target = Arc::new(target);
        connector.open(&target, Caller::default(), hello(), None).await.unwrap();
    }
    let sent: Vec<_> = backend.heard("initialize");
    for (n, request) in sent.iter().enumerate() {
        assert_eq!(request.header("x-number"), Some(n.to_string().as_str()));
    }
}

#[tokio::test]
async fn what_a_backend_says_of_itself_is_held_once() {
    let backend = with_tool(Answer::text("x")).instructions("Be careful.").start().await.unwrap();
    let (target, connector) = (Arc::new(streamable(&backend.url())), connector());
    let open = || connector.open(&target, Caller::default(), hello(), None);
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    let (one_hello, other_hello) = (one.hello(), other.hello());
    assert_ne!(one.session_id(), other.session_id());
    assert_eq!(one_hello.capabilities.as_ptr(), other_hello.capabilities.as_ptr());
    assert_eq!(one_hello.server_info.as_ptr(), other_hello.server_info.as_ptr());
    let text = |hello: &vmcp_backend::ServerHello| hello.instructions.clone().unwrap();
    assert!(Arc::ptr_eq(&text(&one_hello), &text(&other_hello)));
}

#[tokio::test]
async fn a_hundred_idle_sessions_own_no_task() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let (target, connector) = (Arc::new(streamable(&backend.url())), connector());
    let open = || connector.open(&target, Caller::default(), hello(), None);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut sessions = vec![open().await.unwrap()];
    let before = tasks();
    for _ in 0..100 {
        sessions.push(open().await.unwrap());
    }
    // Connections have tasks, on both sides; there are a few of them however many sessions there are.
    let more = tasks().saturating_sub(before);
    assert!(more < 20, "{more} tasks");
    assert_eq!(sessions.len(), 101);
}
