//! The strategies and how the registry finds and refuses them.

use http::HeaderMap;

use super::{AuthError, Credentials, OutgoingAuth, OutgoingAuthRegistry, OutgoingRule};
use crate::Identity;

const SECRET: &str = "Bearer s3cr3t";

fn injection(name: &str, value: &str) -> OutgoingRule {
    OutgoingRule::HeaderInjection { name: name.to_owned(), value: value.to_owned().into() }
}

fn resolve(rule: &OutgoingRule) -> Result<Credentials, AuthError> {
    OutgoingAuthRegistry::new().resolve("files", rule)
}

/// Polls a future that is never pending.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the built-in strategies do not wait"),
    }
}

fn check_refused(rule: &OutgoingRule, expected: &str) {
    let error = resolve(rule).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(error.contains("files"), "{error} names the backend");
    assert!(!error.contains("s3cr3t"), "{error} keeps the secret");
}

#[test]
fn injects_on_a_clone_and_wins_over_what_was_there() {
    let credentials = resolve(&injection("Authorization", SECRET)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "other".parse().unwrap());
    let sent = ready(credentials.apply(&headers, Some(&Identity::local()))).unwrap();
    assert_eq!(sent["authorization"], SECRET);
    assert_eq!(headers["authorization"], "other");
    assert!(sent["authorization"].is_sensitive());
}

#[test]
fn adds_nothing_when_unauthenticated() {
    let credentials = resolve(&OutgoingRule::Unauthenticated).unwrap();
    assert!(ready(credentials.apply(&HeaderMap::new(), None)).unwrap().is_empty());
}

#[test]
fn refuses_what_it_cannot_do() {
    check_refused(&injection("bad name", SECRET), "not a header name");
    check_refused(&injection("X-Key", "s3cr3t\r\nX-Other: 1"), "no header may carry");
    check_refused(&injection("Host", SECRET), "set by vmcp itself");
    check_refused(&injection("Mcp-Session-Id", SECRET), "set by vmcp itself");
    check_refused(&OutgoingRule::Named("passthrough".to_owned()), "MCP forbids");
    check_refused(&OutgoingRule::Named("magic".to_owned()), "header_injection, unauthenticated");
}

#[test]
fn names_the_backend_when_a_strategy_fails() {
    struct Broken;
    impl OutgoingAuth for Broken {
        fn name(&self) -> &str {
            "broken"
        }
        fn validate(&self, _: &OutgoingRule) -> Result<(), String> {
            Ok(())
        }
        fn apply(
            &self,
            _: &OutgoingRule,
            headers: &mut HeaderMap,
            _: Option<&Identity>,
        ) -> Result<(), String> {
            headers.insert("x-half", "done".parse().unwrap());
            Err("no token to be had".to_owned())
        }
    }
    let mut registry = OutgoingAuthRegistry::new();
    registry.register(std::sync::Arc::new(Broken));
    let rule = OutgoingRule::Named("broken".to_owned());
    let credentials = registry.resolve("files", &rule).unwrap();
    let headers = HeaderMap::new();
    let error = ready(credentials.apply(&headers, None)).unwrap_err().to_string();
    assert_eq!(error, "authentication failed for backend files: no token to be had");
    assert!(headers.is_empty());
}

#[test]
fn shows_no_secret_in_debug() {
    let rule = injection("X-Key", "s3cr3t");
    let text = format!("{rule:?} {:?}", resolve(&rule).unwrap());
    assert!(!text.contains("s3cr3t"), "{text}");
}
