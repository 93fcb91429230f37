//! Answers as they should be, as they should not be, and garbage.

use std::time::Duration;

use http::StatusCode;
use proptest::prelude::{any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};
use secrecy::ExposeSecret;

use super::{MAX_DESCRIPTION, TokenError, TokenResponse, read};
use crate::{AuthFailure, Form};

const JSON: &[u8] = b"application/json";

fn ok(body: &str) -> Result<TokenResponse, TokenError> {
    read(StatusCode::OK, Some(JSON), body.as_bytes())
}

/// What a whole answer with this `expires_in` is.
fn lasting(expires_in: &str) -> Result<Option<Duration>, TokenError> {
    let body = format!(r#"{{"access_token":"t","token_type":"Bearer","expires_in":{expires_in}}}"#);
    ok(&body).map(|response| response.lifetime)
}

fn check_garbage(body: &str, expected: &str) {
    let error = ok(body).map(|_| ()).unwrap_err();
    assert_eq!(error, TokenError::Unavailable(format!("answered {expected}")), "{body}");
}

#[test]
fn reads_a_whole_answer() {
    let response = ok(r#"{"access_token":"a","token_type":"bearer","expires_in":60,"scope":"x y",
        "refresh_token":"r","issued_token_type":"urn:t","unknown":{"deep":[1]}}"#)
    .unwrap();
    assert_eq!(response.access_token.expose_secret(), "a");
    assert_eq!(response.refresh_token.as_ref().unwrap().expose_secret(), "r");
    assert_eq!(response.lifetime, Some(Duration::from_secs(60)));
    assert_eq!(response.scope.as_deref(), Some("x y"));
    let shown = format!("{response:?}");
    assert!(!shown.contains("\"a\"") && !shown.contains("\"r\""), "{shown}");
    response.bearer().unwrap().issued_as(&["urn:other", "urn:t"]).unwrap();
}

#[test]
fn refuses_what_is_no_token() {
    let none = "what is no token response";
    check_garbage("", none);
    check_garbage("null", none);
    check_garbage("[]", none);
    check_garbage(r#"["t","Bearer",null,null,null,null,null,null]"#, none);
    check_garbage("\"token\"", none);
    check_garbage(r#"{"access_token":"t","token_type":"Bearer"} trailing"#, none);
    check_garbage(r#"{"access_token":1,"token_type":"Bearer"}"#, none);
    check_garbage(r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#, none);
    check_garbage(r#"{"access_token":"t","token_type":["Bearer"]}"#, none);
    check_garbage("{}", "without access_token");
    check_garbage(r#"{"access_token":null,"token_type":"Bearer"}"#, "without access_token");
    check_garbage(r#"{"access_token":"t"}"#, "without token_type");
    check_garbage(
        r#"{"access_token":"t","token_type":"Bearer","error":"x"}"#,
        "with a token and an error at once",
    );
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let deep = |value: &str| format!(r#"{{"token_type":"Bearer","access_token":{value}}}"#);
    check_garbage(&deep(&format!("{open}{close}")), none);
    check_garbage(&deep(&open), none);
    let good = br#"{"access_token":"t","token_type":"Bearer"}"#;
    for kind in [None, Some("text/html"), Some("text/json"), Some(""), Some("application/jsonx")] {
        let error = read(StatusCode::OK, kind.map(str::as_bytes), good).map(|_| ()).unwrap_err();
        assert_eq!(error, TokenError::Unavailable("answered something else than JSON".to_owned()));
    }
    for kind in ["application/json", "Application/JSON ; charset=utf-8", "application/x+json"] {
        assert!(read(StatusCode::OK, Some(kind.as_bytes()), good).is_ok(), "{kind}");
    }
}

#[test]
fn believes_lifetimes_that_are_some_only() {
    let seconds = |seconds| Ok(Some(Duration::from_secs(seconds)));
    assert_eq!(lasting("0"), seconds(0));
    assert_eq!(lasting("3600"), seconds(3600));
    assert_eq!(lasting("3599.9"), seconds(3599));
    assert_eq!(lasting("3.6e3"), seconds(3600));
    assert_eq!(lasting("null"), Ok(None));
    assert_eq!(lasting("316224000"), seconds(316_224_000));
    for bad in ["-1", "-0.5", "1e18", "1000000000000000000", "316224001", "1e300"] {
        let text = "answered with an expires_in that is no lifetime".to_owned();
        assert_eq!(lasting(bad), Err(TokenError::Unavailable(text)), "{bad}");
    }
    for bad in ["\"3600\"", "true", "[]", "{}", "1e400", "NaN", "01"] {
        assert!(lasting(bad).is_err(), "{bad}");
    }
}

#[test]
fn takes_bearer_tokens_of_the_wanted_kind_only() {
    let typed = |kind: &str| {
        ok(&format!(r#"{{"access_token":"t","token_type":"{kind}"}}"#)).unwrap().bearer()
    };
    for good in ["Bearer", "bearer", "BEARER"] {
        assert!(typed(good).is_ok(), "{good}");
    }
    for bad in ["mac", "N_A", "DPoP", "", "Bearer ", "bearer,mac"] {
        let error = typed(bad).map(|_| ()).unwrap_err().to_string();
        let expected = format!("the issuer gave a token of type \"{bad}\", not Bearer");
        assert_eq!(error, expected);
    }
    let issued = |member: &str| {
        ok(&format!(r#"{{"access_token":"t","token_type":"Bearer"{member}}}"#))
            .unwrap()
            .issued_as(&["urn:a", "urn:b"])
            .map(|_| ())
    };
    assert_eq!(issued(r#","issued_token_type":"urn:b""#), Ok(()));
    let wrong = issued(r#","issued_token_type":"urn:c""#).unwrap_err().to_string();
    assert_eq!(wrong, "the issuer gave a token that is a \"urn:c\", not a \"urn:a\" or \"urn:b\"");
    assert!(issued("").unwrap_err().to_string().contains("RFC 8693 demands"));
}

/// What an answer of this status means for the caller.
fn failed(status: u16, body: &str) -> AuthFailure {
    let status = StatusCode::from_u16(status).unwrap();
    let error = read(status, Some(JSON), body.as_bytes()).map(|_| ()).unwrap_err();
    error.of("https://idp.example/token").into()
}

#[test]
fn tells_a_refusal_from_a_failure() {
    let grant = r#"{"error":"invalid_grant","error_description":"it is over"}"#;
    let refused = AuthFailure::Refused(
        "token endpoint https://idp.example/token refuses: invalid_grant (it is over)".to_owned(),
    );
    for status in [400, 401, 403, 404, 422] {
        assert_eq!(failed(status, grant), refused, "{status}");
    }
    // Some answer 200 whatever happens.
    assert_eq!(failed(200, grant), refused);
    for status in [400, 401, 403] {
        let text = format!("token endpoint https://idp.example/token refuses: HTTP {status}");
        assert_eq!(failed(status, "<html>"), AuthFailure::Refused(text));
    }
    for (status, body) in [
        (404, "<html>"),
        (408, grant),
        (429, grant),
        (500, grant),
        (503, ""),
        (201, r#"{"access_token":"t","token_type":"Bearer"}"#),
        (204, ""),
        (400, r#"{"error":"temporarily_unavailable"}"#),
        (400, r#"{"error":"server_error"}"#),
    ] {
        let failure = failed(status, body);
        let AuthFailure::Unavailable(text) = failure else { panic!("{status} {failure}") };
        assert!(text.contains(&format!("answered HTTP {status}")), "{text}");
    }
}

#[test]
fn repeats_no_secret_and_nothing_that_breaks_a_log() {
    let form = Form::default()
        .with("audience", "public")
        .with_secret("subject_token", "s3cr3t".to_owned().into())
        .with_secret("empty", String::new().into());
    let tell = |description: &str, code: &str| {
        let body = serde_json::json!({"error": code, "error_description": description});
        let body = body.to_string();
        read(StatusCode::BAD_REQUEST, Some(JSON), body.as_bytes())
            .map(|_| ())
            .unwrap_err()
            .of("e")
            .without(form.secrets())
            .to_string()
    };
    assert_eq!(
        tell("token s3cr3t for public", "x"),
        "token endpoint e refuses: x (token … for public)"
    );
    assert_eq!(
        tell("a\r\nb\u{1b}[31m\"\\\u{e9}", "x"),
        "token endpoint e refuses: x (a??b?[31m???)"
    );
    assert_eq!(tell("", "s3cr3t"), "token endpoint e refuses: … ()");
    let jwt = format!("eyJ{}.x.y", "a".repeat(80));
    assert_eq!(tell(&format!("bad {jwt} here"), "x"), "token endpoint e refuses: x (bad … here)");
    let long = tell(&"word ".repeat(1000), &"c".repeat(1000));
    assert!(long.len() < MAX_DESCRIPTION + 128, "{}", long.len());
}

proptest! {
    #[test]
    fn reads_any_bytes_without_panic(
        status in 100u16..600,
        kind in prop::option::of(any::<Vec<u8>>()),
        body in any::<Vec<u8>>(),
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        if let Ok(response) = read(status, kind.as_deref(), &body) {
            prop_assert_eq!(status, StatusCode::OK);
            prop_assert!(response.bearer().is_err() || !body.is_empty());
        }
    }

    #[test]
    fn takes_no_token_from_an_object_that_does_not_say_bearer(
        members in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "access_token", "token_type", "issued_token_type", "expires_in", "error",
                    "refresh_token", "scope", "error_description", "x",
                ]),
                prop::sample::select(vec![
                    "\"Bearer\"", "\"bearer\"", "\"N_A\"", "\"mac\"", "\"t\"", "\"\"", "null", "true",
                    "0", "-1", "60", "1e18", "1e999", "\"60\"", "[]", "{}", "{\"access_token\":\"t\"}",
                ]),
            ),
            0..8,
        ),
        cut in prop::option::of(0usize..200),
    ) {
        let body: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let mut body = format!("{{{}}}", body.join(","));
        let whole = cut.is_none_or(|cut| cut >= body.len());
        body.truncate(cut.unwrap_or(usize::MAX));
        let one = |wanted: &str| {
            let mut found = members.iter().filter(|(name, _)| *name == wanted);
            found.next().filter(|_| found.next().is_none()).map(|(_, value)| *value)
        };
        match read(StatusCode::OK, Some(JSON), body.as_bytes()).and_then(TokenResponse::bearer) {
            Ok(_) => {
                prop_assert!(whole);
                prop_assert!(matches!(one("token_type"), Some("\"Bearer\"" | "\"bearer\"")));
                prop_assert!(one("access_token").is_some_and(|token| token.starts_with('"')));
                let lifetime = one("expires_in");
                let there = members.iter().any(|(name, _)| *name == "expires_in");
                prop_assert!(!there || matches!(lifetime, Some("0" | "60" | "null")));
                prop_assert!(matches!(one("error"), None | Some("null")));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
