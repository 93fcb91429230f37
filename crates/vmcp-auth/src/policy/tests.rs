//! What policies say of callers, items and arguments.

use vmcp_config::{Authz, PolicySource};

use super::{Decision, Hints, Policy, PolicyItem, PolicyKind, Why};
use crate::Identity;

fn policy(texts: &[&str]) -> Policy {
    Policy::compile("corp", &Authz::cedar(texts.iter().copied())).unwrap()
}

fn tool(name: &str) -> PolicyItem<'_> {
    PolicyItem { kind: PolicyKind::Tool, name, hints: Hints::default() }
}

fn person(subject: &str, claims: &str) -> Identity {
    Identity::verified("https://issuer.test", subject, claims)
}

fn decide(texts: &[&str], who: &Identity, name: &str, arguments: Option<&str>) -> (bool, Decision) {
    let standing = policy(texts).subject(who).standing(tool(name));
    (standing.is_visible(), standing.decide(arguments.map(str::as_bytes)))
}

fn permitted(texts: &[&str], who: &Identity, name: &str, arguments: &str) -> bool {
    decide(texts, who, name, Some(arguments)).1.is_permit()
}

#[test]
fn nothing_is_permitted_that_no_policy_permits() {
    let text = r#"permit(principal == Client::"alice", action == Action::"call_tool", resource == Tool::"t");"#;
    let (alice, bob) = (person("alice", "{}"), person("bob", "{}"));
    assert_eq!(decide(&[text], &alice, "t", None), (true, Decision::Permit));
    assert_eq!(decide(&[text], &alice, "u", None), (false, Decision::Deny(Why::NoPolicy)));
    assert_eq!(decide(&[text], &bob, "t", None), (false, Decision::Deny(Why::NoPolicy)));
}

#[test]
fn names_are_names_whatever_is_in_them() {
    let text = r#"permit(principal == Client::"alice", action, resource == Tool::"t");"#;
    for subject in ["alice\"::", "alice\" || true", "Client::\"alice\"", "alice\n", "Alice", ""] {
        assert!(!permitted(&[text], &person(subject, "{}"), "t", "{}"), "{subject:?}");
    }
    let long = "x".repeat(64 << 10);
    for name in ["Tool::\"t\"", "t\"", "t\n", "T", long.as_str()] {
        assert!(!permitted(&[text], &person("alice", "{}"), name, "{}"), "{name:.20?}");
    }
    let parts = r#"permit(principal, action, resource == Tool::"a/b");"#;
    assert!(permitted(&[parts], &person("x", "{}"), "a/b", "{}"));
    assert!(!permitted(&[parts], &person("x", "{}"), "a", "{}"));
}

#[test]
fn groups_are_where_the_claims_say() {
    let text = r#"permit(principal in THVGroup::"eng", action, resource in MCP::"corp");"#;
    for (claims, expected) in [
        (r#"{"groups":["ops","eng"]}"#, true),
        (r#"{"groups":"eng"}"#, true),
        (r#"{"roles":["eng"]}"#, true),
        (r#"{"cognito:groups":["eng"]}"#, true),
        (r#"{"groups":["ops"],"roles":["eng"]}"#, false),
        (r#"{"groups":[{"name":"eng"}]}"#, false),
        ("{}", false),
        ("[]", false),
    ] {
        assert_eq!(permitted(&[text], &person("x", claims), "t", "{}"), expected, "{claims}");
    }
    let authz = Authz {
        group_claim: Some("realm.access.teams".to_owned()),
        role_claim: Some("https://x.test/roles".to_owned()),
        group_type: "Team".to_owned(),
        entities: Some(PolicySource::new(
            r#"[{"uid":{"type":"Team","id":"db"},"attrs":{},"parents":[{"type":"Team","id":"eng"}]}]"#,
        )),
        ..Authz::cedar([r#"permit(principal in Team::"eng", action, resource);"#])
    };
    let policy = Policy::compile("corp", &authz).unwrap();
    for (claims, expected) in [
        (r#"{"realm":{"access":{"teams":["db"]}}}"#, true),
        (r#"{"https://x.test/roles":["eng"]}"#, true),
        (r#"{"groups":["eng"]}"#, false),
    ] {
        let standing = policy.subject(&person("x", claims)).standing(tool("t"));
        assert_eq!(standing.decide(None).is_permit(), expected, "{claims}");
    }
}

#[test]
fn what_policies_ask_of_arguments_is_asked_of_what_is_forwarded() {
    let texts = [
        "permit(principal, action, resource);",
        r#"forbid(principal, action, resource == Tool::"deploy") when { context.arg_env == "prod" };"#,
    ];
    let who = person("x", "{}");
    assert!(decide(&texts, &who, "deploy", None).0, "with some arguments it may be called");
    for (arguments, expected) in [
        (r#"{"env":"dev"}"#, true),
        ("{\"env\":\"prod\u{200b}\"}", true),
        (r#"{"env":"dev","more":{"env":"prod"}}"#, true),
        (r#"{"env":"prod"}"#, false),
        (r#"{"\u0065nv":"prod"}"#, false),
        (r#"{"env":"pr\u006fd"}"#, false),
        (r#"{"env":"dev","env":"prod"}"#, false),
        (r#"{"env":"dev","\u0065nv":"prod"}"#, false),
        (r#"{"env":"dev","ENV":"prod"}"#, false),
        (r#"{"ENV":"prod"}"#, false),
        ("{}", false),
        (r#"{"env":null}"#, false),
        (r#"{"env":["prod"]}"#, false),
        (r#"{"env":"dev","more":{"a":1,"a":2}}"#, false),
        (r#"["env"]"#, false),
        ("", false),
    ] {
        assert_eq!(permitted(&texts, &who, "deploy", arguments), expected, "{arguments}");
    }
    assert!(permitted(&texts, &who, "other", r#"{"env":"prod"}"#), "it is no other tool's rule");
}

#[test]
fn numbers_are_what_they_are() {
    let whole = ["permit(principal, action, resource) when { context.arg_n < 10 };"];
    let parts =
        [r#"permit(principal, action, resource) when { context.arg_n.lessThan(decimal("1.5")) };"#];
    let who = person("x", "{}");
    for (arguments, wholes, decimals) in [
        (r#"{"n":9}"#, true, false),
        (r#"{"n":9.0}"#, true, false),
        (r#"{"n":1e1}"#, false, false),
        (r#"{"n":1.25}"#, false, true),
        (r#"{"n":"9"}"#, false, false),
        (r#"{"n":1e300}"#, false, false),
        (r#"{"n":1.00001}"#, false, false),
    ] {
        assert_eq!(permitted(&whole, &who, "t", arguments), wholes, "{arguments}");
        assert_eq!(permitted(&parts, &who, "t", arguments), decimals, "{arguments}");
    }
}

#[test]
fn parts_are_known_to_be_there() {
    let texts = [
        "permit(principal, action, resource) when { context.arg_list_present && resource.arg_list_present };",
    ];
    let who = person("x", "{}");
    assert!(permitted(&texts, &who, "t", r#"{"list":[1]}"#));
    assert!(permitted(&texts, &who, "t", r#"{"list":{}}"#));
    assert!(!permitted(&texts, &who, "t", r#"{"list":1}"#));
    assert!(!permitted(&texts, &who, "t", r#"{"list":[],"list_present":true}"#));
}

#[test]
fn what_cannot_be_evaluated_denies_whatever_permits() {
    let permit = "permit(principal, action, resource);";
    for wrong in [
        "forbid(principal, action, resource) when { principal.claim_missing == 1 };",
        "permit(principal, action, resource) when { principal.claim_n < \"x\" };",
        "permit(principal, action, resource) when { principal.claim_n * 9223372036854775807 > 0 };",
    ] {
        let (visible, decision) = decide(&[permit, wrong], &person("x", r#"{"n":3}"#), "t", None);
        assert!(!visible && matches!(decision, Decision::Deny(Why::Error(_))), "{decision:?}");
    }
    let reads = "permit(principal, action, resource) when { principal has claim_n };";
    let (_, decision) = decide(&[permit, reads], &person("x", r#"{"n":1e300}"#), "t", None);
    assert!(matches!(decision, Decision::Deny(Why::Unclear(_))), "{decision:?}");
}

#[test]
fn a_permission_is_seen_by_those_who_can_have_it() {
    let text = r#"permit(principal, action, resource == Tool::"deploy")
        when { principal.claim_team == "ops" && context.arg_env == "dev" }
        unless { context has arg_force || principal.claim_intern };"#;
    let claims = |team: &str, intern: bool| {
        person("x", &format!(r#"{{"team":"{team}","intern":{intern}}}"#))
    };
    let dev = Some(r#"{"env":"dev"}"#);
    assert_eq!(decide(&[text], &claims("ops", false), "deploy", dev), (true, Decision::Permit));
    for (team, intern) in [("dev", false), ("ops", true)] {
        let (visible, decision) = decide(&[text], &claims(team, intern), "deploy", dev);
        assert!(!visible && !decision.is_permit(), "{team} {intern}");
    }
}

#[test]
fn hints_are_attributes_and_change_no_other() {
    let text = "permit(principal, action, resource) when { resource.readOnlyHint && resource.name == \"t\" };";
    let subject = policy(&[text]).subject(&person("x", "{}"));
    for (read_only, expected) in [(Some(true), true), (Some(false), false), (None, false)] {
        let hints = Hints { read_only, ..Hints::default() };
        let item = PolicyItem { kind: PolicyKind::Tool, name: "t", hints };
        assert_eq!(subject.standing(item).decide(None).is_permit(), expected);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let place =
        |text: &str| PolicySource { file: "vmcp.yaml".into(), line: 7, ..PolicySource::new(text) };
    let mut authz = Authz::cedar([""]);
    authz.policies = vec![
        place("permit(principal, action, resource);"),
        place("permit(principal, action, resource)\nwhen { principal. };"),
        place("permit(principal == ?principal, action, resource);"),
        place("// nothing"),
    ];
    authz.entities = Some(place("{"));
    let found = Policy::compile("corp", &authz).unwrap_err().to_string();
    for wanted in [
        "vmcp.yaml:7:1: incomingAuth.authz.policies[1], line 2: ",
        "incomingAuth.authz.policies[2]: a template permits and forbids nothing",
        "incomingAuth.authz.policies[3]: there is no policy in it",
        "incomingAuth.authz.entitiesJson: ",
    ] {
        assert!(found.contains(wanted), "{found}");
    }
    assert!(Policy::compile("corp", &Authz::cedar(std::iter::empty::<&str>())).is_err());
}
