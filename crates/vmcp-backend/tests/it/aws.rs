//! A whole session with a backend behind AWS: each of its requests is signed for whoever it is made for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vmcp_auth::{AwsSts, Caller, Identity, OutgoingAuth, TokenType};
use vmcp_backend::{BackendTarget, Call, ConnectErrorKind, ErrorKind, Session};
use vmcp_testkit::{Answer, Aws, Backend, IdentityProvider, SigV4Guard, Transport};

use crate::rig::{
    Heard, connector, failure, hello, run, streamable, t, text, try_open, url, with_tool,
};

/// An identity provider, an AWS that trusts it, and a backend there.
struct Cloud {
    idp: IdentityProvider,
    aws: Aws,
    guard: SigV4Guard,
    backend: Backend,
}

impl Cloud {
    async fn new(transport: Transport) -> Self {
        let idp = IdentityProvider::start().await.unwrap();
        let aws = Aws::start(&idp).await.unwrap();
        let guard = aws.guard("eu-west-1", "aws-mcp");
        let backend = with_tool(Answer::text("x")).transport(transport).signed(&guard);
        let backend = backend.start().await.unwrap();
        Self { idp, aws, guard, backend }
    }

    fn target(&self) -> BackendTarget {
        let mut target = streamable(&self.backend.url());
        target.auth = OutgoingAuth::AwsSts(AwsSts {
            region: "eu-west-1".to_owned(),
            service: "aws-mcp".to_owned(),
            fallback_role_arn: Some("arn:aws:iam::123456789012:role/reader".to_owned()),
            role_mappings: Vec::new(),
            role_claim: "groups".to_owned(),
            session_duration: Duration::from_secs(3600),
            session_name_claim: "sub".to_owned(),
            subject_provider: None,
            sts_url: Some(url(&self.aws.sts_url())),
        });
        target
    }

    fn caller(&self, subject: &str) -> Caller {
        let token = self.idp.issue(subject, json!({})).unwrap();
        let identity = Identity::verified(self.idp.issuer(), subject, "{}");
        identity.with_token(token.into(), TokenType::AccessToken).into()
    }

    async fn open(&self, heard: &Heard) -> Session {
        let target = Arc::new(self.target());
        let caller = self.caller("alice");
        connector().open(&target, caller, hello(), Some(heard.sink())).await.unwrap()
    }
}

fn as_caller(caller: &Caller) -> Call {
    Call { caller: Some(caller.clone()), ..t() }
}

#[tokio::test]
async fn every_request_of_a_session_is_signed() {
    for transport in [Transport::Json, Transport::Sse] {
        let cloud = Cloud::new(transport).await;
        let heard = Heard::default();
        let session = cloud.open(&heard).await;
        session.listen();
        cloud.backend.wait_listeners(1).await.unwrap();
        assert_eq!(text(&run(&session, t()).await), "x");
        session.close().await;
        cloud.backend.wait_for("DELETE", 1).await.unwrap();
        assert_eq!(cloud.guard.refused(), Vec::<String>::new());
        let signed = cloud.guard.signed();
        assert_eq!(signed.len(), cloud.backend.requests().len());
        for method in ["initialize", "notifications/initialized", "tools/call", "GET", "DELETE"] {
            assert_eq!(cloud.guard.subjects(method), ["alice"], "{method}");
        }
        let call = signed.iter().find(|one| one.method == "tools/call").unwrap();
        assert!(call.scope.headers.iter().any(|name| name == "mcp-session-id"));
        assert_eq!(cloud.aws.count(), 1, "one exchange for the whole session");
    }
}

#[tokio::test]
async fn a_call_is_signed_for_its_own_caller() {
    let cloud = Cloud::new(Transport::Json).await;
    let session = cloud.open(&Heard::default()).await;
    let bob = cloud.caller("bob");
    run(&session, as_caller(&bob)).await;
    run(&session, t()).await;
    run(&session, as_caller(&bob)).await;
    assert_eq!(cloud.guard.subjects("tools/call"), ["bob", "alice", "bob"]);
    assert_eq!(cloud.aws.count(), 2);
}

#[tokio::test]
async fn expired_keys_cost_a_call_nothing_but_time() {
    let cloud = Cloud::new(Transport::Sse).await;
    let session = cloud.open(&Heard::default()).await;
    cloud.aws.expire();
    assert_eq!(text(&run(&session, t()).await), "x");
    assert_eq!(cloud.guard.subjects("tools/call"), ["alice"], "it ran once");
    assert_eq!((cloud.backend.count("tools/call"), cloud.aws.count()), (2, 2));
    assert_eq!(cloud.guard.refused().len(), 1);
    assert!(cloud.guard.refused()[0].starts_with("ExpiredTokenException"));
}

#[tokio::test]
async fn keys_that_never_hold_are_replaced_once_and_then_given_up() {
    let cloud = Cloud::new(Transport::Json).await;
    let session = cloud.open(&Heard::default()).await;
    cloud.aws.expire();
    cloud.aws.set_lifetime(Duration::ZERO);
    let failed = failure(&session, t()).await;
    assert_eq!(failed.kind, ErrorKind::Unauthorized, "{failed}");
    assert_eq!((cloud.backend.count("tools/call"), cloud.aws.count()), (2, 2));
    assert!(cloud.guard.subjects("tools/call").is_empty());
}

#[tokio::test]
async fn nobody_gets_in_without_keys() {
    let cloud = Cloud::new(Transport::Json).await;
    // A session for nobody goes unsigned, and the backend has the last word.
    let error = try_open(cloud.target()).await.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::Unauthorized(403));
    assert_eq!(cloud.aws.requests().len(), 0);
    // Without a token to show to STS nothing is sent at all.
    let before = cloud.backend.requests().len();
    let caller = Identity::verified("i", "alice", "{}").into();
    let target = Arc::new(cloud.target());
    let error = connector().open(&target, caller, hello(), None).await.unwrap_err();
    assert!(error.to_string().contains("identity has no token"), "{error}");
    assert_eq!(cloud.backend.requests().len(), before);
}
