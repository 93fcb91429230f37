//! What a fault of our own costs: one request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use vmcp_backend::{BackendTarget, Endpoint};

use crate::rig::{LATEST, Rig, post, tool};

/// A server in this process that cannot be opened any more once `broken` is set: opening it panics.
fn fragile(broken: &Arc<AtomicBool>) -> BackendTarget {
    let broken = Arc::clone(broken);
    let open = move || {
        assert!(!broken.load(Ordering::SeqCst), "on purpose");
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        tokio::spawn(serve(theirs));
        ours
    };
    BackendTarget::new("b", Endpoint::InProcess(Arc::new(open)))
}

async fn serve(pipe: DuplexStream) {
    let (input, mut output) = tokio::io::split(pipe);
    let mut lines = BufReader::new(input).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let Some(id) = message.get("id") else { continue };
        let result = match message["method"].as_str().unwrap() {
            "initialize" => json!({
                "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}}),
            "tools/list" => json!({"tools": [tool("t")]}),
            _ => json!({"content": []}),
        };
        let answer = json!({"jsonrpc": "2.0", "id": id, "result": result});
        output.write_all(format!("{answer}\n").as_bytes()).await.ok();
    }
}

#[tokio::test]
async fn a_panic_costs_one_request_and_not_even_its_connection() {
    let broken = Arc::new(AtomicBool::new(false));
    let rig = Rig::with(vec![fragile(&broken)], |_| {}).await;
    let session = rig.session(LATEST).await.session().unwrap();
    broken.store(true, Ordering::SeqCst);
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"t"}}"#;
    let mut wire = rig.wire().await;
    wire.say(&post(Some(&session), call)).await;
    let reply = wire.reply().await.unwrap();
    assert!(reply.body.contains(r#""error""#) && !reply.body.contains("purpose"), "{}", reply.body);
    // The same connection, the same tool.
    broken.store(false, Ordering::SeqCst);
    let session = rig.session(LATEST).await.session().unwrap();
    wire.say(&post(Some(&session), call)).await;
    let reply = wire.reply().await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains(r#""content":[]"#), "{}", reply.body);
}
