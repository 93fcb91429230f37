//! Backends that are child processes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vmcp_backend::{BackendTarget, Call, ConnectErrorKind, Endpoint, ErrorKind, Executed};

use crate::rig::{
    All, PATIENCE, call, child, command, connector, failure, hello, open, open_heard, read, run,
    text, try_open,
};

mod guarded;
mod hanging;
mod hostile;

fn named(name: &str, arguments: &Value) -> Call {
    call(&json!({"name": name, "arguments": arguments}))
}

fn bare(name: &str) -> Call {
    named(name, &json!({}))
}

/// The process ids that were noted.
fn pids(file: &Path) -> Vec<u32> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

fn is_alive(pid: u32) -> bool {
    // A zombie is dead: nobody but its parent can tell.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z')
    })
}

async fn wait_dead(pids: &[u32]) {
    let deadline = Instant::now() + PATIENCE;
    while pids.iter().any(|pid| is_alive(*pid)) {
        assert!(Instant::now() < deadline, "{pids:?} live on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn many_calls_at_once_on_one_process() {
    let session = open(child(&[])).await;
    let pid = text(&run(&session, bare("whoami")).await).to_owned();
    let mut running = tokio::task::JoinSet::new();
    for n in 0..50 {
        let session = session.clone();
        running.spawn(async move {
            let all = run(&session, named("echo", &json!({"n": n}))).await;
            let line: Value = serde_json::from_str(text(&all)).unwrap();
            assert_eq!(line["params"]["arguments"]["n"], n);
        });
    }
    while let Some(outcome) = running.join_next().await {
        outcome.unwrap();
    }
    assert_eq!(text(&run(&session, bare("whoami")).await), pid);
    assert!(session.list().await.unwrap().tools.len() > 10);
    session.close().await;
}

#[tokio::test]
async fn pipes_belong_to_the_runtime_that_they_were_given_to() {
    let mut elsewhere = tokio::runtime::Builder::new_multi_thread();
    let elsewhere = elsewhere.worker_threads(1).enable_all().build().unwrap();
    let connector = connector().with_pipes_on(&[elsewhere.handle().clone()]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let target = Arc::new(child(&["--pids", &file.to_string_lossy()]));
    let session = connector.open(&target, Default::default(), hello(), None).await.unwrap();
    run(&session, bare("echo")).await;
    let tree = pids(&file);
    assert!(!tree.is_empty() && is_alive(tree[0]), "{tree:?}");
    // With the runtime end the pipes, and with them the process.
    elsewhere.shutdown_background();
    wait_dead(&tree).await;
}

#[tokio::test]
async fn environment_folder_and_arguments_are_the_configured_ones() {
    let folder = std::env::temp_dir().canonicalize().unwrap();
    let mut target = child(&["--name", "odd one"]);
    if let Endpoint::Stdio(command) = &mut target.endpoint {
        command.env = vec![("RIG_SECRET".to_owned(), "s3cr3t".to_owned().into())];
        command.cwd = Some(folder.clone());
    }
    assert!(!format!("{target:?}").contains("s3cr3t"));
    let session = open(target).await;
    assert!(String::from_utf8_lossy(&session.hello().server_info).contains("odd one"));
    let env = run(&session, named("env", &json!({"name": "RIG_SECRET"}))).await;
    assert_eq!(text(&env), "s3cr3t");
    // The parent's own are there as well.
    let path = run(&session, named("env", &json!({"name": "PATH"}))).await;
    assert_eq!(text(&path), std::env::var("PATH").unwrap());
    let whoami: Value = serde_json::from_str(text(&run(&session, bare("whoami")).await)).unwrap();
    assert_eq!(whoami["cwd"], folder.to_string_lossy().as_ref());
}

#[tokio::test]
async fn odd_lines_cost_nothing() {
    let session = open(child(&["--banner", "Welcome!", "--stderr", "300000"])).await;
    for tool in ["garbage", "split", "crlf"] {
        assert_eq!(text(&run(&session, bare(tool)).await), "gr\u{fc}n", "{tool}");
    }
    let all = run(&session, named("flood", &json!({"bytes": 1_000_000}))).await;
    assert_eq!(text(&all), "flooded");
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
}

#[tokio::test]
async fn progress_and_logs_find_their_call() {
    let session = open(child(&[])).await;
    let params =
        json!({"name": "progress", "arguments": {"count": 3}, "_meta": {"progressToken": "p"}});
    let all = run(&session, call(&params)).await;
    assert_eq!(all.notifications.len(), 3);
    assert!(all.notifications.iter().all(|n| n["params"]["progressToken"] == "p"));
    let all = run(&session, bare("log")).await;
    assert_eq!(all.notifications[0]["params"]["data"], "logged");
}

#[tokio::test]
async fn a_request_goes_to_the_only_call_in_flight_and_its_answer_back() {
    let session = open(child(&[])).await;
    let reply = session.forward(bare("sample")).await.unwrap();
    let all = read(reply, &json!({"model": "m", "x": 1.5})).await;
    let answered: Value = serde_json::from_str(text(&all)).unwrap();
    assert_eq!(answered["result"], json!({"model": "m", "x": 1.5}));
    assert_ne!(answered["id"], "client's");
}

#[tokio::test]
async fn with_several_calls_in_flight_a_request_goes_to_the_sink_and_is_refused_when_dropped() {
    let (session, heard) = open_heard(child(&[])).await;
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { run(&session, named("wait", &json!({"ms": 1500}))).await }
    });
    let asking = tokio::spawn({
        let session = session.clone();
        async move {
            // Both are on their way before the process asks: the first answers much later.
            run(&session, named("wait", &json!({"ms": 100}))).await;
            run(&session, bare("roots")).await
        }
    });
    heard.take(|outside| matches!(outside, vmcp_backend::Outside::Request(_)), drop).await;
    let answered: Value = serde_json::from_str(text(&asking.await.unwrap())).unwrap();
    assert_eq!(answered["error"]["code"], -32603);
    waiting.await.unwrap();
}

#[tokio::test]
async fn list_changed_goes_to_the_sink() {
    let (session, heard) = open_heard(child(&[])).await;
    let all = run(&session, named("add", &json!({"name": "more"}))).await;
    assert_eq!(text(&all), "added");
    assert!(all.notifications.is_empty());
    heard.notification("notifications/tools/list_changed").await;
}

#[tokio::test]
async fn a_crash_fails_what_is_in_flight_and_the_next_use_starts_it_again() {
    let (session, heard) = open_heard(child(&[])).await;
    let before = text(&run(&session, bare("whoami")).await).to_owned();
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { failure(&session, bare("never")).await }
    });
    tokio::task::yield_now().await;
    let error = failure(&session, named("crash", &json!({"code": 3}))).await;
    assert_eq!((&error.kind, error.executed), (&ErrorKind::Unavailable, Executed::Unknown));
    assert!(error.to_string().contains("exit status: 3"), "{error}");
    assert_eq!(waiting.await.unwrap().kind, ErrorKind::Unavailable);
    heard.lost().await;
    let crashed = Instant::now();
    assert_ne!(text(&run(&session, bare("whoami")).await), before);
    // Not at once: a process that crashes at its start must not be started in a tight loop.
    assert!(crashed.elapsed() >= Duration::from_millis(900), "{:?}", crashed.elapsed());
}

#[tokio::test]
async fn a_process_that_ends_at_once_is_no_backend() {
    let started = Instant::now();
    let error = try_open(child(&["--exit", "7"])).await.unwrap_err();
    let ConnectErrorKind::Unreachable(text) = &error.kind else { panic!("{error}") };
    assert!(text.contains("exit status: 7"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_process_that_never_answers_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let mut target = child(&["--deaf", "--pids", &file.to_string_lossy()]);
    target.timeouts.connect = Duration::from_millis(500);
    let error = try_open(target).await.unwrap_err();
    assert!(matches!(error.kind, ConnectErrorKind::Timeout(_)), "{error}");
    wait_dead(&pids(&file)).await;
}

#[tokio::test]
async fn dropping_the_session_ends_the_whole_tree() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let session = open(child(&["--grandchild", "--pids", &file.to_string_lossy()])).await;
    let tree = pids(&file);
    assert_eq!(tree.len(), 2);
    drop(session);
    wait_dead(&tree).await;
}

#[tokio::test]
async fn closing_ends_even_a_process_that_does_not_want_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let path = file.to_string_lossy().into_owned();
    let options = ["--ignore-eof", "--ignore-sigterm", "--grandchild", "--pids", &path];
    let session = open(child(&options)).await;
    let tree = pids(&file);
    let started = Instant::now();
    session.close().await;
    assert!(started.elapsed() < Duration::from_secs(7));
    wait_dead(&tree).await;
}

#[tokio::test]
async fn closing_a_friendly_process_is_quick() {
    let session = open(child(&[])).await;
    let started = Instant::now();
    session.close().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn grandchildren_that_hold_the_pipes_do_not_hide_a_crash() {
    let session = open(child(&["--grandchild"])).await;
    let started = Instant::now();
    let error = failure(&session, bare("crash")).await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn who_reads_nothing_of_one_reply_does_not_stop_the_others() {
    let mut target: BackendTarget = child(&[]);
    target.limits.stall = Duration::from_millis(300);
    let session = open(target).await;
    let stuck = session.forward(named("huge", &json!({"bytes": 8_000_000}))).await.unwrap();
    // The pipe waits for the reader of the long reply, for a while, and then goes on without it.
    let started = Instant::now();
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
    assert!(started.elapsed() < Duration::from_secs(5));
    let All { error, .. } = read(stuck, &json!({})).await;
    assert_eq!(error.unwrap().kind, ErrorKind::Busy);
}

#[tokio::test]
async fn a_cancelled_call_is_told_to_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal");
    let session = open(child(&["--journal", &file.to_string_lossy()])).await;
    let error = failure(&session, bare("never").with_timeout(Duration::from_millis(100))).await;
    assert!(matches!(error.kind, ErrorKind::Timeout(_)));
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
    let journal = std::fs::read_to_string(&file).unwrap();
    let asked: Value = journal
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
        .find(|m| m["method"] == "tools/call")
        .unwrap();
    let told: Value = journal
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
        .find(|m| m["method"] == "notifications/cancelled")
        .unwrap();
    assert_eq!(told["params"]["requestId"], asked["id"]);
}

#[tokio::test]
async fn a_wrong_id_reaches_nobody() {
    let session = open(child(&[])).await;
    let error = failure(&session, bare("wrong-id").with_timeout(Duration::from_millis(200))).await;
    assert!(matches!(error.kind, ErrorKind::Timeout(_)));
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
}

#[tokio::test]
async fn what_is_no_mcp_server_is_no_backend() {
    let mut target = command("cat", &[]);
    target.timeouts.connect = Duration::from_millis(500);
    assert!(try_open(target).await.is_err());
}
