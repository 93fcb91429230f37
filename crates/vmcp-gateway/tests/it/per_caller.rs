//! Backends that want a token of the caller: each client sees and calls what the backend offers to its own principal.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_auth::{Caller, Identity, OAuth, OutgoingAuth, TokenExchange, TokenType};
use vmcp_backend::{BackendTarget, ErrorKind};
use vmcp_config::{Config, SafeUrl};
use vmcp_gateway::{BackendState, Index, Reason};
use vmcp_testkit::{Answer, Backend, BearerGuard, IdentityProvider, PATIENCE};

use crate::world::{TestClient, World, bare, http, tool};

const CHANGED: &str = "notifications/tools/list_changed";

/// An issuer, a backend that wants its tokens, and what is known of who came.
struct Scene {
    idp: IdentityProvider,
    guard: BearerGuard,
    backend: Backend,
}

impl Scene {
    /// The backend offers each person a tool of their name, and `whoami`.
    async fn new() -> Self {
        let idp = IdentityProvider::start().await.unwrap();
        let guard = BearerGuard::new(&idp);
        let seen = guard.clone();
        let list = Answer::with(move |_| {
            // Guards are asked first: the last one who was let in asks.
            let asker = seen.admitted().last().unwrap().subject.clone();
            Answer::result(json!({"tools": [tool("whoami"), tool(&asker)]}))
        });
        let seen = guard.clone();
        let whoami =
            Answer::with(move |_| Answer::text(seen.admitted().last().unwrap().subject.clone()));
        let backend = Backend::builder()
            .tool(tool("whoami"), whoami)
            .tool(tool("alice"), Answer::text("alice's"))
            .tool(tool("bob"), Answer::text("bob's"))
            .on("tools/list", list)
            .bearer(&guard)
            .start()
            .await
            .unwrap();
        Self { idp, guard, backend }
    }

    /// The backend as vmcp calls it: with the caller's token exchanged.
    fn target(&self) -> BackendTarget {
        let token_url = SafeUrl::from(url::Url::parse(&self.idp.token_url()).unwrap());
        let auth = OutgoingAuth::TokenExchange(TokenExchange {
            token_url,
            client: None,
            audience: None,
            resources: Vec::new(),
            scopes: Vec::new(),
            subject_token_type: TokenType::AccessToken,
            requested_token_type: None,
            subject_provider: None,
            actor: None,
        });
        BackendTarget { auth, ..http("b", &self.backend) }
    }

    /// Somebody with a verified identity and a token.
    fn person(&self, name: &str) -> Identity {
        let token = self.idp.issue(name, json!({})).unwrap();
        Identity::verified(self.idp.issuer(), name, "{}")
            .with_token(token.into(), TokenType::AccessToken)
    }

    async fn world(&self) -> World {
        World::settled(patient(), vec![self.target()]).await
    }
}

/// Makes requests until the client is told that its tools changed.
async fn ask_until_told(client: &mut TestClient, caller: Option<Caller>) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !client.so_far().iter().any(|method| method == CHANGED) {
        assert!(tokio::time::Instant::now() < deadline, "nothing changed");
        client.hear_as("tools/list", Value::Null, caller.clone()).await.unwrap();
        tokio::task::yield_now().await;
    }
    client.told(CHANGED).await;
}

/// New sessions wait for what they list themselves as long as it takes.
fn patient() -> Config {
    let mut config = bare();
    config.timeouts.first_catalogue = Duration::from_secs(20);
    config
}

#[tokio::test]
async fn each_person_sees_and_calls_as_themselves() {
    let scene = Scene::new().await;
    let world = scene.world().await;
    let state = world.status().backends[0].state;
    assert_eq!(state, BackendState::PerCaller, "it is not broken");
    assert_eq!(scene.guard.admitted().len(), 0, "nobody's token was used to look around");
    let alice = world.client_as(json!({}), scene.person("alice")).await;
    let bob = world.client_as(json!({}), scene.person("bob")).await;
    assert_eq!(alice.list("tools/list").await, ["whoami", "alice"]);
    assert_eq!(bob.list("tools/list").await, ["whoami", "bob"]);
    for _ in 0..3 {
        assert_eq!(alice.text("whoami", json!({})).await, "alice");
        assert_eq!(bob.text("whoami", json!({})).await, "bob");
    }
    assert_eq!(bob.text("bob", json!({})).await, "bob's");
    let unknown = ErrorKind::UnknownTool("alice".to_owned());
    assert_eq!(bob.refused("tools/call", json!({"name": "alice"})).await, unknown);
    assert_eq!(scene.backend.count("initialize"), 3, "one attempt of nobody, one session each");
    assert_eq!(world.status().backends[0].offers.tools, 0, "nothing of it is for everybody");
    let stranger = world.client().await;
    assert_eq!(stranger.list("tools/list").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_that_was_waited_for_is_no_news_and_a_change_is() {
    let scene = Scene::new().await;
    let world = scene.world().await;
    let mut alice = world.client_as(json!({}), scene.person("alice")).await;
    assert_eq!(alice.so_far(), Vec::<String>::new());
    let changed = json!({"tools": [tool("whoami"), tool("more")]});
    scene.backend.on("tools/list", Answer::result(changed));
    alice.session.listening(true);
    scene.backend.wait_listeners(1).await.unwrap();
    scene.backend.list_changed("tools").await;
    alice.told(CHANGED).await;
    assert_eq!(alice.list("tools/list").await, ["whoami", "more"]);
}

#[tokio::test]
async fn a_slow_backend_holds_up_no_handshake_and_joins_later() {
    let scene = Scene::new().await;
    let gate = vmcp_testkit::Gate::new();
    gate.close();
    scene.backend.on("tools/list", Answer::result(json!({"tools": [tool("late")]})).gate(&gate));
    let mut config = bare();
    config.timeouts.first_catalogue = Duration::from_millis(200);
    let world = World::settled(config, vec![scene.target()]).await;
    let mut alice = world.client_as(json!({}), scene.person("alice")).await;
    assert_eq!(alice.list("tools/list").await, Vec::<String>::new());
    gate.open();
    alice.told(CHANGED).await;
    assert_eq!(alice.list("tools/list").await, ["late"]);
}

#[tokio::test]
async fn the_token_of_the_call_counts_and_a_login_that_comes_later_helps() {
    let scene = Scene::new().await;
    let world = scene.world().await;
    let nameless = Identity::verified(scene.idp.issuer(), "alice", "{}");
    let mut alice = world.client_as(json!({}), nameless).await;
    assert_eq!(alice.list("tools/list").await, Vec::<String>::new(), "there is no token yet");
    // Any request brings it along.
    ask_until_told(&mut alice, Some(scene.person("alice").into())).await;
    assert_eq!(alice.list("tools/list").await, ["whoami", "alice"]);
}

#[tokio::test]
async fn who_loses_the_permission_loses_the_tools() {
    let scene = Scene::new().await;
    let world = scene.world().await;
    let mut alice = world.client_as(json!({}), scene.person("alice")).await;
    let bob = world.client_as(json!({}), scene.person("bob")).await;
    alice.session.listening(true);
    scene.backend.wait_listeners(1).await.unwrap();
    let listings = scene.backend.count("tools/list");
    scene.backend.on("tools/list", Answer::status(401));
    scene.backend.list_changed("tools").await;
    scene.backend.wait_for("tools/list", listings + 1).await.unwrap();
    // A client that is idle may just have old credentials. Its next requests show.
    assert_eq!(alice.list("tools/list").await, ["whoami", "alice"]);
    ask_until_told(&mut alice, None).await;
    assert_eq!(alice.list("tools/list").await, Vec::<String>::new());
    assert_eq!(bob.list("tools/list").await, ["whoami", "bob"], "that was about alice");
    scene.backend.on("tools/list", Answer::result(json!({"tools": [tool("whoami")]})));
    // And she gets back what she may see.
    ask_until_told(&mut alice, None).await;
    assert_eq!(alice.list("tools/list").await, ["whoami"]);
}

#[tokio::test]
async fn tools_stay_while_an_idle_clients_token_is_old() {
    let scene = Scene::new().await;
    let world = scene.world().await;
    let mut alice = world.client_as(json!({}), scene.person("alice")).await;
    alice.session.listening(true);
    scene.backend.wait_listeners(1).await.unwrap();
    let listings = scene.backend.count("tools/list");
    // Whoever asks now is refused, as with a token that is over.
    scene.backend.on("tools/list", Answer::status(401));
    scene.backend.list_changed("tools").await;
    scene.backend.wait_for("tools/list", listings + 1).await.unwrap();
    let more = json!({"tools": [tool("whoami"), tool("more")]});
    scene.backend.on("tools/list", Answer::result(more));
    // Her first request comes with a new one, and is the call of a tool that she knows.
    let params = json!({"name": "whoami"});
    let caller = Some(Caller::from(scene.person("alice")));
    let heard = alice.hear_as("tools/call", params, caller).await.unwrap();
    assert_eq!(heard.response["result"]["content"][0]["text"], "alice");
    ask_until_told(&mut alice, None).await;
    assert_eq!(alice.list("tools/list").await, ["whoami", "more"]);
}

#[tokio::test]
async fn a_session_that_the_backend_forgot_heals() {
    let scene = Scene::new().await;
    let world = scene.world().await;
    let alice = world.client_as(json!({}), scene.person("alice")).await;
    scene.backend.forget_sessions();
    assert_eq!(alice.text("whoami", json!({})).await, "alice");
    assert_eq!(alice.list("tools/list").await, ["whoami", "alice"]);
}

#[tokio::test]
async fn a_backend_that_needs_a_login_says_which_command_helps() {
    let scene = Scene::new().await;
    let auth = OutgoingAuth::OAuth(OAuth {
        client: None,
        client_metadata_url: None,
        scopes: Vec::new(),
        callback_port: None,
        issuer: None,
        passive: true,
    });
    let target = BackendTarget { auth, ..http("b", &scene.backend) };
    let world = World::settled(bare(), vec![target]).await;
    let status = &world.status().backends[0];
    assert_eq!((status.state, status.reason), (BackendState::Failed, Some(Reason::LoginRequired)));
    assert_eq!(status.advice().as_deref(), Some("run `vmcp auth login b`"));
}

#[tokio::test]
async fn what_is_offered_to_single_callers_is_not_kept_for_a_restart() {
    let scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let index = Index::new(folder.path(), Duration::from_secs(3600));
    let open = Backend::builder().tool(tool("everybodys"), Answer::usual()).start().await.unwrap();
    let targets = || vec![scene.target(), http("open", &open)];
    let world = World::resumed(patient(), targets(), Some(index.clone()));
    assert!(world.gateway.settled(PATIENCE).await);
    let alice = world.client_as(json!({}), scene.person("alice")).await;
    assert_eq!(alice.list("tools/list").await, ["whoami", "alice", "everybodys"]);
    world.gateway.close(PATIENCE).await;
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    let files: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(files.len() == 1 && files[0].starts_with("open-"), "{files:?}");
}
