//! Processes that neither answer nor end.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use vmcp_backend::{BackendTarget, Cancel, ErrorKind, Executed};

use super::{bare, named, pids, wait_dead};
use crate::rig::{PATIENCE, child, failure, open, open_heard, run, text};

/// A child that is given up soon.
fn impatient(options: &[&str]) -> BackendTarget {
    let mut target = child(options);
    target.limits.ping = Duration::from_millis(500);
    target.limits.write = Duration::from_millis(300);
    target
}

fn short(name: &str) -> vmcp_backend::Call {
    bare(name).with_timeout(Duration::from_millis(200))
}

async fn wait_for_line(file: &Path, wanted: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(file).unwrap_or_default().contains(wanted) {
        assert!(Instant::now() < deadline, "no {wanted}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_process_that_hangs_is_killed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let options = ["--grandchild", "--pids", &file.to_string_lossy()];
    let (session, heard) = open_heard(impatient(&options)).await;
    let tree = pids(&file);
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { failure(&session, bare("never")).await }
    });
    run(&session, bare("echo")).await;
    let error = failure(&session, short("hang")).await;
    assert!(matches!(error.kind, ErrorKind::Timeout(_)), "{error}");
    heard.lost().await;
    let error = waiting.await.unwrap();
    assert_eq!((&error.kind, error.executed), (&ErrorKind::Unavailable, Executed::Unknown));
    assert!(error.to_string().contains("no sign of life"), "{error}");
    wait_dead(&tree).await;
    let lost = Instant::now();
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
    assert!(lost.elapsed() >= Duration::from_millis(500), "not without a pause");
    assert_ne!(pids(&file)[2], tree[0]);
}

#[tokio::test]
async fn whoever_gives_up_early_on_a_process_that_hangs_does_not_keep_it_alive() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let (session, heard) = open_heard(impatient(&["--pids", &file.to_string_lossy()])).await;
    let tree = pids(&file);
    let give_up_after = |time: Duration| {
        let session = session.clone();
        async move {
            let cancel = Cancel::new();
            let call = bare("hang").with_cancel(cancel.clone());
            let giving_up = async {
                tokio::time::timeout(time, std::future::pending::<()>()).await.unwrap_err();
                cancel.cancel(None);
            };
            tokio::join!(failure(&session, call), giving_up).0
        }
    };
    // A call that is taken back soon is no reason for doubt; one that was waited for is.
    assert_eq!(give_up_after(Duration::from_millis(100)).await.kind, ErrorKind::Cancelled);
    assert_eq!(give_up_after(Duration::from_millis(900)).await.kind, ErrorKind::Cancelled);
    heard.lost().await;
    wait_dead(&tree).await;
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
}

#[tokio::test]
async fn a_process_that_hangs_when_it_is_listed_is_killed_too() {
    let mut target = impatient(&[]);
    target.timeouts.list = Duration::from_millis(300);
    let (session, heard) = open_heard(target).await;
    // Nobody waits for this one, so it is not what raises the doubt.
    let hang = session.forward(bare("hang"));
    let asked = tokio::time::timeout(Duration::from_millis(100), hang).await;
    assert!(asked.is_err());
    assert!(session.list().await.is_err());
    heard.lost().await;
    assert!(!text(&run(&session, bare("echo")).await).is_empty(), "started again");
}

#[tokio::test]
async fn a_process_that_only_one_call_waits_for_lives_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let session = open(impatient(&["--journal", &journal.to_string_lossy()])).await;
    let before = text(&run(&session, bare("whoami")).await).to_owned();
    let error = failure(&session, short("never")).await;
    assert!(matches!(error.kind, ErrorKind::Timeout(_)), "{error}");
    wait_for_line(&journal, "\"ping\"").await;
    // Longer than it is given for an answer.
    run(&session, named("wait", &json!({"ms": 800}))).await;
    assert_eq!(text(&run(&session, bare("whoami")).await), before);
}

#[tokio::test]
async fn a_process_that_stops_reading_costs_its_own_calls_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let session = open(impatient(&["--pids", &file.to_string_lossy()])).await;
    let other = open(child(&[])).await;
    let hung = tokio::spawn({
        let session = session.clone();
        // It never answers, and nobody waits for that: only writing finds out.
        async move { failure(&session, bare("hang")).await }
    });
    let mut calls = tokio::task::JoinSet::new();
    let long = "x".repeat(100_000);
    for _ in 0..100 {
        let (session, long) = (session.clone(), long.clone());
        calls.spawn(async move { failure(&session, named("echo", &json!({"long": long}))).await });
    }
    let mut unsent = 0;
    while let Some(error) = calls.join_next().await {
        let error = error.unwrap();
        match error.kind {
            // There was no room for it.
            ErrorKind::Busy => {
                assert_eq!(error.executed, Executed::No);
                unsent += 1;
            }
            // It waited there when the process was given up.
            ErrorKind::Unavailable => {}
            other => panic!("{other}"),
        }
        let asked = Instant::now();
        assert!(!text(&run(&other, bare("echo")).await).is_empty());
        assert!(asked.elapsed() < Duration::from_secs(2), "another session had to wait");
    }
    assert!(unsent > 10, "{unsent}");
    assert_eq!(hung.await.unwrap().executed, Executed::Unknown);
    wait_dead(&pids(&file)).await;
    assert!(!text(&run(&session, bare("echo")).await).is_empty(), "started again");
}
