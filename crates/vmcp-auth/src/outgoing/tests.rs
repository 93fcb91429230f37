//! The registry, and the strategies that nobody has to be asked for.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use vmcp_config::{Custom, HeaderInjection, OutgoingAuth};

use super::{
    AuthContext, AuthError, AuthFailure, AuthTarget, Authenticating, Authenticator,
    CredentialScope, Credentials, OutgoingAuthRegistry, OutgoingRequest, Receipt, RegisterError,
    Rejection, Strategy, Verdict,
};
use crate::Identity;

const SECRET: &str = "Bearer s3cr3t";

fn injection(name: &str, value: &str) -> OutgoingAuth {
    let (name, value) = (name.to_owned(), value.to_owned().into());
    OutgoingAuth::HeaderInjection(HeaderInjection { name, value })
}

fn custom(strategy: &str) -> OutgoingAuth {
    OutgoingAuth::Custom(Custom { strategy: strategy.to_owned(), settings: "{}".into() })
}

fn resolve(settings: &OutgoingAuth) -> Result<Credentials, AuthError> {
    OutgoingAuthRegistry::new().resolve(&"files".into(), settings)
}

/// Polls a future that is never pending.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("these strategies do not wait"),
    }
}

fn apply(credentials: &Credentials, headers: &mut HeaderMap) -> Result<Receipt, AuthError> {
    let uri = Uri::from_static("https://files.example/mcp");
    let request =
        OutgoingRequest { method: &Method::POST, uri: &uri, headers, body: &Bytes::new() };
    ready(credentials.apply(request, Some(&Identity::local())))
}

fn check_refused(settings: &OutgoingAuth, expected: &str) {
    let error = resolve(settings).map(|_| ()).unwrap_err();
    assert_eq!(&**error.backend(), "files");
    assert_eq!(error.failure(), None);
    let text = error.to_string();
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("files"), "{text} names the backend");
    assert!(!text.contains("s3cr3t"), "{text} keeps the secret");
}

#[test]
fn injects_and_wins_over_what_was_there() {
    let credentials = resolve(&injection("Authorization", SECRET)).unwrap();
    let mut headers = HeaderMap::new();
    headers.append("authorization", "one".parse().unwrap());
    headers.append("authorization", "two".parse().unwrap());
    apply(&credentials, &mut headers).unwrap();
    let sent: Vec<_> = headers.get_all("authorization").iter().collect();
    assert_eq!(sent, [SECRET]);
    assert!(sent[0].is_sensitive());
    assert_eq!(credentials.scope(), CredentialScope::Shared);
}

#[test]
fn adds_nothing_when_unauthenticated() {
    let credentials = resolve(&OutgoingAuth::Unauthenticated).unwrap();
    let mut headers = HeaderMap::new();
    apply(&credentials, &mut headers).unwrap();
    assert!(headers.is_empty());
    assert_eq!(credentials.scope(), CredentialScope::Shared);
}

#[test]
fn refuses_what_it_cannot_do() {
    check_refused(&injection("bad name", SECRET), "not a header name");
    check_refused(&injection("X-Key", "s3cr3t\r\nX-Other: 1"), "no header may carry");
    check_refused(&injection("Host", SECRET), "set by vmcp itself");
    for name in ["Mcp-Session-Id", "Accept-Encoding", "Proxy-Authorization", "Last-Event-ID"] {
        check_refused(&injection(name, SECRET), "set by vmcp itself");
    }
    check_refused(&custom("passthrough"), "MCP forbids");
    check_refused(&custom("magic"), "client_credentials, header_injection");
    check_refused(&custom("header_injection"), "a header name and a value are needed");
}

/// Fails on every request, and has an opinion on every rejection.
struct Broken(&'static str);

impl Strategy for Broken {
    fn name(&self) -> &str {
        self.0
    }

    fn bind(
        &self,
        _: &AuthTarget,
        settings: &OutgoingAuth,
        _: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        match settings {
            OutgoingAuth::Custom(custom) if &*custom.settings == "{}" => Ok(Box::new(Self(self.0))),
            _ => Err("there is nothing to set".to_owned()),
        }
    }
}

impl Authenticator for Broken {
    fn scope(&self) -> CredentialScope {
        CredentialScope::PerCaller
    }

    fn authenticate<'a>(
        &'a self,
        _: OutgoingRequest<'a>,
        _: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        Authenticating::later(async { Err(AuthFailure::NoToken("no token to be had".to_owned())) })
    }

    fn rejected<'a>(
        &'a self,
        rejection: Rejection<'a>,
        _: Option<&'a Identity>,
    ) -> super::BoxFuture<'a, Verdict> {
        let verdict = match rejection.status {
            StatusCode::UNAUTHORIZED => Verdict::Retry,
            _ => Verdict::Final(Some(AuthFailure::Refused("gone".to_owned()))),
        };
        Box::pin(std::future::ready(verdict))
    }
}

#[test]
fn takes_strategies_with_a_name_of_their_own() {
    let mut registry = OutgoingAuthRegistry::new();
    let mut register = |name| registry.register(Arc::new(Broken(name)));
    assert_eq!(register(""), Err(RegisterError::NoName));
    assert_eq!(register("passthrough"), Err(RegisterError::Passthrough));
    assert_eq!(
        register("unauthenticated").unwrap_err().to_string(),
        "strategy \"unauthenticated\" is already registered"
    );
    assert_eq!(register("broken"), Ok(()));
    assert_eq!(register("broken"), Err(RegisterError::Duplicate("broken".to_owned())));
}

#[test]
fn names_the_backend_when_a_strategy_fails() {
    let mut registry = OutgoingAuthRegistry::new();
    registry.register(Arc::new(Broken("broken"))).unwrap();
    let credentials = registry.resolve(&"files".into(), &custom("broken")).unwrap();
    assert_eq!(credentials.scope(), CredentialScope::PerCaller);
    let error = apply(&credentials, &mut HeaderMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "authentication failed for backend files: no token to be had");
    assert_eq!(error.failure(), Some(&AuthFailure::NoToken("no token to be had".to_owned())));
}

#[test]
fn asks_the_strategy_about_rejections_only() {
    let mut registry = OutgoingAuthRegistry::new();
    registry.register(Arc::new(Broken("broken"))).unwrap();
    let credentials = registry.resolve(&"files".into(), &custom("broken")).unwrap();
    let verdict = |status: u16, credentials: &Credentials| {
        let status = StatusCode::from_u16(status).unwrap();
        let (receipt, headers) = (&Receipt::none(), &HeaderMap::new());
        ready(credentials.rejected(Rejection { receipt, status, headers }, None))
    };
    assert_eq!(verdict(401, &credentials), Verdict::Retry);
    let Verdict::Final(Some(error)) = verdict(403, &credentials) else { panic!() };
    assert_eq!(error.to_string(), "authentication failed for backend files: gone");
    assert_eq!(verdict(200, &credentials), Verdict::Final(None));
    assert_eq!(verdict(404, &credentials), Verdict::Final(None));
    // Strategies that say nothing leave it at that.
    let fixed = resolve(&injection("X-Key", SECRET)).unwrap();
    assert_eq!(verdict(401, &fixed), Verdict::Final(None));
}

#[test]
fn shows_no_secret_in_debug() {
    let settings = injection("X-Key", "s3cr3t");
    let text = format!("{settings:?} {:?}", resolve(&settings).unwrap());
    assert!(!text.contains("s3cr3t"), "{text}");
}
