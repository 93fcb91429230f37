//! The YAML of ToolHive, read as it is.

use std::time::Duration;

use secrecy::ExposeSecret;
use vmcp_config::{
    BackendId, Naming, OutgoingAuth, PrefixFormat, ProcessScope, Transport, Visibility,
};

use crate::loads;

const WHOLE: &str = r#"
name: engineering
groupRef: eng-team
metadata: {owner: platform}
backends:
  - name: github
    url: http://127.0.0.1:9001/mcp
    transport: streamable-http
    type: ""
    metadata: {tier: gold}
  - {name: old, url: "https://old.example/sse", transport: sse, type: entry, caBundlePath: /etc/ca.pem}
  - name: time
    transport: stdio
    command: uvx
    args: [mcp-server-time, --port, 8080]
    env: {PORT: 8080, KEY: "${TOKEN}", OTHER: "${NOPE:-x}"}
    cwd: ${HOME}
    process: session
    timeout: {connect: 3s, call: 5m}
  - {name: any, url: http://any/mcp, headers: {X-Key: "k-${TOKEN}"}, timeout: 7s}
incomingAuth: {type: anonymous}
outgoingAuth:
  source: inline
  default: {type: unauthenticated}
  backends:
    github:
      type: header_injection
      headerInjection: {headerName: Authorization, headerValueEnv: TOKEN}
aggregation:
  conflictResolution: priority
  conflictResolutionConfig:
    prefixFormat: "{workload}-"
    priorityOrder: [github, time]
  excludeAllTools: false
  defaultToolVisibility: deny
  tools:
    - workload: github
      filter: [new_name, other]
      overrides:
        zz: {name: new_name, description: d, annotations: {title: T, readOnlyHint: true}}
        aa: {description: only words}
    - {workload: time, excludeAll: true}
operational:
  logLevel: debug
  timeouts: {default: 45s, perWorkload: {old: 1m30s}}
  failureHandling: {partialFailureMode: best_effort}
"#;

#[test]
fn the_whole_format_is_understood() {
    let (config, warnings) = loads(WHOLE);
    assert_eq!(warnings, [""; 0]);
    assert_eq!((config.name.as_str(), config.group.as_str()), ("engineering", "eng-team"));
    assert_eq!(config.log_level, Some("debug"));
    assert_eq!(config.assumed, [""; 0]);

    let [github, old, time, any] = &config.backends[..] else { panic!("{:?}", config.backends) };
    assert!(matches!(github.transport, Transport::StreamableHttp { .. }));
    assert!(matches!(old.transport, Transport::Sse { .. }));
    assert!(matches!(any.transport, Transport::Http { .. }));
    assert_eq!(old.ca_bundle.as_deref(), Some("/etc/ca.pem".as_ref()));
    let OutgoingAuth::HeaderInjection(header) = &github.auth else { panic!() };
    assert_eq!((header.name.as_str(), header.value.expose_secret()), ("Authorization", "s3cret"));
    assert!(matches!(old.auth, OutgoingAuth::Unauthenticated));
    assert_eq!(any.headers[0].1.expose_secret(), "k-s3cret");

    let Transport::Stdio(stdio) = &time.transport else { panic!() };
    assert_eq!(stdio.args, ["mcp-server-time", "--port", "8080"]);
    let env: Vec<(&str, &str)> =
        stdio.env.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(env, [("PORT", "8080"), ("KEY", "s3cret"), ("OTHER", "x")]);
    assert_eq!(stdio.cwd.as_deref(), Some("/home/me".as_ref()));
    assert_eq!(stdio.process, ProcessScope::PerSession);
}

#[test]
fn the_nearest_timeout_counts() {
    let (config, _) = loads(WHOLE);
    let call: Vec<u64> = config.backends.iter().map(|one| one.timeouts.call.as_secs()).collect();
    assert_eq!(call, [45, 90, 300, 7]);
    assert_eq!(config.backends[2].timeouts.connect, Duration::from_secs(3));
}

#[test]
fn aggregation_is_understood() {
    let (config, _) = loads(WHOLE);
    let aggregation = &config.aggregation;
    let (github, time) = (BackendId::from("github"), BackendId::from("time"));
    assert_eq!(
        aggregation.naming,
        Naming::Priority {
            order: vec![github.clone(), time.clone()],
            format: PrefixFormat::new("{workload}-")
        }
    );
    assert_eq!(aggregation.default_visibility, Visibility::Deny);
    let rules = &aggregation.tools[&github];
    let names: Vec<&str> = rules.overrides.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["zz", "aa"], "as written");
    let with = rules.override_of("zz").unwrap();
    assert_eq!(with.annotations.as_deref(), Some(r#"{"title":"T","readOnlyHint":true}"#));
    assert_eq!(rules.filter.as_ref().map(|filter| filter.len()), Some(2));
    assert!(aggregation.tools[&time].exclude_all);
}

#[test]
fn sections_may_be_left_out_and_it_is_said_what_holds() {
    let (config, warnings) = loads("backends: [{name: a, command: x}, {name: b, command: y}]\n");
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.aggregation.naming.format().as_str(), "{workload}_");
    assert_eq!(
        config.assumed,
        [
            "groupRef: default",
            "incomingAuth: anonymous",
            "outgoingAuth: unauthenticated",
            "aggregation: conflictResolution prefix"
        ]
    );
}

#[test]
fn our_own_sections_set_every_bound() {
    let (config, _) = loads(
        "backends: [{name: a, command: x}]\naggregation: {pageSize: 50, maxInstructionBytes: 4KiB}\n\
         listen: {addresses: ['127.0.0.1:1', '[::1]:2', 'localhost:3'], path: /v, sse: /old/sse, hosts: [vmcp.example], origins: ['https://app.example']}\n\
         session: {idle: 5m, maxSessions: 1, maxStreams: 2, maxCalls: 3, maxQueue: 4, maxRemembered: 5, maxUriBytes: 6}\n\
         limits: {maxRequestBytes: 1MiB, maxMessageBytes: 2MiB, holdBytes: 3KiB, maxHeaderBytes: 4096,\n  \
           maxDepth: 5, maxBatch: 6, maxConnections: 7, maxListPages: 8, maxListItems: 9,\n  \
           maxListBytes: 10, maxReplyBytes: 11, maxHeaders: 12, maxRequests: 13, maxMultiplexed: 14,\n  \
           maxBodyMemory: 15, maxQuestions: 16, replayBytes: 17, maxTokens: 18, maxListings: 19}\n\
         timeouts: {readHeaders: 1s, idleConnection: 2s, keepAlive: 3s, firstCatalogue: 4ms, refresh: 5h, drain: 6s,\n  \
           readBody: 1s, write: 2s, answer: 3s, abandoned: 4s, replay: 5s, retry: 6s, retryAfter: 7s,\n  \
           maxCall: 8s, stall: 9s, close: 10s, stale: 11m, reconnect: 12ms, maxReconnect: 13s, pipe: 15s, ping: 16s, announce: 14ms, settle: 17ms,\n  \
           minRefresh: 18s}\n",
    );
    let addrs: Vec<String> = config.listen.addrs.iter().map(ToString::to_string).collect();
    assert_eq!(addrs, ["127.0.0.1:1", "[::1]:2", "127.0.0.1:3"]);
    assert_eq!(config.listen.path, "/v");
    assert_eq!(config.listen.sse.as_deref(), Some("/old/sse"));
    assert_eq!(config.listen.sse_messages().as_deref(), Some("/old/message"));
    assert_eq!(config.listen.hosts, ["vmcp.example"]);
    assert_eq!(config.listen.origins, ["https://app.example"]);
    assert_eq!(config.aggregation.page_size, 50);
    assert_eq!(config.aggregation.max_instructions, 4096);
    assert_eq!((config.session.max_queue, config.session.max_remembered), (4, 5));
    assert_eq!((config.session.max_uri_bytes, config.limits.max_listings), (6, 19));
    assert_eq!(config.timeouts.settle, Duration::from_millis(17));
    assert_eq!(config.timeouts.min_refresh, Duration::from_secs(18));
    assert_eq!(config.limits.hold_bytes, 3072);
    assert_eq!(config.limits.max_list_items, 9);
    assert_eq!((config.limits.replay_bytes, config.limits.max_tokens), (17, 18));
    assert_eq!(config.timeouts.close, Duration::from_secs(10));
    assert_eq!(config.timeouts.first_catalogue, Duration::from_millis(4));
    assert_eq!(config.timeouts.stale, Duration::from_secs(660));
    assert_eq!(config.timeouts.reconnect, Duration::from_millis(12));
    assert_eq!(config.timeouts.max_reconnect, Duration::from_secs(13));
    assert_eq!(config.timeouts.announce, Duration::from_millis(14));
    assert_eq!(config.timeouts.pipe, Duration::from_secs(15));
    assert_eq!(config.timeouts.ping, Duration::from_secs(16));
}

#[test]
fn anchors_and_json_spelling_are_yaml_too() {
    let (config, _) = loads(
        "backends:\n  - &a {name: a, command: x, env: &env {K: v}}\n  - {name: b, command: y, env: *env}\n",
    );
    assert_eq!(config.backends.len(), 2);
    let (config, _) = loads("{\"backends\": [{\"name\": \"a\", \"command\": \"x\"}]}");
    assert_eq!(config.backends.len(), 1);
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let (config, _) = loads(
        "backends:\n  - {name: a, command: x, args: ['--key', '${TOKEN}'], env: {K: '${TOKEN}'}}\n  \
         - {name: b, url: 'http://u:${TOKEN}@h/p?k=${TOKEN}', headers: {X: '${TOKEN}'}}\n",
    );
    let shown = format!("{config:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("http://h/p?…"), "{shown}");
}

#[test]
fn the_older_transport_is_on_unless_it_is_turned_off_or_its_paths_are_taken() {
    let sse = |listen: &str| {
        let text = format!("backends: [{{name: a, command: x}}]\nlisten: {listen}\n");
        loads(&text).0.listen.sse
    };
    assert_eq!(sse("{}").as_deref(), Some("/sse"));
    assert_eq!(sse("127.0.0.1:1").as_deref(), Some("/sse"));
    assert_eq!(sse("{sse: /events}").as_deref(), Some("/events"));
    for off in ["{sse: false}", "{path: /sse}", "{path: /message}"] {
        assert_eq!(sse(off), None, "{off}");
    }
    assert_eq!(sse("{path: /sse, sse: /old}").as_deref(), Some("/old"));
}
