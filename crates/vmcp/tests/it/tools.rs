//! `vmcp tools`.

use serde_json::json;
use vmcp_testkit::{Answer, Backend, BearerGuard, IdentityProvider};

use crate::{Bench, Run, Serving};

#[test]
fn lists_the_tools_of_the_demo() {
    let bench = Bench::new();
    let run = bench.run(&["tools"]).exits(0);
    assert!(
        run.out.starts_with("clock_now        offset?       Tells the current date"),
        "{}",
        run.out
    );
    assert_eq!(run.err, "no --config: these are the tools of the demo\n7 tools\n");
    let run = bench.run(&["tools", "ls", "--json"]).exits(0);
    let tools: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(tools[0]["name"], "clock_now");
}

#[test]
fn calls_a_tool() {
    let bench = Bench::new();
    let run = bench.run(&["tools", "call", "clock_countdown", "seconds=1"]).exits(0);
    assert_eq!(run.out, "lift-off\n");
    assert!(run.err.contains("progress 1/1 0 to go\n"), "{}", run.err);
    let run = bench.run(&["tools", "call", "notes_add", "--args", r#"{"text": "7"}"#]).exits(0);
    assert_eq!(run.out, "kept as note://2\n");
    // A string where a string is wanted, though it could be a number.
    bench.run(&["tools", "call", "notes_add", "text=7"]).exits(0);
}

#[test]
fn a_tool_that_could_not_is_1() {
    let run = Bench::new().run(&["tools", "call", "clock_convert", "time=soon"]).exits(1);
    assert!(run.out.starts_with("`soon` is not a time"), "{}", run.out);
}

#[test]
fn a_tool_that_is_not_there_is_told_with_what_was_meant() {
    let run = Bench::new().run(&["tools", "call", "now"]).exits(1);
    assert!(run.err.contains("there is no tool `now`; did you mean `clock_now`?"), "{}", run.err);
}

#[test]
fn wrong_arguments_are_2() {
    let bench = Bench::new();
    bench.run(&["tools", "call", "clock_now", "offset"]).exits(2);
    bench.run(&["tools", "call", "clock_now", "--args", "[]"]).exits(2);
    bench.run(&["tools", "call", "clock_now", "--args", "{"]).exits(2);
}

/// The command, while this test's runtime serves its backends.
async fn run(bench: Bench, args: &'static [&'static str]) -> Run {
    tokio::task::spawn_blocking(move || bench.run(args)).await.unwrap()
}

#[tokio::test]
async fn a_backend_that_is_down_is_named_and_costs_only_its_own_tools() {
    let tool =
        json!({ "name": "big", "description": "One\ntwo", "inputSchema": { "type": "object" } });
    let text = "x".repeat(300_000);
    let backend = Backend::builder().tool(tool, Answer::text(text)).start().await.unwrap();
    let bench = Bench::new();
    bench.write(
        "c.yaml",
        &format!(
            "backends:\n  - {{name: up, url: '{}'}}\n  - {{name: down, url: 'http://127.0.0.1:1/mcp'}}\n",
            backend.url()
        ),
    );
    let listed = run(bench, &["tools", "-c", "c.yaml"]).await.exits(0);
    assert_eq!(listed.out, "up_big    One\n");
    assert_eq!(listed.err, "warning: backend down: unreachable\n1 tool\n");

    let bench = Bench::new();
    bench.write("c.yaml", &format!("backends: [{{name: up, url: '{}'}}]\n", backend.url()));
    let called = run(bench, &["tools", "-c", "c.yaml", "call", "up_big"]).await.exits(0);
    assert_eq!(called.out.len(), 300_001, "a long result is streamed and shown whole");
}

#[tokio::test]
async fn validate_live_tells_who_answers_and_what_collides() {
    let tool = json!({ "name": "same", "inputSchema": { "type": "object" } });
    let start = || Backend::builder().tool(tool.clone(), Answer::text("")).start();
    let (one, two) = (start().await.unwrap(), start().await.unwrap());
    let backends = format!(
        "backends:\n  - {{name: one, url: '{}'}}\n  - {{name: two, url: '{}'}}\n",
        one.url(),
        two.url()
    );
    let ranked = "aggregation:\n  conflictResolution: priority\n  conflictResolutionConfig: {priorityOrder: [two]}\n";
    let bench = Bench::new();
    bench.write("c.yaml", &format!("{backends}{ranked}"));
    let found = run(bench, &["validate", "-c", "c.yaml", "--live"]).await.exits(0);
    assert!(found.out.contains("  one  ready  1 tool, 0 resources, 0 prompts\n"), "{}", found.out);
    assert!(
        found.out.contains("warning: tool `same`: advertised for two; not for one\n"),
        "{}",
        found.out
    );

    two.down().await;
    let bench = Bench::new();
    bench.write("c.yaml", &format!("{backends}{ranked}"));
    let found =
        run(bench, &["validate", "-c", "c.yaml", "--live", "--format", "json"]).await.exits(1);
    assert!(found.err.contains("backend two: cannot be reached: "), "{}", found.err);
    let found: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!(found["live"]["backends"][1]["reason"], "unreachable");
}

#[tokio::test]
async fn a_login_that_is_missing_is_named_with_the_command_that_helps() {
    let idp = IdentityProvider::start().await.unwrap();
    let guard = BearerGuard::new(&idp);
    let tool = json!({ "name": "t", "inputSchema": { "type": "object" } });
    let backend =
        Backend::builder().tool(tool, Answer::text("")).bearer(&guard).start().await.unwrap();
    let servers = json!({ "mcpServers": { "mine": { "type": "http", "url": backend.url() } } });
    let bench = || {
        let bench = Bench::new();
        bench.write("mcp.json", &servers.to_string());
        bench
    };
    let listed = run(bench(), &["tools", "ls", "-c", "mcp.json"]).await.exits(0);
    let told = "warning: backend mine: login_required: run `vmcp auth login mine`\n";
    assert!(listed.err.contains(told), "{}", listed.err);
    let found = run(bench(), &["validate", "-c", "mcp.json", "--live"]).await.exits(1);
    let told = "login_required: run `vmcp auth login mine`\n";
    assert!(found.out.contains(told), "{}", found.out);

    let serving = Serving::start(&bench(), &["-c", "mcp.json"]);
    let status = vmcp_testkit::RawClient::new(&serving.url.replace("/mcp", "/status")).unwrap();
    let deadline = std::time::Instant::now() + vmcp_testkit::PATIENCE;
    let told = r#""reason":"login_required","advice":"run `vmcp auth login mine`""#;
    loop {
        let page = status.get().await.unwrap().bytes().await.unwrap();
        if String::from_utf8_lossy(&page).contains(told) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{}", String::from_utf8_lossy(&page));
    }
}
