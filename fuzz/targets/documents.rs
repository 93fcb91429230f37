//! Documents of authorization servers and resources: what is read is what stands there, and nothing is read
//! that would lead elsewhere than where it must.

#![no_main]

use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use secrecy::ExposeSecret;
use serde_json::Value;
use url::{Host, Url};
use vmcp_auth::{AuthorizationServer, ProtectedResource, TokenResponse};
use vmcp_fuzz::members;

#[path = "../../crates/vmcp-auth/src/outgoing/aws_sts/xml.rs"]
mod xml;

fuzz_target!(|bytes: &[u8]| {
    resource(bytes);
    server(bytes);
    token(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        leaves(text);
        places(text);
    }
});

fn resource(bytes: &[u8]) {
    let Ok(read) = ProtectedResource::parse(bytes) else { return };
    let document = document(bytes, &["resource", "authorization_servers", "scopes_supported"]);
    assert_eq!(document["resource"], *read.resource);
    assert_eq!(document["authorization_servers"], Value::from(read.authorization_servers.clone()));
    assert!(!read.authorization_servers.is_empty());
    strings(&document["scopes_supported"], read.scopes_supported.as_deref());
    let url = safe(&read.resource);
    assert!(read.covers(&url), "{url}");
    let mut elsewhere = url.clone();
    if elsewhere.set_host(Some("elsewhere.example")).is_ok() {
        assert!(!read.covers(&elsewhere));
    }
    for place in ProtectedResource::well_known(&url) {
        same_origin(&place, &url);
    }
}

fn server(bytes: &[u8]) {
    let Ok(read) = AuthorizationServer::parse(bytes) else { return };
    let document = document(
        bytes,
        &["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint"],
    );
    assert_eq!(document["issuer"], *read.issuer);
    assert!(read.is_of(&read.issuer));
    let issuer = safe(&read.issuer);
    assert!(issuer.query().is_none());
    for place in AuthorizationServer::well_known(&read.issuer).expect("an issuer was read") {
        same_origin(&place, &issuer);
    }
    let endpoint = |name: &str| document[name].as_str().map(safe);
    assert_eq!(Some(read.authorization_endpoint.clone()), endpoint("authorization_endpoint"));
    assert_eq!(Some(read.token_endpoint.clone()), endpoint("token_endpoint"));
    assert_eq!(read.registration_endpoint, endpoint("registration_endpoint"));
    assert_eq!(read.revocation_endpoint, endpoint("revocation_endpoint"));
    strings(&document["scopes_supported"], read.scopes_supported.as_deref());
    strings(
        &document["code_challenge_methods_supported"],
        read.code_challenge_methods_supported.as_deref(),
    );
    assert!(!read.has_pkce() || document["code_challenge_methods_supported"].is_array());
}

fn token(bytes: &[u8]) {
    let json = Some(&b"application/json"[..]);
    assert!(TokenResponse::parse(StatusCode::BAD_REQUEST, json, bytes).is_err());
    assert!(TokenResponse::parse(StatusCode::OK, Some(b"text/html"), bytes).is_err());
    let read = match TokenResponse::parse(StatusCode::OK, json, bytes) {
        Ok(read) => read,
        // What a log gets of a stranger's text is short, and one line.
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 2048 && !text.contains(char::is_control), "{text}");
            return;
        }
    };
    let document =
        document(bytes, &["access_token", "token_type", "expires_in", "refresh_token", "error"]);
    let string = |name: &str| document[name].as_str().map(str::to_owned);
    assert_eq!(Some(read.access_token.expose_secret()), string("access_token").as_deref());
    assert_eq!(Some(&read.token_type), string("token_type").as_ref());
    let refresh = read.refresh_token.as_ref().map(ExposeSecret::expose_secret);
    assert_eq!(refresh, string("refresh_token").as_deref());
    assert_eq!(read.lifetime.is_some(), document["expires_in"].is_number());
    assert!(document["error"].is_null());
}

/// The document by another reader. What is read by name stands there once.
fn document(bytes: &[u8], names: &[&str]) -> Value {
    let members = members(bytes).expect("a document is an object");
    for name in names {
        let found = members.iter().filter(|member| member.key == name.as_bytes()).count();
        assert!(found <= 1, "`{name}` stands there {found} times");
    }
    // Each on its own: a number that no float can hold is nobody's business in a member that is not read.
    let values = members.into_iter().map(|member| {
        let value = serde_json::from_slice(&bytes[member.span]).unwrap_or_default();
        (String::from_utf8_lossy(&member.key).into_owned(), value)
    });
    Value::Object(values.collect())
}

fn strings(value: &Value, read: Option<&[String]>) {
    match read {
        Some(read) => assert_eq!(*value, Value::from(read.to_vec())),
        None => assert!(value.is_null()),
    }
}

/// HTTPS or this machine, and nothing in it that does not belong there.
fn safe(text: impl AsRef<str>) -> Url {
    let url = Url::parse(text.as_ref()).expect("what is used is a URL");
    let here = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.').ends_with("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => panic!("{url} has no host"),
    };
    assert!(url.scheme() == "https" || url.scheme() == "http" && here, "{url}");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    url
}

fn same_origin(place: &Url, of: &Url) {
    assert_eq!(place.origin(), of.origin(), "{place} of {of}");
    assert!(place.path().contains("/.well-known/") && place.fragment().is_none(), "{place}");
}

/// Any URL at all: the places of its documents are on its host.
fn places(text: &str) {
    let Ok(url) = Url::parse(text) else { return };
    if matches!(url.scheme(), "http" | "https") {
        let places = ProtectedResource::well_known(&url);
        assert!(!places.is_empty());
        places.iter().for_each(|place| same_origin(place, &url));
    }
    if let Ok(places) = AuthorizationServer::well_known(text) {
        places.iter().for_each(|place| same_origin(place, &url));
    }
}

/// XML: no text comes out that is longer than what went in.
fn leaves(text: &str) {
    let Ok(leaves) = xml::Leaves::read(text) else { return };
    let path =
        ["AssumeRoleWithWebIdentityResponse", "AssumeRoleWithWebIdentityResult", "Credentials"];
    for name in ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"] {
        let found = leaves.text(&[&path[..], &[name]].concat());
        assert!(found.is_none_or(|found| found.len() < text.len()));
    }
}
