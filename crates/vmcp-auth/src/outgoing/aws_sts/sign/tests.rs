//! The signer against AWS' published test suite, and against the test kit's verifier for arbitrary requests.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use proptest::prelude::*;
use secrecy::SecretString;
use vmcp_testkit::verify_sigv4;

use super::{Signer, canonical};
use crate::AwsKeys;
use crate::outgoing::OutgoingRequest;

const ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TIME: &str = "20150830T123600Z";
/// The same in seconds since 1970.
const SECONDS: u64 = 1_440_938_160;

fn keys(secret: &str, token: &str) -> AwsKeys {
    AwsKeys {
        access_key_id: ID.to_owned(),
        secret_access_key: SecretString::from(secret),
        session_token: SecretString::from(token),
    }
}

fn signer() -> Signer {
    Signer::new("us-east-1", "service").unwrap()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// A request of AWS' suite and the signature that it must get.
fn check_suite(method: &Method, path: &str, lines: &[(&str, &str)], body: &str, signature: &str) {
    let uri: Uri = format!("https://example.amazonaws.com{path}").parse().unwrap();
    let headers = headers(&[lines, &[("x-amz-date", TIME)]].concat());
    let (_, canonical) = canonical(method, &uri, &headers, body.as_bytes()).unwrap();
    let signed = signer().signature(&keys(SECRET, ""), TIME, &canonical);
    assert_eq!(signed, signature, "{}", String::from_utf8_lossy(&canonical));
}

#[test]
fn agrees_with_the_published_signatures() {
    let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    check_suite(&Method::GET, "/", &[], "", vanilla);
    check_suite(&Method::GET, "", &[], "", vanilla);
    check_suite(&Method::GET, "/example/..", &[], "", vanilla);
    check_suite(&Method::GET, "/./", &[], "", vanilla);
    check_suite(
        &Method::GET,
        "//example//",
        &[],
        "",
        "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
    );
    check_suite(
        &Method::GET,
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        &[],
        "",
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    );
    check_suite(
        &Method::GET,
        "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        &[],
        "",
        "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    );
    check_suite(
        &Method::POST,
        "/?Param1=value1",
        &[],
        "",
        "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
    );
    check_suite(
        &Method::GET,
        "/",
        &[(
            "x-amz-security-token",
            "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
        )],
        "",
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    );
}

#[test]
fn says_what_it_signed() {
    let uri: Uri = "https://example.amazonaws.com/".parse().unwrap();
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let mut headers = headers(&[
        ("authorization", "Bearer of the caller"),
        ("x-amz-content-sha256", "of another body"),
        ("x-amz-security-token", "of somebody else"),
        ("x-amz-date", "20000101T000000Z"),
        ("accept", "x"),
    ]);
    let request = OutgoingRequest {
        method: &Method::GET,
        uri: &uri,
        headers: &mut headers,
        body: &Bytes::new(),
    };
    signer().sign(request, &keys(SECRET, token), SECONDS).unwrap();
    assert_eq!(headers.get_all("authorization").iter().count(), 1);
    assert_eq!(
        headers["authorization"],
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date;x-amz-security-token, \
         Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    );
    assert_eq!(headers["x-amz-date"], TIME);
    assert!(
        headers["authorization"].is_sensitive() && headers["x-amz-security-token"].is_sensitive()
    );
}

#[test]
fn names_the_host_as_it_is_sent() {
    for (url, host) in [
        ("https://files.test/mcp", "files.test"),
        ("https://files.test:443/mcp", "files.test"),
        ("http://files.test:80/mcp", "files.test"),
        ("https://files.test:80/mcp", "files.test:80"),
        ("https://files.test:8443/mcp", "files.test:8443"),
        ("https://[::1]:8443/mcp", "[::1]:8443"),
    ] {
        assert_eq!(super::host(&url.parse().unwrap()).unwrap(), host);
    }
    assert!(super::host(&"/mcp".parse().unwrap()).is_err());
}

#[test]
fn refuses_names_that_would_break_a_scope() {
    for (region, service) in [("", "s"), ("r", ""), ("r/x", "s"), ("r", "S"), ("r", "s\n")] {
        assert!(Signer::new(region, service).is_err(), "{region:?} {service:?}");
    }
}

/// Anything that may stand in a path, escapes included; in a query these are whole.
fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[A-Za-z0-9._~-]{0,4}",
        "[!$&'()*+,;=:@%]",
        Just("/".to_owned()),
        Just("/.".to_owned()),
        Just("/..".to_owned()),
        Just("%2F%c3%A9".to_owned()),
        Just("é".to_owned()),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

fn query() -> impl Strategy<Value = Option<String>> {
    let piece = prop_oneof![
        "[A-Za-z0-9._~-]{0,4}",
        "[!$'()*+,;:@/?]",
        "[&=]",
        "%[0-9a-fA-F]{2}",
        Just("é".to_owned()),
    ];
    prop::option::of(prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat()))
}

fn header_lines() -> impl Strategy<Value = Vec<(HeaderName, HeaderValue)>> {
    let names = [
        "content-type",
        "mcp-session-id",
        "mcp-protocol-version",
        "x-amz-meta",
        "accept",
        "user-agent",
        "traceparent",
    ];
    let name = prop::sample::select(names.to_vec()).prop_map(HeaderName::from_static);
    let byte = prop_oneof![8 => 0x20u8..=0x7e, 1 => Just(b'\t'), 1 => 0x80u8..=0xff];
    let value = prop::collection::vec(byte, 0..24)
        .prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap());
    prop::collection::vec((name, value), 0..8)
}

proptest! {
    #[test]
    fn whatever_is_signed_is_verified_and_nothing_else(
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::DELETE]),
        path in path(),
        query in query(),
        lines in header_lines(),
        body in prop::collection::vec(any::<u8>(), 0..64),
        secret in "[!-~]{1,64}",
        token in "[!-~]{1,64}",
        at in 0u64..4_102_444_800,
        port in prop::option::of(1u16..),
        flipped in any::<u8>(),
    ) {
        let authority = port.map_or("files.test".to_owned(), |port| format!("files.test:{port}"));
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let uri: Uri = format!("https://{authority}{path}{query}").parse().unwrap();
        let mut headers: HeaderMap = HeaderMap::new();
        headers.extend(lines.into_iter().map(|(name, value)| (Some(name), value)));
        let body = Bytes::from(body);
        let request =
            OutgoingRequest { method: &method, uri: &uri, headers: &mut headers, body: &body };
        signer().sign(request, &keys(&secret, &token), at).unwrap();
        // What the HTTP client adds on the way.
        let host = if port == Some(443) { "files.test" } else { authority.as_str() };
        headers.insert("host", host.parse().unwrap());
        let on_the_wire = uri.path_and_query().unwrap().as_str();
        let verify = |method: &Method, path: &str, headers: &HeaderMap, body: &[u8], secret: &str| {
            verify_sigv4(method, path, headers, body, |id| (id == ID).then(|| secret.to_owned()))
        };
        let scope = verify(&method, on_the_wire, &headers, &body, &secret);
        prop_assert!(scope.is_ok(), "{:?}", scope);

        let other = format!("{secret}x");
        prop_assert!(verify(&method, on_the_wire, &headers, &body, &other).is_err());
        prop_assert!(verify(&Method::PUT, on_the_wire, &headers, &body, &secret).is_err());
        let longer = [&body[..], &[flipped]].concat();
        prop_assert!(verify(&method, on_the_wire, &headers, &longer, &secret).is_err());
        let joint = if on_the_wire.contains('?') { "&" } else { "?" };
        let more = format!("{on_the_wire}{joint}x=1");
        prop_assert!(verify(&method, &more, &headers, &body, &secret).is_err());
        let mut stolen = headers.clone();
        stolen.insert("mcp-session-id", "somebody else's".parse().unwrap());
        prop_assert!(verify(&method, on_the_wire, &stolen, &body, &secret).is_err());
    }
}
