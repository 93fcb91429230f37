//! Strategy `aws_sts` against a fake STS, and a backend that verifies signatures by itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::time::{advance, pause, resume};
use vmcp_auth::{
    AuthError, AuthFailure, AuthTarget, AwsSts, Credentials, Identity, OutgoingAuth,
    OutgoingAuthRegistry, OutgoingRequest, Receipt, RoleMapping, TokenType,
};
use vmcp_net::{Client, Fetch, PoolKey};
use vmcp_testkit::{Aws, Backend, Gate, IdentityProvider, IdpAnswer, SigV4Guard};

mod rejections;
mod sts;

const READER: &str = "arn:aws:iam::123456789012:role/reader";
const ADMIN: &str = "arn:aws:iam::123456789012:role/admin";

/// A provider, an STS that trusts it, a backend that wants signatures, and credentials for that backend.
struct Setting {
    idp: IdentityProvider,
    aws: Aws,
    guard: SigV4Guard,
    backend: Backend,
    registry: OutgoingAuthRegistry,
    settings: AwsSts,
    credentials: Credentials,
}

// === impl Setting ===

impl Setting {
    async fn new() -> io::Result<Self> {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut AwsSts)) -> io::Result<Self> {
        let idp = IdentityProvider::start().await?;
        let aws = Aws::start(&idp).await?;
        let guard = aws.guard("eu-west-1", "aws-mcp");
        // No session is opened here: what comes through the guard is answered 404.
        let backend = Backend::builder().signed(&guard).start().await?;
        let mut settings = settings(Some(&aws.sts_url()));
        change(&mut settings);
        let registry = OutgoingAuthRegistry::new();
        let credentials = bind(&registry, &backend, &settings)?;
        Ok(Self { idp, aws, guard, backend, registry, settings, credentials })
    }

    /// Takes other settings, as a reload of the configuration does.
    fn change(&mut self, change: impl FnOnce(&mut AwsSts)) -> io::Result<()> {
        change(&mut self.settings);
        self.credentials = bind(&self.registry, &self.backend, &self.settings)?;
        Ok(())
    }

    /// A caller who logged in at the provider.
    fn caller(&self, subject: &str) -> io::Result<Identity> {
        self.caller_of(subject, &json!({"sub": subject, "groups": ["staff"]}))
    }

    fn caller_of(&self, subject: &str, claims: &Value) -> io::Result<Identity> {
        let token = self.idp.issue(subject, claims.clone())?;
        let identity = Identity::verified(self.idp.issuer(), subject, claims.to_string());
        Ok(identity.with_token(token.into(), TokenType::AccessToken))
    }

    /// A request of MCP, with credentials.
    async fn signed(
        &self,
        method: Method,
        identity: Option<&Identity>,
    ) -> Result<(Request<Bytes>, Receipt), AuthError> {
        let body = match method {
            Method::POST => Bytes::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
            _ => Bytes::new(),
        };
        let uri: Uri = format!("{}?a=b%20c&A", self.backend.url()).parse().unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-session-id", "session  with   spaces"),
            ("mcp-protocol-version", "2025-11-25"),
        ] {
            headers.insert(name, http::HeaderValue::from_static(value));
        }
        let request =
            OutgoingRequest { method: &method, uri: &uri, headers: &mut headers, body: &body };
        let receipt = self.credentials.apply(request, identity).await?;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok((request, receipt))
    }

    /// Sends a ping, signed; gives what was answered, and what it was signed with.
    async fn ping(&self, identity: Option<&Identity>) -> io::Result<(Response<Bytes>, Receipt)> {
        let (request, receipt) =
            self.signed(Method::POST, identity).await.map_err(io::Error::other)?;
        Ok((send(request).await?, receipt))
    }

    /// Why a ping of this caller is not sent.
    async fn failure(&self, identity: &Identity) -> AuthFailure {
        let outcome = self.signed(Method::POST, Some(identity)).await;
        let Err(AuthError::Failed { backend, failure }) = outcome else {
            unreachable!("{outcome:?}")
        };
        assert_eq!(&*backend, "files");
        let shown = format!("{failure} {failure:?}");
        let token = identity.token().map(|token| token.secret().expose_secret());
        // Not even a part of it.
        let part = token.and_then(|token| token.get(..40));
        assert!(part.is_none_or(|part| !shown.contains(part)), "{shown}");
        assert!(!shown.contains("wJalr"), "{shown}");
        failure
    }
}

fn bind(
    registry: &OutgoingAuthRegistry,
    backend: &Backend,
    settings: &AwsSts,
) -> io::Result<Credentials> {
    let target = AuthTarget { url: Some(url(&backend.url())), ..AuthTarget::new("files") };
    let settings = OutgoingAuth::AwsSts(settings.clone());
    registry.resolve(&target, &settings).map_err(io::Error::other)
}

fn settings(sts_url: Option<&str>) -> AwsSts {
    AwsSts {
        region: "eu-west-1".to_owned(),
        service: "aws-mcp".to_owned(),
        fallback_role_arn: Some(READER.to_owned()),
        role_mappings: vec![RoleMapping {
            claim: Some("admins".to_owned()),
            matcher: None,
            role_arn: ADMIN.to_owned(),
            priority: None,
        }],
        role_claim: "groups".to_owned(),
        session_duration: Duration::from_secs(3600),
        session_name_claim: "sub".to_owned(),
        subject_provider: None,
        sts_url: sts_url.map(url),
    }
}

fn url(text: &str) -> vmcp_config::SafeUrl {
    url::Url::parse(text).map_or_else(|error| unreachable!("{error}"), Into::into)
}

/// Lets time pass; only in this function does the clock stand still, since it would run ahead of the sockets.
async fn pass(seconds: u64) {
    pause();
    advance(Duration::from_secs(seconds)).await;
    resume();
}

async fn send(request: Request<Bytes>) -> io::Result<Response<Bytes>> {
    let key = PoolKey {
        egress: vmcp_net::Egress { private: true, ..vmcp_net::Egress::public() },
        ..PoolKey::new("test")
    };
    let pool = Client::new().pool(&key).map_err(io::Error::other)?;
    let bounds = Fetch::new(1 << 20, Duration::from_secs(20));
    pool.fetch(request, bounds).await.map_err(io::Error::other)
}

#[tokio::test]
async fn every_request_is_signed_with_keys_of_the_callers_role() -> io::Result<()> {
    let setting = Setting::new().await?;
    let alice = setting.caller("alice")?;
    for method in [Method::POST, Method::GET, Method::DELETE, Method::POST] {
        let (request, _) = setting.signed(method, Some(&alice)).await.map_err(io::Error::other)?;
        let status = send(request).await?.status();
        assert_ne!(status, 403, "{:?}", setting.guard.refused());
    }
    let root = setting.caller_of("root", &json!({"sub": "root", "groups": ["staff", "admins"]}))?;
    setting.ping(Some(&root)).await?;
    let signed = setting.guard.signed();
    let by: Vec<_> = signed
        .iter()
        .map(|one| (one.session.subject.as_str(), one.session.role.as_str(), &*one.session.name))
        .collect();
    let alice = ("alice", READER, "alice");
    assert_eq!(by, [alice, alice, alice, alice, ("root", ADMIN, "root")]);
    assert_eq!(
        signed[0].scope.headers,
        [
            "content-type",
            "host",
            "mcp-protocol-version",
            "mcp-session-id",
            "x-amz-date",
            "x-amz-security-token"
        ]
    );
    assert_eq!(setting.aws.count(), 2, "one call for each caller");
    let asked = &setting.aws.requests()[0];
    assert_eq!(asked.field("DurationSeconds"), Some("3600"));
    assert_eq!(asked.header("authorization"), None);
    Ok(())
}

#[tokio::test]
async fn nobody_gets_keys_of_another() -> io::Result<()> {
    let setting = Setting::new().await?;
    let (alice, bob) = (setting.caller("alice")?, setting.caller("bob")?);
    let again = setting.caller("alice")?;
    for caller in [&alice, &bob, &alice, &again, &bob] {
        setting.ping(Some(caller)).await?;
    }
    assert_eq!(setting.guard.subjects("ping"), ["alice", "bob", "alice", "alice", "bob"]);
    assert_eq!(setting.aws.count(), 3, "a new token is asked for anew");
    // The same token with other claims (as a policy may add them) may mean another role.
    let token = alice.token().map(|token| token.secret().clone()).unwrap();
    let promoted = Identity::verified(alice.issuer(), "alice", r#"{"groups":["admins"]}"#)
        .with_token(token, TokenType::AccessToken);
    setting.ping(Some(&promoted)).await?;
    assert_eq!(setting.aws.sessions()[3].role, ADMIN);
    Ok(())
}

#[tokio::test]
async fn a_new_configuration_counts_at_once() -> io::Result<()> {
    let mut setting = Setting::new().await?;
    let root = setting.caller_of("root", &json!({"sub": "root", "groups": ["admins"]}))?;
    setting.ping(Some(&root)).await?;
    setting.change(|_| {})?;
    setting.ping(Some(&root)).await?;
    assert_eq!(setting.aws.count(), 1, "nothing changed");
    setting.change(|settings| settings.role_mappings.clear())?;
    setting.ping(Some(&root)).await?;
    setting.change(|settings| settings.fallback_role_arn = Some(ADMIN.to_owned()))?;
    setting.ping(Some(&root)).await?;
    let roles: Vec<_> = setting.aws.sessions().into_iter().map(|one| one.role).collect();
    assert_eq!(roles, [ADMIN, READER, ADMIN]);
    setting.change(|settings| settings.session_name_claim = "groups".to_owned())?;
    assert!(matches!(setting.failure(&root).await, AuthFailure::Refused(_)));
    Ok(())
}

#[tokio::test]
async fn all_who_wait_share_one_call() -> io::Result<()> {
    let setting = Arc::new(Setting::new().await?);
    let alice = setting.caller("alice")?;
    let gate = Gate::new();
    setting.aws.on(IdpAnswer::usual().gate(&gate));
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let (setting, alice) = (Arc::clone(&setting), alice.clone());
        waiting.spawn(async move { setting.signed(Method::POST, Some(&alice)).await.is_ok() });
    }
    gate.reached(1).await?;
    gate.open();
    assert!(waiting.join_all().await.into_iter().all(|signed| signed));
    assert_eq!(setting.aws.count(), 1);
    Ok(())
}

#[tokio::test]
async fn keys_are_replaced_before_they_are_over() -> io::Result<()> {
    let setting = Setting::with(|settings| {
        settings.session_duration = Duration::from_secs(900);
    })
    .await?;
    let alice = setting.caller("alice")?;
    setting.ping(Some(&alice)).await?;
    pass(860).await;
    setting.ping(Some(&alice)).await?;
    assert_eq!(setting.aws.count(), 1);
    pass(15).await;
    setting.ping(Some(&alice)).await?;
    assert_eq!(setting.aws.count(), 2, "{:?}", setting.guard.refused());
    assert_eq!(setting.guard.refused(), Vec::<String>::new());
    // Keys that hold for less than the margin serve the request they were got for, and no other.
    setting.aws.set_lifetime(Duration::from_secs(20));
    let bob = setting.caller("bob")?;
    setting.ping(Some(&bob)).await?;
    setting.ping(Some(&bob)).await?;
    assert_eq!(setting.aws.count(), 4);
    Ok(())
}

#[tokio::test]
async fn a_probe_goes_unsigned_and_a_caller_needs_a_token() -> io::Result<()> {
    let setting =
        Setting::with(|settings| settings.subject_provider = Some("corp".to_owned())).await?;
    let (request, receipt) = setting.signed(Method::POST, None).await.map_err(io::Error::other)?;
    assert_eq!(receipt, Receipt::none());
    assert!(!request.headers().keys().any(|name| name.as_str().starts_with("x-amz")));
    assert!(!request.headers().contains_key("authorization"));
    // The token that the caller came with is not the provider's.
    let alice = setting.caller("alice")?;
    let failure = setting.failure(&alice).await;
    assert!(
        matches!(&failure, AuthFailure::NoToken(text) if text.contains("\"corp\"")),
        "{failure}"
    );
    assert_eq!(setting.aws.requests().len(), 0);
    let upstream = setting.idp.issue("alice at corp", json!({}))?;
    setting.ping(Some(&alice.with_upstream_token("corp", upstream.into()))).await?;
    assert_eq!(setting.guard.subjects("ping"), ["alice at corp"]);
    let nobody = Setting::new().await?;
    let failure = nobody.failure(&Identity::verified("i", "alice", "{}")).await;
    assert!(matches!(failure, AuthFailure::NoToken(_)), "{failure}");
    Ok(())
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let target =
        AuthTarget { url: Some(url("https://files.test/mcp")), ..AuthTarget::new("files") };
    let refusal = |target: &AuthTarget, change: fn(&mut AwsSts)| {
        let mut settings = settings(None);
        change(&mut settings);
        let outcome = OutgoingAuthRegistry::new().resolve(target, &OutgoingAuth::AwsSts(settings));
        outcome.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refusal(&target, |_| {}), "");
    type Change = fn(&mut AwsSts);
    let cases: [(Change, &str); 7] = [
        (|one| one.region = "EU/west".to_owned(), "region and service"),
        (|one| one.service = String::new(), "region and service"),
        (|one| one.session_duration = Duration::from_secs(899), "sessionDuration"),
        (|one| one.role_mappings[0].matcher = Some("true".to_owned()), "`matcher` (CEL)"),
        (|one| one.fallback_role_arn = Some("reader".to_owned()), "not the ARN"),
        (|one| one.sts_url = Some(url("http://sts.test/")), "must be https"),
        (|one| one.sts_url = Some(url("https://me:wJalr@sts.test/")), "user or password"),
    ];
    for (change, expected) in cases {
        let text = refusal(&target, change);
        assert!(text.contains(expected) && text.contains("backend files"), "{expected}: {text}");
    }
    let text = refusal(&AuthTarget::new("files"), |_| {});
    assert!(text.contains("only requests over HTTP"), "{text}");
}
