//! `incomingAuth`: who may call.

use std::time::Duration;

use vmcp_config::{IncomingAuth, Oidc};

use crate::bad::check;
use crate::loads;

const BACKEND: &str = "backends:\n  - {name: git, url: 'http://git/mcp'}\n";

/// What a section that is right says.
#[track_caller]
fn good(section: &str) -> IncomingAuth {
    let (config, warnings) = loads(&format!("{BACKEND}incomingAuth: {section}\n"));
    assert_eq!(warnings, Vec::<String>::new());
    config.incoming_auth
}

/// What is said about one that is wrong; it stands in line 3.
#[track_caller]
fn bad(section: &str, wanted: &[&str]) {
    check(&format!("{BACKEND}incomingAuth: {section}\n"), wanted);
}

#[test]
fn each_type_is_what_it_says() {
    assert_eq!(good("{type: anonymous}"), IncomingAuth::Anonymous);
    assert_eq!(good("{type: local}"), IncomingAuth::Local);
    let IncomingAuth::Oidc(oidc) = good("{type: oidc, oidc: {issuer: 'https://i/', audience: a}}")
    else {
        panic!("another type")
    };
    assert_eq!(*oidc, Oidc::new("https://i/", "a"));
    assert_eq!(oidc.resource(), "a");
}

#[test]
fn every_setting_arrives() {
    let IncomingAuth::Oidc(oidc) = good(
        "{type: oidc, oidc: {issuer: 'http://issuer.internal/x', audience: a, resource: 'https://gw/mcp', \
         jwksUrl: 'http://keys.internal/', scopes: [read, call], requiredScopes: call, clockSkew: 5s, \
         jwksAllowPrivateIp: true, insecureAllowHttp: true}}",
    ) else {
        panic!("another type")
    };
    assert_eq!(oidc.issuer, "http://issuer.internal/x");
    assert_eq!(oidc.resource(), "https://gw/mcp");
    assert_eq!(oidc.jwks_url.unwrap().as_url().as_str(), "http://keys.internal/");
    assert_eq!(oidc.scopes, ["read", "call"]);
    assert_eq!(oidc.required_scopes, ["call"]);
    assert_eq!(oidc.clock_skew, Duration::from_secs(5));
    assert_eq!((oidc.private, oidc.insecure_http), (Some(true), true));
}

#[test]
fn what_is_wrong_is_named() {
    bad("{type: oidc}", &["3:15: error: `type: oidc` needs `oidc`"]);
    bad(
        "{type: anonymous, oidc: {issuer: 'https://i', audience: a}}",
        &["3:33: error: `oidc` has no effect here (it goes with `type: oidc`)"],
    );
    bad(
        "{type: oidc, oidc: {issuer: 'http://i.example', audience: a}}",
        &["3:43: error: `issuer` must start with https:// \
           (secrets are sent there; http:// is for loopback addresses only)"],
    );
    bad(
        "{type: oidc, oidc: {issuer: 'https://i?x', audience: a}}",
        &["3:43: error: `issuer` must have neither a query nor a fragment"],
    );
    bad(
        "{type: oidc, oidc: {issuer: 'https://i', audience: a, clockSkew: 6m}}",
        &["3:80: error: `clockSkew` is more than 5m (an expired token is good for so long)"],
    );
    bad(
        "{type: oidc, oidc: {issuer: 'https://i', audience: a, caBundlePath: /run/secret}}",
        &["3:83: error: `caBundlePath` leads to a file without a certificate"],
    );
    bad(
        "{type: oidc, oidc: {issuer: 'https://i', audience: a, caBundlePath: /run/absent}}",
        &["3:83: error: `caBundlePath` cannot be read: entity not found"],
    );
}
