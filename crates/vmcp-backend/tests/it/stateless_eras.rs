//! Backends that are replaced by ones of other revisions while a session lives.

use std::sync::Arc;

use serde_json::json;
use vmcp_backend::{BackendTarget, Endpoint};
use vmcp_testkit::{Answer, Era};

use crate::rig::{connector, hello, run, streamable, t, text, url, with_tool};
use crate::stateless::{open_as, stateless_hello};

/// Each as a session is used to it, and as it is afterwards.
const CHANGES: [(Era, Era); 5] = [
    (Era::Legacy, Era::Modern),
    (Era::Modern, Era::Legacy),
    (Era::Dual, Era::Legacy),
    (Era::Dual, Era::Modern),
    (Era::Modern, Era::Dual),
];

#[tokio::test]
async fn a_backend_that_changes_its_revision_is_met_anew_and_no_call_runs_twice() {
    for (before, after) in CHANGES {
        for hello in [hello(), stateless_hello()] {
            let backend = with_tool(Answer::text("hi")).era(before);
            let backend = backend.start().await.unwrap();
            let target = Arc::new(streamable(&backend.url()));
            let session = open_as(&connector(), &target, hello.clone()).await;
            assert_eq!(text(&run(&session, t()).await), "hi");
            backend.set_era(after);
            backend.forget_sessions();
            let ran = backend.executions().len();
            let all = run(&session, t()).await;
            assert_eq!(text(&all), "hi", "{before:?} {after:?} {all:?}");
            assert_eq!(backend.executions().len() - ran, 1, "{before:?} {after:?}");
            // And back.
            backend.set_era(before);
            backend.forget_sessions();
            assert_eq!(text(&run(&session, t()).await), "hi", "{after:?} {before:?}");
        }
    }
}

#[tokio::test]
async fn an_error_that_only_looks_like_another_revision_is_passed_on() {
    let answer = Answer::http(
        400,
        "application/json",
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"bad arguments"}}"#,
    );
    let backend = with_tool(answer).start().await.unwrap();
    let target = Arc::new(streamable(&backend.url()));
    let session = open_as(&connector(), &target, hello()).await;
    let all = run(&session, t()).await;
    assert_eq!(all.response["error"]["message"], "bad arguments", "{all:?}");
    assert_eq!(backend.count("tools/call"), 2, "once to each of two sessions");
}

#[tokio::test]
async fn the_older_transport_is_still_found() {
    for hello in [hello(), stateless_hello()] {
        let builder = with_tool(Answer::text("hi")).transport(vmcp_testkit::Transport::HttpSse);
        let backend = builder.start().await.unwrap();
        let endpoint = Endpoint::Http { url: url(&backend.url()) };
        let target = Arc::new(BackendTarget::new("b", endpoint));
        let session = open_as(&connector(), &target, hello).await;
        assert_eq!(text(&run(&session, t()).await), "hi");
        assert_eq!(json!(session.session_id()), json!(null));
    }
}
