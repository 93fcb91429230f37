//! Every kind of failure, as a client sees it.

use std::time::Duration;

use vmcp_auth::{AuthError, AuthFailure};
use vmcp_backend::{CallError, ErrorKind, Executed};
use vmcp_config::BackendId;
use vmcp_wire::RawId;

use super::failure;

fn check(error: &CallError, expected: &str) {
    let message = failure(&RawId::number(7), error);
    assert_eq!(std::str::from_utf8(&message).unwrap_or_default(), expected);
}

#[test]
fn the_clients_own_mistakes_have_the_protocols_codes() {
    check(
        &CallError::client(ErrorKind::UnknownTool("a\"b".into())),
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"unknown tool: a\"b"}}"#,
    );
    check(
        &CallError::client(ErrorKind::UnknownResource("x://y".into())),
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32002,"message":"resource not found: x://y","data":{"uri":"x://y"}}}"#,
    );
    check(
        &CallError::client(ErrorKind::MethodNotFound("Tools/List".into())),
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"method not found: Tools/List"}}"#,
    );
}

#[test]
fn a_backends_failure_says_where_and_whether_it_ran_but_nothing_internal() {
    let error = CallError::backend(
        &BackendId::from("files"),
        ErrorKind::Timeout(Duration::from_secs(60)),
        Executed::Unknown,
    )
    .with_internal("http://10.0.0.7:9000 was silent");
    check(
        &error,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":1002,"message":"the backend did not answer in time","data":{"reason":"timeout","executed":"unknown","backend":"files"}}}"#,
    );
}

#[test]
fn missing_credentials_say_what_helps_and_nothing_of_the_issuer() {
    let check = |failure: fn(String) -> AuthFailure, expected: &str| {
        let failure = failure("https://issuer.internal said: token-abc".to_owned());
        let error = AuthError::Failed { backend: "files".into(), failure };
        let backend = BackendId::from("files");
        let error =
            CallError::backend(&backend, ErrorKind::NoCredentials(error.into()), Executed::No);
        let message = super::failure(&RawId::number(7), &error);
        let text = std::str::from_utf8(&message).unwrap_or_default();
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(r#""reason":"unauthorized","executed":"no""#), "{text}");
        assert!(!text.contains("internal") && !text.contains("abc"), "{text}");
    };
    check(AuthFailure::LoginRequired, "run `vmcp auth login files`");
    check(AuthFailure::NoToken, "needs a token of the caller");
    check(AuthFailure::Refused, "refused a token");
    check(AuthFailure::Unavailable, "is unavailable");
}

#[test]
fn long_names_are_not_repeated_whole() {
    let message =
        failure(&RawId::number(7), &CallError::client(ErrorKind::UnknownTool("é".repeat(10_000))));
    assert!(message.len() < 1000);
}
