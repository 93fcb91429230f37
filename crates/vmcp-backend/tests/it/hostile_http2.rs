//! HTTP/2 backends that refuse, reset, go away, shut their window, and flood.

use std::time::Duration;

use vmcp_backend::{BackendTarget, CaBundle, CallError, Endpoint, ErrorKind, Executed, Session};
use vmcp_testkit::{Authority, Http2Backend, Http2Fault};

use crate::rig::{PATIENCE, failure, open, run, t, text, url};

const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const INTERNAL_ERROR: u32 = 2;
const ENHANCE_YOUR_CALM: u32 = 11;

fn target(authority: &Authority, backend: &Http2Backend) -> BackendTarget {
    let endpoint = Endpoint::StreamableHttp { url: url(&backend.url()) };
    let mut target = BackendTarget::new("b", endpoint);
    target.ca_bundle = Some(CaBundle::Pem(authority.bundle()));
    target
}

/// One that is given up soon.
fn impatient(authority: &Authority, backend: &Http2Backend) -> BackendTarget {
    let mut target = target(authority, backend);
    target.timeouts.call = Duration::from_millis(500);
    target
}

async fn pair(faults: &[Http2Fault]) -> (Http2Backend, Session) {
    let authority = Authority::new().unwrap();
    let certificate = authority.issue("localhost").unwrap();
    let backend = Http2Backend::start(&certificate, faults.to_vec()).await.unwrap();
    let session = open(target(&authority, &backend)).await;
    (backend, session)
}

/// A call that must fail, and be honest about it; the session works afterwards.
async fn fails(faults: &[Http2Fault]) -> (CallError, usize, usize) {
    let (backend, session) = pair(faults).await;
    let error = tokio::time::timeout(PATIENCE, failure(&session, t())).await.unwrap();
    let (sent, ran) = (backend.count("tools/call"), backend.executions().len());
    assert!(ran <= 1, "it ran twice: {error}");
    if error.executed == Executed::No {
        assert_eq!(ran, 0, "{error}");
    }
    assert_eq!(text(&run(&session, t()).await), "done");
    assert_eq!(backend.count("initialize"), 1);
    (error, sent, ran)
}

#[tokio::test]
async fn a_call_that_was_provably_not_looked_at_is_repeated_once_unseen() {
    let unseen = [
        Http2Fault::Refuse(REFUSED_STREAM),
        Http2Fault::GoAwayBefore(NO_ERROR),
        Http2Fault::GoAwayBefore(ENHANCE_YOUR_CALM),
    ];
    for fault in unseen {
        let (backend, session) = pair(&[fault]).await;
        assert_eq!(text(&run(&session, t()).await), "done", "{fault:?}");
        assert_eq!((backend.count("tools/call"), backend.executions().len()), (2, 1), "{fault:?}");
        let (error, sent, ran) = fails(&[fault; 2]).await;
        assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::No));
        assert_eq!((sent, ran), (2, 0), "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_may_have_been_looked_at_is_never_repeated() {
    let faults = [
        Http2Fault::Reset(CANCEL),
        Http2Fault::Reset(INTERNAL_ERROR),
        Http2Fault::Reset(ENHANCE_YOUR_CALM),
        Http2Fault::BreakOff(CANCEL),
        Http2Fault::BreakOff(REFUSED_STREAM),
        Http2Fault::GoAwayAfter(NO_ERROR),
        Http2Fault::GoAwayAfter(INTERNAL_ERROR),
        Http2Fault::GoAwayAfter(ENHANCE_YOUR_CALM),
        Http2Fault::Close,
    ];
    for fault in faults {
        let (error, sent, ran) = fails(&[fault]).await;
        assert_eq!((error.kind, error.executed), (ErrorKind::Unavailable, Executed::Unknown));
        assert_eq!((sent, ran), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_backend_that_goes_away_after_its_answer_costs_nothing() {
    let (backend, session) = pair(&[Http2Fault::GoAwayAnswered; 3]).await;
    for _ in 0..5 {
        assert_eq!(text(&run(&session, t()).await), "done");
    }
    assert_eq!((backend.count("tools/call"), backend.executions().len()), (5, 5));
    assert_eq!(backend.count("initialize"), 1);
    assert!(backend.connections() >= 4);
}

#[tokio::test]
async fn a_flood_of_frames_ends_at_the_timeout() {
    for fault in [Http2Fault::SettingsFlood, Http2Fault::PingFlood] {
        let authority = Authority::new().unwrap();
        let certificate = authority.issue("localhost").unwrap();
        let backend = Http2Backend::start(&certificate, [fault]).await.unwrap();
        let session = open(impatient(&authority, &backend)).await;
        let error = tokio::time::timeout(PATIENCE, failure(&session, t())).await.unwrap();
        assert_eq!(error.executed, Executed::Unknown, "{fault:?}: {error}");
        let ended = [ErrorKind::Timeout(Duration::from_millis(500)), ErrorKind::Unavailable];
        assert!(ended.contains(&error.kind), "{fault:?}: {error}");
        assert_eq!(backend.executions().len(), 1);
    }
}

#[tokio::test]
async fn a_window_that_is_shut_ends_at_the_timeout_and_nothing_ran() {
    let authority = Authority::new().unwrap();
    let certificate = authority.issue("localhost").unwrap();
    let backend = Http2Backend::start_shut(&certificate).await.unwrap();
    let session = open(impatient(&authority, &backend)).await;
    let error = tokio::time::timeout(PATIENCE, failure(&session, t())).await.unwrap();
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(500)));
    assert_eq!(error.executed, Executed::Unknown);
    assert_eq!((backend.count("tools/call"), backend.executions().len()), (0, 0));
}
