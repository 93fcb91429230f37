//! Where ids of tasks stand, and what is said of tasks.

use super::{Status, Support, is_made, is_mentioned, places};
use crate::Object;

#[test]
fn ids_are_found_in_both_forms_and_in_what_belongs_to_a_task() {
    let ids = |raw: &str| -> Vec<String> {
        let found = places(raw.as_bytes());
        for place in &found {
            assert_eq!(&raw[place.span.clone()], format!("\"{}\"", place.id));
        }
        found.into_iter().map(|place| place.id).collect()
    };
    assert_eq!(ids(r#"{"taskId":"a","status":"working"}"#), ["a"]);
    assert_eq!(ids(r#"{"task":{"ttl":null,"taskId":"b"}}"#), ["b"]);
    let related =
        r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"c"}}}"#;
    assert_eq!(ids(related), ["c"]);
    for other in ["[]", "{}", r#"{"content":[{"taskId":"x"}]}"#, r#"{"taskId":1,"task":"taskId"}"#]
    {
        assert!(ids(other).is_empty(), "{other}");
    }
}

#[test]
fn only_a_result_of_that_kind_is_a_task() {
    assert!(is_made(br#"{"resultType":"task","taskId":"a"}"#));
    assert!(is_made(br#"{"taskId":"a","resultType" : "task" }"#));
    for other in [
        r#"{"resultType":"complete","content":[{"type":"text","text":"\"task\""}]}"#,
        r#"{"task":{"taskId":"a"}}"#,
        r#"{"content":[],"kind":"task"}"#,
    ] {
        assert!(!is_made(other.as_bytes()), "{other}");
    }
    assert!(is_mentioned(br#"{"taskId":"a"}"#) && !is_mentioned(br#"{"task":"a"}"#));
}

#[test]
fn states_and_support_have_their_names() {
    let status = |raw: &str| Status::of(&Object::parse(raw.as_bytes()).unwrap());
    assert_eq!(status(r#"{"status":"working"}"#), Some(Status::Working));
    assert_eq!(status(r#"{"status":"input_required"}"#), Some(Status::InputRequired));
    for name in ["completed", "failed", "cancelled"] {
        assert!(status(&format!("{{\"status\":\"{name}\"}}")).unwrap().is_final());
    }
    assert_eq!(status(r#"{"status":"odd"}"#), None);
    let support = |raw: &str| Support::of_tool(raw.as_bytes());
    assert_eq!(
        support(r#"{"name":"t","execution":{"taskSupport":"required"}}"#),
        Support::Required
    );
    assert_eq!(
        support(r#"{"name":"t","execution":{"taskSupport":"optional"}}"#),
        Support::Optional
    );
    assert_eq!(support(r#"{"name":"t","description":"taskSupport"}"#), Support::Forbidden);
    assert_eq!(support(r#"{"name":"t"}"#), Support::Forbidden);
}
