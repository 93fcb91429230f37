//! Lists that never end, and what is in them that costs whoever believes it.

use std::time::Duration;

use serde_json::json;
use vmcp_backend::{Call, CallError, ErrorKind};
use vmcp_testkit::{Answer, Backend, Builder, Listing};

use crate::rig::{open, streamable, tool};

fn many(count: usize) -> Builder {
    (0..count).fold(Backend::builder(), |builder, n| {
        builder.tool(tool(&format!("t{n}")), Answer::usual())
    })
}

async fn listed(backend: &Backend) -> Result<usize, CallError> {
    open(streamable(&backend.url())).await.list().await.map(|list| list.tools.len())
}

#[tokio::test]
async fn pages_go_on_to_the_bound_and_no_further() {
    let bounded = async |backend: &Backend| {
        let mut target = streamable(&backend.url());
        target.limits.max_list_pages = 20;
        open(target).await.list().await.map(|list| list.tools.len())
    };
    let backend = many(3).listing(Listing::Endless(1)).start().await.unwrap();
    let error = bounded(&backend).await.unwrap_err();
    assert!(error.to_string().contains("exceeded 20 pages"), "{error}");
    assert_eq!(backend.count("tools/list"), 20);
    for (pages, expected) in [(20, Some(20)), (21, None)] {
        let backend = many(pages).listing(Listing::Pages(1)).start().await.unwrap();
        assert_eq!(bounded(&backend).await.ok(), expected);
    }
}

#[tokio::test]
async fn slow_pages_end_at_the_time_for_the_whole_list() {
    let slow = Answer::usual().wait(Duration::from_millis(10));
    let backend =
        many(3).listing(Listing::Endless(1)).on("tools/list", slow).start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.timeouts.list = Duration::from_millis(200);
    let error = open(target).await.list().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(200)));
    let pages = backend.count("tools/list");
    assert!((1..=21).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn a_list_that_breaks_off_is_no_list() {
    let breaks =
        [Answer::hangup(), Answer::status(500), Answer::error(-32603, "no"), Answer::html(200)];
    for answer in breaks {
        let pages = Answer::sequence([Answer::usual(), Answer::usual(), answer]);
        let backend =
            many(9).listing(Listing::Pages(3)).on("tools/list", pages).start().await.unwrap();
        let error = listed(&backend).await.unwrap_err();
        assert_eq!(backend.count("tools/list"), 3, "{error}");
        assert_eq!(backend.count("initialize"), 1);
    }
}

/// A tool with this schema, raw.
fn with_schema(schema: &str) -> String {
    format!(r#"{{"name":"t","inputSchema":{schema}}}"#)
}

#[tokio::test]
async fn schemas_are_kept_and_never_understood() {
    let wide = (0..200_000).map(|n| format!("{{\"const\":{n}}}")).collect::<Vec<_>>().join(",");
    let doubling = (0..20)
        .map(|n| {
            let next = format!("{{\"$ref\":\"#/$defs/d{}\"}}", n + 1);
            format!("\"d{n}\":{{\"anyOf\":[{next},{next}]}}")
        })
        .collect::<Vec<_>>()
        .join(",");
    let schemas = [
        format!(r#"{{"type":"object","anyOf":[{wide}]}}"#),
        format!(r##"{{"$ref":"#/$defs/d0","$defs":{{{doubling},"d20":{{}}}}}}"##),
        r#"{"type":"object","properties":{"a":{"pattern":"(a+)+$"}}}"#.to_owned(),
        r#"{"type":"object","properties":{"a":{"pattern":"[("}}}"#.to_owned(),
        format!(r#"{{"type":"object","description":"{}"}}"#, "d".repeat(10 << 20)),
        format!("{}{}{}", r#"{"a":"#.repeat(100), "{}", "}".repeat(100)),
        "7".to_owned(),
    ];
    for schema in schemas {
        let raw = with_schema(&schema);
        let backend = Backend::builder().tool(raw.as_str(), Answer::usual()).start().await.unwrap();
        let list = open(streamable(&backend.url())).await.list().await.unwrap();
        assert!(list.tools == [raw], "a schema of {} bytes changed", schema.len());
    }
}

#[tokio::test]
async fn a_schema_that_is_too_deep_or_too_long_is_an_error_and_the_session_goes_on() {
    let deep = format!("{}{}{}", r#"{"a":"#.repeat(10_000), "{}", "}".repeat(10_000));
    let long = format!(r#"{{"type":"object","description":"{}"}}"#, "d".repeat(20 << 20));
    for schema in [deep, long] {
        let backend = Backend::builder()
            .tool(with_schema(&schema).as_str(), Answer::text("x"))
            .start()
            .await
            .unwrap();
        let session = open(streamable(&backend.url())).await;
        let error = session.list().await.unwrap_err();
        let expected = matches!(error.kind, ErrorKind::TooLarge { .. } | ErrorKind::Protocol(_));
        assert!(expected, "{error}");
        let params = json!({"name": "t"}).to_string();
        let call = Call::new("tools/call", Some(params.into()));
        assert!(session.ask(call).await.is_ok());
        assert_eq!(backend.executions().len(), 1);
    }
}
