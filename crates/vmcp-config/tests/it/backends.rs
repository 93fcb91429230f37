//! A backend's network, times and headers, and the headers that clients' requests pass on.

use std::time::Duration;

use secrecy::ExposeSecret;
use vmcp_config::{BackendTimeouts, Network};

use crate::loads;
use crate::marked::check;

/// An HTTP backend with some more keys, which begin at column 3 of line 4.
fn git(keys: &str) -> String {
    format!("backends:\n- name: git\n  url: https://git/mcp\n  {keys}\n")
}

#[test]
fn a_backend_says_where_it_may_be() {
    let network = |keys: &str| loads(&git(keys)).0.backends.remove(0).network;
    assert_eq!(network("timeout: 3s"), Network::default());
    let read = network("network: {private: true, allow: [10.1.0.0/16, 'fd00::/8', 192.0.2.7]}");
    assert_eq!(read.private, Some(true));
    let nets: Vec<String> = read.allow.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.1.0.0/16", "fd00::/8", "192.0.2.7/32"]);
    assert_eq!(network("network: {private: false}").private, Some(false));
}

#[test]
fn networks_are_networks() {
    check(
        &git("network: {private: §'yes', allow: [§10.0.0.1/8, §10.0.0.0/33, §intern], §alow: []}"),
        &[
            "error: `private` must be true or false, found a string",
            "error: `10.0.0.1/8` is an address within a network \
             (the network is `10.0.0.0/8`, the address alone `10.0.0.1`)",
            "error: `10.0.0.0/33` is not a network (such as 10.1.0.0/16 or fd00::/8)",
            "error: `intern` is not a network (such as 10.1.0.0/16 or fd00::/8)",
            "error: unknown key `alow` in `network` (did you mean `allow`?)",
        ],
    );
    check(
        "backends: [{name: t, command: x, §network: {private: true}}]\n",
        &["error: `network` only goes with HTTP"],
    );
}

#[test]
fn a_slow_tool_has_a_time_of_its_own() {
    let text = git("timeout: {call: 60s, tools: {slow_tool: 10m, 'quick.tool': 500ms}}");
    let times = loads(&text).0.backends.remove(0).timeouts;
    assert_eq!(times.call, Duration::from_secs(60));
    assert_eq!(times.tools["slow_tool"], Duration::from_secs(600));
    assert_eq!(times.tools["quick.tool"], Duration::from_millis(500));
    assert_eq!(times.list, BackendTimeouts::default().list);
    check(
        &git("timeout: {tools: {a: §0s, b: §10}}"),
        &[
            "error: `a` must be above 0",
            "error: `b` is not a duration (a duration has a unit: `10s` or `10ms`)",
        ],
    );
    check(&git("timeout: {tools: §[a]}"), &["error: `tools` must be a map, found a list"]);
}

#[test]
fn a_header_may_say_where_its_value_is() {
    let text = git("headers: {A: 'v ${TOKEN}', B: {env: TOKEN}, C: {file: '/${X:-run}/secret'}}");
    let headers = loads(&text).0.backends.remove(0).headers;
    let values: Vec<&str> = headers.iter().map(|(_, value)| value.expose_secret()).collect();
    assert_eq!(values, ["v s3cret", "s3cret", "f1le-s3cret"]);
    check(
        &git(
            "headers: {A: {env: §EMPTY}, B: {file: §/no}, C: §{}, D: {env: TOKEN, §file: /run/secret}, E: §{§nev: A}}",
        ),
        &[
            "error: environment variable `EMPTY` of `env` is not set or empty",
            "error: cannot read the file of `file`: entity not found",
            "error: `C` needs `env` or `file` (or write the value itself)",
            "error: `env` and `file` exclude each other",
            "error: `E` needs `env` or `file` (or write the value itself)",
            "error: unknown key `nev` in `E` (did you mean `env`?)",
        ],
    );
}

#[test]
fn headers_of_the_transport_and_of_one_hop_are_not_for_sale() {
    check(
        &git(
            "headers: {§Mcp-Session-Id: a, §mcp-anything: a, §Accept-Encoding: a, §X-Forwarded-For: a, §te: a, X: a}",
        ),
        &[
            "error: header `Mcp-Session-Id` is set by vmcp itself",
            "error: header `mcp-anything` is set by vmcp itself",
            "error: header `Accept-Encoding` is set by vmcp itself",
            "error: header `X-Forwarded-For` is about one connection and never sent on",
            "error: header `te` is about one connection and never sent on",
        ],
    );
}

#[test]
fn headers_of_clients_are_passed_by_name() {
    let (config, _) =
        loads(&format!("{}passthroughHeaders: [X-Tenant, x-request-id]\n", git("cwd:")));
    assert_eq!(config.passthrough_headers, ["x-tenant", "x-request-id"]);
    check(
        &format!(
            "{}passthroughHeaders: [§authorization, §Cookie, §Host, §X-Real-IP, §'a b', A, §a, §[]]\n",
            git("cwd:")
        ),
        &[
            "error: header `authorization` is never passed through \
             (it is meant for vmcp; `outgoingAuth` says as whom backends are called)",
            "error: header `Cookie` is never passed through \
             (it is meant for vmcp; `outgoingAuth` says as whom backends are called)",
            "error: header `Host` is set by vmcp itself",
            "error: header `X-Real-IP` is about one connection and never sent on",
            "error: `a b` is not a header name",
            "error: header `a` is here a second time",
            "error: `passthroughHeaders` must be a string, found a list",
        ],
    );
}

#[test]
fn a_client_cannot_replace_a_configured_header() {
    check(
        &format!(
            "{}outgoingAuth: {{default: {{type: header_injection, headerInjection: {{headerName: X-Key, headerValue: a}}}}}}\n\
             passthroughHeaders: [§X-Tenant, §x-key, Free]\n",
            git("headers: {x-tenant: acme}")
        ),
        &[
            "error: `x-tenant` is also set by `headers` of `git` (a client must not replace it: remove one)",
            "error: `x-key` is also set by the strategy of `git` (a client must not replace it: remove one)",
        ],
    );
}
