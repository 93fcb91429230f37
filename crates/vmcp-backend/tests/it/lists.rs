//! Reading everything a backend offers.

use std::time::Duration;

use serde_json::json;
use vmcp_backend::{CallError, ErrorKind};
use vmcp_testkit::{Answer, Backend, Builder, Listing};

use crate::rig::{open, streamable, tool};

fn many(count: usize) -> Builder {
    (0..count).fold(Backend::builder(), |builder, n| {
        builder.tool(tool(&format!("t{n}")), Answer::usual())
    })
}

async fn failure(builder: Builder) -> CallError {
    let backend = builder.start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.limits.max_list_pages = 50;
    open(target).await.list().await.unwrap_err()
}

#[tokio::test]
async fn reads_all_kinds_raw_and_only_what_is_advertised() {
    let odd = r#"{"name" : "odd", "inputSchema":{"type":"object"},"z":1.0,"\u0061":[ ]}"#;
    let backend = Backend::builder()
        .tool(odd, Answer::usual())
        .resource(json!({"uri": "x:1", "name": "n"}), Answer::usual())
        .template(json!({"uriTemplate": "x:{a}", "name": "n"}), Answer::usual())
        .start()
        .await
        .unwrap();
    let list = open(streamable(&backend.url())).await.list().await.unwrap();
    assert_eq!(list.tools, [odd]);
    assert_eq!((list.resources.len(), list.templates.len(), list.prompts.len()), (1, 1, 0));
    assert_eq!(backend.count("prompts/list"), 0);
}

#[tokio::test]
async fn follows_every_page_the_empty_cursor_included() {
    for listing in [Listing::Pages(3), Listing::EmptyCursor(3), Listing::Whole] {
        let backend = many(8).listing(listing).start().await.unwrap();
        let list = open(streamable(&backend.url())).await.list().await.unwrap();
        assert_eq!(list.tools.len(), 8, "{listing:?}");
        let pages = if listing == Listing::Whole { 1 } else { 3 };
        assert_eq!(backend.count("tools/list"), pages);
    }
}

#[tokio::test]
async fn pages_that_never_end_are_an_error_never_a_part_of_a_list() {
    for listing in [Listing::Loop(2), Listing::Cycle(2)] {
        let error = failure(many(8).listing(listing)).await;
        assert!(error.to_string().contains("repeated"), "{error}");
    }
    let error = failure(many(8).listing(Listing::Endless(2))).await;
    assert!(error.to_string().contains("exceeded 50 pages"), "{error}");
}

#[tokio::test]
async fn bounds_items_and_bytes_and_time() {
    let backend = many(20).start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.limits.max_list_items = 10;
    let error = open(target).await.list().await.unwrap_err();
    assert!(error.to_string().contains("more than 10 items"), "{error}");

    let mut target = streamable(&backend.url());
    target.limits.max_list_bytes = 100;
    let error = open(target).await.list().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge { limit: 100 });

    backend.on("tools/list", Answer::never());
    let mut target = streamable(&backend.url());
    target.timeouts.list = Duration::from_millis(50);
    let error = open(target).await.list().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout(Duration::from_millis(50)));
}

#[tokio::test]
async fn an_unknown_method_is_tolerated_except_for_tools() {
    let capabilities = json!({"tools": {}, "resources": {}, "prompts": {}});
    let unknown = || Answer::error(-32601, "unknown");
    let backend = many(1)
        .capabilities(capabilities.clone())
        .on("resources/list", unknown())
        .on("resources/templates/list", unknown())
        .on("prompts/list", unknown())
        .start()
        .await
        .unwrap();
    let list = open(streamable(&backend.url())).await.list().await.unwrap();
    assert_eq!(list.tools.len(), 1);

    let error = failure(many(1).on("tools/list", unknown())).await;
    assert!(error.to_string().contains("tools/list"), "{error}");
    let other = many(1).capabilities(capabilities).on("prompts/list", Answer::error(-32603, "e"));
    assert!(failure(other).await.to_string().contains("prompts/list"));
}

#[tokio::test]
async fn a_list_that_is_no_list_is_an_error() {
    let error = failure(many(1).on("tools/list", Answer::result(json!({"tools": 1})))).await;
    assert!(error.to_string().contains("no list"), "{error}");
}

#[tokio::test]
async fn a_page_longer_than_what_is_held_is_read_whole() {
    let long =
        json!({"name": "t", "description": "d".repeat(300_000), "inputSchema": {"type": "object"}});
    let backend = Backend::builder().tool(long, Answer::usual()).start().await.unwrap();
    let list = open(streamable(&backend.url())).await.list().await.unwrap();
    assert!(list.tools[0].len() > 300_000);
}
