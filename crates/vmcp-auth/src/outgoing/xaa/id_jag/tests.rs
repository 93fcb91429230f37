//! Assertions for somebody else.

use serde_json::{Value, json};

use super::problem;

const AUDIENCE: &str = "https://as.example";
const RESOURCE: &str = "https://mcp.example/mcp";

/// What is wrong with good claims and these ones instead.
fn check(changes: &Value, expected: Option<&str>) {
    let mut claims = json!({"aud": AUDIENCE, "resource": RESOURCE, "exp": 1000});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let claims = claims.as_object().unwrap();
    assert_eq!(problem(claims, AUDIENCE, Some(RESOURCE), 1000), expected, "{claims:?}");
}

#[test]
fn takes_the_assertion_that_was_asked_for_only() {
    check(&json!({}), None);
    check(&json!({"aud": [AUDIENCE]}), None);
    check(&json!({"resource": ["https://other", RESOURCE]}), None);
    check(&json!({"exp": 1000.5}), None);
    check(&json!({"exp": 971}), None);

    let other = Some("is for another audience");
    check(&json!({"aud": "https://as.example/"}), other);
    check(&json!({"aud": "https://as.example.evil"}), other);
    check(&json!({"aud": ["https://evil"]}), other);
    check(&json!({"aud": null}), other);
    check(&json!({"aud": {"aud": AUDIENCE}}), other);
    check(&json!({"aud": [AUDIENCE, "https://evil"]}), Some("is not for one audience"));
    check(&json!({"aud": [AUDIENCE, AUDIENCE]}), Some("is not for one audience"));
    check(&json!({"aud": []}), Some("is not for one audience"));

    let other = Some("is for another resource");
    check(&json!({"resource": "https://mcp.example"}), other);
    check(&json!({"resource": []}), other);
    check(&json!({"resource": null}), other);

    check(&json!({"exp": 970}), Some("has expired"));
    check(&json!({"exp": 0}), Some("has expired"));
    check(&json!({"exp": -5}), Some("has expired"));
    check(&json!({"exp": "1000"}), Some("does not say when it expires"));
    check(&json!({"exp": null}), Some("does not say when it expires"));
}

#[test]
fn asks_for_no_resource_where_none_was_asked_for() {
    let claims = json!({"aud": AUDIENCE, "exp": 1000});
    assert_eq!(problem(claims.as_object().unwrap(), AUDIENCE, None, 1000), None);
}
