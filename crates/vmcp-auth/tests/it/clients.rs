//! Which client vmcp is to an issuer, and how exactly it says what it wants.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use vmcp_auth::{AuthFailure, ClientAuth, JwtAlgorithm, OAuthClient, OutgoingAuth};
use vmcp_testkit::{IdentityProvider, IdpAnswer, IdpClient, SigningKey};

use crate::peers::{OK, Peers, client, field};

/// An id and a secret that hurt whoever does not encode them.
const ID: &str = "https://vmcp.example/c?a=1&b=%41 +:\u{e9}";
const SECRET: &str = "p:a:s s+%&=\u{20ac}\u{1f600}\"\\/?#";

/// Exchanges a token as this client, at an issuer that knows it so.
async fn check(known: IdpClient, client: OAuthClient, method: &str) {
    let idp = IdentityProvider::builder().client(known).start().await.unwrap();
    let peers = Peers::of(idp).await;
    let mut settings = peers.exchange();
    let id = client.id.clone();
    settings.client = Some(client);
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
    assert_eq!(peers.call(&credentials, Some(&peers.caller("alice"))).await.unwrap(), (OK, 1));
    let asked = &peers.idp.requests()[0];
    assert_eq!((asked.client.as_deref(), asked.client_auth), (Some(id.as_str()), method));
    assert_eq!(peers.guard.admitted()[0].claims["client_id"], id);
}

fn with_key(key: &SigningKey, algorithm: JwtAlgorithm) -> OAuthClient {
    let key_pem = key.private_pem().unwrap().into();
    let key_id = Some(key.id().to_owned());
    client(ID, ClientAuth::PrivateKeyJwt { key_pem, algorithm, key_id, audience: None })
}

#[tokio::test]
async fn proves_who_it_is_in_every_way() {
    check(IdpClient::public(ID), client(ID, ClientAuth::None), "none").await;
    let basic = ClientAuth::Basic(SECRET.to_owned().into());
    check(IdpClient::basic(ID, SECRET), client(ID, basic), "basic").await;
    let post = ClientAuth::Post(SECRET.to_owned().into());
    check(IdpClient::post(ID, SECRET), client(ID, post), "post").await;
    for (key, algorithm) in [
        (SigningKey::es256("one").unwrap(), JwtAlgorithm::Es256),
        (SigningKey::rs256("two").unwrap(), JwtAlgorithm::Rs256),
        (SigningKey::eddsa("three").unwrap(), JwtAlgorithm::EdDsa),
    ] {
        let known = IdpClient::private_key_jwt(ID, &key);
        check(known, with_key(&key, algorithm), "private_key_jwt").await;
    }
}

#[tokio::test]
async fn an_assertion_is_never_used_twice() {
    let key = SigningKey::es256("one").unwrap();
    let known = IdpClient::private_key_jwt(ID, &key);
    let peers = Peers::of(IdentityProvider::builder().client(known).start().await.unwrap()).await;
    let mut settings = peers.exchange();
    settings.client = Some(with_key(&key, JwtAlgorithm::Es256));
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
    // The issuer refuses a `jti` that it has seen.
    for subject in ["alice", "bob", "carol"] {
        let caller = peers.caller(subject);
        assert_eq!(peers.call(&credentials, Some(&caller)).await.unwrap(), (OK, 1));
    }
}

#[tokio::test]
async fn an_assertion_is_for_whom_the_settings_say() {
    let key = SigningKey::es256("one").unwrap();
    let known = IdpClient::private_key_jwt(ID, &key);
    let peers = Peers::of(IdentityProvider::builder().client(known).start().await.unwrap()).await;
    let caller = peers.caller("alice");
    let mut asked = 0;
    for (set, refused) in [
        (None, false),
        (Some(peers.idp.issuer()), false),
        (Some("https://elsewhere.example".to_owned()), true),
    ] {
        let mut settings = peers.exchange();
        let mut client = with_key(&key, JwtAlgorithm::Es256);
        if let ClientAuth::PrivateKeyJwt { audience, .. } = &mut client.auth {
            audience.clone_from(&set);
        }
        settings.client = Some(client);
        let expected = set.unwrap_or_else(|| settings.token_url.as_url().to_string());
        let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
        // A token that another audience got is not used: nobody says that the issuer would give the same.
        if refused {
            let failure = peers.fail(&credentials, Some(&caller)).await;
            assert!(matches!(failure, AuthFailure::Refused(_)), "{failure:?}");
        } else {
            assert_eq!(peers.call(&credentials, Some(&caller)).await.unwrap(), (OK, 1));
        }
        let heard = peers.idp.requests();
        asked += 1;
        assert_eq!(heard.len(), asked);
        let assertion = heard[asked - 1].field("client_assertion").unwrap();
        assert_eq!(claims(assertion)["aud"], expected);
    }
}

fn claims(jwt: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test]
async fn a_wrong_secret_is_a_refusal_that_does_not_name_it() {
    let known = IdpClient::basic("vmcp", "secret");
    let peers = Peers::of(IdentityProvider::builder().client(known).start().await.unwrap()).await;
    let mut settings = peers.exchange();
    settings.client = Some(crate::peers::basic("vmcp", "wr0ng"));
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings.clone()));
    for identity in [Some(peers.caller("alice")), None] {
        let failure = peers.fail(&credentials, identity.as_ref()).await;
        let AuthFailure::Refused(text) = &failure else { panic!("{failure:?}") };
        assert!(text.ends_with("refuses: invalid_client (wrong client secret)"), "{text}");
        assert!(!text.contains("wr0ng"), "{text}");
    }
    // Not even if the issuer does.
    let text = "the secret wr0ng is wrong (wr0ng)";
    peers.idp.on("client_credentials", IdpAnswer::error(401, "invalid_client", text));
    let failure = peers.fail(&credentials, None).await.to_string();
    assert!(failure.ends_with("invalid_client (the secret … is wrong (…))"), "{failure}");
    peers.idp.on("client_credentials", None);
    // A new secret counts at once, although everything else is as it was.
    settings.client = Some(crate::peers::basic("vmcp", "secret"));
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings.clone()));
    assert_eq!(peers.call(&credentials, None).await.unwrap(), (OK, 1));
    // Also where the old one has a token that still holds.
    peers.idp.set_client(IdpClient::basic("vmcp", "rotated"));
    settings.client = Some(crate::peers::basic("vmcp", "rotated"));
    let asked = peers.idp.count("client_credentials");
    let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings));
    assert_eq!(peers.call(&credentials, None).await.unwrap(), (OK, 1));
    assert_eq!(peers.idp.count("client_credentials"), asked + 1);
}

#[tokio::test]
async fn every_character_of_a_parameter_arrives() {
    let every: String =
        (' '..='~').chain('\u{a1}'..='\u{2ff}').chain(['\u{20ac}', '\u{1f600}']).collect();
    let long = "&+=%;\u{e9}\u{1f600} ".repeat(400);
    assert!(long.len() > 4096);
    for audience in [every.clone(), long, "a&audience=b".to_owned(), "\r\n\t\0".to_owned()] {
        let peers = Peers::start().await;
        let mut settings = peers.exchange();
        settings.audience = Some(audience.clone());
        settings.scopes =
            vec![every.replace(char::is_whitespace, ""), "a+b&c=d%41\u{fc}".to_owned()];
        settings.resources = vec!["https://a.example/?q=1&r=%26+\u{fc}".to_owned()];
        let scope = settings.scopes.join(" ");
        let credentials = peers.bind(&OutgoingAuth::TokenExchange(settings.clone()));
        let alice = peers.caller("alice");
        assert_eq!(peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
        let form = peers.asked();
        assert_eq!(field(&form, "audience"), Some(audience.as_str()));
        assert_eq!(field(&form, "scope"), Some(scope.as_str()));
        assert_eq!(field(&form, "resource"), Some(settings.resources[0].as_str()));
        let claims = &peers.guard.admitted()[0].claims;
        assert_eq!(claims["aud"], json!([audience, settings.resources[0]]));
    }
}

#[tokio::test]
async fn a_token_with_every_character_arrives_too() {
    // Not a JWT: opaque tokens are the issuer's business.
    let peers = Peers::start().await;
    let token: String = ('!'..='~').collect();
    let alice = vmcp_auth::Identity::verified("https://elsewhere", "alice", "{}")
        .with_token(token.clone().into(), vmcp_auth::TokenType::AccessToken);
    let failure = peers.fail(&peers.exchanging(), Some(&alice)).await;
    assert!(matches!(failure, AuthFailure::Refused(_)), "{failure:?}");
    assert_eq!(field(&peers.asked(), "subject_token"), Some(token.as_str()));
}
