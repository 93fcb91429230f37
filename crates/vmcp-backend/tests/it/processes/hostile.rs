//! Everything else that a process can do wrong.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::json;
use vmcp_backend::{ConnectErrorKind, Endpoint, ErrorKind, Executed};
use vmcp_testkit::stdio_peer;

use super::{bare, named, pids, wait_dead};
use crate::rig::{child, command, failure, open, open_heard, run, text, try_open};

#[tokio::test]
async fn a_process_killed_by_a_signal_fails_its_calls_at_once() {
    let session = open(child(&[])).await;
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { failure(&session, bare("never")).await }
    });
    run(&session, bare("echo")).await;
    let started = Instant::now();
    let error = failure(&session, bare("segv")).await;
    assert_eq!((&error.kind, error.executed), (&ErrorKind::Unavailable, Executed::Unknown));
    assert!(error.to_string().contains("signal: 11 (SIGSEGV)"), "{error}");
    let other = waiting.await.unwrap();
    assert_eq!((&other.kind, other.executed), (&ErrorKind::Unavailable, Executed::Unknown));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_last_words_of_a_process_say_why_it_is_none() {
    let target = child(&["--stderr-line", "no such database: \u{1b}[31mprod", "--exit", "1"]);
    let error = try_open(target).await.unwrap_err();
    let ConnectErrorKind::Unreachable(text) = &error.kind else { panic!("{error}") };
    assert!(text.contains("exit status: 1"), "{text}");
    assert!(text.contains("no such database:  [31mprod"), "{text}");
}

#[tokio::test]
async fn a_process_that_keeps_crashing_is_started_a_few_times_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let session = open(child(&["--pids", &file.to_string_lossy()])).await;
    let began = Instant::now();
    let mut refused = None;
    // Whoever calls all the time does not get more of them.
    while began.elapsed() < Duration::from_secs(30) && refused.is_none() {
        let error = failure(&session, named("crash", &json!({"code": 1}))).await;
        assert_eq!(error.kind, ErrorKind::Unavailable);
        if error.executed == Executed::No {
            refused = Some(error);
        }
    }
    let refused = refused.unwrap();
    assert!(refused.to_string().contains("keeps failing"), "{refused}");
    // At 0, 1, 3 and 7 seconds; the next one is not waited for.
    assert_eq!(pids(&file).len(), 4, "within {:?}", began.elapsed());
    let asked = Instant::now();
    failure(&session, bare("echo")).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "it is told at once");
}

#[tokio::test]
async fn clients_that_come_and_go_do_not_start_a_broken_command_each() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let target = std::sync::Arc::new(child(&["--exit", "1", "--pids", &file.to_string_lossy()]));
    let connector = std::sync::Arc::new(crate::rig::connector());
    let mut clients = tokio::task::JoinSet::new();
    let opening = |n: usize| {
        let (connector, target) = (connector.clone(), target.clone());
        async move {
            let opened =
                connector.open(&target, Default::default(), crate::rig::hello(), None).await;
            assert!(opened.is_err(), "client {n}");
        }
    };
    // The first failure is known, then twenty come at once.
    opening(0).await;
    for n in 1..=20 {
        clients.spawn(opening(n));
    }
    while let Some(outcome) = clients.join_next().await {
        outcome.unwrap();
    }
    assert!(pids(&file).len() <= 4, "{} were started", pids(&file).len());
}

#[tokio::test]
async fn a_flood_on_standard_error_delays_nobody() {
    let (flooding, other) = (open(child(&[])).await, open(child(&[])).await);
    let flood = tokio::spawn({
        let session = flooding.clone();
        async move { run(&session, named("flood", &json!({"bytes": 100_000_000}))).await }
    });
    while !flood.is_finished() {
        // On the same, only thread of the runtime.
        let asked = Instant::now();
        assert!(!text(&run(&other, bare("echo")).await).is_empty());
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    assert_eq!(text(&flood.await.unwrap()), "flooded");
}

#[tokio::test]
async fn a_process_may_close_its_standard_error() {
    let path = stdio_peer().unwrap();
    let script = "exec \"$0\" 2>&-";
    let session = open(command("sh", &["-c", script, &path.to_string_lossy()])).await;
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
    session.close().await;
}

#[tokio::test]
async fn two_messages_on_one_line_cost_that_line_only() {
    let (session, heard) = open_heard(child(&[])).await;
    let call = bare("joined").with_timeout(Duration::from_millis(200));
    let error = failure(&session, call).await;
    assert!(matches!(error.kind, ErrorKind::Timeout(_)), "{error}");
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
    assert_eq!(heard.count(), 0, "nothing of a bad line is believed");
}

#[tokio::test]
async fn a_response_that_outgrows_its_bound_before_it_says_whose_it_is_fails_its_own_call() {
    let mut target = child(&[]);
    target.limits.max_message_bytes = 1_000_000;
    let session = open(target).await;
    // With another call in flight nobody can know whose the response is before its end.
    let other = tokio::spawn({
        let session = session.clone();
        async move { run(&session, named("wait", &json!({"ms": 1500}))).await }
    });
    let held = run(&session, named("huge-last", &json!({"bytes": 900_000}))).await;
    assert_eq!(text(&held).len(), 900_000);
    let started = Instant::now();
    let error = failure(&session, named("huge-last", &json!({"bytes": 3_000_000}))).await;
    assert_eq!(error.kind, ErrorKind::TooLarge { limit: 1_000_000 });
    assert_eq!(error.executed, Executed::Unknown);
    assert!(started.elapsed() < Duration::from_secs(10), "not when its time is up");
    assert_eq!(text(&other.await.unwrap()), "waited");
}

#[tokio::test]
async fn what_cannot_be_started_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    let garbage = folder.path().join("garbage");
    std::fs::write(&garbage, [0xde, 0xad, 0xbe, 0xef]).unwrap();
    std::fs::set_permissions(&garbage, std::fs::Permissions::from_mode(0o755)).unwrap();
    let long = "x".repeat(3_000_000);
    let mut nowhere = command("sh", &[]);
    if let Endpoint::Stdio(command) = &mut nowhere.endpoint {
        command.cwd = Some(folder.path().join("nowhere"));
    }
    let cases = [
        (command("vmcp-no-such-program", &[]), "No such file"),
        (command(&plain.to_string_lossy(), &[]), "Permission denied"),
        (command(&folder.path().to_string_lossy(), &[]), "Permission denied"),
        (command(&garbage.to_string_lossy(), &[]), "Exec format error"),
        (command("sh", &[&long]), "Argument list too long"),
        (nowhere, "No such file"),
    ];
    for (target, wanted) in cases {
        let error = try_open(target).await.unwrap_err();
        let ConnectErrorKind::Unreachable(text) = &error.kind else { panic!("{error}") };
        assert!(text.contains("cannot be started") && text.contains(wanted), "{wanted}: {text}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_closed_session_leaves_no_descriptor_behind() {
    let links = |pid: u32| -> Vec<std::path::PathBuf> {
        (0..3).map(|n| std::fs::read_link(format!("/proc/{pid}/fd/{n}")).unwrap()).collect()
    };
    let own = || -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        entries.filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let session = open(child(&["--grandchild", "--pids", &file.to_string_lossy()])).await;
    let tree = pids(&file);
    let pipes = links(tree[0]);
    assert!(pipes.iter().all(|pipe| own().contains(pipe)), "{pipes:?} are ours too");
    session.close().await;
    drop(session);
    wait_dead(&tree).await;
    let deadline = Instant::now() + crate::rig::PATIENCE;
    while pipes.iter().any(|pipe| own().contains(pipe)) {
        assert!(Instant::now() < deadline, "{pipes:?} are still open");
        tokio::task::yield_now().await;
    }
}
