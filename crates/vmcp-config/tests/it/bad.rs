//! What is wrong with a configuration, and what is said about it: place, words, hint.

use crate::{AROUND, load, source};

/// All findings of a text, one a line, as `line:column: severity: message (hint)`.
#[track_caller]
pub(crate) fn check(text: &str, wanted: &[&str]) {
    let found = match load(text) {
        Ok(config) => config.warnings,
        Err(found) => found.0,
    };
    let found: Vec<String> =
        found.iter().map(|one| one.to_string().trim_start_matches("f:").to_owned()).collect();
    assert_eq!(found, wanted, "\n{text}");
}

/// A configuration in which only `rest` can be wrong. It starts at line 5.
#[track_caller]
fn with(rest: &str, wanted: &[&str]) {
    check(
        &format!(
            "backends:\n  - {{name: git, url: 'http://git/mcp'}}\n  - name: time\n    command: uvx\n{rest}"
        ),
        wanted,
    );
}

#[test]
fn unknown_keys_get_the_nearest_known_one() {
    with(
        "aggregation:\n  conflict_resolution: prefix\n",
        &["6:3: error: unknown key `conflict_resolution` in `aggregation` \
           (did you mean `conflictResolution`?)"],
    );
    check(
        "backends:\n  - name: a\n    url: http://x/\n    transprt: sse\n",
        &["4:5: error: unknown key `transprt` in a backend (did you mean `transport`?)"],
    );
    with(
        "tols: 1\n",
        &["5:1: error: unknown key `tols` in the configuration (known here: `backends`, \
        `name`, `groupRef`, `metadata`, `incomingAuth`, `outgoingAuth`, `aggregation`, `operational`, \
        `passthroughHeaders`, `listen`, `catalogue`, `session`, `seal`, `tasks`, `limits`, `timeouts`, `compositeTools`, `compositeToolRefs`, `audit`, \
        `codeMode`, `rateLimiting`, `optimizer`, `sessionStorage` or `telemetry`)"],
    );
}

#[test]
fn all_findings_come_in_one_run() {
    check(
        "nam: x\nbackends:\n  - name: a\n    url: ftp://x\n    timeout: 30\n  - name: a\n    command: 7\n",
        &[
            "1:1: error: unknown key `nam` in the configuration (did you mean `name`?)",
            "4:10: error: `url` must start with http:// or https:// (such as https://example.com/mcp)",
            "5:14: error: `timeout` is not a duration (a duration has a unit: `30s` or `30ms`)",
            "6:11: error: a second backend is called `a` (the first one is at f:3:11; rename one of them)",
            "7:14: error: `command` must be a string, found a number",
        ],
    );
}

#[test]
fn duplicate_keys_name_both_places() {
    check(
        "name: a\nbackends: [{name: a, command: x}]\nname: b\n",
        &["3:1: error: `name` is here a second time (the first one is at f:1:1)"],
    );
    check(
        "{\"mcpServers\": {\"a\": {\"command\": \"x\"},\n \"a\": {\"command\": \"y\"}}}",
        &["2:2: error: `a` is here a second time (the first one is at f:1:17)"],
    );
}

#[test]
fn a_text_that_cannot_be_parsed_says_where() {
    check("a: [1, 2\n", &["1:4: error: unclosed bracket '['"]);
    check("{\"mcpServers\": {\"a\": }}", &["1:22: error: expected a value, found `}`"]);
    check(
        "{\"a\": 'x'}",
        &["1:7: error: a string in single quotes (JSON strings stand in double quotes)"],
    );
    check("{\"a\": \"x}\n}", &["1:10: error: a string without its end"]);
    check("{\"a\": 1 \"b\": 2}", &["1:9: error: expected `,` or `}`, found `\"`"]);
    check("{\"a\": /* x", &["1:7: error: a comment without its end"]);
    check(
        "{\"a\": yes}",
        &["1:7: error: `yes` is not a JSON value (strings stand in double quotes)"],
    );
    check(
        "{\"a\": \"\\x\"}",
        &["1:8: error: unknown escape in a string (a backslash itself is written `\\\\`)"],
    );
    check("", &["1:1: error: the file is empty"]);
    check("- a\n", &["1:1: error: `the file` must be a map, found a list"]);
}

#[test]
fn depth_and_aliases_are_bounded() {
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(80), "]".repeat(80));
    check(&deep, &["1:70: error: nested too deeply, or too large"]);
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..8 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        laughs += &format!("a{i}: &a{i} [{refs}]\n");
    }
    let found = load(&laughs).unwrap_err();
    assert!(found.to_string().contains("aliases make this text too large"), "{found}");
}

#[test]
fn backends_must_be_reachable_one_way() {
    check(
        "backends:\n  - name: a\n    url: http://x\n    command: y\n",
        &["4:5: error: backend `a` has both `url` and `command` (keep the one that is meant)"],
    );
    check(
        "backends:\n  - name: a\n",
        &["2:11: error: backend `a` needs `url` or `command` \
           (`url` of a server that runs, or `command` to start one)"],
    );
    check(
        "backends:\n  - name: a\n    transport: stdio\n    url: http://x\n    command: y\n",
        &["4:5: error: `url` only goes with HTTP (the `transport` is set in line 3)"],
    );
    check(
        "backends:\n  - name: a\n    url: http://x\n    args: [y]\n    process: session\n",
        &[
            "4:5: error: `args` only goes with a command to start",
            "5:5: error: `process` only goes with a command to start",
        ],
    );
    check("backends:\n  - url: http://x\n", &["2:5: error: a backend needs `name`"]);
    check(
        "backends: []\n",
        &[
            "1:1: error: there are no backends (add one to `backends` (YAML) or `mcpServers` (JSON))",
        ],
    );
    check(
        "backends:\n  - {name: a, url: http://x, caBundlePath: ca.pem}\n",
        &["2:44: error: `caBundlePath` must be an absolute path without `..`"],
    );
    check(
        "backends:\n  - {name: a, url: http://x, transport: websocket}\n",
        &[
            "2:41: error: `transport` cannot be `websocket` (known here: `stdio`, `streamable-http`, `sse`, \
           `http`, `streamableHttp`, `streamable_http` or `local`)",
        ],
    );
}

#[test]
fn variables_that_are_not_set_are_named_with_their_key() {
    check(
        "backends:\n  - name: a\n    url: \"http://${HOST}/mcp\"\n    headers:\n      X: a ${KEY} b\n",
        &[
            "3:18: error: environment variable `HOST` of `url` is not set \
             (set it, or give a default: `${HOST:-…}`)",
            "5:12: error: environment variable `KEY` of `X` is not set \
             (set it, or give a default: `${KEY:-…}`)",
        ],
    );
}

#[test]
fn headers_that_cannot_be_sent_are_refused() {
    check(
        "backends:\n  - name: a\n    url: http://x\n    headers: {Host: x, \"a b\": x, A: \"${TWO_LINES}\", B: x, b: y}\n",
        &[
            "4:15: error: header `Host` is set by vmcp itself",
            "4:24: error: `a b` is not a header name",
            "4:37: error: the value of `A` has a line break or a control character \
             (a header is one line; look for a trailing line break in the variable)",
            "4:59: error: header `b` is here a second time (case does not matter in header names)",
        ],
    );
}

#[test]
fn sections_may_only_name_backends_that_exist() {
    with(
        "outgoingAuth:\n  backends:\n    gti: {type: unauthenticated}\n",
        &["7:5: error: no backend is called `gti` (did you mean `git`?)"],
    );
    with(
        "operational: {timeouts: {perWorkload: {x: 3s}}}\n",
        &["5:40: error: no backend is called `x` (the backends are `git` or `time`)"],
    );
    with(
        "aggregation:\n  tools:\n    - {workload: tmie, filter: [a]}\n",
        &["7:18: error: no backend is called `tmie` (did you mean `time`?)"],
    );
    with(
        "aggregation:\n  conflictResolution: priority\n  conflictResolutionConfig: {priorityOrder: [git, got, git]}\n",
        &[
            "7:51: error: no backend is called `got` (did you mean `git`?)",
            "7:56: error: `git` stands in `priorityOrder` twice",
        ],
    );
}

#[test]
fn strategies_must_be_complete() {
    let strategy = |text: &str| format!("outgoingAuth:\n  default: {text}\n");
    with(
        &strategy("{type: header_injection}"),
        &["6:12: error: a strategy of this type needs `headerInjection`"],
    );
    with(
        &strategy("{type: header_injection, headerInjection: {headerName: X}}"),
        &[
            "6:54: error: `headerInjection` needs `headerValue`, `headerValueEnv` or `headerValueFile` \
           (`headerValueEnv` names a variable and keeps the secret out of the file)",
        ],
    );
    with(
        &strategy(
            "{type: header_injection, headerInjection: {headerName: X, headerValue: a, headerValueEnv: TOKEN}}",
        ),
        &["6:86: error: `headerValue` and `headerValueEnv` exclude each other"],
    );
    with(
        &strategy(
            "{type: header_injection, headerInjection: {headerName: X, headerValueEnv: EMPTY}}",
        ),
        &["6:86: error: environment variable `EMPTY` of `headerValueEnv` is not set or empty"],
    );
    with(
        &strategy(
            "{type: header_injection, headerInjection: {headerName: X, headerValue: 'a ${TOKEN}'}}",
        ),
        &[
            "6:19: warning: `header_injection` is not used for `time` \
           (it is for HTTP, and processes have their `env`)",
            "6:83: warning: `headerValue` is sent as it is, `${…}` included \
           (use `headerValueEnv`, or `headers` of the backend)",
        ],
    );
    with(
        &strategy("{type: unauthenticated, headerInjection: {}}"),
        &["6:36: error: `headerInjection` has no effect here \
           (it goes with `type: header_injection`; see line 6)"],
    );
    with(
        &strategy("{type: header-injection}"),
        &["6:19: error: `type` cannot be `header-injection` (did you mean `header_injection`?)"],
    );
}

#[test]
fn naming_must_be_complete() {
    with(
        "aggregation: {conflictResolution: priority}\n",
        &["5:35: error: `priority` needs `conflictResolutionConfig.priorityOrder` \
           (a list of backends, the most important first)"],
    );
    with(
        "aggregation: {conflictResolution: manual}\n",
        &["5:35: error: `manual` needs `overrides` in `aggregation.tools` \
           (give a name to every tool that two backends call alike)"],
    );
    with(
        "aggregation: {conflictResolution: prefix}\n",
        &["5:35: warning: no `prefixFormat` is given: names get `{workload}_` \
           (set `conflictResolutionConfig.prefixFormat` to say so yourself)"],
    );
    let format = |text: &str| {
        format!(
            "aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: {text}}}}}\n"
        )
    };
    with(
        &format("'{name}_'"),
        &[
            "5:84: error: the only placeholder of `prefixFormat` is `{workload}` (such as `{workload}_`)",
        ],
    );
    with(
        &format("'{workload}: '"),
        &["5:84: error: a prefix may have letters, digits, `_` and `-` only \
           (clients refuse tools with other characters in their names)"],
    );
    with(
        &format("all_"),
        &["5:84: warning: `prefixFormat` has no `{workload}`: all backends get one prefix \
           (equal names then collide, and the first backend's is kept)"],
    );
}

#[test]
fn rules_of_tools_must_make_sense() {
    let rules = |text: &str| format!("aggregation:\n  tools:\n    - {{workload: git, {text}}}\n");
    with(
        &rules("filter: []"),
        &[
            "7:31: error: `filter` is empty (`excludeAll: true` shows no tool; without `filter` all are shown)",
        ],
    );
    with(
        &rules("overrides: {a: {annotations: {readOnlyHint: true}}}"),
        &["7:35: error: the override of `a` changes nothing (give `name` or `description`)"],
    );
    with(
        &rules("overrides: {a: {name: 'a.b'}}"),
        &["7:45: error: `a.b` cannot be the name of a tool \
           (letters, digits, `_` and `-`, at most 64: clients refuse the others)"],
    );
    with(
        &rules("filter: [a], overrides: {a: {name: b}}"),
        &["7:32: error: an override renames `a`, so this filter never matches \
           (the filter sees names after overrides: `b`)"],
    );
    with(
        &rules("overrides: {a: {description: d, annotations: {readOnlyHint: maybe}}}"),
        &["7:83: error: `readOnlyHint` must be true or false, found a string"],
    );
    with(
        "aggregation:\n  tools:\n    - {workload: git, excludeAll: true}\n    - {workload: git, filter: [a]}\n",
        &["8:18: error: a second entry for `git` (join the two)"],
    );
}

#[test]
fn overrides_that_collide_are_found_without_asking_a_backend() {
    let rules = "  tools:\n    - workload: git\n      overrides: {a: {name: x}, b: {name: x}}\n";
    with(
        &format!("aggregation:\n{rules}"),
        &["8:33: error: `a` of `git` and `b` of `git` are both advertised as `git_x` \
           (the other one is at f:8:19; give one of them another `name`)"],
    );
    let two = "  tools:\n    - {workload: git, overrides: {a: {name: x}}}\n    - {workload: time, overrides: {b: {name: x}}}\n";
    with(
        &format!("aggregation:\n  conflictResolution: manual\n{two}"),
        &["9:36: error: `a` of `git` and `b` of `time` are both advertised as `x` \
           (the other one is at f:8:35; give one of them another `name`)"],
    );
    with(
        &format!(
            "aggregation:\n  conflictResolution: priority\n  conflictResolutionConfig: {{priorityOrder: [git]}}\n{two}"
        ),
        &["10:36: warning: `a` of `git` and `b` of `time` are both advertised as `x` \
           (the other one is at f:9:35; give one of them another `name`)"],
    );
    let long = "n".repeat(62);
    with(
        &format!(
            "aggregation:\n  tools:\n    - {{workload: git, overrides: {{a: {{name: {long}}}}}}}\n"
        ),
        &[&format!(
            "7:35: error: `git_{long}` has 66 characters (clients refuse names of tools over 64)"
        )],
    );
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    for (text, name, at) in [
        (
            "incomingAuth: {type: oidc, oidc: {issuer: 'https://i', audience: a, introspectionUrl: 'https://i/x'}}",
            "incomingAuth.oidc.introspectionUrl",
            "5:69",
        ),
        ("outgoingAuth: {source: discovered}", "outgoingAuth.source: discovered", "5:24"),
        ("compositeTools: [{name: a, description: b, steps: [{id: c}]}]", "compositeTools", "5:1"),
        ("compositeToolRefs: [{name: a}]", "compositeToolRefs", "5:1"),
        ("optimizer: {}", "optimizer", "5:1"),
        ("codeMode: {enabled: true}", "codeMode", "5:1"),
        ("audit: {enabled: true}", "audit", "5:1"),
        ("sessionStorage: {provider: redis, address: x}", "sessionStorage.provider: redis", "5:28"),
        ("rateLimiting: {shared: {maxTokens: 3, refillPeriod: 1s}}", "rateLimiting", "5:1"),
        ("telemetry: {endpoint: 'http://otel:4318'}", "telemetry.endpoint", "5:13"),
    ] {
        let found = load(&format!(
            "backends:\n  - {{name: git, url: 'http://git/mcp'}}\n  - name: time\n    command: uvx\n{text}\n"
        ))
        .unwrap_err();
        let found = found.to_string();
        let wanted = format!("f:{at}: error: `{name}` is not supported yet");
        assert!(found.starts_with(&wanted), "{found}\n{wanted}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[test]
fn what_is_not_built_is_still_checked() {
    with(
        "compositeTools:\n  - name: a\n    description: b\n    steps: [{id: c, dependOn: [d]}]\n",
        &[
            "5:1: error: `compositeTools` is not supported yet",
            "8:21: error: unknown key `dependOn` in `steps` (did you mean `dependsOn`?)",
        ],
    );
}

#[test]
fn what_is_switched_off_is_not_refused() {
    with(
        "compositeTools: []\naudit: {enabled: false}\ncodeMode: {enabled: false}\n\
         sessionStorage: {provider: memory}\noptimizer:\npassthroughHeaders: []\n\
         operational: {failureHandling: {partialFailureMode: best_effort, circuitBreaker: {enabled: false}}}\n\
         telemetry: {enablePrometheusMetricsPath: true, tracingEnabled: false}\n",
        &[],
    );
}

#[test]
fn a_kubernetes_resource_is_recognised() {
    let found = load("apiVersion: v1\nkind: VirtualMCPServer\nspec: {}\n").unwrap_err().to_string();
    assert!(
        found.contains(
            "`kind` belongs to a Kubernetes resource (vmcp reads what stands under `spec.config`)"
        ),
        "{found}"
    );
}

#[test]
fn two_files_may_not_disagree() {
    let a = source("a.yaml", "name: a\nbackends: [{name: x, command: y}]\nlisten: 127.0.0.1:1\n");
    let b = source("b.yaml", "name: b\nbackends: [{name: x, command: y}]\nlisten: 127.0.0.1:2\n");
    let found = vmcp_config::load(&[a, b], AROUND).unwrap_err().to_string();
    assert_eq!(
        found,
        "b.yaml:2:19: error: a second backend is called `x` (the first one is at a.yaml:2:19; rename one of them)\n\
         b.yaml:3:1: error: `listen` is set in two files (it is also at a.yaml:3:1; keep one of them)"
    );
}

#[test]
fn values_of_secrets_are_never_part_of_a_finding() {
    let found = load(
        "backends:\n  - name: a\n    url: '${TOKEN}'\n    headers: {A: '${TOKEN}\u{1}', B: '${NO:-hunter2}'}\n    cwd: '${TOKEN}'\n",
    )
    .unwrap_err()
    .to_string();
    assert!(!found.contains("s3cret") && !found.contains("hunter2"), "{found}");
}

#[test]
fn the_paths_of_the_older_transport_are_its_own() {
    for (listen, wanted) in [
        ("{sse: sse}", "5:15: error: `sse` must start with `/` and have no `?`, `#` or space"),
        ("{sse: 'false'}", "5:15: error: `sse` must start with `/` and have no `?`, `#` or space"),
        (
            "{sse: /a/message}",
            "5:15: error: `sse` must not end with `/message`: messages are posted there",
        ),
        (
            "{sse: /mcp}",
            "5:15: error: `sse`, and `message` beside it, must be other paths than `path`",
        ),
        (
            "{path: /a/message, sse: /a/b}",
            "5:33: error: `sse`, and `message` beside it, must be other paths than `path`",
        ),
    ] {
        with(&format!("listen: {listen}\n"), &[wanted]);
    }
}
