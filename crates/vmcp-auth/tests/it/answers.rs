//! Issuers that answer what they should not: nothing is sent to the backend, and nothing hangs.

use vmcp_auth::{AuthFailure, OutgoingAuth, TokenEndpoint};
use vmcp_testkit::IdpAnswer;

use crate::peers::{OK, Peers};

const KIND: &str = "urn:ietf:params:oauth:token-type:";

/// What comes of an answer of the issuer, and that it is over with it.
async fn failure(peers: &Peers, answer: IdpAnswer) -> AuthFailure {
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    peers.idp.on("token_exchange", answer);
    let failure = peers.fail(&credentials, Some(&alice)).await;
    peers.idp.on("token_exchange", None);
    assert_eq!(peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
    failure
}

/// An answer that cannot be used, and what is said about it.
async fn check_unavailable(peers: &Peers, answer: IdpAnswer, expected: &str) {
    let failure = failure(peers, answer).await;
    let AuthFailure::Unavailable(text) = &failure else { panic!("{failure:?}") };
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains("eyJ"), "{text}");
}

#[tokio::test]
async fn answers_without_a_usable_token_are_none() {
    let peers = Peers::start().await;
    let usual = IdpAnswer::usual;
    let json = |body: &'static str| IdpAnswer::http(200, "application/json", body);
    let garbage = "answered what is no token response";
    check_unavailable(&peers, json("<html>hello</html>"), garbage).await;
    check_unavailable(&peers, json(""), garbage).await;
    check_unavailable(&peers, json("{}"), "without access_token").await;
    let html = IdpAnswer::http(200, "text/html", r#"{"access_token":"t","token_type":"Bearer"}"#);
    check_unavailable(&peers, html, "something else than JSON").await;
    check_unavailable(&peers, usual().without("access_token"), "without access_token").await;
    check_unavailable(&peers, usual().member("access_token", "null"), "without access_token").await;
    check_unavailable(&peers, usual().member("access_token", "7"), garbage).await;
    check_unavailable(&peers, usual().member("access_token", r#""""#), "no").await;
    check_unavailable(&peers, usual().member("access_token", r#""a\r\nX: y""#), "header").await;
    check_unavailable(&peers, usual().without("token_type"), "without token_type").await;
    check_unavailable(&peers, usual().member("token_type", r#""mac""#), "\"mac\", not Bearer")
        .await;
    check_unavailable(&peers, usual().member("token_type", r#""N_A""#), "\"N_A\", not Bearer")
        .await;
    check_unavailable(&peers, usual().member("token_type", r#""DPoP""#), "not Bearer").await;
    let refresh = format!("\"{KIND}refresh_token\"");
    check_unavailable(&peers, usual().member("issued_token_type", refresh), "refresh_token").await;
    check_unavailable(&peers, usual().without("issued_token_type"), "RFC 8693").await;
    let lifetime = "expires_in that is no lifetime";
    check_unavailable(&peers, usual().member("expires_in", "-1"), lifetime).await;
    check_unavailable(&peers, usual().member("expires_in", "1e18"), lifetime).await;
    check_unavailable(&peers, usual().member("expires_in", r#""3600""#), garbage).await;
    check_unavailable(&peers, usual().member("expires_in", "1e400"), garbage).await;
}

#[tokio::test]
async fn answers_that_are_too_long_or_come_from_elsewhere_are_none() {
    let peers = Peers::start().await;
    let max = TokenEndpoint::MAX_ANSWER;
    check_unavailable(&peers, IdpAnswer::huge(10 << 20), "longer than").await;
    check_unavailable(&peers, IdpAnswer::huge(max), "longer than").await;
    let elsewhere = format!("{}/elsewhere", peers.idp.issuer());
    for status in [301, 302, 303, 307, 308] {
        check_unavailable(&peers, IdpAnswer::redirect(status, &elsewhere), "redirect").await;
    }
    assert_eq!(peers.idp.count("/elsewhere"), 0);
    check_unavailable(&peers, IdpAnswer::hangup(), "").await;
    check_unavailable(&peers, IdpAnswer::usual().cut_after(20), "broke off").await;
    let gzip = IdpAnswer::usual().header("content-encoding", "gzip");
    check_unavailable(&peers, gzip, "content encoding").await;
}

#[tokio::test]
async fn a_long_token_within_the_bound_is_a_token() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    let body = serde_json::json!({
        "access_token": "x".repeat(20_000), "token_type": "Bearer",
        "issued_token_type": format!("{KIND}access_token"),
    });
    peers.idp.on("token_exchange", IdpAnswer::http(200, "application/json", body.to_string()));
    // The backend does not know it, but saw it.
    let (status, times) = peers.call(&credentials, Some(&peers.caller("alice"))).await.unwrap();
    assert_eq!((status.as_u16(), times), (401, 2));
    assert_eq!(peers.presented()[0].as_ref().unwrap().len(), "Bearer ".len() + 20_000);
}

#[tokio::test]
async fn refusals_are_told_apart_from_failures() {
    let peers = Peers::start().await;
    for (status, code) in [(400, "invalid_grant"), (401, "invalid_client"), (400, "invalid_target")]
    {
        let failure = failure(&peers, IdpAnswer::error(status, code, "not \u{7} for you")).await;
        let text =
            format!("token endpoint {} refuses: {code} (not ? for you)", peers.idp.token_url());
        assert_eq!(failure, AuthFailure::Refused(text));
    }
    for status in [404, 429, 500, 503] {
        let answer = IdpAnswer::error(status, "server_error", "later");
        check_unavailable(&peers, answer, &format!("HTTP {status} (server_error)")).await;
    }
}

#[tokio::test]
async fn an_issuer_that_repeats_secrets_repeats_them_to_nobody() {
    let peers = Peers::start().await;
    let credentials = peers.exchanging();
    let alice = peers.caller("alice");
    peers.call(&credentials, Some(&alice)).await.unwrap();
    let token = peers.asked().into_iter().find(|(name, _)| name == "subject_token").unwrap().1;
    // Another backend needs another token.
    let elsewhere = OutgoingAuth::TokenExchange(peers.exchange());
    let elsewhere = peers.try_bind("other", &elsewhere).unwrap();
    for text in [format!("no {token}!"), format!("no {}", &token[10..token.len() - 10])] {
        peers.idp.on("token_exchange", IdpAnswer::error(400, "invalid_grant", &text));
        let error = peers.call(&elsewhere, Some(&alice)).await.unwrap_err().to_string();
        assert!(error.contains("invalid_grant (no "), "{error}");
        assert!(!error.contains(&token[10..40]), "{error}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_there_costs_its_backend_only() {
    let peers = Peers::start().await;
    let mut settings = peers.exchange();
    settings.token_url = crate::peers::url("http://127.0.0.1:9/token");
    let gone = peers.bind(&OutgoingAuth::TokenExchange(settings));
    let alice = peers.caller("alice");
    let failure = peers.fail(&gone, Some(&alice)).await;
    let AuthFailure::Unavailable(text) = &failure else { panic!("{failure:?}") };
    assert!(text.starts_with("token endpoint http://127.0.0.1:9/token: cannot connect"), "{text}");
    assert_eq!(peers.call(&peers.exchanging(), Some(&alice)).await.unwrap(), (OK, 1));
}
