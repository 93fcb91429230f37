//! The verifier against AWS's published test suite.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{canonical_path, verify_sigv4};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request of the suite, with the date it is signed at and the signature that must come out.
fn signed(lines: &[(&str, &str)], signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let usual = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
    for (name, value) in lines.iter().chain(&usual) {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
    names.sort();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders={}, Signature={signature}",
        names.join(";")
    );
    headers.insert("authorization", authorization.parse().unwrap());
    headers
}

fn verify(method: &Method, path: &str, headers: &HeaderMap, body: &str) -> Result<(), String> {
    let secret = |id: &str| (id == "AKIDEXAMPLE").then(|| SECRET.to_owned());
    verify_sigv4(method, path, headers, body.as_bytes(), secret).map(|_| ())
}

#[test]
fn agrees_with_the_published_signatures() {
    let hash = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 10] = [
        (
            Method::GET,
            "/",
            &[],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            Method::GET,
            "/example/..",
            &[],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            Method::GET,
            "//example//",
            &[],
            "",
            "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84",
        ),
        (
            Method::GET,
            "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
            &[],
            "",
            "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
        ),
        (
            Method::GET,
            "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            &[],
            "",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            Method::GET,
            "/",
            &[("my-header1", "value1"), ("my-header2", " \"a   b   c\"")],
            "",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            Method::GET,
            "/",
            &[("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")],
            "",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
        ),
        (
            Method::GET,
            "/",
            &[("x-amz-security-token", token)],
            "",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            Method::POST,
            "/?Param1=value1",
            &[],
            "",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
        (
            Method::POST,
            "/",
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("content-length", "13"),
                ("x-amz-content-sha256", hash),
            ],
            "Param1=value1",
            "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
        ),
    ];
    for (method, path, lines, body, signature) in cases {
        let headers = signed(lines, signature);
        verify(&method, path, &headers, body).unwrap_or_else(|error| panic!("{path}: {error}"));
        let other = verify(&method, path, &headers, "another body").unwrap_err();
        assert!(other.contains("differs") || other.contains("hash"), "{other}");
        assert!(verify(&method, &format!("{path}x"), &headers, body).is_err(), "{path}");
        assert!(verify(&Method::PUT, path, &headers, body).is_err(), "{path}");
    }
}

#[test]
fn wants_everything_covered_that_matters() {
    let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    for name in ["content-type", "x-amz-security-token", "mcp-session-id"] {
        let mut headers = signed(&[], signature);
        headers.insert(name, HeaderValue::from_static("x"));
        assert_eq!(verify(&Method::GET, "/", &headers, ""), Err(format!("{name} is not signed")));
    }
    let mut headers = signed(&[], signature);
    headers.insert("user-agent", HeaderValue::from_static("may change on the way"));
    assert_eq!(verify(&Method::GET, "/", &headers, ""), Ok(()));
    headers.insert("x-amz-date", HeaderValue::from_static("20150831T123600Z"));
    assert!(verify(&Method::GET, "/", &headers, "").unwrap_err().contains("scope's"));
}

#[test]
fn encodes_a_path_on_top_of_its_encoding() {
    for (path, expected) in [
        ("", "/"),
        ("/a b", "/a%20b"),
        ("/a%20b/", "/a%2520b/"),
        ("/./a//b/../c/.", "/a/c/"),
        ("/../..", "/"),
        ("/a:b@c", "/a%3Ab%40c"),
    ] {
        assert_eq!(canonical_path(path), expected, "{path}");
    }
}
