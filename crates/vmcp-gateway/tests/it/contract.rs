//! A client's session, used through the contract that a session with one backend has too.

use std::sync::Arc;

use vmcp_backend::{ErrorKind, Executed, McpSession};
use vmcp_testkit::{Answer, Backend};

use crate::world::{World, bare, http, prompt, resource, tool};

#[tokio::test]
async fn many_backends_are_used_as_one() {
    let note = Answer::echo().log("info", "on the way");
    let tools = Backend::builder().tool(tool("t"), note).start().await.unwrap();
    let texts = Backend::builder()
        .resource(
            resource("x:1"),
            Answer::result(r#"{"contents":[{"uri":"x:1","text":"hello","z":1.0}]}"#),
        )
        .prompt(prompt("p"), Answer::error(-32602, "no"));
    let texts = texts.start().await.unwrap();
    let world = World::settled(bare(), vec![http("a", &tools), http("b", &texts)]).await;
    let mut client = world.client().await;
    let session: Arc<dyn McpSession> = client.session.clone();

    let result = session.call_tool("t", Some(r#"{"n":1.0}"#.into()), None).await.unwrap();
    assert_eq!(result.text(), r#"{"name":"t","arguments":{"n":1.0}}"#);
    // What a backend says meanwhile is the sink's.
    client.told("notifications/message").await;
    let read = session.read_resource("x:1").await.unwrap();
    assert_eq!(read.raw(), r#"{"contents":[{"uri":"x:1","text":"hello","z":1.0}]}"#);
    let error = session.get_prompt("p", None).await.unwrap_err();
    assert!(matches!(&error.kind, ErrorKind::Answered(answered) if answered.code() == -32602));
    let error = session.call_tool("nobody", None, None).await.unwrap_err();
    assert_eq!(
        (error.kind.clone(), error.executed),
        (ErrorKind::UnknownTool("nobody".to_owned()), Executed::No)
    );
    assert!(error.to_string().starts_with("tool \"nobody\" call failed"), "{error}");
    assert_eq!(session.session_id(), None);

    session.close().await;
    session.close().await;
    let error = session.call_tool("t", None, None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Closed);
}
