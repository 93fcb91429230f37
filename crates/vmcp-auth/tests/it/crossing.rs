//! Cross-application access: an assertion of one issuer for a token of another.

use serde_json::{Value, json};
use vmcp_auth::{AuthFailure, CredentialScope, Identity, OutgoingAuth, TokenType, Xaa};
use vmcp_testkit::{IdentityProvider, IdpAnswer, IdpClient, SigningKey};

use crate::peers::{OK, Peers, basic, field, url};

const RESOURCE: &str = "https://files.example/mcp";

/// A company's issuer, and the authorization server of a backend, which trusts it.
struct Border {
    company: IdentityProvider,
    /// The authorization server is `peers.idp`.
    peers: Peers,
}

// === impl Border ===

impl Border {
    async fn start() -> Self {
        let company = IdentityProvider::builder().client(IdpClient::basic("here", "a"));
        let company = company.start().await.unwrap();
        let server = IdentityProvider::builder().client(IdpClient::post("there", "b"));
        let peers = Peers::of(server.start().await.unwrap()).await;
        peers.idp.trust(&company);
        Self { company, peers }
    }

    fn settings(&self) -> Xaa {
        let post = vmcp_auth::ClientAuth::Post("b".to_owned().into());
        Xaa {
            idp_token_url: url(&self.company.token_url()),
            idp_client: Some(basic("here", "a")),
            target_token_url: url(&self.peers.idp.token_url()),
            target_client: Some(crate::peers::client("there", post)),
            target_audience: self.peers.idp.issuer(),
            target_resource: Some(RESOURCE.to_owned()),
            scopes: vec!["read".to_owned()],
            subject_provider: None,
            subject_token_type: TokenType::IdToken,
            insecure_target: false,
        }
    }

    fn caller(&self, subject: &str) -> Identity {
        let token = self.company.issue_id_token(subject, json!({})).unwrap();
        Identity::verified(self.company.issuer(), subject, "{}")
            .with_token(token.into(), TokenType::IdToken)
    }

    fn refused(&self, settings: Xaa) -> String {
        let error = self.peers.try_bind("files", &OutgoingAuth::Xaa(settings)).unwrap_err();
        error.to_string()
    }
}

#[tokio::test]
async fn twenty_calls_are_one_walk_across_two_issuers() {
    let border = Border::start().await;
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(border.settings()));
    assert_eq!(credentials.scope(), CredentialScope::PerCaller);
    let alice = border.caller("alice");
    for _ in 0..20 {
        assert_eq!(border.peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
    }
    let first = border.company.requests();
    assert_eq!(first.len(), 1);
    let kind = "urn:ietf:params:oauth:token-type:";
    assert_eq!(first[0].field("requested_token_type"), Some(&*format!("{kind}id-jag")));
    assert_eq!(first[0].field("subject_token_type"), Some(&*format!("{kind}id_token")));
    assert_eq!(first[0].field("audience"), Some(&*border.peers.idp.issuer()));
    assert_eq!(first[0].field("resource"), Some(RESOURCE));
    assert_eq!(first[0].field("scope"), Some("read"));
    assert_eq!((first[0].client.as_deref(), first[0].client_auth), (Some("here"), "basic"));
    let second = border.peers.idp.requests();
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].grant, "jwt_bearer");
    assert_eq!(second[0].field("scope"), Some("read"));
    assert_eq!((second[0].client.as_deref(), second[0].client_auth), (Some("there"), "post"));
    // The ID token went to its own issuer only.
    let id_token = first[0].field("subject_token").unwrap();
    assert!(second[0].form.iter().all(|(_, value)| value != id_token));
    assert_eq!(border.peers.guard.subjects("ping"), vec!["alice"; 20]);
    assert_eq!(border.peers.guard.admitted()[0].claims["aud"], RESOURCE);
}

#[tokio::test]
async fn a_rejected_token_is_walked_for_once_more() {
    let border = Border::start().await;
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(border.settings()));
    let alice = border.caller("alice");
    border.peers.call(&credentials, Some(&alice)).await.unwrap();
    border.peers.idp.revoke(&border.peers.guard.admitted()[0].token);
    assert_eq!(border.peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 2));
    let assertions: Vec<_> = border.peers.idp.heard("jwt_bearer");
    assert_eq!((assertions.len(), border.company.count("token_exchange")), (2, 2));
    assert_ne!(assertions[0].field("assertion"), assertions[1].field("assertion"));
}

#[tokio::test]
async fn callers_stay_apart_across_the_border() {
    let border = Border::start().await;
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(border.settings()));
    let (alice, bob) = (border.caller("alice"), border.caller("bob"));
    for caller in [&alice, &bob, &alice, &bob] {
        border.peers.call(&credentials, Some(caller)).await.unwrap();
    }
    assert_eq!(border.peers.check_principals(), 4);
    assert_eq!(border.company.count("token_exchange"), 2);
}

#[tokio::test]
async fn vmcp_itself_asks_the_backends_server_only() {
    let border = Border::start().await;
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(border.settings()));
    border.peers.call(&credentials, Some(&border.caller("alice"))).await.unwrap();
    border.peers.call(&credentials, None).await.unwrap();
    assert_eq!(border.peers.guard.subjects("ping"), ["alice", "there"]);
    let service = &border.peers.idp.heard("client_credentials")[0];
    assert_eq!(service.field("scope"), Some("read"));
    assert_eq!(service.field("resource"), Some(RESOURCE));
    assert_eq!(border.company.requests().len(), 1);

    let mut settings = border.settings();
    settings.target_client = None;
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(settings));
    let (status, times) = border.peers.call(&credentials, None).await.unwrap();
    assert_eq!((status.as_u16(), times), (401, 1));
    assert_eq!(border.peers.presented().last(), Some(&None));
}

/// An assertion that is not the one that was asked for: it must not reach the second server.
async fn check_assertion(change: &Value, expected: &str) {
    let border = Border::start().await;
    let key = SigningKey::es256("company").unwrap();
    let mut claims = json!({
        "iss": border.company.issuer(), "sub": "alice", "aud": border.peers.idp.issuer(),
        "resource": RESOURCE, "exp": 4_000_000_000_u64, "jti": "1",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let assertion = key.jwt("oauth-id-jag+jwt", &claims).unwrap();
    let answer = IdpAnswer::usual().member("access_token", json!(assertion));
    check_answer(&border, answer, expected).await;
}

async fn check_answer(border: &Border, answer: IdpAnswer, expected: &str) {
    border.company.on("token_exchange", answer);
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(border.settings()));
    let failure = border.peers.fail(&credentials, Some(&border.caller("alice"))).await;
    let AuthFailure::Unavailable(text) = &failure else { panic!("{failure:?}") };
    assert!(text.contains(expected), "{text}");
    assert!(border.peers.idp.requests().is_empty(), "{text}");
}

#[tokio::test]
async fn an_assertion_for_somebody_else_goes_nowhere() {
    let other = "the issuer's ID-JAG is for another audience";
    check_assertion(&json!({"aud": "https://evil.example"}), other).await;
    check_assertion(&json!({"aud": null}), other).await;
    let two = json!({"aud": ["https://evil.example", "https://as.example"]});
    check_assertion(&two, "is not for one audience").await;
    check_assertion(&json!({"resource": "https://mail.example"}), "is for another resource").await;
    check_assertion(&json!({"resource": null}), "is for another resource").await;
    check_assertion(&json!({"exp": 1}), "has expired").await;
    check_assertion(&json!({"exp": null}), "does not say when it expires").await;
}

#[tokio::test]
async fn something_else_than_an_assertion_goes_nowhere() {
    let border = Border::start().await;
    let usual = IdpAnswer::usual;
    let access = "\"urn:ietf:params:oauth:token-type:access_token\"";
    check_answer(&border, usual().member("token_type", "\"Bearer\""), "token_type than N_A").await;
    check_answer(&border, usual().member("issued_token_type", access), "id-jag").await;
    check_answer(&border, usual().without("issued_token_type"), "issued_token_type").await;
    check_answer(&border, usual().member("access_token", "\"opaque\""), "no readable JWT").await;
    check_answer(&border, usual().member("access_token", "\"a.e30.b.c\""), "no readable JWT").await;
}

#[tokio::test]
async fn each_issuer_may_refuse() {
    let border = Border::start().await;
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(border.settings()));
    let alice = border.caller("alice");
    let refusal = || IdpAnswer::error(400, "access_denied", "policy");
    border.company.on("token_exchange", refusal());
    let AuthFailure::Refused(text) = border.peers.fail(&credentials, Some(&alice)).await else {
        panic!()
    };
    assert!(text.contains(&border.company.token_url()) && text.contains("policy"), "{text}");
    border.company.on("token_exchange", None);
    border.peers.idp.on("jwt_bearer", refusal());
    let AuthFailure::Refused(text) = border.peers.fail(&credentials, Some(&alice)).await else {
        panic!()
    };
    assert!(text.contains(&border.peers.idp.token_url()), "{text}");
    // A token of the second server that is no bearer token is none.
    border.peers.idp.on("jwt_bearer", IdpAnswer::usual().member("token_type", "\"N_A\""));
    let failure = border.peers.fail(&credentials, Some(&alice)).await;
    assert!(matches!(failure, AuthFailure::Unavailable(_)), "{failure:?}");
    border.peers.idp.on("jwt_bearer", None);
    assert_eq!(border.peers.call(&credentials, Some(&alice)).await.unwrap(), (OK, 1));
}

#[tokio::test]
async fn uses_the_id_token_of_the_provider_that_is_named() {
    let border = Border::start().await;
    let mut settings = border.settings();
    settings.subject_provider = Some("company".to_owned());
    let credentials = border.peers.bind(&OutgoingAuth::Xaa(settings));
    let missing = border.peers.fail(&credentials, Some(&border.caller("alice"))).await;
    let text = "provider \"company\": upstream token not found";
    assert_eq!(missing, AuthFailure::NoToken(text.to_owned()));
    let id_token = border.company.issue_id_token("alice", json!({})).unwrap();
    let alice = Identity::verified("https://vmcp.example", "alice-here", "{}")
        .with_token("own".to_owned().into(), TokenType::AccessToken)
        .with_upstream_token("company", id_token.clone().into());
    border.peers.call(&credentials, Some(&alice)).await.unwrap();
    let form = border.company.requests()[0].form.clone();
    assert_eq!(field(&form, "subject_token"), Some(id_token.as_str()));
    assert_eq!(border.peers.guard.subjects("ping"), ["alice"]);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_dialled() {
    let border = Border::start().await;
    let refused = |change: &dyn Fn(&mut Xaa)| {
        let mut settings = border.settings();
        change(&mut settings);
        border.refused(settings)
    };
    let plain = || url("http://idp.example/token");
    let text = refused(&|settings| settings.idp_token_url = plain());
    assert!(text.contains("http://idp.example/token must be https"), "{text}");
    let text = refused(&|settings| settings.target_token_url = plain());
    assert!(text.contains("http://idp.example/token must be https"), "{text}");
    let text = refused(&|settings| settings.subject_token_type = TokenType::AccessToken);
    assert!(text.ends_with("only an ID token can be exchanged"), "{text}");
    let text = refused(&|settings| settings.target_audience = String::new());
    assert!(text.ends_with("is needed"), "{text}");
    let text = refused(&|settings| settings.target_resource = Some("files".to_owned()));
    assert!(text.ends_with("resource \"files\" is not an absolute URI"), "{text}");
    // The second one may be plain if that is said; the first one never.
    let mut settings = border.settings();
    settings.insecure_target = true;
    settings.target_token_url = plain();
    border.peers.try_bind("files", &OutgoingAuth::Xaa(settings.clone())).unwrap();
    settings.idp_token_url = plain();
    assert!(border.refused(settings).contains("must be https"));
    assert!(border.company.requests().is_empty() && border.peers.idp.requests().is_empty());
}
