//! Processes with a guard between them and their owner: the example `guarded` is the owner, or the guard.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use vmcp_auth::Caller;
use vmcp_backend::{BackendTarget, ConnectError, ConnectErrorKind, Connector, ErrorKind, Session};
use vmcp_testkit::stdio_peer;

use super::{bare, is_alive, named, pids, wait_dead};
use crate::rig::{child, command, connector, failure, hello, run, text};

/// The example; cargo builds it with the tests.
fn example() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.ancestors().find(|folder| folder.join("deps").is_dir()).unwrap();
    let path = profile.join("examples/guarded");
    assert!(path.exists(), "build it first: cargo build -p vmcp-backend --examples");
    path
}

fn guarding() -> Connector {
    connector().with_guard(example(), ["--guard"])
}

async fn try_open(target: BackendTarget) -> Result<Session, ConnectError> {
    guarding().open(&Arc::new(target), Default::default(), hello(), None).await
}

async fn open(target: BackendTarget) -> Session {
    try_open(target).await.unwrap()
}

/// A folder with a file for process ids, and options for a child that note them there.
struct Noted {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

impl Noted {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        Self { _folder: folder, file }
    }

    fn options<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [more, &["--pids", self.file.to_str().unwrap()]].concat()
    }

    fn pids(&self) -> Vec<u32> {
        pids(&self.file)
    }
}

/// The parent of a process.
fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn calls_pass_as_if_nobody_was_in_between() {
    let session = open(child(&["--name", "odd one"])).await;
    assert!(String::from_utf8_lossy(&session.hello().server_info).contains("odd one"));
    let all = run(&session, named("huge", &json!({"bytes": 3_000_000}))).await;
    assert_eq!(text(&all).len(), 3_000_000);
    session.close().await;
}

#[tokio::test]
async fn the_streams_are_the_commands_own() {
    // A process that closes its output while it lives on is heard, although the guard had a copy of it.
    let script = "exec 1>&-; sleep 60";
    let started = Instant::now();
    let error = try_open(command("sh", &["-c", script])).await.unwrap_err();
    let ConnectErrorKind::Unreachable(text) = &error.kind else { panic!("{error}") };
    assert!(text.contains("closed its output"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn when_the_owner_is_killed_nothing_is_left() {
    let noted = Noted::new();
    let options = noted.options(&["--ignore-eof", "--ignore-sigterm", "--grandchild", "--escapee"]);
    let mut owner = Command::new(example())
        .arg(stdio_peer().unwrap())
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("tools"), "{line}");
    let mut tree = noted.pids();
    assert_eq!(tree.len(), 3);
    let guard = parent(tree[0]);
    assert_eq!(parent(guard), owner.id());
    tree.push(guard);
    assert!(tree.iter().all(|pid| is_alive(*pid)));
    owner.kill().unwrap();
    owner.wait().unwrap();
    let killed = Instant::now();
    wait_dead(&tree).await;
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
}

#[tokio::test]
async fn dropping_and_closing_end_even_those_who_left_the_group() {
    for closing in [true, false] {
        let noted = Noted::new();
        let session = open(child(&noted.options(&["--grandchild", "--escapee"]))).await;
        let mut tree = noted.pids();
        assert_eq!(tree.len(), 3);
        tree.push(parent(tree[0]));
        if closing {
            session.close().await;
        }
        drop(session);
        wait_dead(&tree).await;
    }
}

#[tokio::test]
async fn closing_ends_a_process_that_does_not_want_to() {
    let noted = Noted::new();
    let options = noted.options(&["--ignore-eof", "--ignore-sigterm", "--escapee"]);
    let session = open(child(&options)).await;
    let tree = noted.pids();
    let started = Instant::now();
    session.close().await;
    assert!(started.elapsed() < Duration::from_secs(7));
    wait_dead(&tree).await;
}

#[tokio::test]
async fn a_polite_request_to_end_is_passed_on() {
    let noted = Noted::new();
    // It ignores the end of its input, so only the signal can end it before the guard insists.
    let session = open(child(&noted.options(&["--ignore-eof"]))).await;
    let started = Instant::now();
    session.close().await;
    let took = started.elapsed();
    assert!(took > Duration::from_secs(1) && took < Duration::from_millis(3500), "{took:?}");
    wait_dead(&noted.pids()).await;
}

#[tokio::test]
async fn a_crash_is_told_with_its_own_exit_code_or_signal() {
    let noted = Noted::new();
    let session = open(child(&noted.options(&["--grandchild", "--escapee"]))).await;
    let tree = noted.pids();
    let started = Instant::now();
    let error = failure(&session, named("crash", &json!({"code": 3}))).await;
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.to_string().contains("exit status: 3"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    wait_dead(&tree).await;
    let error = failure(&session, bare("segv")).await;
    assert!(error.to_string().contains("signal: 11 (SIGSEGV)"), "{error}");
}

#[tokio::test]
async fn a_guard_that_is_killed_takes_its_group_with_it() {
    let noted = Noted::new();
    let session = open(child(&noted.options(&["--ignore-eof", "--grandchild"]))).await;
    let tree = noted.pids();
    let guard = parent(tree[0]).to_string();
    assert!(Command::new("kill").args(["-9", &guard]).status().unwrap().success());
    let error = failure(&session, bare("never")).await;
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    wait_dead(&tree).await;
}

#[tokio::test]
async fn a_guarded_process_that_hangs_is_killed() {
    let noted = Noted::new();
    let mut target = child(&noted.options(&["--grandchild"]));
    target.limits.ping = Duration::from_millis(300);
    let session = open(target).await;
    let tree = noted.pids();
    failure(&session, bare("hang").with_timeout(Duration::from_millis(200))).await;
    wait_dead(&tree).await;
    assert!(!text(&run(&session, bare("echo")).await).is_empty());
}

#[tokio::test]
async fn what_cannot_be_started_is_told_by_the_guard() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    let cases = [
        (command("vmcp-no-such-program", &[]), "No such file"),
        (command(plain.to_str().unwrap(), &[]), "Permission denied"),
    ];
    for (target, wanted) in cases {
        let error = try_open(target).await.unwrap_err();
        let ConnectErrorKind::Unreachable(text) = &error.kind else { panic!("{error}") };
        assert!(text.contains("cannot be started") && text.contains(wanted), "{text}");
    }
}

#[tokio::test]
async fn without_its_guard_a_process_is_started_all_the_same() {
    let noted = Noted::new();
    let connector = connector().with_guard("/nowhere/guard", ["--guard"]);
    let target = Arc::new(child(&noted.options(&["--grandchild"])));
    let session = connector.open(&target, Caller::default(), hello(), None).await.unwrap();
    let tree = noted.pids();
    assert_eq!(parent(tree[0]), std::process::id());
    drop(session);
    wait_dead(&tree).await;
    let target = Arc::new(command("vmcp-no-such-program", &[]));
    let error = connector.open(&target, Caller::default(), hello(), None).await.unwrap_err();
    assert!(error.to_string().contains("\"vmcp-no-such-program\" cannot be started"), "{error}");
}

#[tokio::test]
async fn a_stopped_guard_is_killed_with_its_group() {
    let noted = Noted::new();
    let session = open(child(&noted.options(&["--ignore-eof", "--grandchild"]))).await;
    let mut tree = noted.pids();
    tree.push(parent(tree[0]));
    let guard = parent(tree[0]).to_string();
    assert!(Command::new("kill").args(["-STOP", &guard]).status().unwrap().success());
    session.close().await;
    wait_dead(&tree).await;
}

#[test]
fn a_guard_started_by_hand_ends_like_its_command() {
    let run = |words: &[&str]| {
        let output = Command::new(example()).arg("--guard").args(words).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&["sh", "-c", "echo hi; exit 7"]), (Some(7), "hi\n".to_owned()));
    assert_eq!(run(&["sh", "-c", "kill -TERM $$"]), (Some(143), String::new()));
    assert_eq!(run(&["vmcp-no-such-program"]), (Some(127), String::new()));
    assert_eq!(run(&["/"]), (Some(126), String::new()));
    assert_eq!(run(&[]), (Some(125), String::new()));
}
