//! Logins: what is asked of whom, what is checked, and what is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::Url;
use vmcp_auth::{
    ClientAuth, CredentialKey, Interaction, JwtAlgorithm, LoginError, OAuth, OAuthClient,
    Revocation, logout,
};
use vmcp_testkit::{
    Answer, Backend, BearerGuard, IdentityProvider, IdpAnswer, IdpClient, ResponseIssuer,
    SigningKey,
};

use crate::rig::{Outcome, REDIRECT, World, counted, follow, tampering, user};

const METADATA: &str = "/.well-known/oauth-authorization-server";

async fn world_with_document(members: Value) -> World {
    let idp = IdentityProvider::builder().start().await.unwrap();
    let guard = BearerGuard::new(&idp).document(members);
    World::of(idp, guard).await
}

fn check_discovery(error: &LoginError, expected: &str) {
    assert!(matches!(error, LoginError::Discovery(_)), "{error:?}");
    assert!(error.to_string().contains(expected), "{error}");
}

/// Nothing was asked of the issuer beyond its metadata.
fn check_untouched(world: &World) {
    for path in ["/authorize", "/register", "authorization_code"] {
        assert_eq!(world.idp.count(path), 0, "{path}");
    }
}

#[tokio::test]
async fn logs_in_and_calls_as_the_user() {
    let world = World::new().await;
    let login = world.login().await.unwrap();
    assert_eq!(login.issuer, world.idp.issuer());
    assert_eq!(login.resource, world.backend.url());
    assert!(login.renewable && login.lifetime.is_some(), "{login:?}");

    let outcome = world.call(&world.credentials(), "ping").await;
    assert!(matches!(outcome, Outcome::Answered(_, 1)) && outcome.is_fine(), "{outcome:?}");
    assert_eq!(world.guard.subjects("ping"), ["user"]);

    let register: Value = serde_json::from_slice(&world.idp.heard("/register")[0].body).unwrap();
    assert_eq!(register["application_type"], "native");
    assert_eq!(register["redirect_uris"], json!([REDIRECT]));
    assert_eq!(register["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(register["token_endpoint_auth_method"], "none");
    let asked = &world.idp.heard("/authorize")[0];
    assert_eq!(asked.field("code_challenge_method"), Some("S256"));
    assert_eq!(asked.field("resource"), Some(world.backend.url().as_str()));
    assert_eq!(asked.field("scope"), None);
    assert!(asked.field("state").unwrap().len() >= 43);
    let token = &world.idp.heard("authorization_code")[0];
    assert_eq!(token.field("resource"), Some(world.backend.url().as_str()));
    assert_eq!(token.field("redirect_uri"), Some(REDIRECT));
    assert!(token.field("code_verifier").unwrap().len() >= 43);
    assert_eq!(token.client_auth, "none");
}

#[tokio::test]
async fn finds_the_document_where_nobody_names_it() {
    let idp = IdentityProvider::builder().issuer_path("/tenant").start().await.unwrap();
    let guard = BearerGuard::new(&idp).document_at_root();
    let world = World::of(idp, guard).await;
    let login = world.login().await.unwrap();
    assert!(login.issuer.ends_with("/tenant"), "{login:?}");
    // The document at the root is about the whole host, and is sent as it says.
    let host = world.backend.url();
    assert_eq!(login.resource, host.strip_suffix("/mcp").unwrap());
    assert!(world.call(&world.credentials(), "ping").await.is_fine());
}

#[tokio::test]
async fn takes_a_backend_that_publishes_nothing_for_its_own_authorization_server() {
    let idp = IdentityProvider::builder().start().await.unwrap();
    idp.set_response_issuer(ResponseIssuer::Missing);
    let guard = BearerGuard::new(&idp).no_document().challenge(None);
    let at = idp.issuer();
    let builder = Backend::builder()
        .no_session_id()
        .guard(move |request| {
            (request.path == METADATA).then(|| {
                let document = json!({
                    "issuer": format!("http://{}", request.header("host").unwrap()),
                    "authorization_endpoint": format!("{at}/authorize"),
                    "token_endpoint": format!("{at}/token"),
                    "registration_endpoint": format!("{at}/register"),
                    "code_challenge_methods_supported": ["S256"],
                });
                Answer::http(200, "application/json", document.to_string())
            })
        })
        .bearer(&guard);
    let world = World::with(idp, guard, builder).await;
    let login = world.login().await.unwrap();
    assert_eq!(format!("{}/mcp", login.issuer), world.backend.url());
    assert_eq!(login.resource, world.backend.url());
    assert!(world.call(&world.credentials(), "ping").await.is_fine());
}

#[tokio::test]
async fn a_backend_that_asks_nobody_has_no_login() {
    let idp = IdentityProvider::builder().start().await.unwrap();
    let guard = BearerGuard::new(&idp);
    let world = World::with(idp, guard, Backend::builder().no_session_id()).await;
    assert_eq!(world.login().await.unwrap_err(), LoginError::NotAsked);
}

#[tokio::test]
async fn refuses_a_resource_that_is_somebody_elses() {
    let world = world_with_document(json!({"resource": "https://evil.example/mcp"})).await;
    let error = world.login().await.unwrap_err();
    assert!(matches!(error, LoginError::OtherResource { .. }), "{error:?}");
    check_untouched(&world);
    assert_eq!(world.idp.requests().len(), 0);
}

#[tokio::test]
async fn refuses_metadata_of_another_issuer() {
    let world = World::new().await;
    let stolen = IdpAnswer::usual().member("issuer", json!("https://honest.example"));
    for path in [METADATA, "/.well-known/openid-configuration"] {
        world.idp.on(path, stolen.clone());
    }
    check_discovery(&world.login().await.unwrap_err(), "https://honest.example");
    check_untouched(&world);
}

#[tokio::test]
async fn asks_for_metadata_in_order_until_there_is_some() {
    let world = World::new().await;
    world.idp.on(METADATA, IdpAnswer::http(200, "text/html", "<html>start page</html>"));
    world.login().await.unwrap();
    assert_eq!(world.idp.count(METADATA), 1);
    assert_eq!(world.idp.count("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn refuses_servers_without_pkce() {
    let world = World::new().await;
    world.idp.on(METADATA, IdpAnswer::usual().without("code_challenge_methods_supported"));
    let error = world.login().await.unwrap_err();
    assert!(matches!(error, LoginError::NoPkce { .. }), "{error:?}");
    check_untouched(&world);
}

#[tokio::test]
async fn believes_no_answer_that_is_not_one_to_its_request() {
    type Change = fn(&str) -> String;
    let changes: [(Change, &str); 6] = [
        (|url| url.replace("state=", "state=x"), "state"),
        (|url| url.replace("state=", "other="), "state"),
        (|url| format!("{url}&state=y"), "twice"),
        (|url| url.replace(":9/callback", ":9/other"), "another address"),
        (|url| url.replace("code=", "kode="), "no code"),
        (|url| url.replace("iss=", "iss=x"), "another issuer"),
    ];
    let world = World::new().await;
    for (change, expected) in changes {
        let error = world.login_as(&tampering(change)).await.unwrap_err();
        assert!(matches!(error, LoginError::BadAnswer(_)), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert_eq!(world.idp.count("authorization_code"), 0);
}

#[tokio::test]
async fn the_issuer_of_an_answer_is_compared_as_it_stands() {
    let world = World::new().await;
    let slash = ResponseIssuer::Other(format!("{}/", world.idp.issuer()));
    let wrong = [ResponseIssuer::Missing, ResponseIssuer::Other("https://x.example".into()), slash];
    for issuer in wrong {
        world.idp.set_response_issuer(issuer.clone());
        let error = world.login().await.unwrap_err();
        assert!(matches!(error, LoginError::BadAnswer(_)), "{issuer:?}: {error:?}");
    }
    assert_eq!(world.idp.count("authorization_code"), 0);

    // A server that does not promise to say it need not; if it does, it counts.
    let silent = IdpAnswer::usual().without("authorization_response_iss_parameter_supported");
    world.idp.on(METADATA, silent);
    world.idp.set_response_issuer(ResponseIssuer::Other("https://x.example".into()));
    assert!(matches!(world.login().await, Err(LoginError::BadAnswer(_))));
    world.idp.set_response_issuer(ResponseIssuer::Missing);
    world.login().await.unwrap();
}

#[tokio::test]
async fn tells_what_the_user_or_the_server_refused() {
    let world = World::new().await;
    world.idp.deny("access_denied");
    let error = world.login().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the authorization server refused: access_denied: the user said no"
    );
    // An error that may be somebody else's is not repeated.
    let error = world.login_as(&tampering(|url| url.replace("iss=", "iss=x"))).await.unwrap_err();
    assert!(!error.to_string().contains("access_denied"), "{error}");

    world.idp.set_user("user");
    world.idp.on("authorization_code", IdpAnswer::error(400, "invalid_grant", "too late"));
    let error = world.login().await.unwrap_err();
    assert!(error.to_string().contains("invalid_grant (too late)"), "{error}");
    let gone = Interaction::new(Url::parse(REDIRECT).unwrap(), |_| async {
        Err("nobody came back within 5 minutes".to_owned())
    });
    let error = world.login_as(&gone).await.unwrap_err();
    assert_eq!(error.to_string(), "nobody came back within 5 minutes");
}

#[tokio::test]
async fn is_the_client_that_was_registered_beforehand_first() {
    let idp = IdentityProvider::builder()
        .client(IdpClient::basic("known", "s e:c%ret").redirect_uri(REDIRECT))
        .client_documents()
        .start()
        .await
        .unwrap();
    let document = "https://vmcp.example/client.json";
    idp.set_client_document(document, json!({"client_id": document, "redirect_uris": [REDIRECT]}));
    let guard = BearerGuard::new(&idp);
    let mut world = World::of(idp, guard).await;
    world.settings = OAuth {
        client: Some(OAuthClient {
            id: "known".into(),
            auth: ClientAuth::Basic("s e:c%ret".into()),
        }),
        client_metadata_url: Some(Url::parse(document).unwrap().into()),
        ..OAuth::default()
    };
    assert_eq!(world.login().await.unwrap().client, "known");
    assert_eq!(world.idp.heard("authorization_code")[0].client_auth, "basic");

    world.settings.client = None;
    assert_eq!(world.login().await.unwrap().client, document);
    assert_eq!(world.idp.count("/register"), 0);

    // A server that knows no documents registers clients.
    world.idp.on(METADATA, IdpAnswer::usual().without("client_id_metadata_document_supported"));
    assert!(world.login().await.unwrap().client.starts_with("registered-"));
    assert_eq!(world.idp.count("/register"), 1);
    // The same registration serves the next login.
    world.login().await.unwrap();
    assert_eq!(world.idp.count("/register"), 1);
}

#[tokio::test]
async fn proves_who_it_is_in_the_way_that_was_registered() {
    let world = World::new().await;
    for (methods, used) in [
        (json!(["client_secret_post", "private_key_jwt"]), "post"),
        // Some servers serve the one best that they name first.
        (json!(["client_secret_basic", "client_secret_post"]), "basic"),
        (json!(["private_key_jwt", "none"]), "none"),
    ] {
        let answer = IdpAnswer::usual().member("token_endpoint_auth_methods_supported", methods);
        world.idp.on(METADATA, answer);
        // Another port is another registration.
        let login = world.login_as(&user_at(used)).await;
        login.unwrap();
        assert_eq!(world.idp.heard("authorization_code").last().unwrap().client_auth, used);
    }
    let only = json!(["private_key_jwt"]);
    let answer = IdpAnswer::usual().member("token_endpoint_auth_methods_supported", only);
    world.idp.on(METADATA, answer);
    let error = world.login_as(&user_at("jwt")).await.unwrap_err();
    assert!(error.to_string().contains("only private_key_jwt"), "{error}");
}

fn user_at(path: &str) -> Interaction {
    let redirect = Url::parse(REDIRECT).unwrap().join(path).unwrap();
    Interaction::new(redirect, |url| async move { follow(url).await })
}

#[tokio::test]
async fn says_how_to_become_a_client_where_nobody_is_registered() {
    let idp = IdentityProvider::builder().no_registration().start().await.unwrap();
    let guard = BearerGuard::new(&idp);
    let world = World::of(idp, guard).await;
    let error = world.login().await.unwrap_err().to_string();
    assert!(error.contains(REDIRECT) && error.contains("`client`"), "{error}");

    let world = World::new().await;
    let refusal = IdpAnswer::error(400, "invalid_redirect_uri", "loopback is not allowed here");
    world.idp.on("/register", refusal);
    let error = world.login().await.unwrap_err().to_string();
    assert!(error.contains("invalid_redirect_uri: loopback is not allowed here"), "{error}");
}

#[tokio::test]
async fn asks_for_the_scopes_that_are_wanted() {
    let scope = |world: &World| {
        let asked = world.idp.heard("/authorize");
        asked.last().unwrap().field("scope").map(str::to_owned)
    };
    // Published ones, and the one that makes a login last.
    let idp = IdentityProvider::builder().scopes(["read", "offline_access"]).start().await.unwrap();
    let guard = BearerGuard::new(&idp).scope("", "read");
    let mut world = World::of(idp, guard).await;
    assert_eq!(world.login().await.unwrap().scopes, ["read", "offline_access"]);
    assert_eq!(scope(&world).as_deref(), Some("read offline_access"));
    assert_eq!(world.idp.heard("/authorize")[0].field("prompt"), Some("consent"));

    // Those of the settings instead.
    world.settings.scopes = vec!["offline_access".to_owned()];
    world.login().await.unwrap();
    assert_eq!(scope(&world).as_deref(), Some("offline_access"));

    // Those of the challenge before those that are published.
    let idp = IdentityProvider::builder().start().await.unwrap();
    let guard = BearerGuard::new(&idp)
        .document(json!({"scopes_supported": ["published"]}))
        .challenge(Some("Bearer scope=\"challenged more\""));
    let world = World::of(idp, guard).await;
    world.login().await.unwrap();
    assert_eq!(scope(&world).as_deref(), Some("challenged more"));
    // What was asked for before is not lost, nor what is asked for in addition.
    world.login_for(&user(), &["extra".to_owned(), "more".to_owned()]).await.unwrap();
    world.login().await.unwrap();
    assert_eq!(scope(&world).as_deref(), Some("challenged more extra"));
}

#[tokio::test]
async fn a_new_issuer_gets_nothing_of_the_old_one() {
    let mut world = World::new().await;
    let first = world.login().await.unwrap();
    let moved = IdentityProvider::builder().start().await.unwrap();
    let _ = world.guard.clone().document(json!({"authorization_servers": [moved.issuer()]}));
    let second = world.login().await.unwrap();
    assert_eq!(second.issuer, moved.issuer());
    assert_eq!(moved.count("/register"), 1);
    let keys: Vec<CredentialKey> = world.context.store.keys().await.unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(keys[0].issuer, moved.issuer());
    assert_ne!(first.issuer, second.issuer);

    // A secret of the settings is one of the issuer that it was used at.
    moved.set_client(IdpClient::basic("known", "secret").redirect_uri(REDIRECT));
    let auth = ClientAuth::Basic("secret".into());
    world.settings.client = Some(OAuthClient { id: "known".into(), auth });
    world.login().await.unwrap();
    let _ = world.guard.clone().document(json!({"authorization_servers": [world.idp.issuer()]}));
    let error = world.login().await.unwrap_err();
    assert!(matches!(error, LoginError::OtherIssuer(_)), "{error:?}");
    check_untouched_since(&world);
    // And one that is trusted by name is the only one.
    world.settings =
        OAuth { issuer: Some(Url::parse(&moved.issuer()).unwrap().into()), ..OAuth::default() };
    let error = world.login().await.unwrap_err();
    assert!(error.to_string().contains("`issuer` trusts"), "{error}");
}

/// Only the first login was made at the world's own issuer.
fn check_untouched_since(world: &World) {
    assert_eq!(world.idp.count("/authorize"), 1);
    assert_eq!(world.idp.count("authorization_code"), 1);
}

#[tokio::test]
async fn goes_nowhere_that_only_the_backend_wants() {
    // A backend on this machine may have its authorization server here, and nowhere else inside.
    for issuer in ["https://10.1.2.3", "https://169.254.169.254", "https://[fd00::1]/x"] {
        let world = world_with_document(json!({"authorization_servers": [issuer]})).await;
        let error = world.login().await.unwrap_err();
        check_discovery(&error, "network");
    }
    let world = world_with_document(json!({"authorization_servers": ["http://as.example"]})).await;
    check_discovery(&world.login().await.unwrap_err(), "must be https");

    let idp = IdentityProvider::builder().start().await.unwrap();
    for (named, expected) in [
        ("https://192.168.0.1/x", "network"),
        ("http://192.168.0.1/x", "must be https"),
        ("file:///etc/passwd", "not an absolute URL"),
    ] {
        let challenge = format!("Bearer resource_metadata=\"{named}\"");
        let guard = BearerGuard::new(&idp).challenge(Some(&challenge));
        let backend = Backend::builder().no_session_id().bearer(&guard);
        let other = IdentityProvider::builder().start().await.unwrap();
        let world = World::with(other, guard, backend).await;
        check_discovery(&world.login().await.unwrap_err(), expected);
    }

    // Endpoints are named by the server's own document, and are no more trusted.
    for (member, count) in [("token_endpoint", 1), ("registration_endpoint", 0)] {
        let world = World::new().await;
        let inside = json!("https://10.1.2.3/x");
        world.idp.on(METADATA, IdpAnswer::usual().member(member, inside));
        let (interaction, presented) = counted();
        let error = world.login_as(&interaction).await.unwrap_err().to_string();
        assert!(error.contains("network"), "{member}: {error}");
        assert_eq!(presented.load(std::sync::atomic::Ordering::SeqCst), count, "{member}");
    }
}

#[tokio::test]
async fn follows_no_redirect_to_elsewhere() {
    let world = World::new().await;
    let other = IdentityProvider::builder().start().await.unwrap();
    let away = IdpAnswer::redirect(307, &format!("{}{METADATA}", other.issuer()));
    world.idp.on(METADATA, away);
    world.idp.on("/.well-known/openid-configuration", IdpAnswer::status(404));
    check_discovery(&world.login().await.unwrap_err(), "redirect");

    world.idp.on(METADATA, None);
    let away = IdpAnswer::redirect(307, &other.token_url());
    world.idp.on("/token", away);
    let error = world.login().await.unwrap_err();
    assert!(matches!(error, LoginError::Token(_)), "{error:?}");
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn bodies_of_any_size_and_shape_end_in_an_error() {
    let world = World::new().await;
    let bad = [
        IdpAnswer::http(200, "application/json", "{"),
        IdpAnswer::http(200, "application/json", "[]"),
        IdpAnswer::http(200, "application/json", "x".repeat(1024 * 1024)),
        IdpAnswer::usual().member("token_endpoint", json!(null)),
        IdpAnswer::usual().member("authorization_endpoint", json!("javascript:alert(1)")),
        IdpAnswer::hangup(),
    ];
    for answer in bad {
        world.idp.on(METADATA, answer);
        world.idp.on("/.well-known/openid-configuration", IdpAnswer::status(404));
        let error = world.login().await.unwrap_err();
        assert!(matches!(error, LoginError::Discovery(_)), "{error:?}");
    }
    world.idp.on(METADATA, None);
    for answer in [
        IdpAnswer::http(201, "application/json", "{}"),
        IdpAnswer::usual().member("client_id", json!("")),
        IdpAnswer::usual().member("token_endpoint_auth_method", json!("client_secret_jwt")),
        IdpAnswer::status(500),
    ] {
        world.idp.on("/register", answer);
        let error = world.login().await.unwrap_err();
        assert!(matches!(error, LoginError::Registration { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_client_with_a_key_signs_for_the_issuer() {
    let key = SigningKey::es256("vmcp").unwrap();
    let client = IdpClient::private_key_jwt("signer", &key).redirect_uri(REDIRECT);
    let idp = IdentityProvider::builder().client(client).start().await.unwrap();
    let guard = BearerGuard::new(&idp);
    let mut world = World::of(idp, guard).await;
    let auth = ClientAuth::PrivateKeyJwt {
        key_pem: key.private_pem().unwrap().into(),
        algorithm: JwtAlgorithm::Es256,
        key_id: None,
        audience: None,
    };
    world.settings.client = Some(OAuthClient { id: "signer".into(), auth });
    world.login().await.unwrap();
    let credentials = world.credentials();
    assert!(world.call(&credentials, "ping").await.is_fine());
    world.idp.revoke(&world.guard.admitted()[0].token);
    assert!(world.call(&credentials, "ping").await.is_fine());
    let done = logout(&world.context, &world.target, &world.settings).await.unwrap();
    assert!(matches!(&done.revocations[..], [Revocation::Done { .. }]), "{done:?}");
    for path in ["authorization_code", "refresh_token", "/revoke"] {
        let assertion = world.idp.heard(path)[0].field("client_assertion").unwrap().to_owned();
        let claims = assertion.split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["aud"], world.idp.issuer(), "{path}");
    }
}
