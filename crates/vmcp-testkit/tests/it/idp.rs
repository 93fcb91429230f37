//! The identity provider: what it grants, what it refuses, and what it remembers.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use vmcp_testkit::{Gate, IdentityProvider, IdpAnswer, IdpClient, RawClient, SigningKey};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Posts a form, after escaping, and gives the status and the parsed body.
async fn post(
    idp: &IdentityProvider,
    authorization: Option<&str>,
    fields: &[(&str, &str)],
) -> io::Result<(u16, Value)> {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let mut headers = vec![FORM];
    headers.extend(authorization.map(|value| ("authorization", value)));
    send(&idp.token_url(), Method::POST, &headers, fields.join("&")).await
}

async fn send(
    url: &str,
    method: Method,
    headers: &[(&str, &str)],
    body: String,
) -> io::Result<(u16, Value)> {
    let mut reply = RawClient::new(url)?.send(method, headers, Bytes::from(body)).await?;
    let body = reply.bytes().await?;
    Ok((reply.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
}

fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn claims(token: &Value) -> Value {
    let part = token.as_str().and_then(|token| token.split('.').nth(1)).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn exchange<'a>(subject: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual =
        [("grant_type", EXCHANGE), ("subject_token", subject), ("subject_token_type", ACCESS)];
    [&usual, more].concat()
}

#[tokio::test]
async fn exchanges_a_users_token_for_one_that_names_the_user() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    let user = idp.issue("alice", json!({"email": "alice@example.com"}))?;
    let more = [("audience", "files"), ("resource", "https://files.test/mcp"), ("scope", "read")];
    let (status, body) = post(&idp, None, &exchange(&user, &more)).await?;
    assert_eq!((status, &body["token_type"]), (200, &json!("Bearer")), "{body}");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["issued_token_type"], ACCESS);
    let claims = claims(&body["access_token"]);
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["email"], "alice@example.com");
    assert_eq!(claims["aud"], json!(["files", "https://files.test/mcp"]));
    assert_eq!(claims["scope"], "read");
    let verified = idp.verify(body["access_token"].as_str().unwrap_or_default());
    assert_eq!(verified.unwrap()["iss"], idp.issuer());
    let heard = idp.heard("token_exchange");
    assert_eq!(heard[0].field("audience"), Some("files"));
    assert_eq!(heard[0].answered, Some(200));
    assert_eq!((heard[0].client_auth, heard[0].client.as_deref()), ("none", None));
    Ok(())
}

#[tokio::test]
async fn refuses_subject_tokens_that_do_not_hold() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    let other = IdentityProvider::start().await?;
    let good = idp.issue("alice", json!({}))?;
    let foreign = other.issue("alice", json!({}))?;
    let expired = idp.issue("alice", json!({"exp": 1_000}))?;
    let forged = format!("{}{}", &good[..good.len() - 4], "AAAA");
    let id_token = idp.issue_id_token("alice", json!({}))?;
    let revoked = idp.issue("bob", json!({}))?;
    idp.revoke(&revoked);
    let cases = [
        (foreign.as_str(), "not trusted"),
        (&expired, "expired"),
        (&forged, "signature"),
        (&id_token, "it is no"),
        (&revoked, "revoked"),
        ("opaque", "no JWT"),
    ];
    for (token, reason) in cases {
        let (status, body) = post(&idp, None, &exchange(token, &[])).await?;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_request")), "{body}");
        assert!(body["error_description"].as_str().unwrap_or_default().contains(reason), "{body}");
    }
    assert_eq!(post(&idp, None, &exchange(&good, &[])).await?.0, 200);
    idp.trust(&other);
    assert_eq!(post(&idp, None, &exchange(&foreign, &[])).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn knows_what_may_be_asked_for() -> io::Result<()> {
    let builder = IdentityProvider::builder().anonymous().targets(["files"]).scopes(["read"]);
    let idp = builder.start().await?;
    let user = idp.issue("alice", json!({}))?;
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[("audience", "mail")], "invalid_target"),
        (&[("resource", "relative/path")], "invalid_target"),
        (&[("scope", "read write")], "invalid_scope"),
        (&[("requested_token_type", "urn:x")], "invalid_request"),
        (&[("actor_token_type", ACCESS)], "invalid_request"),
        (&[("scope", "read"), ("scope", "read")], "invalid_request"),
    ];
    for (more, error) in cases {
        let (status, body) = post(&idp, None, &exchange(&user, more)).await?;
        assert_eq!((status, &body["error"]), (400, &json!(error)), "{more:?}: {body}");
    }
    let (_, body) = post(&idp, None, &[("grant_type", "password")]).await?;
    assert_eq!(body["error"], "unsupported_grant_type");
    let text = "grant_type=a%2".to_owned();
    let (status, body) = send(&idp.token_url(), Method::POST, &[FORM], text).await?;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    let json_type = ("content-type", "application/json");
    let text = "grant_type=client_credentials".to_owned();
    let (status, _) = send(&idp.token_url(), Method::POST, &[json_type], text).await?;
    assert_eq!(status, 400);
    Ok(())
}

#[tokio::test]
async fn clients_prove_who_they_are_in_their_own_way_only() -> io::Result<()> {
    let builder = IdentityProvider::builder()
        .client(IdpClient::basic("a:b c", "s%+€"))
        .client(IdpClient::post("poster", "secret"))
        .client(IdpClient::public("app"));
    let idp = builder.start().await?;
    let encoded = format!("Basic {}", STANDARD.encode("a%3Ab+c:s%25%2B%E2%82%AC"));
    let raw = format!("Basic {}", STANDARD.encode("a:b c:s%+€"));
    let wrong = format!("Basic {}", STANDARD.encode("poster:secret"));
    let form = [("client_id", "poster"), ("client_secret", "secret")];
    let bad = [("client_id", "poster"), ("client_secret", "other")];
    let app = [("client_id", "app")];
    let nobody = [("client_id", "nobody")];
    type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], u16, &'a str);
    let cases: [Case<'_>; 9] = [
        (Some(&encoded), &[], 200, ""),
        (Some(&raw), &[], 401, "invalid_client"),
        (Some(&wrong), &[], 401, "invalid_client"),
        (Some(&encoded), &form, 401, "invalid_client"),
        (None, &form, 200, ""),
        (None, &bad, 401, "invalid_client"),
        (None, &app, 400, "unauthorized_client"),
        (None, &nobody, 401, "invalid_client"),
        (None, &[], 401, "invalid_client"),
    ];
    for (authorization, fields, status, error) in cases {
        let fields = [&[("grant_type", "client_credentials")], fields].concat();
        let (answered, body) = post(&idp, authorization, &fields).await?;
        assert_eq!(answered, status, "{authorization:?} {fields:?}: {body}");
        assert_eq!(body["error"].as_str().unwrap_or_default(), error);
    }
    let heard = idp.heard("client_credentials");
    assert_eq!(heard[0].client.as_deref(), Some("a:b c"));
    assert_eq!((heard[0].client_auth, heard[4].client_auth), ("basic", "post"));
    Ok(())
}

#[tokio::test]
async fn clients_sign_assertions_once() -> io::Result<()> {
    for key in [SigningKey::es256("k")?, SigningKey::rs256("k")?, SigningKey::eddsa("k")?] {
        assert!(key.private_pem()?.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let builder = IdentityProvider::builder().client(IdpClient::private_key_jwt("c", &key));
        let idp = builder.start().await?;
        let other = SigningKey::es256("k")?;
        let token_url = idp.token_url();
        let assertion = |key: &SigningKey, claims: Value| {
            let mut all = json!({"iss": "c", "sub": "c", "aud": token_url, "jti": "1", "exp": 9_999_999_999u64});
            all.as_object_mut().unwrap().extend(claims.as_object().cloned().unwrap());
            key.jwt("JWT", &all)
        };
        let good = assertion(&key, json!({}))?;
        let cases = [
            (good.clone(), 200),
            (good, 401),
            (assertion(&other, json!({"jti": "2"}))?, 401),
            (assertion(&key, json!({"jti": "3", "aud": "https://other.test"}))?, 401),
            (assertion(&key, json!({"jti": "4", "exp": 1_000}))?, 401),
            (assertion(&key, json!({"jti": "5", "iss": "d"}))?, 401),
            (assertion(&key, json!({"jti": "6", "aud": [idp.issuer()]}))?, 200),
        ];
        for (assertion, status) in cases {
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                ("client_assertion", &assertion),
            ];
            let (answered, body) = post(&idp, None, &fields).await?;
            assert_eq!(answered, status, "{}: {body}", key.algorithm());
        }
        assert_eq!(idp.requests()[0].client_auth, "private_key_jwt");
    }
    Ok(())
}

#[tokio::test]
async fn hands_an_identity_on_to_another_provider() -> io::Result<()> {
    let home = IdentityProvider::start().await?;
    let target = IdentityProvider::start().await?;
    target.trust(&home);
    let user = home.issue("alice", json!({"email": "alice@example.com"}))?;
    let issuer = target.issuer();
    let more = [
        ("requested_token_type", ID_JAG),
        ("audience", issuer.as_str()),
        ("resource", "https://files.test/mcp"),
    ];
    let (status, body) = post(&home, None, &exchange(&user, &more)).await?;
    assert_eq!((status, &body["token_type"]), (200, &json!("N_A")), "{body}");
    assert_eq!(body["issued_token_type"], ID_JAG);
    let assertion = body["access_token"].as_str().unwrap_or_default();
    let fields = [("grant_type", BEARER), ("assertion", assertion), ("scope", "read")];
    let (status, body) = post(&target, None, &fields).await?;
    assert_eq!(status, 200, "{body}");
    let claims = claims(&body["access_token"]);
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["iss"], issuer);
    assert_eq!(claims["aud"], "https://files.test/mcp");
    // One for somebody else, and a user's token, are no assertions for this provider.
    for assertion in [&user, &home.issue("alice", json!({"aud": "https://else.test"}))?] {
        let fields = [("grant_type", BEARER), ("assertion", assertion)];
        let (_, body) = post(&target, None, &fields).await?;
        assert_eq!(body["error"], "invalid_grant", "{body}");
    }
    assert_eq!(target.count("jwt_bearer"), 3);
    Ok(())
}

#[tokio::test]
async fn a_refresh_token_used_twice_costs_its_family() -> io::Result<()> {
    let builder = IdentityProvider::builder().client(IdpClient::public("app"));
    let idp = builder.client(IdpClient::public("other")).start().await?;
    let first = idp.issue_refresh_token("app", "alice", "read write");
    let refresh = async |client: &str, token: &str, scope: &str| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", client),
            ("refresh_token", token),
            ("scope", scope),
        ];
        post(&idp, None, &fields).await
    };
    assert_eq!(refresh("other", &first, "read").await?.1["error"], "invalid_grant");
    let (status, body) = refresh("app", &first, "read").await?;
    assert_eq!(status, 200, "{body}");
    assert_eq!(claims(&body["access_token"])["sub"], "alice");
    let second = body["refresh_token"].as_str().unwrap_or_default();
    assert_ne!(second, first);
    assert_eq!(refresh("app", second, "admin").await?.1["error"], "invalid_scope");
    assert_eq!(refresh("app", &first, "read").await?.1["error"], "invalid_grant");
    let (_, body) = refresh("app", second, "read").await?;
    assert_eq!(body["error"], "invalid_grant", "the family is revoked: {body}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn tokens_expire_with_the_clock_of_the_test() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    idp.set_lifetime(Duration::from_secs(60));
    let token = idp.issue("alice", json!({}))?;
    assert!(idp.verify(&token).is_ok());
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(idp.verify(&token).unwrap_err().contains("expired"));
    Ok(())
}

#[tokio::test]
async fn faults_are_as_told() -> io::Result<()> {
    let builder = IdentityProvider::builder().client(IdpClient::post("c", "s"));
    let idp = builder.issuer_path("/tenant").start().await?;
    let fields = [("grant_type", "client_credentials"), ("client_id", "c"), ("client_secret", "s")];
    let raw = async |answer: IdpAnswer| {
        idp.on("client_credentials", answer);
        let body = "grant_type=client_credentials&client_id=c&client_secret=s";
        let client = RawClient::new(&idp.token_url())?;
        let mut reply = client.send(Method::POST, &[FORM], Bytes::from(body)).await?;
        let status = reply.status.as_u16();
        Ok::<_, io::Error>((status, reply.bytes().await?))
    };
    let odd = IdpAnswer::usual().member("expires_in", "1e400").without("token_type");
    let (_, body) = raw(odd).await?;
    let text = String::from_utf8_lossy(&body);
    assert!(text.contains(r#""expires_in":1e400"#) && !text.contains("token_type"), "{text}");
    assert_eq!(raw(IdpAnswer::http(200, "text/html", "<html>")).await?, (200, "<html>".into()));
    assert_eq!(raw(IdpAnswer::redirect(307, "http://else.test/")).await?.0, 307);
    assert!(raw(IdpAnswer::huge(1 << 20)).await?.1.len() > 1 << 20);
    assert!(raw(IdpAnswer::hangup()).await.is_err());
    assert!(raw(IdpAnswer::usual().cut_after(10)).await.is_err());
    idp.on("client_credentials", IdpAnswer::sequence([IdpAnswer::status(503), IdpAnswer::usual()]));
    assert_eq!(post(&idp, None, &fields).await?.0, 503);
    assert_eq!(post(&idp, None, &fields).await?.0, 200);
    let gate = Gate::new();
    idp.on("client_credentials", IdpAnswer::usual().gate(&gate));
    let held = post(&idp, None, &fields);
    let release = async {
        gate.reached(1).await?;
        assert_eq!(idp.requests().last().and_then(|request| request.answered), None);
        gate.open();
        Ok::<_, io::Error>(())
    };
    let (held, released) = tokio::join!(held, release);
    released?;
    assert_eq!(held?.0, 200);
    idp.on("client_credentials", None);
    idp.on("/token", IdpAnswer::error(429, "slow_down", "later"));
    assert_eq!(post(&idp, None, &fields).await?.1["error"], "slow_down");
    idp.wait_for("client_credentials", 10).await?;
    Ok(())
}

#[tokio::test]
async fn publishes_its_keys() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    let (status, body) = send(&idp.jwks_url(), Method::GET, &[], String::new()).await?;
    assert_eq!(status, 200);
    let key = &body["keys"][0];
    assert_eq!(
        (&key["kty"], &key["alg"], &key["kid"]),
        (&json!("EC"), &json!("ES256"), &json!("testkit"))
    );
    for part in ["x", "y"] {
        assert_eq!(URL_SAFE_NO_PAD.decode(key[part].as_str().unwrap()).unwrap().len(), 32);
    }
    let rsa = SigningKey::rs256("r")?.jwk();
    assert_eq!(rsa["e"], "AQAB");
    assert_eq!(URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap().len(), 256);
    assert!(rsa.get("d").is_none());
    Ok(())
}
