//! The files of editors, in the shapes that their documentation shows.

use secrecy::ExposeSecret;
use vmcp_config::{Config, Transport, init_yaml};

use crate::{AROUND, load, loads, source};

fn transports(config: &Config) -> Vec<(&str, &str)> {
    config.backends.iter().map(|one| (one.id.as_str(), one.transport.as_str())).collect()
}

const CLAUDE_DESKTOP: &str = r#"{
  "globalShortcut": "",
  "mcpServers": {
    "filesystem": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "/home/me/Desktop"]
    }
  }
}"#;

const CLAUDE_CODE: &str = r#"{
  "mcpServers": {
    "api": {
      "type": "http",
      "url": "${API_BASE:-https://api.example.com}/mcp",
      "headers": { "Authorization": "Bearer ${TOKEN}" }
    },
    "legacy": { "type": "sse", "url": "https://sse.example.com/sse" },
    "db": { "type": "stdio", "command": "/usr/bin/db", "args": [], "env": { "CACHE": "${HOME}/c" } }
  }
}"#;

const CURSOR: &str = r#"{
  "mcpServers": {
    "Remote Server": { "url": "http://localhost:3000/mcp", "headers": { "API_KEY": "${env:TOKEN}" } },
    "local": { "command": "${userHome}/bin/srv", "args": ["--a=${pathSeparator}"], "env": {} },
  },
}"#;

const VS_CODE: &str = r#"{
  // asked for once, then kept
  "inputs": [{ "type": "promptString", "id": "perplexity-key", "password": true }],
  "servers": {
    "Perplexity": {
      "type": "stdio", "command": "npx", "args": ["-y", "server-perplexity-ask"],
      "env": { "PERPLEXITY_API_KEY": "${input:perplexity-key}" },
      "dev": { "watch": "src/**" }
    },
    "github": { "type": "http", "url": "https://api.githubcopilot.com/mcp/", "gallery": true, "version": "1.0" }
  }
}"#;

const WINDSURF_AND_OTHERS: &str = r#"{
  "mcpServers": {
    "figma": { "serverUrl": "https://figma.example/mcp", "disabled": false },
    "gemini": { "httpUrl": "https://g.example/mcp", "trust": true, "includeTools": ["a", "b"] },
    "cline": { "command": "x", "autoApprove": ["t"], "alwaysAllow": [], "timeout": 60, "disabled": true }
  }
}"#;

#[test]
fn claude_desktop() {
    let (config, warnings) = loads(CLAUDE_DESKTOP);
    assert_eq!(transports(&config), [("filesystem", "stdio")]);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.aggregation.naming.format().as_str(), "", "one server keeps its names");
}

#[test]
fn claude_code() {
    let (config, _) = loads(CLAUDE_CODE);
    assert_eq!(transports(&config), [("api", "http"), ("legacy", "sse"), ("db", "stdio")]);
    assert_eq!(config.aggregation.naming.format().as_str(), "{workload}_");
    let api = &config.backends[0];
    assert_eq!(api.transport.url().unwrap().as_url().as_str(), "https://api.example.com/mcp");
    assert_eq!(api.headers[0].1.expose_secret(), "Bearer s3cret");
}

#[test]
fn cursor() {
    let (config, _) = loads(CURSOR);
    assert_eq!(transports(&config), [("Remote-Server", "http"), ("local", "stdio")]);
    let Transport::Stdio(local) = &config.backends[1].transport else { panic!() };
    assert_eq!(local.command, "/home/me/bin/srv");
}

#[test]
fn vs_code_inputs_are_refused_with_a_way_out() {
    let found = load(VS_CODE).unwrap_err().to_string();
    assert_eq!(
        found,
        "f:7:39: error: `${input:perplexity-key}` in `PERPLEXITY_API_KEY` is not a variable \
         (vmcp cannot ask for inputs: use an environment variable, `${PERPLEXITY_KEY}`)"
    );
    let (config, _) = loads(&VS_CODE.replace("${input:perplexity-key}", "${TOKEN}"));
    assert_eq!(transports(&config), [("Perplexity", "stdio"), ("github", "http")]);
    let settings = format!(
        "{{\"editor.fontSize\": 12, \"mcp\": {}}}",
        VS_CODE.replace("${input:", "${TOKEN:-")
    );
    assert_eq!(loads(&settings).0.backends.len(), 2, "the same inside of settings.json");
}

#[test]
fn other_editors() {
    let (config, warnings) = loads(WINDSURF_AND_OTHERS);
    assert_eq!(transports(&config), [("figma", "http"), ("gemini", "streamable-http")]);
    let rules = &config.aggregation.tools[&config.backends[1].id];
    assert_eq!(rules.filter.as_ref().map(|names| names.len()), Some(2));
    assert_eq!(
        warnings,
        [
            "f:4:53: warning: `trust` matters to the editor only",
            "f:5:32: warning: `autoApprove` matters to the editor only",
            "f:5:54: warning: `alwaysAllow` matters to the editor only",
            "f:5:73: warning: `timeout` matters to the editor only \
             (editors disagree on its unit; vmcp's own is `timeout` in the YAML)",
        ]
    );
}

#[test]
fn keys_that_would_matter_are_not_ignored() {
    let found = load(
        r#"{"mcpServers": {
            "a": {"command": "x", "cmd": "y", "envFile": ".env"},
            "b": {"url": "http://x", "excludeTools": ["rm"]},
            "!!": {"command": "x"},
            "a b": {"command": "x"}, "a-b": {"command": "x"}}}"#,
    )
    .unwrap_err()
    .to_string();
    let wanted = [
        "f:2:35: error: unknown key `cmd` in server `a` (did you mean `cwd`?)",
        "f:2:47: error: `envFile` is not supported yet (set the variables before vmcp starts and use `${NAME}` in `env`)",
        "f:3:38: error: `excludeTools` is not supported yet (use `aggregation.tools` of the YAML)",
        "f:4:13: error: no name can be made of `!!` (give the server a name with letters or digits)",
        "f:5:38: error: a second backend is called `a-b` (the first one is at f:5:13; rename one of them)",
    ];
    assert_eq!(found.lines().collect::<Vec<_>>(), wanted);
}

#[test]
fn vmcp_is_not_put_behind_itself() {
    let (config, warnings) = loads(
        r#"{"mcpServers": {"a": {"command": "x"}, "me": {"command": "/opt/vmcp", "args": ["stdio"]},
            "too": {"url": "http://127.0.0.1:4483/mcp"}}}"#,
    );
    assert_eq!(transports(&config), [("a", "stdio")]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn files_of_both_kinds_are_joined() {
    let yaml = source(
        "a.yaml",
        "backends: [{name: x, command: y}]\naggregation: {tools: [{workload: fs, filter: [a]}]}\n",
    );
    let json = source("b.json", r#"{"mcpServers": {"fs": {"command": "z"}}}"#);
    let config = vmcp_config::load(&[yaml.clone(), json], AROUND).unwrap();
    assert_eq!(transports(&config), [("x", "stdio"), ("fs", "stdio")]);
    let json =
        source("b.json", r#"{"mcpServers": {"fs": {"command": "z"}, "x": {"command": "z"}}}"#);
    let found = vmcp_config::load(&[yaml, json], AROUND).unwrap_err().to_string();
    assert_eq!(
        found,
        "b.json:1:41: error: a second backend is called `x` (the first one is at a.yaml:1:19; rename one of them)"
    );
}

#[test]
fn a_misspelt_root_is_told() {
    let found = load(r#"{"mcpServer": {"a": {"command": "x"}}}"#).unwrap_err().to_string();
    assert!(found.contains("did you mean `mcpServers`?"), "{found}");
}

/// What `init` writes is what the editor's file says.
#[track_caller]
fn round_trips(text: &str) {
    let yaml = init_yaml(&[source("mcp.json", text)]).unwrap();
    let (from_yaml, _) = loads(&yaml);
    let (from_json, _) = loads(text);
    assert_eq!(format!("{:?}", from_yaml.backends), format!("{:?}", from_json.backends), "{yaml}");
    for (a, b) in from_yaml.backends.iter().zip(&from_json.backends) {
        let secrets = |one: &vmcp_config::Backend| -> Vec<String> {
            let env = match &one.transport {
                Transport::Stdio(stdio) => stdio.env.clone(),
                _ => Vec::new(),
            };
            let all = one.headers.iter().chain(&env);
            all.map(|(_, value)| value.expose_secret().to_owned()).collect()
        };
        assert_eq!(secrets(a), secrets(b), "{yaml}");
    }
    assert!(!yaml.contains("s3cret"), "variables stay variables\n{yaml}");
}

#[test]
fn init_writes_what_load_reads() {
    for text in [CLAUDE_DESKTOP, CLAUDE_CODE, CURSOR] {
        round_trips(text);
    }
    round_trips(
        r#"{"mcpServers": {"true": {"command": "a\"b\\c: #d", "args": ["", "yes", "- x", "1.5", "null", "$${A}", "é\n\u0001"],
            "env": {"A: B": "{x}", "null": "", "N": 7}}}}"#,
    );
}

#[test]
fn init_turns_inputs_into_variables() {
    let yaml = init_yaml(&[source("mcp.json", VS_CODE)]).unwrap();
    assert!(yaml.contains("PERPLEXITY_API_KEY: \"${PERPLEXITY_KEY}\""), "{yaml}");
    assert!(yaml.contains("#   PERPLEXITY_KEY\n"), "{yaml}");
}

#[test]
fn init_says_what_it_leaves_out() {
    let b = r#"{"mcpServers": {"figma": {"command": "x"}, "vmcp": {"command": "vmcp"}}}"#;
    let yaml = init_yaml(&[source("a.json", WINDSURF_AND_OTHERS), source("b.json", b)]).unwrap();
    assert!(yaml.contains("# `cline` is disabled in a.json"), "{yaml}");
    assert!(yaml.contains("# another `figma` is in b.json: left out"), "{yaml}");
    assert!(yaml.contains("# `vmcp` is vmcp itself: left out"), "{yaml}");
    assert_eq!(loads(&yaml).0.backends.len(), 2);
}

#[test]
fn init_needs_an_editors_file() {
    let found = init_yaml(&[source("a.yaml", "name: x\n")]).unwrap_err().to_string();
    assert_eq!(
        found,
        "a.yaml:1:1: error: this is not an editor's MCP file (it has neither `mcpServers` nor `servers`)"
    );
    let found = init_yaml(&[source("a.json", "{\"mcpServers\": {}}")]).unwrap_err().to_string();
    assert_eq!(found, "a.json:1:1: error: there is no server to write down");
}
