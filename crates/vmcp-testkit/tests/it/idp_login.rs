//! The identity provider as a user's login sees it: discovery, consent, codes, registration, revocation.

use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use vmcp_testkit::{
    Answer, Backend, IdentityProvider, IdpAnswer, IdpClient, RawClient, ResponseIssuer, browse,
};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The challenge of that verifier, from RFC 7636 Appendix B.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://127.0.0.1:1/callback";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn app() -> IdpClient {
    IdpClient::public("app").redirect_uri("http://127.0.0.1/callback")
}

/// What a client of the usual kind asks for.
fn asks<'a>() -> Fields<'a> {
    vec![
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "s t"),
        ("scope", "read openid"),
        ("nonce", "n"),
        ("resource", "http://files.test/mcp"),
    ]
}

/// The fields with one of them changed, or (an empty text) left out.
fn with<'a>(mut fields: Fields<'a>, name: &'a str, value: &'a str) -> Fields<'a> {
    fields.retain(|(other, _)| *other != name);
    fields.extend((!value.is_empty()).then_some((name, value)));
    fields
}

fn query(fields: &Fields<'_>) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escape(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Where a user is sent who comes with these fields, or the status of the page he is shown.
async fn authorize(idp: &IdentityProvider, fields: &Fields<'_>) -> io::Result<Result<String, u16>> {
    let url = format!("{}/authorize?{}", idp.issuer(), query(fields));
    let reply = RawClient::new(&url)?.send(Method::GET, &[], Bytes::new()).await?;
    let location = reply.header("location").map(str::to_owned);
    Ok(location.ok_or(reply.status.as_u16()))
}

fn parameter(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let (_, value) = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(other, _)| *other == name)?;
    Some(value.replace("%20", " ").replace("%3A", ":").replace("%2F", "/"))
}

async fn code(idp: &IdentityProvider, fields: &Fields<'_>) -> io::Result<String> {
    let location = authorize(idp, fields).await?.unwrap_or_default();
    parameter(&location, "code").ok_or_else(|| io::Error::other(format!("no code in {location}")))
}

fn redeems(code: &str) -> Fields<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("resource", "http://files.test/mcp"),
    ]
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

async fn token(idp: &IdentityProvider, fields: &Fields<'_>) -> io::Result<(u16, Value)> {
    send(&idp.token_url(), Method::POST, &[FORM], query(fields)).await
}

#[tokio::test]
async fn a_code_becomes_tokens_for_the_user_and_the_resource() -> io::Result<()> {
    let idp = IdentityProvider::builder().client(app()).require_resource().start().await?;
    idp.set_user("alice");
    let location = authorize(&idp, &asks()).await?.unwrap();
    assert!(location.starts_with("http://127.0.0.1:1/callback?code="), "{location}");
    assert_eq!(parameter(&location, "state").as_deref(), Some("s t"));
    assert_eq!(parameter(&location, "iss"), Some(idp.issuer()));
    let code = parameter(&location, "code").unwrap_or_default();
    let (status, body) = token(&idp, &redeems(&code)).await?;
    assert_eq!(status, 200, "{body}");
    let claims = idp.verify(body["access_token"].as_str().unwrap_or_default()).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["aud"]),
        (&json!("alice"), &json!("http://files.test/mcp"))
    );
    assert_eq!((&claims["scope"], &claims["client_id"]), (&json!("read openid"), &json!("app")));
    let id = idp.verify(body["id_token"].as_str().unwrap_or_default()).unwrap();
    assert_eq!((&id["aud"], &id["nonce"]), (&json!("app"), &json!("n")));
    let refresh = body["refresh_token"].as_str().unwrap_or_default();
    let refreshes =
        vec![("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", refresh)];
    assert_eq!(token(&idp, &refreshes).await?.0, 200);
    // A second use of the code is a theft: everything falls.
    assert_eq!(token(&idp, &redeems(&code)).await?.1["error"], "invalid_grant");
    assert!(idp.verify(body["access_token"].as_str().unwrap_or_default()).is_err());
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_for_what_it_was_given_for_only() -> io::Result<()> {
    let builder = IdentityProvider::builder().client(app()).client(IdpClient::public("other"));
    let idp = builder.require_resource().start().await?;
    let cases = [
        ("client_id", "other", "invalid_grant"),
        ("redirect_uri", "http://127.0.0.1:2/callback", "invalid_grant"),
        ("code_verifier", CHALLENGE, "invalid_grant"),
        ("code_verifier", "short", "invalid_grant"),
        ("code_verifier", "", "invalid_request"),
        ("resource", "http://mail.test/mcp", "invalid_target"),
        ("resource", "", "invalid_target"),
        ("code", "unknown", "invalid_grant"),
    ];
    for (name, value, error) in cases {
        let code = code(&idp, &asks()).await?;
        let (status, body) = token(&idp, &with(redeems(&code), name, value)).await?;
        assert_eq!((status, &body["error"]), (400, &json!(error)), "{name}={value}: {body}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_code_expires() -> io::Result<()> {
    let idp = IdentityProvider::builder().client(app()).start().await?;
    let code = code(&idp, &asks()).await?;
    tokio::time::advance(Duration::from_secs(61)).await;
    let (_, body) = token(&idp, &redeems(&code)).await?;
    assert_eq!(body["error_description"], "the code has expired");
    Ok(())
}

#[tokio::test]
async fn nobody_is_redirected_to_a_strangers_address() -> io::Result<()> {
    let client = app().redirect_uri("https://app.test/cb").redirect_uri("http://localhost:9/cb");
    let idp = IdentityProvider::builder().client(client).start().await?;
    let cases = [
        ("http://127.0.0.1:4711/callback", true),
        ("http://127.0.0.1/callback", true),
        ("https://app.test/cb", true),
        ("http://localhost:9/cb", true),
        ("http://127.0.0.1:4711/other", false),
        ("http://127.0.0.1:4711/callback/", false),
        ("http://127.0.0.1.evil.test/callback", false),
        ("http://127.0.0.1:x@evil.test/callback", false),
        ("https://127.0.0.1:1/callback", false),
        ("https://app.test:8/cb", false),
        ("http://localhost:10/cb", false),
        ("http://127.0.0.1/callback#f", false),
        ("", false),
    ];
    for (uri, good) in cases {
        let answer = authorize(&idp, &with(asks(), "redirect_uri", uri)).await?;
        assert_eq!(answer.is_ok(), good, "{uri}: {answer:?}");
    }
    assert_eq!(authorize(&idp, &with(asks(), "client_id", "who")).await?, Err(400));
    Ok(())
}

#[tokio::test]
async fn other_errors_go_back_to_the_client() -> io::Result<()> {
    let builder = IdentityProvider::builder().client(app()).scopes(["read", "openid"]);
    let idp = builder.require_resource().start().await?;
    let cases = [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("scope", "write", "invalid_scope"),
        ("resource", "", "invalid_target"),
    ];
    for (name, value, error) in cases {
        let location = authorize(&idp, &with(asks(), name, value)).await?.unwrap();
        assert_eq!(parameter(&location, "error").as_deref(), Some(error), "{location}");
        assert_eq!(parameter(&location, "state").as_deref(), Some("s t"));
        assert_eq!(parameter(&location, "code"), None);
    }
    idp.deny("access_denied");
    let location = authorize(&idp, &asks()).await?.unwrap();
    assert_eq!(parameter(&location, "error").as_deref(), Some("access_denied"));
    Ok(())
}

#[tokio::test]
async fn may_lie_about_who_it_is() -> io::Result<()> {
    let idp = IdentityProvider::builder().client(app()).start().await?;
    for (issuer, expected) in [
        (ResponseIssuer::Missing, None),
        (ResponseIssuer::Other("http://else.test".to_owned()), Some("http://else.test".to_owned())),
        (ResponseIssuer::Own, Some(idp.issuer())),
    ] {
        idp.set_response_issuer(issuer);
        let location = authorize(&idp, &asks()).await?.unwrap();
        assert_eq!(parameter(&location, "iss"), expected);
    }
    let path = "/.well-known/oauth-authorization-server";
    idp.on(
        path,
        IdpAnswer::usual().member("issuer", json!("http://else.test")).without("jwks_uri"),
    );
    let url = format!("{}{path}", idp.issuer());
    let (_, document) = send(&url, Method::GET, &[], String::new()).await?;
    assert_eq!(document["issuer"], "http://else.test");
    assert_eq!(document.get("jwks_uri"), None);
    assert_eq!(document["token_endpoint"], idp.token_url());
    Ok(())
}

#[tokio::test]
async fn is_discovered_in_each_way_that_clients_try() -> io::Result<()> {
    let idp = IdentityProvider::builder().issuer_path("/tenant").client_documents().start().await?;
    let origin = format!("http://{}", idp.address());
    assert_eq!(idp.issuer(), format!("{origin}/tenant"));
    let cases = [
        ("/.well-known/oauth-authorization-server/tenant", 200),
        ("/.well-known/openid-configuration/tenant", 200),
        ("/tenant/.well-known/openid-configuration", 200),
        ("/tenant/.well-known/oauth-authorization-server", 404),
        ("/.well-known/oauth-authorization-server/other", 404),
    ];
    for (path, status) in cases {
        let (answered, document) =
            send(&format!("{origin}{path}"), Method::GET, &[], String::new()).await?;
        assert_eq!(answered, status, "{path}");
        if status == 200 {
            assert_eq!(document["issuer"], idp.issuer());
            assert_eq!(document["registration_endpoint"], format!("{}/register", idp.issuer()));
            assert_eq!(document["client_id_metadata_document_supported"], true);
            assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        }
    }
    assert_eq!(idp.count("/.well-known/openid-configuration"), 2);
    Ok(())
}

#[tokio::test]
async fn registers_clients() -> io::Result<()> {
    let idp = IdentityProvider::builder().start().await?;
    let url = format!("{}/register", idp.issuer());
    let register = async |body: Value| send(&url, Method::POST, &[JSON], body.to_string()).await;
    let (status, client) =
        register(json!({"redirect_uris": [CALLBACK], "client_name": "x"})).await?;
    assert_eq!(status, 201, "{client}");
    assert_eq!(client["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(
        (&client["client_name"], &client["client_secret_expires_at"]),
        (&json!("x"), &json!(0))
    );
    let id = client["client_id"].as_str().unwrap_or_default();
    let code = code(&idp, &with(asks(), "client_id", id)).await?;
    let secret = client["client_secret"].as_str().unwrap_or_default();
    let encoded: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{encoded}")));
    let headers = [FORM, ("authorization", basic.as_str())];
    let form = query(&with(redeems(&code), "client_id", ""));
    let (status, body) = send(&idp.token_url(), Method::POST, &headers, form).await?;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body.get("refresh_token"), None, "it did not ask for that grant");
    for (bad, error) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({"redirect_uris": ["javascript:1"]}), "invalid_redirect_uri"),
        (
            json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "x"}),
            "invalid_client_metadata",
        ),
        (json!([]), "invalid_client_metadata"),
    ] {
        assert_eq!(register(bad).await?.1["error"], error);
    }
    let closed = IdentityProvider::builder().no_registration().start().await?;
    let url = format!("{}/register", closed.issuer());
    assert_eq!(send(&url, Method::POST, &[JSON], "{}".to_owned()).await?.0, 404);
    Ok(())
}

#[tokio::test]
async fn reads_the_document_that_a_client_is_named_after() -> io::Result<()> {
    let idp = IdentityProvider::builder().client_documents().start().await?;
    let host = Backend::builder().start().await?;
    let url = format!("http://{}/client.json", host.address());
    let serve = |document: Value| {
        host.every(Answer::http(200, "application/json", document.to_string()));
    };
    let cases = [
        (
            json!({"client_id": url, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_basic"}),
            false,
        ),
        (json!({"client_id": "http://else.test", "redirect_uris": [CALLBACK]}), false),
        (json!({"client_id": url}), false),
        (json!({"client_id": url, "redirect_uris": ["http://127.0.0.1/callback"]}), true),
    ];
    for (document, good) in cases {
        serve(document);
        let answer = authorize(&idp, &with(asks(), "client_id", &url)).await?;
        assert_eq!(answer.is_ok(), good, "{answer:?}");
    }
    let code = code(&idp, &with(asks(), "client_id", &url)).await?;
    assert_eq!(token(&idp, &with(redeems(&code), "client_id", &url)).await?.0, 200);
    assert_eq!(host.count("GET"), 4, "the client is on file after the first good document");
    let public = "https://app.test/client.json";
    assert!(authorize(&idp, &with(asks(), "client_id", public)).await?.is_err());
    idp.set_client_document(public, json!({"client_id": public, "redirect_uris": [CALLBACK]}));
    assert!(authorize(&idp, &with(asks(), "client_id", public)).await?.is_ok());
    Ok(())
}

#[tokio::test]
async fn revokes_tokens_for_their_own_client() -> io::Result<()> {
    let builder = IdentityProvider::builder().client(app()).client(IdpClient::public("other"));
    let idp = builder.start().await?;
    let code = code(&idp, &asks()).await?;
    let (_, body) = token(&idp, &redeems(&code)).await?;
    let access = body["access_token"].as_str().unwrap_or_default();
    let refresh = body["refresh_token"].as_str().unwrap_or_default();
    let url = format!("{}/revoke", idp.issuer());
    let revoke = async |client: &str, token: &str| {
        let form = query(&vec![("client_id", client), ("token", token)]);
        send(&url, Method::POST, &[FORM], form).await.map(|(status, _)| status)
    };
    assert_eq!(revoke("other", access).await?, 200);
    assert!(idp.verify(access).is_ok());
    assert_eq!(revoke("app", access).await?, 200);
    assert!(idp.verify(access).is_err());
    assert_eq!(revoke("app", "unknown").await?, 200);
    assert_eq!(revoke("nobody", refresh).await?, 401);
    assert_eq!(revoke("app", refresh).await?, 200);
    let fields =
        vec![("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", refresh)];
    assert_eq!(token(&idp, &fields).await?.1["error"], "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn a_browser_follows_to_the_end() -> io::Result<()> {
    let idp = IdentityProvider::builder().client(app()).start().await?;
    let callback = Backend::builder().path("/callback", Answer::http(200, "text/plain", "thanks"));
    let callback = callback.start().await?;
    let target = format!("http://{}/callback", callback.address());
    let fields = with(asks(), "redirect_uri", &target);
    let start = format!("{}/authorize?{}", idp.issuer(), query(&fields));
    let (opened, status, body) = browse(&start).await?;
    assert_eq!((opened.len(), status, &body[..]), (2, 200, &b"thanks"[..]));
    assert!(callback.requests()[0].path.starts_with("/callback?code="));
    Ok(())
}
