//! Answers read whole: results, errors, lists.

use bytes::Bytes;
use serde_json::{Value, json};
use vmcp_backend::{ContentKind, ErrorKind, Executed, Side};
use vmcp_testkit::{Answer, Backend, Listing};

use crate::rig::{open, streamable, tool, with_tool};

#[tokio::test]
async fn results_keep_what_nobody_here_knows() {
    let raw = r#"{"content":[{"type":"text","text":"a","z":1.50},{"type":"new","x":[ ]}],"structuredContent":[1.0,null],"isError":true,"later":1e2}"#;
    let backend = with_tool(Answer::result(raw)).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let result = session.call_tool("t", None, None).await.unwrap();
    assert_eq!(result.raw(), raw);
    assert!(result.is_error());
    assert_eq!(result.structured_content().unwrap(), "[1.0,null]");
    assert_eq!(result.content()[0].get("z").unwrap(), "1.50");
    assert_eq!(result.content()[1].kind, ContentKind::Other("new".to_owned()));
}

#[tokio::test]
async fn an_error_that_the_backend_answers_is_told_as_such() {
    let backend = with_tool(Answer::error(-32002, "no such thing")).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let error = session.call_tool("t", None, None).await.unwrap_err();
    let ErrorKind::Answered(answered) = &error.kind else { panic!("{error}") };
    assert_eq!((answered.code(), answered.message().as_str()), (-32002, "no such thing"));
    assert_eq!(error.side, Side::Backend);
    let shown = "tool \"t\" call failed on backend b: answered with error -32002: no such thing";
    assert_eq!(error.to_string(), shown);
    let error = session.read_resource("x:none").await.unwrap_err();
    assert!(
        error.to_string().starts_with("resource \"x:none\" read failed on backend b: "),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_object_cannot_get_into_a_message() {
    let backend = with_tool(Answer::text("x")).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    for bad in ["1", "[]", "{", r#"{},"method":"evil","x":{}"#, ""] {
        let bad = Bytes::from_static(bad.as_bytes());
        for (arguments, meta) in [(Some(bad.clone()), None), (None, Some(bad.clone()))] {
            let error = session.call_tool("t", arguments, meta).await.unwrap_err();
            assert!(matches!(error.kind, ErrorKind::InvalidParams(_)), "{error}");
            assert_eq!((error.side, error.executed), (Side::Client, Executed::No));
        }
    }
    assert_eq!(backend.count("tools/call"), 0);
}

#[tokio::test]
async fn an_unknown_later_page_never_makes_a_part_look_whole() {
    let answers = Answer::sequence([
        Answer::result(json!({"prompts": [{"name": "p"}], "nextCursor": "2"})),
        Answer::error(-32601, "unknown"),
    ]);
    let builder = Backend::builder().capabilities(json!({"prompts": {}}));
    let backend = builder.on("prompts/list", answers).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let error = session.list().await.unwrap_err();
    assert!(error.to_string().contains("prompts/list"), "{error}");
}

#[tokio::test]
async fn a_repeated_cursor_is_named() {
    let builder =
        Backend::builder().tool(tool("a"), Answer::usual()).tool(tool("b"), Answer::usual());
    let backend = builder.listing(Listing::Loop(1)).start().await.unwrap();
    let error = open(streamable(&backend.url())).await.list().await.unwrap_err().to_string();
    let cursor =
        backend.heard("tools/list")[1].json()["params"]["cursor"].as_str().unwrap().to_owned();
    let text = format!("pagination cursor \"{cursor}\" repeated; backend is not advancing pages");
    assert!(error.contains(&text), "{error}");
}

#[tokio::test]
async fn http_level_absence_of_a_list_is_no_empty_list() {
    for status in [404, 405] {
        let builder =
            with_tool(Answer::text("x")).capabilities(json!({"tools": {}, "prompts": {}}));
        let backend = builder.on("prompts/list", Answer::status(status)).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        assert!(session.list().await.is_err(), "{status}");
    }
}

#[tokio::test]
async fn a_tool_whose_header_annotation_is_invalid_is_left_out_alone() {
    let annotated = |name: &str, kind: &str| {
        json!({"name": name, "inputSchema": {
        "type": "object", "properties": {"a": {"type": kind, "x-mcp-header": "Region"}}}})
    };
    let builder = Backend::builder()
        .tool(annotated("good", "string"), Answer::usual())
        .tool(annotated("bad", "number"), Answer::usual())
        .tool(tool("plain"), Answer::usual());
    let backend = builder.start().await.unwrap();
    let list = open(streamable(&backend.url())).await.list().await.unwrap();
    let name = |tool: &Bytes| serde_json::from_slice::<Value>(tool).unwrap()["name"].clone();
    assert_eq!(list.tools.iter().map(name).collect::<Vec<_>>(), ["good", "plain"]);
}
