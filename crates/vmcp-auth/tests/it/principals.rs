//! Nobody ever goes out as somebody else.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::json;
use vmcp_auth::{
    Credentials, Identity, OutgoingAuth, OutgoingRequest, Receipt, Rejection, TokenType, Verdict,
};
use vmcp_testkit::{IdentityProvider, IdpClient};

use crate::peers::{OK, Peers, basic, url};

/// A small generator with a seed: the same interleavings of decisions in every run.
struct Dice(u64);

// === impl Dice ===

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The header that a request would go with.
async fn header(credentials: &Credentials, identity: Option<&Identity>) -> (String, Receipt) {
    let mut headers = HeaderMap::new();
    let request = OutgoingRequest {
        method: &Method::POST,
        uri: &Uri::from_static("https://files.example/mcp"),
        headers: &mut headers,
        body: &Bytes::new(),
    };
    let receipt = credentials.apply(request, identity).await.unwrap();
    let value = headers["authorization"].to_str().unwrap();
    (value.strip_prefix("Bearer ").unwrap().to_owned(), receipt)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_thousand_interleaved_requests_of_two_callers_are_each_their_own() {
    const TASKS: u64 = 8;
    const REQUESTS: u64 = 100_000 / TASKS;
    let peers = Arc::new(Peers::start().await);
    let credentials = peers.exchanging();
    // Two tokens each: what a refreshed one makes of the other is part of it.
    let callers: Arc<[Identity]> =
        ["alice", "bob", "alice", "bob"].map(|subject| peers.caller(subject)).into();
    let tasks: Vec<_> = (0..TASKS)
        .map(|seed| {
            let (credentials, callers) = (credentials.clone(), Arc::clone(&callers));
            tokio::spawn(async move {
                let mut dice = Dice(seed);
                let mut seen: HashMap<String, &'static str> = HashMap::new();
                for _ in 0..REQUESTS {
                    let caller = &callers[usize::try_from(dice.roll(4)).unwrap()];
                    let (token, receipt) = header(&credentials, Some(caller)).await;
                    let who = if caller.subject() == "alice" { "alice" } else { "bob" };
                    assert_eq!(*seen.entry(token).or_insert(who), who);
                    match dice.roll(256) {
                        // Now and then a backend has enough of a token.
                        0 => {
                            let (receipt, headers) = (&receipt, &HeaderMap::new());
                            let status = StatusCode::UNAUTHORIZED;
                            let rejection = Rejection { receipt, status, headers };
                            let verdict = credentials.rejected(rejection, Some(caller)).await;
                            assert_eq!(verdict, Verdict::Retry);
                        }
                        1..8 => tokio::task::yield_now().await,
                        _ => {}
                    }
                }
                seen
            })
        })
        .collect();
    let mut tokens = HashMap::new();
    for task in tasks {
        for (token, who) in task.await.unwrap() {
            assert_eq!(*tokens.entry(token).or_insert(who), who);
        }
    }
    // The issuer knows whom it gave each of them to.
    for (token, who) in &tokens {
        assert_eq!(peers.idp.verify(token).unwrap()["sub"], *who);
    }
    let exchanges = peers.idp.count("token_exchange");
    assert!(exchanges >= tokens.len() && tokens.len() > 50, "{} of {exchanges}", tokens.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_and_vmcp_itself_on_one_backend_are_each_their_own() {
    const TASKS: u64 = 8;
    const REQUESTS: u64 = 250;
    let known = IdpClient::basic("vmcp", "secret");
    let idp = IdentityProvider::builder().client(known).start().await.unwrap();
    let peers = Arc::new(Peers::of(idp).await);
    let mut settings = peers.exchange();
    settings.client = Some(basic("vmcp", "secret"));
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
    let callers: Arc<[Option<Identity>]> =
        [Some(peers.caller("alice")), Some(peers.caller("bob")), None].into();
    let tasks: Vec<_> = (0..TASKS)
        .map(|seed| {
            let (peers, credentials) = (Arc::clone(&peers), credentials.clone());
            let callers = Arc::clone(&callers);
            tokio::spawn(async move {
                let mut dice = Dice(seed);
                for _ in 0..REQUESTS {
                    let caller = callers[usize::try_from(dice.roll(3)).unwrap()].as_ref();
                    assert_eq!(peers.call(&credentials, caller).await.unwrap().0, OK);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(peers.check_principals(), usize::try_from(TASKS * REQUESTS).unwrap());
    assert_eq!(peers.idp.requests().len(), 3);
}

#[tokio::test]
async fn callers_are_told_apart_by_everything_that_makes_them_who_they_are() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    let token = || peers.idp.issue("a", json!({})).unwrap();
    let identity = |issuer: &str, subject: &str, claims: &str, token: &str| {
        Identity::verified(issuer, subject, claims)
            .with_token(token.to_owned().into(), TokenType::AccessToken)
    };
    let shared = token();
    let callers = [
        identity("https://one", "a", "{}", &shared),
        identity("https://one", "b", "{}", &shared),
        identity("https://two", "a", "{}", &shared),
        // Nothing is made of an e-mail address, least of all a missing one.
        identity("https://one", "c", r#"{"email":""}"#, &token()),
        identity("https://one", "d", "{}", &token()),
        identity("https://one", "", "{}", &token()),
        identity("", "a", "{}", &token()),
        // What ends one part is not what begins the next.
        identity("https://on", "ea", "{}", &shared),
    ];
    let mut receipts = Vec::new();
    for caller in &callers {
        receipts.push(header(&credentials, Some(caller)).await.1);
    }
    for (place, receipt) in receipts.iter().enumerate() {
        assert_eq!(receipts.iter().position(|other| other == receipt), Some(place));
    }
    assert_eq!(peers.idp.count("token_exchange"), callers.len());
    for (caller, receipt) in callers.iter().zip(&receipts) {
        assert_eq!(header(&credentials, Some(caller)).await.1, *receipt);
    }
    assert_eq!(peers.idp.count("token_exchange"), callers.len());
}

#[tokio::test]
async fn tokens_are_told_apart_by_everything_they_depend_on() {
    let first = IdpClient::basic("vmcp", "secret");
    let idp = IdentityProvider::builder().anonymous().client(first);
    let peers = Peers::of(idp.client(IdpClient::basic("other", "s")).start().await.unwrap()).await;
    let token = peers.idp.issue("alice", json!({})).unwrap();
    let upstream = |token: &str| token.to_owned().into();
    let alice = Identity::verified(peers.idp.issuer(), "alice", "{}")
        .with_token(token.clone().into(), TokenType::AccessToken)
        .with_upstream_token("one", upstream(&token))
        .with_upstream_token("two", upstream(&token));
    let actor = |subject: &str| {
        let token = peers.idp.issue(subject, json!({})).unwrap().into();
        Some(vmcp_auth::ActorToken { token, kind: TokenType::AccessToken })
    };
    let (bot, robot) = (actor("bot"), actor("robot"));
    let usual = peers.exchange();
    let mut every = vec![("files", usual.clone()), ("mail", usual.clone())];
    let mut vary = |change: &dyn Fn(&mut vmcp_auth::TokenExchange)| {
        let mut settings = usual.clone();
        change(&mut settings);
        every.push(("files", settings));
    };
    vary(&|settings| settings.audience = Some("mail".to_owned()));
    vary(&|settings| settings.audience = None);
    vary(&|settings| settings.audience = Some(String::new()));
    vary(&|settings| settings.resources = vec!["https://a/".to_owned()]);
    vary(&|settings| settings.resources = vec!["https://a/".to_owned(), "https://b/".to_owned()]);
    vary(&|settings| settings.resources = vec!["https://b/".to_owned(), "https://a/".to_owned()]);
    vary(&|settings| settings.scopes = vec!["a".to_owned()]);
    vary(&|settings| settings.scopes = vec!["ab".to_owned()]);
    vary(&|settings| settings.scopes = vec!["a".to_owned(), "b".to_owned()]);
    vary(&|settings| settings.subject_token_type = TokenType::Jwt);
    vary(&|settings| settings.requested_token_type = Some(TokenType::AccessToken));
    vary(&|settings| settings.requested_token_type = Some(TokenType::Jwt));
    vary(&|settings| settings.subject_provider = Some("one".to_owned()));
    vary(&|settings| settings.subject_provider = Some("two".to_owned()));
    vary(&|settings| settings.actor.clone_from(&bot));
    vary(&|settings| settings.actor.clone_from(&robot));
    vary(&|settings| settings.client = Some(basic("vmcp", "secret")));
    vary(&|settings| settings.client = Some(basic("other", "s")));
    vary(&|settings| settings.token_url = url(&format!("{}?tenant=b", peers.idp.token_url())));
    let mut receipts = Vec::new();
    for (backend, settings) in &every {
        let settings = OutgoingAuth::TokenExchange(settings.clone());
        let credentials = peers.try_bind(backend, &settings).unwrap();
        receipts.push(header(&credentials, Some(&alice)).await.1);
    }
    for (place, receipt) in receipts.iter().enumerate() {
        assert_eq!(receipts.iter().position(|other| other == receipt), Some(place));
    }
    assert_eq!(peers.idp.requests().len(), every.len());
    // The same settings, bound anew as after a reload, find what is there.
    for (backend, settings) in every {
        let settings = OutgoingAuth::TokenExchange(settings);
        let credentials = peers.try_bind(backend, &settings).unwrap();
        assert!(receipts.contains(&header(&credentials, Some(&alice)).await.1));
    }
    assert_eq!(peers.idp.requests().len(), receipts.len());
}
