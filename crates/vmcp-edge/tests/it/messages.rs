//! Bodies: what is a message, and what each gets.

use serde_json::{Value, json};

use crate::rig::{LATEST, Rig, body};

/// Posts a body on a session and gives status and JSON.
async fn post(rig: &Rig, revision: &str, bytes: &[u8]) -> (u16, Value) {
    let client = rig.session(revision).await;
    let mut reply = client.post(bytes.to_vec()).await.unwrap();
    (reply.status.as_u16(), body(&mut reply).await)
}

#[tokio::test]
async fn what_is_no_json_is_a_parse_error() {
    let rig = Rig::empty().await;
    for bad in [
        &b""[..],
        b" ",
        br#"{"jsonrpc":"2.0","id":2,"method":"tools/li"#,
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}",
        b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        b"\x0b{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}x",
    ] {
        let (status, message) = post(&rig, LATEST, bad).await;
        assert_eq!((status, &message["error"]["code"]), (400, &json!(-32700)), "{bad:?}");
        assert_eq!(message["id"], Value::Null);
    }
    let deep = "[".repeat(10_000);
    assert_eq!(post(&rig, LATEST, deep.as_bytes()).await.0, 400);
}

#[tokio::test]
async fn json_that_is_no_message_is_an_invalid_request_under_its_own_id() {
    let rig = Rig::empty().await;
    for (bad, id) in [
        (r#"null"#, json!(null)),
        (r#""x""#, json!(null)),
        (r#"{"id":5,"method":"ping"}"#, json!(5)),
        (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, json!("a")),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, json!(null)),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, json!(null)),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, json!(null)),
        (r#"{"jsonrpc":"2.0","id":6,"method":"ping","method":"tools/call"}"#, json!(6)),
        (r#"{"jsonrpc":"2.0","id":7,"method":"ping","result":{}}"#, json!(7)),
        (r#"{"jsonrpc":"2.0","id":8}"#, json!(8)),
        (r#"{"jsonrpc":"2.0","id":9,"id":9,"method":"ping"}"#, json!(null)),
    ] {
        let (status, message) = post(&rig, LATEST, bad.as_bytes()).await;
        assert_eq!((status, &message["error"]["code"]), (400, &json!(-32600)), "{bad}");
        assert_eq!(message["id"], id, "{bad}");
    }
}

#[tokio::test]
async fn ids_come_back_exactly_as_they_were_spelled() {
    let rig = Rig::empty().await;
    let client = rig.session(LATEST).await;
    for id in
        ["0", "-1", "\"\"", "\"a\\u0041\"", "9223372036854775808", "18446744073709551615", "1e3"]
    {
        for method in ["ping", "tools/list", "no/such"] {
            let mut reply = client.request_as(id, method, json!({})).await.unwrap();
            assert_eq!(reply.status, 200);
            let text = reply.text().await.unwrap().unwrap();
            assert!(text.contains(&format!("\"id\":{id},")), "{id} {method}: {text}");
        }
    }
}

#[tokio::test]
async fn unknown_methods_and_names_have_the_protocols_codes() {
    let rig = Rig::empty().await;
    let client = rig.session(LATEST).await;
    for (method, params, code) in [
        ("no/such", json!({}), -32601),
        ("Tools/List", json!({}), -32601),
        ("server/discover", json!({}), -32601),
        ("tools/call", json!({"name": "nobody"}), -32602),
        ("tools/call", json!({}), -32602),
        ("resources/read", json!({"uri": "x://nobody"}), -32002),
    ] {
        let mut reply = client.request(method, params).await.unwrap();
        assert_eq!(reply.status, 200);
        let message = reply.response().await.unwrap();
        assert_eq!(message["error"]["code"], code, "{method}: {message}");
        if code == -32002 {
            assert_eq!(message["error"]["data"]["uri"], "x://nobody");
        }
    }
}

#[tokio::test]
async fn notifications_and_responses_are_accepted_without_a_word() {
    let rig = Rig::empty().await;
    let client = rig.session(LATEST).await;
    for message in [
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/of/nobody","params":{"a":1}}"#,
        r#"{"jsonrpc":"2.0","id":0,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"m"}}"#,
    ] {
        let mut reply = client.post(message).await.unwrap();
        assert_eq!(reply.status, 202, "{message}");
        assert_eq!(reply.bytes().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn batches_belong_to_the_old_revisions() {
    let rig = Rig::empty().await;
    let two = br#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":"b","method":"no/such"}]"#;
    for revision in ["2024-11-05", "2025-03-26"] {
        let (status, answers) = post(&rig, revision, two).await;
        assert_eq!(status, 200);
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len(), 2);
        assert!(answers.contains(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})));
        assert!(answers.iter().any(|one| one["id"] == "b" && one["error"]["code"] == -32601));
    }
    for revision in ["2025-06-18", "2025-11-25"] {
        let (status, message) = post(&rig, revision, two).await;
        assert_eq!((status, &message["error"]["code"]), (400, &json!(-32600)));
    }
}

#[tokio::test]
async fn members_of_a_batch_stand_for_themselves() {
    let rig = Rig::empty().await;
    let revision = "2025-03-26";
    let notices = br#"[{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":3,"result":{}}]"#;
    assert_eq!(post(&rig, revision, notices).await, (202, Value::Null));
    let mixed =
        br#"[{"jsonrpc":"1.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#;
    let (status, answers) = post(&rig, revision, mixed).await;
    assert_eq!(status, 200);
    assert_eq!(answers.as_array().map(Vec::len), Some(2));
    assert!(answers.as_array().unwrap().iter().any(|one| one["error"]["code"] == -32600));
    for bad in ["[]", "[[]]", r#"[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}]"#] {
        let (status, message) = post(&rig, revision, bad.as_bytes()).await;
        let code =
            if status == 400 { &message["error"]["code"] } else { &message[0]["error"]["code"] };
        assert_eq!(code, &json!(-32600), "{bad}");
    }
    let many = format!("[{}]", vec![r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#; 65].join(","));
    assert_eq!(post(&rig, revision, many.as_bytes()).await.0, 400);
}
