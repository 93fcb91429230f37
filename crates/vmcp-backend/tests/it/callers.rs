//! For whom each request is made, and what happens when a backend does not take their token.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vmcp_auth::{AuthFailure, Caller, CredentialScope, Identity};
use vmcp_backend::{ConnectErrorKind, Endpoint, ErrorKind, Executed, Outside, Side};
use vmcp_testkit::{Answer, Gate, IdpAnswer, Transport};

use crate::rig::{Heard, failure, hello, run, streamable, t, text, url, with_tool};
use crate::users::{World, of};

#[tokio::test]
async fn each_call_goes_with_its_own_callers_token_and_one_exchange_serves_many() {
    let world = World::new(Answer::text("x")).await;
    assert_eq!(world.connector.scope(&world.target).unwrap(), CredentialScope::PerCaller);
    let (ann, bob) = (world.caller("ann"), world.caller("bob"));
    let session = world.open(ann.clone()).await;
    for _ in 0..3 {
        assert_eq!(text(&run(&session, t()).await), "x");
        assert_eq!(text(&run(&session, t().with_caller(bob.clone())).await), "x");
        assert_eq!(of(&session, &bob).call_tool("t", None, None).await.unwrap().text(), "x");
    }
    let expected = ["ann", "bob", "bob"].repeat(3);
    assert_eq!(world.callers(), expected);
    assert_eq!(world.exchanges(), 2);
    // What the caller itself came with never reaches the backend.
    let own = ann.identity.unwrap();
    let own = secrecy::ExposeSecret::expose_secret(own.token().unwrap().secret()).to_owned();
    let sent = |request: &vmcp_testkit::Recorded| format!("{:?}", request.headers);
    assert!(world.backend.requests().iter().all(|request| !sent(request).contains(&own)));
}

#[tokio::test]
async fn concurrent_calls_of_many_callers_never_swap_tokens() {
    let world = World::new(Answer::echo()).await;
    let session = world.open(world.caller("owner")).await;
    let names: Vec<String> = (0..20).map(|n| format!("user{n}")).collect();
    let calls = names.iter().map(|name| {
        let handle = of(&session, &world.caller(name));
        let arguments = json!({"who": name}).to_string();
        async move { handle.call_tool("t", Some(arguments.into()), None).await.unwrap().text() }
    });
    let mut running = tokio::task::JoinSet::new();
    for call in calls.collect::<Vec<_>>() {
        running.spawn(call);
    }
    running.join_all().await;
    for request in world.backend.heard("tools/call") {
        let token = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        let claims = world.idp.verify(token).unwrap();
        assert_eq!(claims["sub"], request.json()["params"]["arguments"]["who"]);
    }
    assert_eq!(world.exchanges(), 21);
}

#[tokio::test]
async fn a_fresh_login_counts_at_once() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    run(&session, t()).await;
    run(&session, t().with_caller(world.caller("ann"))).await;
    assert_eq!(world.callers(), ["ann", "ann"]);
    assert_eq!(world.exchanges(), 2);
    let tokens: Vec<String> = world
        .guard
        .admitted()
        .into_iter()
        .filter(|one| one.method == "tools/call")
        .map(|one| one.token)
        .collect();
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn a_later_login_of_the_owner_closes_the_session() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    run(&session, t().with_caller(world.caller("ann"))).await;
    run(&session, t().with_caller(world.caller("bob"))).await;
    let fresh =
        world.guard.admitted().iter().find(|one| one.method == "tools/call").unwrap().token.clone();
    session.close().await;
    let admitted = world.guard.admitted();
    let last = admitted.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.subject.as_str(), &last.token),
        ("DELETE", "ann", &fresh)
    );
}

#[tokio::test]
async fn the_closing_delete_goes_for_whom_the_session_was_opened() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    for _ in 0..2 {
        run(&session, t().with_caller(world.caller("bob"))).await;
    }
    session.close().await;
    assert_eq!(world.guard.subjects("DELETE"), ["ann"]);
}

#[tokio::test]
async fn a_probe_never_has_a_users_token() {
    let world = World::new(Answer::text("x")).await;
    let opened = world.connector.open(&world.target, Caller::default(), hello(), None).await;
    assert_eq!(opened.unwrap_err().kind, ConnectErrorKind::Unauthorized(401));
    let session = world.open(world.caller("ann")).await;
    let error = failure(&session, t().with_caller(Caller::default())).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Unauthorized, Executed::No));
    let nobody = &world.backend.heard("tools/call")[0];
    assert_eq!(nobody.header("authorization"), None);
    assert_eq!(world.exchanges(), 1);
}

#[tokio::test]
async fn a_caller_without_a_token_is_told_so_and_the_backend_hears_nothing() {
    let world = World::new(Answer::text("x")).await;
    let nobody = Caller::from(Identity::verified("issuer", "eve", "{}"));
    let opened = world.connector.open(&world.target, nobody.clone(), hello(), None).await;
    let error = opened.unwrap_err();
    assert!(matches!(&error.kind, ConnectErrorKind::NoCredentials(_)), "{error}");
    assert!(error.to_string().contains("authentication failed for backend b"), "{error}");
    assert!(world.backend.requests().is_empty());

    let session = world.open(world.caller("ann")).await;
    let error = failure(&session, t().with_caller(nobody)).await;
    let ErrorKind::NoCredentials(why) = &error.kind else { panic!("{error}") };
    assert!(matches!(why.failure(), Some(AuthFailure::NoToken(_))));
    assert_eq!((error.side, error.executed), (Side::Client, Executed::No));
    assert_eq!(world.backend.count("tools/call"), 0);
    // It was never sent, so nobody has to be told that it is not wanted.
    session.close().await;
    assert_eq!(world.backend.count("notifications/cancelled"), 0);
}

#[tokio::test]
async fn an_issuer_that_refuses_is_told_from_a_backend_that_does() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    world.idp.on("token_exchange", IdpAnswer::error(400, "invalid_target", "no"));
    let error = failure(&session, t().with_caller(world.caller("bob"))).await;
    let ErrorKind::NoCredentials(why) = &error.kind else { panic!("{error}") };
    assert!(matches!(why.failure(), Some(AuthFailure::Refused(_))), "{why}");
    assert_eq!(error.executed, Executed::No);
    assert_eq!(world.backend.count("tools/call"), 0);
}

#[tokio::test]
async fn a_call_that_waits_for_a_token_was_not_sent() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    let gate = Gate::new();
    world.idp.on("token_exchange", IdpAnswer::usual().gate(&gate));
    let call = t().with_caller(world.caller("bob")).with_timeout(Duration::from_millis(50));
    let error = failure(&session, call).await;
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(50)));
    assert_eq!(error.executed, Executed::No);
    gate.open();
    session.close().await;
    assert_eq!(world.backend.count("tools/call"), 0);
    assert_eq!(world.backend.count("notifications/cancelled"), 0);
}

// === a token that the backend does not take any more ===

#[tokio::test]
async fn a_rejected_call_gets_a_new_token_and_runs_once() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    run(&session, t()).await;
    world.revoke_last();
    assert_eq!(text(&run(&session, t()).await), "x");
    assert_eq!(world.backend.count("tools/call"), 3);
    assert_eq!(world.backend.executions().len(), 2);
    assert_eq!(world.exchanges(), 2);
}

#[tokio::test]
async fn a_rejected_handshake_gets_a_new_token() {
    let world = World::new(Answer::text("x")).await;
    let ann = world.caller("ann");
    world.open(ann.clone()).await.close().await;
    world.revoke_last();
    let session = world.open(ann).await;
    assert_eq!(text(&run(&session, t()).await), "x");
    assert_eq!(world.backend.count("initialize"), 3);
    assert_eq!(world.exchanges(), 2);
}

#[tokio::test]
async fn a_rejected_stream_gets_a_new_token() {
    let world = World::new(Answer::text("x")).await;
    let heard = Heard::default();
    let sink = Some(heard.sink());
    let opened = world.connector.open(&world.target, world.caller("ann"), hello(), sink).await;
    let session = opened.unwrap();
    world.revoke_last();
    session.listen();
    world.backend.wait_listeners(1).await.unwrap();
    world.backend.list_changed("tools").await;
    heard.take(|outside| matches!(outside, Outside::Notification(_)), drop).await;
    assert_eq!(world.backend.count("GET"), 2);
    assert_eq!(world.exchanges(), 2);
}

#[tokio::test]
async fn a_rejected_end_gets_a_new_token() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    world.revoke_last();
    session.close().await;
    assert_eq!(world.backend.count("DELETE"), 2);
    assert_eq!(world.guard.subjects("DELETE"), ["ann"]);
}

#[tokio::test]
async fn without_any_credentials_a_session_still_ends_here() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    world.revoke_last();
    world.idp.on("token_exchange", IdpAnswer::error(400, "invalid_grant", "gone"));
    session.close().await;
    assert_eq!(world.backend.count("DELETE"), 1);
    assert_eq!(failure(&session, t()).await.kind, ErrorKind::Closed);
}

#[tokio::test]
async fn a_backend_that_always_refuses_is_asked_twice_and_no_more() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    world.backend.on("tools/call", Answer::status(401));
    let error = failure(&session, t()).await;
    assert_eq!((error.kind, error.executed), (ErrorKind::Unauthorized, Executed::No));
    assert_eq!(world.backend.count("tools/call"), 2);
}

#[tokio::test]
async fn what_may_have_run_is_never_sent_again() {
    for answer in [Answer::status(500), Answer::status(502), Answer::hangup()] {
        let world = World::new(Answer::text("x")).await;
        let session = world.open(world.caller("ann")).await;
        world.backend.on("tools/call", answer);
        let error = failure(&session, t()).await;
        assert_eq!(error.executed, Executed::Unknown, "{error}");
        assert_eq!(world.backend.count("tools/call"), 1);
        assert_eq!(world.exchanges(), 1);
    }
}

#[tokio::test]
async fn a_session_that_was_lost_is_opened_again_for_whom_the_call_is() {
    let world = World::new(Answer::text("x")).await;
    let session = world.open(world.caller("ann")).await;
    let before = world.guard.admitted().last().unwrap().token.clone();
    world.backend.forget_sessions();
    world.idp.revoke(&before);
    world.idp.on("token_exchange", None);
    assert_eq!(text(&run(&session, t().with_caller(world.caller("ann"))).await), "x");
    let opened: Vec<_> =
        world.guard.admitted().into_iter().filter(|one| one.method == "initialize").collect();
    assert_eq!(opened.len(), 2);
    assert_ne!(opened[1].token, before);
    assert_eq!(opened[1].subject, "ann");
}

#[tokio::test]
async fn on_an_event_stream_each_post_is_its_callers_own() {
    let mut world = World::of(with_tool(Answer::text("x")).transport(Transport::HttpSse)).await;
    let url = url(&world.backend.url());
    Arc::make_mut(&mut world.target).endpoint = Endpoint::Sse { url };
    let nobody = Caller::from(Identity::verified("issuer", "eve", "{}"));
    let opened = world.connector.open(&world.target, nobody.clone(), hello(), None).await;
    assert!(matches!(opened.unwrap_err().kind, ConnectErrorKind::NoCredentials(_)));

    let session = world.open(world.caller("ann")).await;
    run(&session, t()).await;
    run(&session, t().with_caller(world.caller("bob"))).await;
    world.revoke_last();
    let bob = world.caller("bob");
    assert_eq!(text(&run(&session, t().with_caller(bob)).await), "x");
    let error = failure(&session, t().with_caller(nobody)).await;
    assert!(matches!(error.kind, ErrorKind::NoCredentials(_)), "{error}");
    assert_eq!(error.executed, Executed::No);
    assert_eq!(world.callers(), ["ann", "bob", "bob"]);
}

#[tokio::test]
async fn without_a_strategy_that_depends_on_the_caller_all_share() {
    let world = World::new(Answer::text("x")).await;
    let plain = Arc::new(streamable(&world.backend.url()));
    assert_eq!(world.connector.scope(&plain).unwrap(), CredentialScope::Shared);
}
