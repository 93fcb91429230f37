//! A login in use: renewed once for all, across processes, without losing or repeating a refresh token.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use vmcp_auth::LoginRequest;
use vmcp_auth::{
    AuthContext, FileStore, LoginError, OAuth, Revocation, StoreKey, login, logins, logout,
};
use vmcp_testkit::{BearerGuard, Gate, IdentityProvider, IdpAnswer};

use crate::rig::{Outcome, World, bind, counted, user};

const HOUR: Duration = Duration::from_secs(3600);
const COMMAND: &str = "vmcp auth login notes";

async fn logged_in() -> World {
    let world = World::new().await;
    world.login().await.unwrap();
    world
}

#[tokio::test]
async fn an_old_token_is_renewed_once_for_all_who_wait() {
    let world = logged_in().await;
    let (credentials, elsewhere) = (world.credentials(), world.elsewhere());
    world.pass(HOUR).await;
    let calls = (0..50).map(|_| world.call(&credentials, "ping"));
    for outcome in join_all(calls).await {
        assert!(matches!(outcome, Outcome::Answered(_, 1)) && outcome.is_fine(), "{outcome:?}");
    }
    assert_eq!(world.idp.count("refresh_token"), 1);
    let asked = &world.idp.heard("refresh_token")[0];
    assert_eq!(asked.field("resource"), Some(world.backend.url().as_str()));
    // The rotated one was kept: the next renewal goes on from it.
    world.pass(HOUR).await;
    assert!(world.call(&credentials, "ping").await.is_fine());
    world.pass(HOUR).await;
    assert!(world.call(&elsewhere, "ping").await.is_fine());
    assert_eq!(world.idp.count("refresh_token"), 3);
}

#[tokio::test]
async fn a_rejected_token_is_renewed_once_for_all_and_the_request_repeated() {
    let world = logged_in().await;
    let credentials = world.credentials();
    assert!(world.call(&credentials, "ping").await.is_fine());
    let token = world.guard.admitted()[0].token.clone();
    world.idp.revoke(&token);
    let calls = (0..20).map(|_| world.call(&credentials, "ping"));
    for outcome in join_all(calls).await {
        assert!(outcome.is_fine(), "{outcome:?}");
    }
    assert_eq!(world.idp.count("refresh_token"), 1);
}

#[tokio::test]
async fn a_backend_that_rejects_everything_costs_one_renewal() {
    let world = logged_in().await;
    let credentials = world.credentials();
    let _ = world.guard.clone().audience("https://somebody.example");
    assert!(
        matches!(world.call(&credentials, "ping").await, Outcome::Answered(status, 2) if status == 401)
    );
    for _ in 0..5 {
        let text = world.failure(&credentials, "ping").await;
        assert!(text.contains("just issued"), "{text}");
    }
    assert_eq!(world.idp.count("refresh_token"), 1);
}

#[tokio::test]
async fn a_spent_refresh_token_is_never_sent_again() {
    let world = logged_in().await;
    let (credentials, elsewhere) = (world.credentials(), world.elsewhere());
    world.pass(HOUR).await;
    world.idp.on("refresh_token", IdpAnswer::error(400, "invalid_grant", "used before"));
    for _ in 0..3 {
        let text = world.failure(&credentials, "ping").await;
        assert!(text.contains(COMMAND) && text.contains("the login has ended"), "{text}");
    }
    let text = world.failure(&elsewhere, "ping").await;
    assert!(text.contains(COMMAND), "{text}");
    assert_eq!(world.idp.count("refresh_token"), 1);
    // A new login is used by whoever is running.
    world.idp.set_lifetime(3 * HOUR);
    world.login().await.unwrap();
    assert!(world.call(&credentials, "ping").await.is_fine());
}

#[tokio::test]
async fn an_issuer_in_trouble_ends_no_login() {
    let world = logged_in().await;
    let credentials = world.credentials();
    world.pass(HOUR).await;
    let troubles = [
        IdpAnswer::status(503),
        IdpAnswer::error(500, "server_error", "later"),
        IdpAnswer::hangup(),
    ];
    for trouble in troubles {
        world.idp.on("refresh_token", trouble);
        let text = world.failure(&credentials, "ping").await;
        assert!(!text.contains(COMMAND), "{text}");
    }
    world.idp.on("refresh_token", None);
    assert!(world.call(&credentials, "ping").await.is_fine());
}

#[tokio::test]
async fn all_who_wait_for_a_silent_issuer_fail_together() {
    let world = logged_in().await;
    let credentials = world.credentials();
    world.pass(HOUR).await;
    world.idp.on("refresh_token", IdpAnswer::never());
    let calls = join_all((0..100).map(|_| world.call(&credentials, "ping")));
    let (outcomes, ()) = tokio::join!(calls, async {
        world.idp.wait_for("refresh_token", 1).await.unwrap();
        world.pass(Duration::from_secs(6)).await;
    });
    for outcome in outcomes {
        assert!(matches!(&outcome, Outcome::Failed(_)), "{outcome:?}");
    }
    assert_eq!(world.idp.count("refresh_token"), 1);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_kept_all_the_same() {
    let world = logged_in().await;
    let credentials = world.credentials();
    world.pass(HOUR).await;
    let gate = Gate::new();
    world.idp.on("refresh_token", IdpAnswer::usual().gate(&gate));
    {
        let call = world.call(&credentials, "ping");
        let mut call = std::pin::pin!(call);
        tokio::select! {
            _ = &mut call => panic!("the gate is closed"),
            asked = world.idp.wait_for("refresh_token", 1) => asked.unwrap(),
        }
    }
    gate.open();
    // The next one waits for the lock, and finds what was gained.
    assert!(world.call(&credentials, "ping").await.is_fine());
    assert_eq!(world.idp.count("refresh_token"), 1);
}

#[tokio::test]
async fn processes_of_one_machine_renew_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = || FileStore::new(folder.path(), StoreKey::Beside);
    let world = World::new().await.store(store());
    world.login().await.unwrap();
    let others: Vec<AuthContext> = (0..5)
        .map(|_| AuthContext { store: std::sync::Arc::new(store()), ..AuthContext::default() })
        .collect();
    let bound: Vec<_> =
        others.iter().map(|context| bind(context, &world.target, &world.settings)).collect();
    world.pass(HOUR).await;
    let calls = bound.iter().map(|credentials| world.call(credentials, "ping"));
    for outcome in join_all(calls).await {
        assert!(outcome.is_fine(), "{outcome:?}");
    }
    assert_eq!(world.idp.count("refresh_token"), 1);
    let text = std::fs::read_to_string(store().path()).unwrap();
    assert!(!text.contains("refresh-"), "{text}");
    for admitted in world.guard.admitted() {
        assert!(!text.contains(&admitted.token), "{text}");
    }
}

#[tokio::test]
async fn an_issuer_that_does_not_rotate_keeps_its_refresh_token() {
    let idp = IdentityProvider::builder().no_rotation().start().await.unwrap();
    let guard = BearerGuard::new(&idp);
    let world = World::of(idp, guard).await;
    world.login().await.unwrap();
    world.idp.on("refresh_token", IdpAnswer::usual().without("refresh_token"));
    let credentials = world.credentials();
    for _ in 0..2 {
        world.pass(HOUR).await;
        assert!(world.call(&credentials, "ping").await.is_fine());
    }
    assert_eq!(world.idp.count("refresh_token"), 2);
}

#[tokio::test]
async fn without_refresh_tokens_a_login_ends_with_its_token() {
    let idp = IdentityProvider::builder().no_refresh_tokens().start().await.unwrap();
    let guard = BearerGuard::new(&idp);
    let world = World::of(idp, guard).await;
    assert!(!world.login().await.unwrap().renewable);
    let credentials = world.credentials();
    assert!(world.call(&credentials, "ping").await.is_fine());
    world.pass(HOUR).await;
    let text = world.failure(&credentials, "ping").await;
    assert!(text.contains(COMMAND), "{text}");
    // The other one is what the login asked.
    assert_eq!(world.backend.count("ping"), 2);
}

#[tokio::test]
async fn a_process_that_serves_asks_nobody_whom_the_backend_names() {
    let mut world = World::new().await;
    let text = world.failure(&world.credentials(), "ping").await;
    assert!(text.contains("backend notes") && text.contains(COMMAND), "{text}");
    assert_eq!(world.backend.requests().len(), 0);

    world.settings = OAuth { passive: true, ..OAuth::default() };
    let credentials = world.credentials();
    for _ in 0..2 {
        let text = world.failure(&credentials, "ping").await;
        assert!(text.contains(COMMAND), "{text}");
    }
    assert_eq!(world.backend.count("ping"), 2);
    assert_eq!(world.backend.requests().len(), 2);
    assert_eq!(world.idp.requests().len(), 0);
    // It notices a login at once.
    world.login().await.unwrap();
    assert!(world.call(&credentials, "ping").await.is_fine());
}

#[tokio::test]
async fn a_passive_backend_that_wants_nothing_gets_nothing() {
    let idp = IdentityProvider::builder().start().await.unwrap();
    let guard = BearerGuard::new(&idp);
    let builder = vmcp_testkit::Backend::builder().no_session_id();
    let mut world = World::with(idp, guard, builder).await;
    world.settings = OAuth { passive: true, ..OAuth::default() };
    let credentials = world.credentials();
    for _ in 0..2 {
        assert!(world.call(&credentials, "ping").await.is_fine());
    }
    assert!(world.backend.heard("ping").iter().all(|one| one.header("authorization").is_none()));
    // Credentials of another kind are not ours to ask for.
    let basic = vmcp_testkit::Answer::status(401).header("www-authenticate", "Basic realm=x");
    world.backend.every(basic);
    assert!(
        matches!(world.call(&credentials, "ping").await, Outcome::Answered(status, 1) if status == 401)
    );
}

#[tokio::test]
async fn whoever_can_ask_the_user_does_so_once_for_all() {
    let mut world = World::new().await;
    world.guard.require_scope("tools/list", "read");
    world.guard.require_scope("tools/call", "write");
    let (interaction, asked) = counted();
    world.context.interaction = Some(interaction);
    let credentials = world.credentials();
    let calls = (0..10).map(|_| world.call(&credentials, "ping"));
    for outcome in join_all(calls).await {
        assert!(matches!(outcome, Outcome::Answered(_, 2)) && outcome.is_fine(), "{outcome:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(world.call(&credentials, "tools/list").await.is_fine());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn further_scopes_are_asked_for_once_and_added_to_the_others() {
    let idp = IdentityProvider::builder().start().await.unwrap();
    let guard = BearerGuard::new(&idp).document(serde_json::json!({"scopes_supported": ["read"]}));
    let mut world = World::of(idp, guard).await;
    world.guard.require_scope("tools/call", "write");
    let (interaction, asked) = counted();
    world.context.interaction = Some(interaction);
    let credentials = world.credentials();
    assert!(world.call(&credentials, "ping").await.is_fine());
    let outcome = world.call(&credentials, "tools/call").await;
    assert!(
        !matches!(&outcome, Outcome::Answered(status, _) if status.as_u16() == 403),
        "{outcome:?}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let scopes: Vec<_> = world
        .idp
        .heard("/authorize")
        .iter()
        .map(|one| one.field("scope").map(str::to_owned))
        .collect();
    assert_eq!(scopes, [Some("read".to_owned()), Some("read write".to_owned())]);

    // What was asked for and not granted is not asked for again.
    world.guard.require_scope("ping", "admin");
    world
        .idp
        .on("authorization_code", IdpAnswer::usual().member("scope", serde_json::json!("read")));
    for _ in 0..3 {
        let _ = world.call(&credentials, "ping").await;
    }
    assert!(asked.load(Ordering::SeqCst) <= 3, "{asked:?}");
}

#[tokio::test]
async fn says_which_scopes_a_user_has_to_ask_for() {
    let world = logged_in().await;
    let credentials = world.credentials();
    world.guard.require_scope("ping", "admin");
    let text = world.failure(&credentials, "ping").await;
    assert!(text.contains("vmcp auth login notes --scope \"admin\""), "{text}");
    world.login_for(&user(), &["admin".to_owned()]).await.unwrap();
    assert!(world.call(&credentials, "ping").await.is_fine());
    assert_eq!(world.idp.count("refresh_token"), 0);
}

#[tokio::test]
async fn a_logout_ends_the_login_here_and_at_the_issuer() {
    let world = logged_in().await;
    let credentials = world.credentials();
    assert!(world.call(&credentials, "ping").await.is_fine());
    let token = world.guard.admitted()[0].token.clone();
    let status = logins(&world.context, &world.target, &world.settings).await.unwrap();
    assert_eq!(status.len(), 1);
    assert_eq!(status[0].issuer, world.idp.issuer());
    assert!(!format!("{status:?}").contains(&token));

    let done = logout(&world.context, &world.target, &world.settings).await.unwrap();
    assert_eq!(done.forgotten, 1);
    assert_eq!(done.revocations, [Revocation::Done { issuer: world.idp.issuer() }]);
    assert!(world.idp.verify(&token).is_err());
    assert!(world.context.store.keys().await.unwrap().is_empty());
    // Whoever still has the token notices.
    let text = world.failure(&credentials, "ping").await;
    assert!(text.contains(COMMAND), "{text}");
    let done = logout(&world.context, &world.target, &world.settings).await.unwrap();
    assert_eq!(done.forgotten, 0);
}

#[tokio::test]
async fn a_logout_is_one_even_if_the_issuer_does_not_listen() {
    let world = logged_in().await;
    world.idp.on("/revoke", IdpAnswer::status(503));
    let done = logout(&world.context, &world.target, &world.settings).await.unwrap();
    assert!(matches!(&done.revocations[..], [Revocation::Failed { .. }]), "{done:?}");
    assert!(world.context.store.keys().await.unwrap().is_empty());

    let silent = IdpAnswer::usual().without("revocation_endpoint");
    world.idp.on("/.well-known/oauth-authorization-server", silent);
    world.login().await.unwrap();
    let done = logout(&world.context, &world.target, &world.settings).await.unwrap();
    assert!(matches!(&done.revocations[..], [Revocation::NotOffered { .. }]), "{done:?}");
}

#[tokio::test]
async fn two_backends_at_one_server_have_two_logins() {
    let world = logged_in().await;
    let mut other = world.target.clone();
    other.backend = "others".into();
    let text = {
        let credentials = bind(&world.context, &other, &world.settings);
        world.failure(&credentials, "ping").await
    };
    assert!(text.contains("vmcp auth login others"), "{text}");
    world.idp.set_user("second");
    let interaction = user();
    let request = LoginRequest {
        target: &other,
        settings: &world.settings,
        interaction: &interaction,
        challenge: None,
        scopes: &[],
    };
    login(&world.context, request).await.unwrap();
    for target in [&world.target, &other] {
        assert!(world.call(&bind(&world.context, target, &world.settings), "ping").await.is_fine());
    }
    assert_eq!(world.guard.subjects("ping"), ["user", "second"]);
}

#[tokio::test]
async fn a_login_that_cannot_be_stored_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let world = World::new().await.store(FileStore::new(&file, StoreKey::Beside));
    let error = world.login().await.unwrap_err();
    assert!(matches!(error, LoginError::Store(_)), "{error:?}");
    // Nobody was sent anywhere for it.
    assert_eq!(world.idp.count("/authorize"), 0);
}

#[tokio::test]
async fn a_login_that_moved_to_another_issuer_is_made_there_within_the_request() {
    let idp = IdentityProvider::builder().no_refresh_tokens().start().await.unwrap();
    let moved = IdentityProvider::builder().start().await.unwrap();
    idp.trust(&moved);
    let guard = BearerGuard::new(&idp);
    let mut world = World::of(idp, guard).await;
    let (interaction, asked) = counted();
    world.context.interaction = Some(interaction);
    let credentials = world.credentials();
    assert!(world.call(&credentials, "ping").await.is_fine());

    world.idp.revoke(&world.guard.admitted()[0].token);
    let servers = serde_json::json!({"authorization_servers": [moved.issuer()]});
    let _ = world.guard.clone().document(servers);
    let outcome = world.call(&credentials, "ping").await;
    assert!(matches!(outcome, Outcome::Answered(_, 2)) && outcome.is_fine(), "{outcome:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(world.guard.admitted()[1].claims["iss"], moved.issuer());
    assert_eq!(world.context.store.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_refresh_token_that_cannot_be_stored_is_not_used_and_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new().await.store(FileStore::new(folder.path(), StoreKey::Beside));
    world.login().await.unwrap();
    let credentials = world.credentials();
    world.pass(HOUR).await;
    // Where the store writes there is something that it cannot replace.
    let obstacle = folder.path().join("credentials.json.new");
    std::fs::create_dir(&obstacle).unwrap();
    let text = world.failure(&credentials, "ping").await;
    assert!(text.contains("credentials.json.new"), "{text}");
    assert!(world.call(&credentials, "ping").await.is_fine());
    assert_eq!(world.idp.count("refresh_token"), 1);
    world.pass(HOUR).await;
    let text = world.failure(&credentials, "ping").await;
    assert!(text.contains("credentials.json.new"), "{text}");
    assert_eq!(world.idp.count("refresh_token"), 1);
    std::fs::remove_dir(&obstacle).unwrap();
    assert!(world.call(&credentials, "ping").await.is_fine());
    assert_eq!(world.idp.count("refresh_token"), 2);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_stops_no_backend_that_wants_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path(), StoreKey::Beside);
    std::fs::create_dir(store.path()).unwrap();
    let mut world = World::new().await.store(store);
    world.settings = OAuth { passive: true, ..OAuth::default() };
    let text = world.failure(&world.credentials(), "ping").await;
    assert!(text.contains("credentials.json"), "{text}");
    assert_eq!(world.backend.count("ping"), 1);
}

#[tokio::test]
async fn no_words_of_a_backend_become_part_of_a_command() {
    let world = logged_in().await;
    world.guard.require_scope("ping", "admin");
    let challenge = "Bearer error=\"insufficient_scope\", scope=\"$(reboot)\"";
    let _ = world.guard.clone().challenge(Some(challenge));
    let text = world.failure(&world.credentials(), "ping").await;
    assert!(text.contains("$(reboot)") && text.contains(COMMAND), "{text}");
    assert!(!text.contains("--scope \""), "{text}");
}
