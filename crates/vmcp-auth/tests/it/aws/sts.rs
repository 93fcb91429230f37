//! What STS may say instead of giving keys, and what comes of it.

use std::io;
use std::time::Duration;

use http::Method;
use secrecy::ExposeSecret;
use serde_json::json;
use vmcp_auth::AuthFailure;
use vmcp_testkit::{Aws, IdpAnswer};

use super::{READER, Setting, pass};

#[tokio::test]
async fn what_sts_refuses_is_said_and_not_asked_again() -> io::Result<()> {
    let setting = Setting::new().await?;
    setting.aws.add_role(READER);
    let alice = setting.caller("alice")?;
    let expired = setting.caller_of("old", &json!({"sub": "old", "exp": 1_000}))?;
    let root = setting.caller_of("root", &json!({"sub": "root", "groups": "admins"}))?;
    for (caller, code) in [(&expired, "ExpiredTokenException"), (&root, "AccessDenied")] {
        let failure = setting.failure(caller).await;
        let AuthFailure::Refused(text) = &failure else { unreachable!("{failure:?}") };
        assert!(text.contains(code) && text.contains(&setting.aws.sts_url()), "{text}");
    }
    assert_eq!(setting.aws.count(), 2);
    // Not even the token that STS repeats is passed on.
    let token = alice.token().map(|token| token.secret().clone()).unwrap();
    let message = format!("bad token {}", token.expose_secret());
    setting.aws.on(Aws::error(400, "InvalidIdentityToken", &message));
    assert!(matches!(setting.failure(&alice).await, AuthFailure::Refused(_)));
    setting.aws.on(Aws::error(400, "Odd\nCode", &format!("line\n{}", "x".repeat(5000))));
    let text = setting.failure(&alice).await.to_string();
    assert!(text.contains("Odd Code: line xxx") && text.len() < 400, "{text}");
    assert!(setting.backend.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn sts_is_not_asked_for_a_caller_of_too_many_hands() -> io::Result<()> {
    let setting = Setting::new().await?;
    let act = (0..11).fold(json!({"sub": "first"}), |act, _| json!({"sub": "next", "act": act}));
    let passed_on = setting.caller_of("alice", &json!({"sub": "alice", "act": act}))?;
    let failure = setting.failure(&passed_on).await;
    assert!(
        matches!(&failure, AuthFailure::Refused(text) if text.contains("delegated")),
        "{failure}"
    );
    assert_eq!(setting.aws.requests().len(), 0);
    Ok(())
}

#[tokio::test]
async fn passing_trouble_gets_one_more_try() -> io::Result<()> {
    let setting = Setting::new().await?;
    let alice = setting.caller("alice")?;
    for trouble in [
        Aws::error(400, "Throttling", "Rate exceeded"),
        Aws::error(400, "IDPCommunicationError", "retry"),
        IdpAnswer::status(503),
        IdpAnswer::status(429),
    ] {
        let before = setting.aws.count();
        setting.aws.on(trouble.clone());
        assert!(matches!(setting.failure(&alice).await, AuthFailure::Unavailable(_)));
        assert_eq!(setting.aws.count(), before + 2);
    }
    let before = setting.aws.count();
    setting.aws.on(IdpAnswer::sequence([IdpAnswer::status(500), IdpAnswer::usual()]));
    setting.ping(Some(&alice)).await?;
    assert_eq!(setting.aws.count(), before + 2);
    assert_eq!(setting.guard.subjects("ping"), ["alice"]);
    Ok(())
}

#[tokio::test]
async fn answers_that_cannot_be_used_give_no_keys() -> io::Result<()> {
    let setting = Setting::new().await?;
    let alice = setting.caller("alice")?;
    let good = |id: &str, secret: &str, token: &str, expires: &str| {
        format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
             <SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        )
    };
    let later = "2999-01-01T00:00:00Z";
    let xml = |text: String| IdpAnswer::http(200, "text/xml", text);
    for answer in [
        IdpAnswer::http(200, "text/html", "<html><body>proxy"),
        IdpAnswer::http(200, "application/json", r#"{"AccessKeyId":"wJalr"}"#),
        IdpAnswer::http(200, "text/xml", vec![0xff, 0xfe]),
        IdpAnswer::huge(1 << 20),
        IdpAnswer::redirect(307, "http://127.0.0.1:1/"),
        IdpAnswer::hangup(),
        IdpAnswer::usual().cut_after(100),
        IdpAnswer::status(204),
        IdpAnswer::status(404),
        xml(good("", "wJalr", "t", later)),
        xml(good("A/B", "wJalr", "t", later)),
        xml(good("A", "", "t", later)),
        xml(good("A", "wJalr", "", later)),
        xml(good("A", "wJalr", "t\r\nx-evil: 1", later)),
        xml(good("A", "wJalr", "t", "tomorrow")),
        xml(good("A", "wJalr", "t", "")),
    ] {
        setting.aws.on(answer);
        let failure = setting.failure(&alice).await;
        assert!(matches!(failure, AuthFailure::Unavailable(_)), "{failure:?}");
    }
    setting.aws.on(xml(good("A", "wJalr", "t", later)));
    assert!(setting.signed(Method::POST, Some(&alice)).await.is_ok());
    // Whatever it says, keys are not used for longer than they were asked for.
    let before = setting.aws.count();
    pass(3580).await;
    assert!(setting.signed(Method::POST, Some(&alice)).await.is_ok());
    assert_eq!(setting.aws.count(), before + 1);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_sts_that_hangs_costs_five_seconds() -> io::Result<()> {
    let setting = Setting::new().await?;
    let alice = setting.caller("alice")?;
    setting.aws.on(IdpAnswer::never());
    let start = tokio::time::Instant::now();
    assert!(matches!(setting.failure(&alice).await, AuthFailure::Unavailable(_)));
    assert!(start.elapsed() <= Duration::from_millis(5001), "{:?}", start.elapsed());
    Ok(())
}
