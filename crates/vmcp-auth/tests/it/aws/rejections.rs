//! What a backend behind AWS may refuse a signed request for, and what comes of it.

use std::io;

use bytes::Bytes;
use http::{HeaderMap, Response};
use vmcp_auth::{AuthError, Receipt, Rejection, Verdict};

use super::{Setting, pass};

impl Setting {
    /// What is to be done about an answer of the backend.
    async fn rejected(&self, receipt: &Receipt, response: &Response<Bytes>) -> Verdict<AuthError> {
        let (status, headers) = (response.status(), response.headers());
        self.credentials.rejected(Rejection { receipt, status, headers }, None).await
    }
}

#[tokio::test]
async fn keys_that_aws_calls_expired_are_replaced_once() -> io::Result<()> {
    let setting = Setting::new().await?;
    let alice = setting.caller("alice")?;
    let (_, first) = setting.ping(Some(&alice)).await?;
    setting.aws.expire();
    let (refused, receipt) = setting.ping(Some(&alice)).await?;
    assert_eq!(refused.status(), 403);
    assert_eq!(setting.rejected(&receipt, &refused).await, Verdict::Retry);
    let (answered, _) = setting.ping(Some(&alice)).await?;
    assert_ne!(answered.status(), 403);
    assert_eq!(setting.guard.subjects("ping"), ["alice", "alice"]);
    assert_eq!(setting.aws.count(), 2);
    // A late answer about the old keys says nothing about the new ones.
    setting.rejected(&first, &refused).await;
    setting.ping(Some(&alice)).await?;
    assert_eq!(setting.aws.count(), 2);
    Ok(())
}

#[tokio::test]
async fn other_refusals_are_final() -> io::Result<()> {
    let setting = Setting::new().await?;
    let alice = setting.caller("alice")?;
    let (_, receipt) = setting.ping(Some(&alice)).await?;
    let verdict = async |kind: Option<&'static str>, receipt: &Receipt, status: u16| {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind {
            headers.insert("x-amzn-errortype", http::HeaderValue::from_static(kind));
        }
        let status = http::StatusCode::from_u16(status).unwrap_or_default();
        let rejection = Rejection { receipt, status, headers: &headers };
        setting.credentials.rejected(rejection, Some(&alice)).await
    };
    for kind in [None, Some("AccessDeniedException"), Some("InvalidSignatureException"), Some("")] {
        assert_eq!(verdict(kind, &receipt, 403).await, Verdict::Final(None), "{kind:?}");
    }
    let expired = Some("ExpiredTokenException:http://internal.amazon.com/coral/");
    assert_eq!(verdict(expired, &Receipt::none(), 403).await, Verdict::Final(None));
    assert_eq!(verdict(expired, &receipt, 500).await, Verdict::Final(None));
    setting.ping(Some(&alice)).await?;
    assert_eq!(setting.aws.count(), 1);
    for (kind, count) in [
        ("ExpiredTokenException:http://internal.amazon.com/coral/", 2),
        ("ExpiredToken", 3),
        ("InvalidClientTokenId", 4),
        ("TokenRefreshRequired", 5),
        ("UnrecognizedClientException", 6),
    ] {
        let (_, receipt) = setting.ping(Some(&alice)).await?;
        assert_eq!(verdict(Some(kind), &receipt, 403).await, Verdict::Retry);
        setting.ping(Some(&alice)).await?;
        assert_eq!(setting.aws.count(), count, "{kind}");
    }
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_wrong_follows_that_of_aws() -> io::Result<()> {
    for ahead in [4000, -4000] {
        let setting = Setting::new().await?;
        setting.aws.set_clock(ahead);
        let alice = setting.caller("alice")?;
        let (refused, receipt) = setting.ping(Some(&alice)).await?;
        assert_eq!(refused.status(), 403);
        assert_eq!(setting.rejected(&receipt, &refused).await, Verdict::Retry);
        for _ in 0..2 {
            assert_ne!(setting.ping(Some(&alice)).await?.0.status(), 403);
        }
        assert_eq!(setting.guard.refused().len(), 1, "{:?}", setting.guard.refused());
        assert_eq!(setting.aws.count(), 1, "the keys were right, and so is their time");
        // An answer to what was under way meanwhile is worth another try too.
        assert_eq!(setting.rejected(&receipt, &refused).await, Verdict::Retry);
        // Where the time is right, a signature that is refused stays so.
        pass(60).await;
        assert_eq!(setting.rejected(&receipt, &refused).await, Verdict::Final(None));
        setting.aws.set_clock(0);
        let (refused, receipt) = setting.ping(Some(&alice)).await?;
        assert_eq!(setting.rejected(&receipt, &refused).await, Verdict::Retry);
        assert_ne!(setting.ping(Some(&alice)).await?.0.status(), 403);
    }
    Ok(())
}
