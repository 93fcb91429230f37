//! `vmcp init`.

use crate::Bench;

const MCP: &str =
    r#"{"mcpServers": {"git": {"url": "https://x/mcp", "headers": {"A": "${TOKEN}"}}}}"#;

#[test]
fn writes_a_file_that_validates() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Bench::new();
    bench.write("mcp.json", MCP);
    let run = bench.run(&["init", "--from", "mcp.json"]).exits(0);
    assert!(run.out.starts_with("wrote vmcp.yaml\n"), "{}", run.out);
    assert!(bench.read("vmcp.yaml").contains("A: \"${TOKEN}\""));
    let mode = std::fs::metadata(bench.path("vmcp.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    bench.run(&["validate", "-c", "vmcp.yaml"]).exits(0);
}

#[test]
fn overwrites_only_when_told_to() {
    let bench = Bench::new();
    bench.write("mcp.json", MCP);
    bench.write("o.yaml", "mine");
    let run = bench.run(&["init", "--from", "mcp.json", "-o", "o.yaml"]).exits(1);
    assert!(run.err.contains("o.yaml is there already"), "{}", run.err);
    assert_eq!(bench.read("o.yaml"), "mine");
    bench.run(&["init", "--from", "mcp.json", "-o", "o.yaml", "--force"]).exits(0);
    assert!(bench.read("o.yaml").contains("name: git"));
}

#[test]
fn writes_to_stdout() {
    let bench = Bench::new();
    bench.write("mcp.json", MCP);
    let run = bench.run(&["init", "--from", "mcp.json", "-o", "-"]).exits(0);
    assert!(run.out.contains("  - name: git\n"), "{}", run.out);
}

#[test]
fn looks_at_the_well_known_places() {
    let bench = Bench::new();
    let run = bench.run(&["init"]).exits(1);
    assert!(run.err.contains("  .mcp.json\n"), "{}", run.err);

    bench.write(".mcp.json", MCP);
    bench.write(".vscode/mcp.json", r#"{"servers": {"fs": {"command": "npx"}}}"#);
    bench.write(".codeium/windsurf/mcp_config.json", "{}");
    let run = bench.run(&["init"]).exits(0);
    let yaml = bench.read("vmcp.yaml");
    assert!(yaml.contains("name: git") && yaml.contains("name: fs"), "{yaml}");
    assert!(run.err.contains("found VS Code, this folder: .vscode/mcp.json"), "{}", run.err);
    assert!(run.err.contains("left out Windsurf"), "{}", run.err);
}

#[test]
fn a_source_that_is_none_is_told() {
    let bench = Bench::new();
    bench.write("x.yaml", "name: x\n");
    let run = bench.run(&["init", "--from", "x.yaml"]).exits(64);
    assert!(run.err.contains("this is not an editor's MCP file"), "{}", run.err);
}
