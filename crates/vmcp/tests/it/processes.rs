//! The processes that vmcp starts: only those that the configuration names, and none outlives it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vmcp_testkit::{RawClient, stdio_peer};

use crate::{Bench, Serving};

const REVISION: &str = "2025-11-25";

/// A configuration with one process that does not want to end, and the file where it notes who it and its children
/// are.
fn stubborn(bench: &Bench) -> PathBuf {
    let pids = bench.path("pids");
    let options =
        ["--ignore-eof", "--ignore-sigterm", "--grandchild", "--escapee", "--pids"].map(json_str);
    let args = options.into_iter().chain([json_str(pids.to_str().unwrap())]);
    let server = json!({ "command": stdio_peer().unwrap(), "args": args.collect::<Vec<_>>() });
    bench.write("mcp.json", &json!({ "mcpServers": { "p": server } }).to_string());
    pids
}

fn json_str(text: &str) -> Value {
    Value::from(text)
}

fn is_alive(pid: u32) -> bool {
    // A zombie is dead: nobody but its parent can tell.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim().starts_with('Z'))
}

/// All living descendants of a process.
fn descendants(of: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        if let Some(parent) = fields.nth(1).and_then(|parent| parent.parse::<u32>().ok()) {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![of];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

async fn wait_dead(tree: &[u32], within: Duration) {
    let deadline = Instant::now() + within;
    while tree.iter().any(|pid| is_alive(*pid)) {
        assert!(Instant::now() < deadline, "{tree:?} live on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_killed_vmcp_leaves_no_process_behind() {
    for signal in ["KILL", "ABRT"] {
        let bench = Bench::new();
        let pids = stubborn(&bench);
        let serving = Serving::start(&bench, &["--config", "mcp.json"]);
        let client = RawClient::new(&serving.url).unwrap();
        client.handshake(REVISION, json!({})).await.unwrap();
        client.tool("p_echo", json!({})).await.unwrap();
        let noted = std::fs::read_to_string(&pids).unwrap();
        let noted: Vec<u32> = noted.lines().map(|line| line.parse().unwrap()).collect();
        let tree = descendants(serving.child.id());
        assert_eq!(noted.len(), 3);
        assert!(noted.iter().all(|pid| tree.contains(pid)), "{noted:?} of {tree:?}");
        assert!(tree.len() > noted.len(), "there is a guard");
        serving.signal(signal);
        serving.ended().await;
        wait_dead(&tree, Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn a_vmcp_that_is_told_to_end_leaves_no_process_behind() {
    let bench = Bench::new();
    stubborn(&bench);
    let serving = Serving::start(&bench, &["--config", "mcp.json"]);
    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    client.tool("p_echo", json!({})).await.unwrap();
    let tree = descendants(serving.child.id());
    serving.signal("TERM");
    assert_eq!(serving.ended().await, Some(0));
    wait_dead(&tree, Duration::from_secs(5)).await;
}

#[tokio::test]
async fn no_request_of_a_client_starts_a_process() {
    let bench = Bench::new();
    stubborn(&bench);
    let serving = Serving::start(&bench, &["--config", "mcp.json"]);
    let client = RawClient::new(&serving.url).unwrap();
    client.handshake(REVISION, json!({})).await.unwrap();
    client.tool("p_echo", json!({})).await.unwrap();
    let before = descendants(serving.child.id());
    let canary = bench.path("canary");
    let command = json!({
        "command": "touch", "args": [canary], "env": { "A": "b" }, "cwd": "/",
        "type": "stdio", "transport": "stdio",
    });
    let servers = json!({ "mcpServers": { "evil": command }, "backends": [command] });
    let bodies = [
        command.clone(),
        servers.clone(),
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": command }),
        json!({ "jsonrpc": "2.0", "id": 8, "method": "tools/call",
            "params": { "name": "p_echo", "arguments": command, "_meta": servers } }),
        json!({ "jsonrpc": "2.0", "id": 9, "method": "initialize",
            "params": { "protocolVersion": REVISION, "capabilities": servers, "clientInfo": command } }),
        json!({ "jsonrpc": "2.0", "id": 10, "method": "servers/add", "params": command }),
    ];
    let origin = serving.url.trim_end_matches("/mcp").to_owned();
    let paths = [
        "/mcp",
        "/",
        "/health",
        "/readyz",
        "/status",
        "/metrics",
        "/servers",
        "/config",
        "/api",
        "/mcp/connect",
        "/sse",
        "/message",
        "/stdio",
        "/admin",
        "/reload",
    ];
    for path in paths {
        let raw = RawClient::new(&format!("{origin}{path}")).unwrap();
        for body in &bodies {
            // Refused or answered, as it may be.
            let _ = raw.post(body.to_string()).await;
        }
    }
    for body in &bodies[2..] {
        let params = body["params"].clone();
        let _ = client.call(body["method"].as_str().unwrap(), params).await;
    }
    assert!(!canary.exists());
    assert_eq!(descendants(serving.child.id()), before);
}
