//! Arbitrary JSON goes through the whole of vmcp in both directions and loses no byte.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use vmcp_testkit::{Answer, Backend, Transport};

use crate::json;
use crate::rig::{LATEST, Rig, tool};

const CASES: usize = 256;

fn contains(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

/// Calls with arbitrary arguments, answered with arbitrary results; `usable` says what the transport can carry.
async fn check(transport: Transport, usable: fn(&str) -> bool) {
    let builder = Backend::builder().transport(transport);
    let backend = builder.tool(tool("t"), Answer::text("-")).start().await.unwrap();
    let rig = Rig::before(&backend).await;
    let client = rig.session(LATEST).await;
    let mut runner = TestRunner::new(json::cases(CASES as u32));
    // A value that is no object, unknown members before and behind, any spelling of numbers and letters.
    let cases = (json::object(), json::value(), json::object());
    for at in 0..CASES {
        let (arguments, structured, unknown) = cases.new_tree(&mut runner).unwrap().current();
        let result = format!(
            r#"{{"x-first":{unknown},"content":[],"structuredContent":{structured},"x-last":{unknown}}}"#
        );
        if !usable(&result) {
            continue;
        }
        backend.set_tool(tool("t"), Answer::result(result.as_str()));
        let params = format!(r#"{{"x-first":{unknown},"name":"t","arguments":{arguments}}}"#);
        let mut reply = client.request("tools/call", params.as_str()).await.unwrap();
        let heard = reply.text().await.unwrap().unwrap();
        assert!(contains(heard.as_bytes(), &result), "{at}: {result}\nbecame {heard}");
        // Beside the calls, vmcp may list what there is.
        let calls = backend.requests().into_iter().map(|request| request.body);
        let asked = calls.rev().find(|body| contains(body, r#""method":"tools/call""#)).unwrap();
        assert!(contains(&asked, &params), "{at}: {params}\nbecame {asked:?}");
    }
}

#[tokio::test]
async fn json_replies_and_arguments_keep_every_byte() {
    check(Transport::Json, |_| true).await;
}

#[tokio::test]
async fn event_streams_and_arguments_keep_every_byte() {
    // A carriage return ends a line of an event stream, so no event can carry one.
    check(Transport::Sse, |result| !result.contains('\r')).await;
}
