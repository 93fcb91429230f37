//! Token exchange: one exchange for many calls, each caller's own, and what a rejection makes of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use vmcp_auth::{
    ActorToken, AuthFailure, ClientAuth, CredentialScope, Identity, OutgoingAuth, TokenCache,
    TokenType,
};
use vmcp_testkit::{Gate, IdentityProvider, IdpAnswer, IdpClient};

use crate::peers::{OK, Peers, basic, client, delegated, field};

#[tokio::test]
async fn twenty_calls_are_one_exchange() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    assert_eq!(credentials.scope(), CredentialScope::PerCaller);
    let alice = peers.caller("alice");
    for _ in 0..20 {
        assert_eq!(peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
    }
    assert_eq!(peers.idp.count("token_exchange"), 1);
    assert_eq!(peers.guard.subjects("ping"), vec!["alice"; 20]);
    assert!(peers.guard.admitted().iter().all(|one| one.claims["aud"] == "files"));
}

#[tokio::test]
async fn asks_for_all_that_is_configured_and_nothing_else() {
    let peers = Peers::start().await;
    let alice = peers.caller("alice");
    assert_eq!(peers.call(&peers.exchanging(), Some(&alice)).await.unwrap(), (OK, 1));
    let form = peers.asked();
    let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grant_type", "audience", "subject_token", "subject_token_type"]);
    assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:token-exchange");
    assert_eq!(form[3].1, "urn:ietf:params:oauth:token-type:access_token");

    let peers = Peers::start().await;
    let actor = peers.idp.issue("vmcp", json!({})).unwrap();
    let mut settings = peers.exchange();
    settings.resources =
        vec!["https://a.example/x".to_owned(), "https://b.example/?q=1".to_owned()];
    settings.scopes = vec!["read".to_owned(), "write".to_owned()];
    settings.requested_token_type = Some(TokenType::Jwt);
    settings.actor = Some(ActorToken { token: actor.clone().into(), kind: TokenType::AccessToken });
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
    assert_eq!(peers.call(&credentials, Some(&peers.caller("alice"))).await.unwrap(), (OK, 1));
    let form = peers.asked();
    let kind = "urn:ietf:params:oauth:token-type:";
    assert_eq!(field(&form, "scope"), Some("read write"));
    assert_eq!(field(&form, "requested_token_type"), Some(format!("{kind}jwt").as_str()));
    assert_eq!(field(&form, "actor_token"), Some(actor.as_str()));
    assert_eq!(field(&form, "actor_token_type"), Some(format!("{kind}access_token").as_str()));
    let resources: Vec<_> = form.iter().filter(|(name, _)| name == "resource").collect();
    assert_eq!(resources.len(), 2);
    // The issuer made a token of it that says who acts for whom.
    let claims = &peers.guard.admitted()[0].claims;
    assert_eq!((&claims["sub"], &claims["act"]["sub"]), (&json!("alice"), &json!("vmcp")));
}

#[tokio::test]
async fn a_caller_is_never_seen_by_its_own_token() {
    let peers = Peers::start().await;
    let alice = peers.caller("alice");
    peers.call(&peers.exchanging(), Some(&alice)).await.unwrap();
    let subject_token = field(&peers.asked(), "subject_token").unwrap().to_owned();
    for request in peers.backend.requests() {
        assert!(
            request
                .headers
                .values()
                .all(|value| { !value.to_str().unwrap().contains(&subject_token) })
        );
        assert!(!request.json().to_string().contains(&subject_token));
    }
    // Neither is it where nothing is configured.
    let open = peers.bind(&OutgoingAuth::Unauthenticated);
    peers.call(&open, Some(&alice)).await.unwrap();
    assert_eq!(peers.presented().last(), Some(&None));
}

#[tokio::test]
async fn exchanges_the_token_of_the_provider_that_is_named() {
    let peers = Peers::start().await;
    let mut settings = peers.exchange();
    settings.subject_provider = Some("github".to_owned());
    settings.subject_token_type = TokenType::IdToken;
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
    let upstream = peers.idp.issue_id_token("alice-there", json!({})).unwrap();
    let alice = peers.caller("alice");
    let missing = peers.fail(&credentials, Some(&alice)).await;
    let text = "provider \"github\": upstream token not found";
    assert_eq!(missing, AuthFailure::NoToken(text.to_owned()));
    let alice = alice.with_upstream_token("github", upstream.clone().into());
    peers.call(&credentials, Some(&alice)).await.unwrap();
    assert_eq!(field(&peers.asked(), "subject_token"), Some(upstream.as_str()));
    assert_eq!(peers.guard.subjects("ping"), ["alice-there"]);
}

#[tokio::test]
async fn a_caller_without_a_token_is_told_so() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    for identity in [Identity::anonymous(), Identity::local()] {
        let failure = peers.fail(&credentials, Some(&identity)).await;
        assert_eq!(failure, AuthFailure::NoToken("identity has no token".to_owned()));
    }
    assert!(peers.idp.requests().is_empty());
}

#[tokio::test]
async fn a_refreshed_token_counts_at_once() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    let old = peers.caller("alice");
    peers.call(&credentials, Some(&old)).await.unwrap();
    let new = peers.caller("alice");
    assert!(old.same_principal(&new));
    peers.call(&credentials, Some(&new)).await.unwrap();
    let asked = peers.idp.heard("token_exchange");
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0].field("subject_token"), asked[1].field("subject_token"));
    let tokens: Vec<_> = peers.guard.admitted().into_iter().map(|one| one.token).collect();
    assert_ne!(tokens[0], tokens[1]);
    // Also after a refusal of the old one: it is remembered for nobody.
    let refused = IdpAnswer::error(400, "invalid_grant", "it is over");
    peers.idp.on("token_exchange", refused);
    let over = peers.caller("bob");
    assert!(matches!(peers.fail(&credentials, Some(&over)).await, AuthFailure::Refused(_)));
    peers.idp.on("token_exchange", None);
    assert_eq!(peers.call(&credentials, Some(&peers.caller("bob"))).await.unwrap(), (OK, 1));
    assert_eq!(peers.call(&credentials, Some(&over)).await.unwrap(), (OK, 1));
}

#[tokio::test]
async fn a_rejected_token_is_exchanged_once_and_the_call_repeated_once() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    peers.call(&credentials, Some(&alice)).await.unwrap();
    peers.idp.revoke(&peers.guard.admitted()[0].token);
    assert_eq!(peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 2));
    assert_eq!(peers.idp.count("token_exchange"), 2);
    // The new one stays.
    assert_eq!(peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
    assert_eq!(peers.idp.count("token_exchange"), 2);
}

#[tokio::test]
async fn a_second_rejection_is_final() {
    let mut peers = Peers::start().await;
    // A backend that wants another audience takes none of these tokens.
    peers.guard = peers.guard.audience("somebody else");
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    let (status, times) = peers.call(&credentials, Some(&alice)).await.unwrap();
    assert_eq!((status.as_u16(), times), (401, 2));
    assert_eq!(peers.idp.count("token_exchange"), 2);
    assert_eq!(peers.backend.count("ping"), 2);
}

#[tokio::test]
async fn lacking_scope_is_no_reason_for_another_token() {
    let peers = Peers::start().await;
    peers.guard.require_scope("ping", "admin");
    let (status, times) =
        peers.call(&peers.exchanging(), Some(&peers.caller("alice"))).await.unwrap();
    assert_eq!((status.as_u16(), times), (403, 1));
    assert_eq!(peers.idp.count("token_exchange"), 1);
}

#[tokio::test]
async fn fifty_rejections_of_one_token_are_one_exchange() {
    let peers = Arc::new(Peers::start().await);
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    peers.call(&credentials, Some(&alice)).await.unwrap();
    peers.idp.revoke(&peers.guard.admitted()[0].token);
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let (peers, credentials) = (Arc::clone(&peers), credentials.clone());
            let alice = alice.clone();
            tokio::spawn(async move { peers.call(&credentials, Some(&alice)).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().0, OK);
    }
    assert_eq!(peers.idp.count("token_exchange"), 2);
}

#[tokio::test]
async fn a_thousand_calls_behind_an_issuer_that_hangs_are_one_exchange_and_fail_in_time() {
    let peers = Arc::new(Peers::start().await);
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    peers.idp.on("token_exchange", IdpAnswer::never());
    let call = || {
        let (peers, credentials) = (Arc::clone(&peers), credentials.clone());
        let alice = alice.clone();
        tokio::spawn(async move { peers.call(&credentials, Some(&alice)).await })
    };
    let calls: Vec<_> = (0..1000).map(|_| call()).collect();
    peers.idp.wait_for("token_exchange", 1).await.unwrap();
    tokio::time::pause();
    let began = Instant::now();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error.failure(), Some(AuthFailure::Unavailable(_))), "{error}");
    }
    assert!(began.elapsed() <= TokenCache::DEADLINE, "{:?}", began.elapsed());
    tokio::time::resume();
    assert_eq!(peers.idp.count("token_exchange"), 1);
    assert!(peers.backend.requests().is_empty());
    // And the issuer is asked again as soon as somebody needs it.
    peers.idp.on("token_exchange", None);
    assert_eq!(peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
}

#[tokio::test]
async fn a_caller_who_leaves_does_not_cost_the_others_their_exchange() {
    let peers = Arc::new(Peers::start().await);
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    let gate = Gate::new();
    peers.idp.on("token_exchange", IdpAnswer::usual().gate(&gate));
    let call = || {
        let (peers, credentials) = (Arc::clone(&peers), credentials.clone());
        let alice = alice.clone();
        tokio::spawn(async move { peers.call(&credentials, Some(&alice)).await })
    };
    let first = call();
    gate.reached(1).await.unwrap();
    let others: Vec<_> = (0..5).map(|_| call()).collect();
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.open();
    for other in others {
        assert_eq!(other.await.unwrap().unwrap(), (OK, 1));
    }
    assert_eq!(peers.idp.count("token_exchange"), 1);
}

#[tokio::test]
async fn a_token_is_replaced_before_it_is_over() {
    let idp = IdentityProvider::builder().anonymous().lifetime(Duration::from_secs(300));
    let peers = Peers::of(idp.start().await.unwrap()).await;
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    let pass = async |seconds| {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
    };
    peers.call(&credentials, Some(&alice)).await.unwrap();
    pass(200).await;
    peers.call(&credentials, Some(&alice)).await.unwrap();
    assert_eq!(peers.idp.count("token_exchange"), 1);
    pass(75).await;
    assert_eq!(peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
    assert_eq!(peers.idp.count("token_exchange"), 2);
    // One that is nearly over when it comes is good for one call.
    peers.idp.set_lifetime(Duration::from_secs(20));
    let bob = peers.caller("bob");
    for calls in 1..=3 {
        assert_eq!(peers.call(&credentials, Some(&bob)).await.unwrap(), (OK, 1));
        assert_eq!(peers.idp.count("token_exchange"), 2 + calls);
    }
}

#[tokio::test]
async fn what_vmcp_does_for_itself_goes_with_its_own_token_and_never_with_a_users() {
    let client_of = IdpClient::basic("vmcp", "secret");
    let idp = IdentityProvider::builder().client(client_of).start().await.unwrap();
    let peers = Peers::of(idp).await;
    let mut settings = peers.exchange();
    settings.client = Some(basic("vmcp", "secret"));
    settings.scopes = vec!["read".to_owned()];
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
    peers.call(&credentials, Some(&peers.caller("alice"))).await.unwrap();
    for _ in 0..3 {
        peers.call(&credentials, None).await.unwrap();
    }
    peers.call(&credentials, Some(&peers.caller("bob"))).await.unwrap();
    assert_eq!(peers.guard.subjects("ping"), ["alice", "vmcp", "vmcp", "vmcp", "bob"]);
    assert_eq!(peers.check_principals(), 5);
    let service = peers.idp.heard("client_credentials");
    assert_eq!(service.len(), 1);
    assert_eq!(service[0].field("audience"), Some("files"));
    assert_eq!(service[0].field("scope"), Some("read"));
    assert_eq!(service[0].field("subject_token"), None);
}

#[tokio::test]
async fn without_a_secret_vmcp_has_no_token_of_its_own() {
    let idp = IdentityProvider::builder().anonymous().client(IdpClient::public("vmcp"));
    let peers = Peers::of(idp.start().await.unwrap()).await;
    let mut public = peers.exchange();
    public.client = Some(client("vmcp", ClientAuth::None));
    for settings in [peers.exchange(), public] {
        let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
        peers.call(&credentials, Some(&peers.caller("alice"))).await.unwrap();
        let asked = peers.idp.requests().len();
        let (status, times) = peers.call(&credentials, None).await.unwrap();
        assert_eq!((status.as_u16(), times), (401, 1));
        assert_eq!(peers.presented().last(), Some(&None));
        assert_eq!(peers.idp.requests().len(), asked);
    }
}

#[tokio::test]
async fn a_caller_who_came_through_too_many_hands_is_refused_before_anybody_is_asked() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    let caller = |times: usize| {
        let mut claims = delegated(times);
        let act = claims.get_mut("act").map(serde_json::Value::take).unwrap_or_default();
        let token = peers.idp.issue("alice", json!({"act": act})).unwrap();
        Identity::verified(peers.idp.issuer(), "alice", "{}")
            .with_token(token.into(), TokenType::AccessToken)
    };
    assert_eq!(peers.call(&credentials, Some(&caller(10))).await.unwrap(), (OK, 1));
    let failure = peers.fail(&credentials, Some(&caller(11))).await;
    let text = "the caller's token was delegated more than 10 times";
    assert_eq!(failure, AuthFailure::Refused(text.to_owned()));
    assert_eq!(peers.idp.requests().len(), 1);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_dialled() {
    let peers = Peers::start().await;
    let refused = |change: &dyn Fn(&mut vmcp_auth::TokenExchange)| {
        let mut settings = peers.exchange();
        change(&mut settings);
        let error = peers.try_bind("files", &OutgoingAuth::TokenExchange(settings)).unwrap_err();
        let text = error.to_string();
        let start = "backend files: invalid config for auth strategy \"token_exchange\": ";
        text.strip_prefix(start).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let text = refused(&|settings| settings.token_url = crate::peers::url("http://idp.example/t"));
    assert_eq!(text, "token URL http://idp.example/t must be https (http only on this machine)");
    let text = refused(&|settings| settings.resources = vec!["files".to_owned()]);
    assert_eq!(text, "resource \"files\" is not an absolute URI");
    let text = refused(&|settings| settings.resources = vec!["https://a/#b".to_owned()]);
    assert_eq!(text, "resource \"https://a/#b\" is not an absolute URI");
    let text = refused(&|settings| settings.scopes = vec!["a b".to_owned()]);
    assert_eq!(text, "scope \"a b\" is not one scope");
    let text = refused(&|settings| settings.client = Some(basic("vmcp", "")));
    assert_eq!(text, "the secret of client \"vmcp\" is empty");
    assert!(peers.idp.requests().is_empty());
}
