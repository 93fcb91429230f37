//! Who gets which role, and under which name.

use std::time::Duration;

use serde_json::{Value, json};
use vmcp_config::{AwsSts, RoleMapping};

use super::{Role, Roles, session_name};
use crate::{AuthFailure, Identity};

fn arn(name: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{name}")
}

fn mapping(claim: &str, role: &str, priority: Option<i64>) -> RoleMapping {
    RoleMapping { claim: Some(claim.to_owned()), matcher: None, role_arn: arn(role), priority }
}

fn settings(role_mappings: Vec<RoleMapping>, fallback: Option<&str>) -> AwsSts {
    AwsSts {
        region: "eu-west-1".to_owned(),
        service: "aws-mcp".to_owned(),
        fallback_role_arn: fallback.map(arn),
        role_mappings,
        role_claim: "groups".to_owned(),
        session_duration: Duration::from_secs(900),
        session_name_claim: "sub".to_owned(),
        subject_provider: None,
        sts_url: None,
    }
}

fn caller(claims: &Value) -> Identity {
    Identity::verified("https://idp.test", "alice", claims.to_string())
}

fn check(settings: &AwsSts, claims: &Value, expected: Option<&str>) {
    let got = Roles::new(settings).unwrap().assumed_by(&caller(claims));
    let expected = expected.map(arn);
    assert_eq!(got.as_ref().ok().map(|role| &role.arn), expected.as_ref(), "{claims}: {got:?}");
}

#[test]
fn the_first_that_fits_by_priority_counts() {
    let mappings = vec![
        mapping("staff", "late", None),
        mapping("staff", "staff", Some(10)),
        mapping("admins", "second", Some(1)),
        mapping("admins", "third", Some(1)),
        mapping("root", "first", Some(-1)),
    ];
    let settings = settings(mappings, Some("fallback"));
    check(&settings, &json!({"groups": ["staff", "admins"]}), Some("second"));
    check(&settings, &json!({"groups": ["admins", "root"]}), Some("first"));
    check(&settings, &json!({"groups": "staff"}), Some("staff"));
    check(&settings, &json!({"groups": ["nobody"]}), Some("fallback"));
    check(&settings, &json!({"groups": "admins,root"}), Some("fallback"));
    check(&settings, &json!({"groups": {"admins": true}}), Some("fallback"));
    check(&settings, &json!({}), Some("fallback"));
}

#[test]
fn without_a_fallback_the_others_get_none() {
    let settings = settings(vec![mapping("admins", "admin", None)], None);
    check(&settings, &json!({"groups": ["admins"]}), Some("admin"));
    check(&settings, &json!({"groups": []}), None);
    let refused = Roles::new(&settings).unwrap().assumed_by(&caller(&json!({})));
    let Err(AuthFailure::Refused(text)) = refused else { unreachable!("{refused:?}") };
    assert!(text.contains("roleMappings") && text.contains("\"groups\""), "{text}");
}

#[test]
fn the_role_claim_may_be_another() {
    let mut settings = settings(vec![mapping("ops", "ops", None)], Some("rest"));
    settings.role_claim = "https://idp.test/team".to_owned();
    check(&settings, &json!({"https://idp.test/team": "ops", "groups": []}), Some("ops"));
    check(&settings, &json!({"groups": ["ops"]}), Some("rest"));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let with = |change: fn(&mut RoleMapping)| {
        let mut one = mapping("admins", "admin", None);
        change(&mut one);
        Roles::new(&settings(vec![one], None)).err().unwrap_or_default()
    };
    let matcher = with(|one| (one.claim, one.matcher) = (None, Some("true".to_owned())));
    assert!(matcher.contains("`matcher` (CEL) is not supported"), "{matcher}");
    assert!(with(|one| one.claim = None).contains("no `claim`"));
    assert!(with(|one| one.claim = Some(String::new())).contains("no `claim`"));
    assert!(with(|one| one.role_arn = "admin".to_owned()).contains("not the ARN of a role"));
    assert!(Roles::new(&settings(Vec::new(), None)).is_err_and(|text| text.contains("no role")));
}

#[test]
fn a_session_is_named_after_the_caller() {
    let mut settings = settings(Vec::new(), Some("reader"));
    let named = |settings: &AwsSts, claims: Value| {
        Roles::new(settings)
            .unwrap()
            .assumed_by(&caller(&claims))
            .map(|Role { session, .. }| session)
    };
    assert_eq!(named(&settings, json!({"sub": "alice@example.com"})).unwrap(), "alice@example.com");
    assert_eq!(named(&settings, json!({})).unwrap(), "alice");
    settings.session_name_claim = "email".to_owned();
    assert_eq!(named(&settings, json!({"email": "a+b@x.test"})).unwrap(), "a+b@x.test");
    for claims in [json!({}), json!({"email": ""}), json!({"email": 7})] {
        let Err(AuthFailure::Refused(text)) = named(&settings, claims) else { unreachable!() };
        assert!(text.contains("\"email\""), "{text}");
    }
}

#[test]
fn names_that_aws_refuses_are_changed_but_stay_apart() {
    assert_eq!(session_name("ab"), "ab");
    assert_eq!(session_name(&"n".repeat(64)), "n".repeat(64));
    for odd in ["a", "auth0|alice", "Jürgen Müller", &"n".repeat(65), "a\nb", "名前"] {
        let name = session_name(odd);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        assert!((2..=64).contains(&name.len()) && name.bytes().all(allowed), "{odd}: {name}");
        assert_eq!(name, session_name(odd));
    }
    assert!(session_name("auth0|alice").starts_with("auth0-alice-"));
    assert_ne!(session_name("auth0|alice"), session_name("auth0/alice"));
    assert_ne!(session_name("auth0|alice"), session_name("auth0-alice"));
}
