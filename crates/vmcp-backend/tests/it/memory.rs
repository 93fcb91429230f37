//! Long replies stream: memory does not grow with them.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use vmcp_backend::{BackendTarget, Endpoint, Event, Response, Session};
use vmcp_testkit::{Answer, Transport};
use vmcp_wire::Piece;

use crate::rig::{call, child, open, streamable, t, with_tool};

const HUGE: u64 = 64 << 20;
const MAX_GROWTH: u64 = 8 << 20;

/// The most memory this process ever had.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Reads a long reply to its end; its length, its largest piece, the id it ends under.
async fn drain(session: &Session, call: vmcp_backend::Call) -> (u64, usize, Bytes) {
    let mut reply = session.forward(call).await.unwrap();
    let Some(Event::Response(Response::Parts(mut parts))) = reply.next().await else { panic!() };
    let (mut length, mut largest, mut id) = (0, 0, Bytes::new());
    while let Some(piece) = parts.next().await {
        match piece.unwrap() {
            Piece::Bytes(bytes) => {
                length += bytes.len() as u64;
                largest = largest.max(bytes.len());
            }
            Piece::Id(own) => id = Bytes::copy_from_slice(own.as_bytes()),
        }
    }
    (length, largest, id)
}

async fn check(session: &Session, call: impl Fn(u64) -> vmcp_backend::Call) {
    drain(session, call(4 << 20)).await;
    let mut least = u64::MAX;
    // Other tests run in this process at the same time and need memory too; one quiet round is proof.
    for _ in 0..3 {
        let before = peak();
        let (length, largest, id) = drain(session, call(HUGE)).await;
        assert!(length > HUGE - 4096);
        assert!(largest <= 256 * 1024, "a piece of {largest} bytes");
        assert!(!id.is_empty());
        // The kernel counts per thread and sums up lazily: a later peak may read a little lower.
        least = least.min(peak().saturating_sub(before));
        if least < MAX_GROWTH {
            break;
        }
    }
    println!("grown by {} KiB", least / 1024);
    assert!(least < MAX_GROWTH, "grown by {} KiB", least / 1024);
}

#[tokio::test]
async fn a_long_reply_is_not_held() {
    for transport in [Transport::Json, Transport::Sse] {
        let huge =
            Answer::with(|call| Answer::huge(call.params()["bytes"].as_u64().unwrap_or_default()));
        let backend = with_tool(huge).transport(transport).start().await.unwrap();
        let session = open(streamable(&backend.url())).await;
        check(&session, |bytes| call(&json!({"name": "t", "bytes": bytes}))).await;
        // The connection is still good.
        assert_eq!(backend.count("initialize"), 1);
    }
    let session = open(child(&[])).await;
    check(&session, |bytes| call(&json!({"name": "huge", "arguments": {"bytes": bytes}}))).await;
}

/// A server in this process that writes the id of a response last, and long ones bit by bit.
fn id_last() -> tokio::io::DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let (input, mut output) = tokio::io::split(theirs);
        let mut lines = BufReader::new(input).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let message: serde_json::Value = serde_json::from_str(&line).unwrap();
            let Some(id) = message.get("id") else { continue };
            let bytes = message["params"]["bytes"].as_u64().unwrap_or_default();
            let start = r#"{"result":{"protocolVersion":"2025-11-25","capabilities":{},"text":""#;
            output.write_all(start.as_bytes()).await.unwrap();
            for _ in 0..bytes / 4096 {
                output.write_all(&[b'x'; 4096]).await.unwrap();
            }
            let end = format!("\"}},\"jsonrpc\":\"2.0\",\"id\":{id}}}\n");
            output.write_all(end.as_bytes()).await.unwrap();
        }
    });
    ours
}

#[tokio::test]
async fn a_long_reply_on_a_shared_pipe_is_not_held_even_if_its_id_comes_last() {
    let endpoint = Endpoint::InProcess(Arc::new(id_last));
    let session = open(BackendTarget::new("b", endpoint)).await;
    check(&session, |bytes| call(&json!({"name": "t", "bytes": bytes}))).await;
}

#[tokio::test]
async fn a_long_reply_that_is_cut_off_is_an_error() {
    let backend = with_tool(Answer::huge(1 << 20).cut_after(500_000)).start().await.unwrap();
    let session = open(streamable(&backend.url())).await;
    let all = crate::rig::run(&session, t()).await;
    let error = all.error.unwrap();
    assert_eq!(error.executed, vmcp_backend::Executed::Unknown);
}

#[tokio::test]
async fn an_endless_reply_is_cut_off() {
    let backend = with_tool(Answer::huge(64 << 20)).start().await.unwrap();
    let mut target = streamable(&backend.url());
    target.limits.max_reply_bytes = 1 << 20;
    let all = crate::rig::run(&open(target).await, t()).await;
    assert_eq!(all.error.unwrap().kind, vmcp_backend::ErrorKind::TooLarge { limit: 1 << 20 });
}
