//! One form of tasks in the other.

use bytes::Bytes;

use super::{created, made, offered, related, requested, unrelated};

fn text(bytes: Option<Bytes>) -> String {
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

#[test]
fn a_task_keeps_its_bytes_and_gets_the_other_names() {
    let task = r#"{"taskId":"a", "ttl":6.0e1,"x":{"ttl":1},"status":"working","pollInterval":5}"#;
    let other =
        r#"{"taskId":"a", "ttlMs":6.0e1,"x":{"ttl":1},"status":"working","pollIntervalMs":5}"#;
    assert_eq!(text(offered(task.as_bytes(), None, &[])), other);
    assert_eq!(text(requested(other.as_bytes())), task);
}

#[test]
fn a_call_that_became_a_task_is_told_in_both_forms() {
    let result =
        r#"{"resultType":"task","taskId":"a","status":"working","ttlMs":null,"_meta":{"k":1}}"#;
    let nested = r#"{"task":{"taskId":"a","status":"working","ttl":null},"_meta":{"k":1}}"#;
    assert_eq!(text(created(result.as_bytes())), nested);
    let flat =
        r#"{"taskId":"a","status":"working","ttlMs":null,"resultType":"task","_meta":{"k":1}}"#;
    assert_eq!(text(made(nested.as_bytes())), flat);
    assert!(made(br#"{"content":[]}"#).is_none());
}

#[test]
fn what_a_task_brings_along_is_for_those_who_are_offered_it() {
    let asks = r#"{"resultType":"complete","taskId":"a","status":"input_required","inputRequests":{},"ttlMs":1}"#;
    assert_eq!(
        text(requested(asks.as_bytes())),
        r#"{"taskId":"a","status":"input_required","ttl":1}"#
    );
    let done =
        offered(br#"{"taskId":"a","status":"failed"}"#, Some("completed"), &[("result", b"{}")]);
    assert_eq!(text(done), r#"{"taskId":"a","status":"completed","result":{}}"#);
}

#[test]
fn a_tool_that_failed_is_a_failed_task_to_those_who_asked_for_it() {
    for (error, status) in [("true", "failed"), ("false", "completed")] {
        let task = format!(
            r#"{{"taskId":"a","status":"completed","result":{{"content":[],"isError":{error}}}}}"#
        );
        let told = format!(r#"{{"taskId":"a","status":"{status}"}}"#);
        assert_eq!(text(requested(task.as_bytes())), told);
    }
}

#[test]
fn a_message_is_marked_with_its_task_and_unmarked() {
    let mark = r#""io.modelcontextprotocol/related-task":{"taskId":"a"}"#;
    let marked = format!(r#"{{"content":[],"_meta":{{{mark}}}}}"#);
    assert_eq!(text(related(br#"{"content":[]}"#, "a")), marked);
    assert_eq!(unrelated(&Bytes::from(marked)), r#"{"content":[]}"#);
    let kept = format!(r#"{{"_meta":{{"k":1,{mark}}}}}"#);
    assert_eq!(text(related(br#"{"_meta":{"k":1}}"#, "a")), kept);
    assert_eq!(unrelated(&Bytes::from(kept)), r#"{"_meta":{"k":1}}"#);
}
