//! The redirect rules, as a table.

use http::{HeaderMap, Method, StatusCode};

use super::next_hop;

fn check(method: &Method, status: u16, from: &str, location: &str) -> Result<String, String> {
    let mut headers = HeaderMap::new();
    headers.insert("location", location.parse().unwrap());
    let status = StatusCode::from_u16(status).unwrap();
    next_hop(method, &from.parse().unwrap(), status, &headers)
        .map(|uri| uri.map_or("none".to_owned(), |uri| uri.to_string()))
        .map_err(|error| error.to_string())
}

#[test]
fn follows_within_the_origin() {
    let from = "http://h:80/a/mcp";
    assert_eq!(check(&Method::POST, 307, from, "/b").unwrap(), "http://h/b");
    assert_eq!(check(&Method::POST, 308, from, "c?x=1#f").unwrap(), "http://h/a/c?x=1");
    assert_eq!(check(&Method::GET, 302, from, "http://h/d").unwrap(), "http://h/d");
    assert_eq!(check(&Method::GET, 301, from, "//h/d").unwrap(), "http://h/d");
    assert_eq!(check(&Method::GET, 304, from, "/d").unwrap(), "none");
    assert_eq!(check(&Method::GET, 200, from, "/d").unwrap(), "none");
}

#[test]
fn refuses_to_leave_the_origin() {
    let from = "https://h/mcp";
    for location in [
        "https://evil/mcp",
        "https://h:8443/mcp",
        "//evil/mcp",
        "https://user:pw@h/mcp",
        "https://h.evil/mcp",
        "file:///etc/passwd",
        "http://[fe80::1%25eth0]/",
    ] {
        assert!(check(&Method::POST, 307, from, location).is_err(), "{location}");
        assert!(check(&Method::GET, 302, from, location).is_err(), "{location}");
    }
    let downgrade = check(&Method::GET, 302, from, "http://h/mcp").unwrap_err();
    assert_eq!(downgrade, "refusing redirect that downgrades from HTTPS");
    assert!(check(&Method::GET, 302, "http://h/mcp", "https://h/mcp").is_err());
}

#[test]
fn never_turns_a_post_into_a_get() {
    for status in [301, 302, 303] {
        let error = check(&Method::POST, status, "http://h/a", "/b").unwrap_err();
        assert!(error.contains("would turn POST into GET"), "{error}");
        assert!(check(&Method::DELETE, status, "http://h/a", "/b").is_err());
    }
}
