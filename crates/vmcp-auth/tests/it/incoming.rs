//! Tokens of callers, good and bad, against an issuer on a real socket.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};
use vmcp_auth::{Denied, Verifier};
use vmcp_config::{Oidc, SafeUrl};
use vmcp_testkit::{IdentityProvider, IdpAnswer, SigningKey};

const AUDIENCE: &str = "https://gw.example/mcp";
const HEADER: &str = r#"{"typ":"at+jwt","alg":"ES256","kid":"k"}"#;

/// An issuer that publishes these keys.
struct Issuer {
    idp: IdentityProvider,
    key: SigningKey,
}

impl Issuer {
    async fn start() -> Self {
        let issuer = Self {
            idp: IdentityProvider::start().await.unwrap(),
            key: SigningKey::es256("k").unwrap(),
        };
        issuer.publish(&[issuer.key.jwk()]);
        issuer
    }

    fn publish(&self, keys: &[Value]) {
        let set = json!({"keys": keys}).to_string();
        self.idp.on("/jwks", IdpAnswer::http(200, "application/json", set));
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(&Oidc::new(self.idp.issuer(), AUDIENCE)).unwrap()
    }

    /// Good claims, but for `change`; a member that becomes null is left out.
    fn claims(&self, change: &Value) -> Value {
        let now = now();
        let mut claims = json!({"iss": self.idp.issuer(), "aud": AUDIENCE, "sub": "alice",
            "iat": now, "exp": now + 600});
        let all = claims.as_object_mut().unwrap();
        all.extend(change.as_object().unwrap().clone());
        all.retain(|_, value| !value.is_null());
        claims
    }

    fn token(&self, change: &Value) -> String {
        self.key.jws(HEADER, &self.claims(change).to_string()).unwrap()
    }

    fn headed(&self, header: &str) -> String {
        self.key.jws(header, &self.claims(&json!({})).to_string()).unwrap()
    }

    /// A token whose claims are this text, in which `ISS` stands for the issuer.
    fn raw(&self, payload: &str) -> String {
        self.key.jws(HEADER, &payload.replace("ISS", &self.idp.issuer())).unwrap()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn refused(verifier: &Verifier, token: &str) {
    let said = verifier.verify(token).await;
    assert!(matches!(said, Err(Denied::Invalid(_))), "{said:?}: {token}");
}

#[tokio::test]
async fn a_good_token_says_who_calls() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let token = issuer.token(&json!({"groups": ["a", "b"]}));
    let identity = verifier.verify(&token).await.unwrap();
    assert_eq!((identity.issuer(), identity.subject()), (&*issuer.idp.issuer(), "alice"));
    let claims: Value = serde_json::from_str(identity.claims()).unwrap();
    assert_eq!(claims["groups"], json!(["a", "b"]));
    assert!(identity.token().is_some());
    assert!(!format!("{identity:?} {verifier:?}").contains(&token));
    // The second time nobody is asked, and nothing is calculated anew.
    let again = verifier.verify(&token).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&identity, &again));
    assert_eq!(issuer.idp.count("/jwks"), 1);
}

#[tokio::test]
async fn claims_are_read_strictly() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let far = 32_503_680_000_u64;
    for change in [
        json!({"exp": now() - 61}),
        json!({"exp": null}),
        json!({"exp": far.to_string()}),
        json!({"exp": -1}),
        json!({"exp": true}),
        json!({"nbf": now() + 120}),
        json!({"nbf": "0"}),
        json!({"iat": far}),
        json!({"iat": "0"}),
        json!({"aud": null}),
        json!({"aud": "https://gw.example/mcp.evil"}),
        json!({"aud": "https://gw.example"}),
        json!({"aud": ["https://evil.example"]}),
        json!({"aud": [AUDIENCE, 7]}),
        json!({"aud": {"0": AUDIENCE}}),
        json!({"iss": null}),
        json!({"iss": format!("{}/", issuer.idp.issuer())}),
        json!({"iss": issuer.idp.issuer().to_uppercase()}),
        json!({"iss": [issuer.idp.issuer()]}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"cnf": {"jkt": "x"}}),
        json!({"groups": vec!["a group of the directory"; 10_000]}),
    ] {
        refused(&verifier, &issuer.token(&change)).await;
    }
    for payload in [
        r#"{"iss":"ISS","aud":"https://gw.example/mcp","sub":"bob","sub":"alice","exp":4000000000}"#,
        r#"{"iss":"ISS","aud":"https://gw.example/mcp","sub":"alice","exp":1e400}"#,
        r#"{"iss":"ISS","aud":"https://gw.example/mcp","sub":"alice","exp":4000000000} {}"#,
        r#"["ISS"]"#,
        "",
    ] {
        refused(&verifier, &issuer.raw(payload)).await;
    }
    for change in [
        json!({"exp": now() - 30}),
        json!({"exp": 4_000_000_000.5}),
        json!({"nbf": now() + 30}),
        json!({"iat": null}),
        json!({"aud": [AUDIENCE, "https://evil.example"]}),
    ] {
        verifier.verify(&issuer.token(&change)).await.unwrap();
    }
}

#[tokio::test]
async fn headers_are_read_strictly() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    for header in [
        r#"{"alg":"none","kid":"k"}"#,
        r#"{"alg":"None","kid":"k"}"#,
        r#"{"alg":"nOnE","kid":"k"}"#,
        r#"{"alg":"","kid":"k"}"#,
        r#"{"kid":"k"}"#,
        r#"{"alg":["ES256"],"kid":"k"}"#,
        r#"{"alg":"RS256","kid":"k"}"#,
        r#"{"alg":"PS256","kid":"k"}"#,
        r#"{"alg":"HS256","kid":"k"}"#,
        r#"{"alg":"es256","kid":"k"}"#,
        r#"{"alg":"ES256","alg":"ES256","kid":"k"}"#,
        r#"{"alg":"ES256","kid":"k","crit":["exp"]}"#,
        r#"{"alg":"ES256","kid":"k","crit":["unheard-of"],"unheard-of":1}"#,
        r#"{"alg":"ES256","kid":"k","b64":false}"#,
        r#"{"alg":"ES256","kid":"k","typ":"dpop+jwt"}"#,
        r#"{"alg":"ES256","kid":"k","typ":7}"#,
        r#"{"alg":"ES256","kid":7}"#,
        r#"{"alg":"ES256","kid":"other"}"#,
    ] {
        refused(&verifier, &issuer.headed(header)).await;
    }
    for header in [
        r#"{"alg":"ES256","kid":"k"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#,
        r#"{"alg":"ES256","kid":"k","typ":"application/AT+JWT"}"#,
    ] {
        verifier.verify(&issuer.headed(header)).await.unwrap();
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_not_looked_at() {
    let (issuer, thief) = (Issuer::start().await, Issuer::start().await);
    let verifier = issuer.verifier();
    let claims = issuer.claims(&json!({})).to_string();
    let url = thief.idp.jwks_url();
    for more in [
        format!(r#""jku":"{url}""#),
        format!(r#""x5u":"{url}""#),
        format!(r#""jwk":{}"#, thief.key.jwk()),
        r#""x5c":["MIIB"]"#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"ES256","kid":"k",{more}}}"#);
        refused(&verifier, &thief.key.jws(&header, &claims).unwrap()).await;
    }
    assert!(thief.idp.requests().is_empty());
}

#[tokio::test]
async fn signatures_that_are_none_verify_nothing() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let good = issuer.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = issuer.token(&json!({"sub": "bob"}));
    let (header, _) = signed.split_once('.').unwrap();
    let payload = other.split('.').nth(1).unwrap();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap()).collect();
    for bad in [
        format!("{header}.{payload}.{signature}"),
        format!("{signed}."),
        format!("{signed}.{}", text(&[0; 64])),
        format!("{signed}.{}", text(&[&order[..], &order[..]].concat())),
        // DER instead of two numbers.
        format!("{signed}.{}", text(&[0x30, 6, 2, 1, 1, 2, 1, 1])),
        format!("{good}="),
        format!("{good}\n"),
        format!("{good}.{signature}"),
        format!("{signed}.{}+", &signature[..signature.len() - 1]),
        signed.to_owned(),
    ] {
        refused(&verifier, &bad).await;
    }
    // 64 bytes end with a character of which four bits are unused: a second spelling of the same bytes.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    let twin =
        format!("{signed}.{}{}", &signature[..signature.len() - 1], &alphabet[at + 1..at + 2]);
    refused(&verifier, &twin).await;
    verifier.verify(&good).await.unwrap();
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_the_only_key_that_fits() {
    let issuer = Issuer::start().await;
    let second = SigningKey::es256("second").unwrap();
    issuer.publish(&[issuer.key.jwk(), second.jwk()]);
    refused(&issuer.verifier(), &issuer.headed(r#"{"alg":"ES256"}"#)).await;
}

#[tokio::test]
async fn each_kind_of_key_is_for_its_algorithms() {
    let issuer = Issuer::start().await;
    let keys = [SigningKey::rs256("r").unwrap(), SigningKey::eddsa("e").unwrap()];
    let mut wrong_use = SigningKey::es256("enc").unwrap().jwk();
    wrong_use["use"] = json!("enc");
    let secret = json!({"kty": "oct", "kid": "h", "k": "c2VjcmV0", "alg": "HS256"});
    issuer.publish(&[keys[0].jwk(), keys[1].jwk(), wrong_use, secret, json!({"kty": 7})]);
    let verifier = issuer.verifier();
    let claims = issuer.claims(&json!({}));
    for key in &keys {
        verifier.verify(&key.jwt("JWT", &claims).unwrap()).await.unwrap();
    }
    // An RSA key that says what it is for is for nothing else.
    let header = r#"{"alg":"RS512","kid":"r"}"#;
    refused(&verifier, &keys[0].jws(header, &claims.to_string()).unwrap()).await;
    refused(&verifier, &issuer.headed(r#"{"alg":"HS256","kid":"h"}"#)).await;
    refused(&verifier, &issuer.headed(r#"{"alg":"ES256","kid":"enc"}"#)).await;
}

#[tokio::test]
async fn unknown_keys_make_vmcp_ask_once_in_a_while() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    verifier.verify(&issuer.token(&json!({}))).await.unwrap();
    for at in 0..200 {
        refused(&verifier, &issuer.headed(&format!(r#"{{"alg":"ES256","kid":"{at}"}}"#))).await;
    }
    assert_eq!(issuer.idp.count("/jwks"), 2);
    // What is known already is served meanwhile.
    verifier.verify(&issuer.token(&json!({"sub": "bob"}))).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_forgotten() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    verifier.verify(&issuer.token(&json!({}))).await.unwrap();
    let new = SigningKey::es256("new").unwrap();
    issuer.publish(&[new.jwk()]);
    let token = new.jwt("at+jwt", &issuer.claims(&json!({}))).unwrap();
    verifier.verify(&token).await.unwrap();
    assert_eq!(issuer.idp.count("/jwks"), 2);
    refused(&verifier, &issuer.token(&json!({"sub": "carol"}))).await;
}

#[tokio::test]
async fn a_failed_fetch_takes_no_key_away() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    verifier.verify(&issuer.token(&json!({}))).await.unwrap();
    for answer in [
        IdpAnswer::status(500),
        IdpAnswer::http(200, "application/json", r#"{"keys":[]}"#),
        IdpAnswer::http(200, "application/json", vec![b' '; 1 << 20]),
    ] {
        issuer.idp.on("/jwks", answer);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        tokio::time::resume();
        let before = issuer.idp.count("/jwks");
        let unknown = issuer.headed(r#"{"alg":"ES256","kid":"unknown"}"#);
        refused(&verifier, &unknown).await;
        assert_eq!(issuer.idp.count("/jwks"), before + 1);
        let other = issuer.token(&json!({"jti": before}));
        verifier.verify(&other).await.unwrap();
    }
}

#[tokio::test]
async fn an_issuer_that_was_down_is_asked_again() {
    let issuer = Issuer::start().await;
    issuer.idp.on("/jwks", IdpAnswer::hangup());
    let verifier = issuer.verifier();
    let token = issuer.token(&json!({}));
    let said = verifier.verify(&token).await;
    assert!(matches!(said, Err(Denied::Unavailable(_))), "{said:?}");
    issuer.publish(&[issuer.key.jwk()]);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(3)).await;
    tokio::time::resume();
    verifier.verify(&token).await.unwrap();
}

#[tokio::test]
async fn all_who_wait_share_one_fetch() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier();
    let tokens: Vec<String> = (0..50).map(|at| issuer.token(&json!({"jti": at}))).collect();
    let all = tokens.iter().map(|token| verifier.verify(token));
    for said in futures_util::future::join_all(all).await {
        said.unwrap();
    }
    assert_eq!(issuer.idp.count("/jwks"), 1);
}

#[tokio::test]
async fn metadata_of_another_issuer_leads_nowhere() {
    let (issuer, thief) = (Issuer::start().await, Issuer::start().await);
    let lie = json!({"issuer": thief.idp.issuer(), "jwks_uri": thief.idp.jwks_url()}).to_string();
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        issuer.idp.on(path, IdpAnswer::http(200, "application/json", lie.clone()));
    }
    let token = thief.key.jws(HEADER, &issuer.claims(&json!({})).to_string()).unwrap();
    let said = issuer.verifier().verify(&token).await;
    assert!(matches!(said, Err(Denied::Unavailable(_))), "{said:?}");
    assert!(thief.idp.requests().is_empty());
}

#[tokio::test]
async fn keys_are_fetched_only_where_they_may_be() {
    let issuer = Issuer::start().await;
    let url = url::Url::parse(&issuer.idp.jwks_url()).unwrap();
    let oidc =
        Oidc { jwks_url: Some(SafeUrl::from(url)), ..Oidc::new(issuer.idp.issuer(), AUDIENCE) };
    let token = issuer.token(&json!({}));
    Verifier::new(&oidc).unwrap().verify(&token).await.unwrap();
    let before = issuer.idp.requests().len();
    let never = Oidc { private: Some(false), ..oidc.clone() };
    let said = Verifier::new(&never).unwrap().verify(&token).await;
    assert!(matches!(said, Err(Denied::Unavailable(_))), "{said:?}");
    assert_eq!(issuer.idp.requests().len(), before);
    assert!(Verifier::new(&Oidc { trust: Some("no PEM".to_owned()), ..oidc }).is_err());
}

proptest! {
    #[test]
    fn no_text_is_a_token(text in "[A-Za-z0-9_.=-]{0,200}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let verifier = Verifier::new(&Oidc::new("http://127.0.0.1:1", AUDIENCE)).unwrap();
        let said = runtime.block_on(verifier.verify(&text));
        prop_assert!(matches!(said, Err(Denied::Invalid(_))));
    }
}
