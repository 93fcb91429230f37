//! `vmcp validate`.

use crate::Bench;

const GOOD: &str = "\
name: team
backends:
  - name: git
    url: https://u:pw@git.example/mcp?key=${TOKEN}
    headers: {X-Key: \"${TOKEN}\"}
  - name: time
    command: uvx
    args: [mcp-server-time, \"${TOKEN}\"]
    process: session
outgoingAuth:
  backends:
    git: {type: header_injection, headerInjection: {headerName: Authorization, headerValueEnv: TOKEN}}
aggregation:
  tools: [{workload: git, filter: [a, b]}]
";

#[test]
fn says_what_was_understood_and_no_secret() {
    let bench = Bench::new();
    bench.write("c.yaml", GOOD);
    let run = bench.run(&["validate", "--config", "c.yaml"]).exits(0);
    let wanted = "\
team: 2 backends
  listens at http://127.0.0.1:4483/mcp
  names tools by prefix {workload}_
  not given, so: groupRef: default; incomingAuth: anonymous

  git   http   https://git.example/mcp?…  auth header_injection of Authorization; sends X-Key; 2 tools shown
  time  stdio  uvx + 2 arguments          a process per session
";
    assert_eq!(run.out, wanted);
    let run = bench.run(&["validate", "-c", "c.yaml", "--format", "json"]).exits(0);
    assert!(!run.out.contains("s3cret") && !run.out.contains("pw"), "{}", run.out);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["understood"]["backends"][0]["target"], "https://git.example/mcp?…");
}

#[test]
fn shows_every_finding_with_its_line() {
    let bench = Bench::new();
    bench.write("c.yaml", "backends:\n  - name: a\n    url: http://x\n    tmeout: 3s\naggregation:\n  conflict_resolution: prefix\n");
    let run = bench.run(&["validate", "--config", "c.yaml"]).exits(64);
    let wanted = "\
error: unknown key `tmeout` in a backend
 --> c.yaml:4:5
  |
4 |     tmeout: 3s
  |     ^^^^^^
  = hint: did you mean `timeout`?

error: unknown key `conflict_resolution` in `aggregation`
 --> c.yaml:6:3
  |
6 |   conflict_resolution: prefix
  |   ^^^^^^^^^^^^^^^^^^^
  = hint: did you mean `conflictResolution`?

2 errors, 0 warnings
";
    assert_eq!(run.out, wanted);
}

#[test]
fn findings_can_be_read_by_programs() {
    let bench = Bench::new();
    bench.write("c.json", "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"cmd\": 1}}}");
    let run = bench.run(&["validate", "-c", "c.json", "--format", "json"]).exits(64);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["valid"], false);
    assert_eq!(
        json["findings"][0],
        serde_json::json!({
            "file": "c.json", "line": 1, "column": 39, "len": 5, "severity": "error",
            "message": "unknown key `cmd` in server `a`", "hint": "did you mean `cwd`?",
        })
    );
}

#[test]
fn warnings_do_not_fail() {
    let bench = Bench::new();
    bench.write("c.json", "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"timeout\": 1}}}");
    let run = bench.run(&["validate", "-c", "c.json"]).exits(0);
    assert!(run.out.starts_with("warning: `timeout` matters to the editor only\n"), "{}", run.out);
    assert!(run.out.contains("names tools by their own names"), "{}", run.out);
}
