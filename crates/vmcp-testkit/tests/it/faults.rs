//! What a badly behaved backend does.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vmcp_testkit::{Answer, Backend, BlackHole, RawClient, RawServer, RawStep, Transport};

fn tool(name: &str) -> Value {
    json!({"name": name, "inputSchema": {"type": "object"}})
}

async fn with(transport: Transport, answer: Answer) -> io::Result<(Backend, RawClient)> {
    let backend = Backend::builder().transport(transport).tool(tool("t"), answer).start().await?;
    let client = RawClient::new(&backend.url())?;
    client.handshake("2025-06-18", "{}").await?;
    Ok((backend, client))
}

const BOTH: [Transport; 2] = [Transport::Json, Transport::Sse];

#[tokio::test]
async fn notices_that_a_client_went_away() -> io::Result<()> {
    let silent = Answer::never();
    let streaming = Answer::never().log("info", "begun");
    for answer in [silent, streaming] {
        let (backend, client) = with(Transport::Sse, answer).await?;
        let call = client.clone();
        let mut calls = tokio::task::JoinSet::new();
        calls.spawn(async move { call.tool("t", "{}").await });
        backend.wait_for("tools/call", 1).await?;
        calls.shutdown().await;
        backend.wait_abandoned(1).await?;
        assert!(backend.abandoned()[0].is("tools/call"));
    }
    Ok(())
}

#[tokio::test]
async fn hangs_up_before_and_in_the_middle() -> io::Result<()> {
    for transport in BOTH {
        let (_backend, client) = with(transport, Answer::hangup()).await?;
        assert!(client.request("tools/call", json!({"name": "t"})).await.is_err());
        let (_backend, client) = with(transport, Answer::hangup().log("info", "begun")).await?;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await?;
        assert!(reply.message().await?.is_some());
        assert!(reply.message().await.is_err());
        let (_backend, client) = with(transport, Answer::text("a long text").cut_after(20)).await?;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await?;
        assert_eq!(reply.piece().await?.unwrap_or_default().len(), 20);
        assert!(reply.piece().await.is_err());
    }
    Ok(())
}

#[tokio::test]
async fn ends_cleanly_without_a_response() -> io::Result<()> {
    for transport in BOTH {
        let (_backend, client) = with(transport, Answer::nothing()).await?;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await?;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.text().await?, None);
    }
    Ok(())
}

#[tokio::test]
async fn says_what_no_server_should() -> io::Result<()> {
    for transport in BOTH {
        let (_backend, client) = with(transport, Answer::garbage("{nonsense")).await?;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await?;
        assert_eq!(reply.text().await?.as_deref(), Some("{nonsense"));
        let (_backend, client) = with(transport, Answer::wrong_id("\"7\"", "{}")).await?;
        assert_eq!(client.tool("t", "{}").await?["id"], "7");
        let (_backend, client) = with(transport, Answer::twice("{}")).await?;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await?;
        assert_eq!(reply.message().await?, reply.message().await?);
        assert_eq!(reply.message().await?, None);
        let (_backend, client) = with(transport, Answer::html(502)).await?;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await?;
        assert_eq!(reply.status, 502);
        assert!(reply.bytes().await?.starts_with(b"<html>"));
    }
    Ok(())
}

#[tokio::test]
async fn makes_huge_replies_while_it_sends_them() -> io::Result<()> {
    for transport in BOTH {
        let (_backend, client) = with(transport, Answer::huge(64 << 20)).await?;
        let mut reply = client.request("tools/call", json!({"name": "t"})).await?;
        let mut length = 0;
        while let Some(piece) = reply.piece().await? {
            length += piece.len();
        }
        assert!(length > 64 << 20);
        let (_backend, client) = with(transport, Answer::huge(100_000)).await?;
        let text = client.tool("t", "{}").await?;
        assert_eq!(text["result"]["content"][0]["text"].as_str().map(str::len), Some(100_000));
    }
    Ok(())
}

#[tokio::test]
async fn every_request_may_meet_the_same_fault() -> io::Result<()> {
    let (backend, client) = with(Transport::Json, Answer::usual()).await?;
    backend.every(Answer::redirect(307, "/elsewhere"));
    let reply = client.request("ping", "{}").await?;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (307, Some("/elsewhere")));
    backend.every(None);
    assert_eq!(client.request("ping", "{}").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn raw_servers_say_anything() -> io::Result<()> {
    let server = RawServer::start("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc").await?;
    let client = RawClient::new(&server.url())?;
    let mut reply = client.request("ping", "{}").await?;
    assert_eq!(reply.bytes().await?, "abc");
    assert!(server.heard()[0].head.starts_with("POST /mcp HTTP/1.1"));
    Ok(())
}

#[tokio::test]
async fn raw_servers_may_follow_a_script() -> io::Result<()> {
    let server = RawServer::scripted(|request| match (&request.body, request.turn) {
        (None, 2) => RawStep::Last("HTTP/1.1 413 No\r\n\r\n".into()),
        (None, _) => RawStep::Read,
        (Some(_), turn) => RawStep::Reply(format!("HTTP/1.1 20{turn} OK\r\n\r\n").into()),
    })
    .await?;
    let mut socket = tokio::net::TcpStream::connect(server.address()).await?;
    for body in ["{\"a\":1}", "{}", "never read"] {
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        socket.write_all(format!("{head}{body}").as_bytes()).await?;
    }
    socket.shutdown().await?;
    let mut said = String::new();
    socket.read_to_string(&mut said).await?;
    assert_eq!(said, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 201 OK\r\n\r\nHTTP/1.1 413 No\r\n\r\n");
    let heard = server.heard();
    assert_eq!(heard[0].json(), json!({"a": 1}));
    assert!(heard[2].body.is_none());
    let places: Vec<_> = heard.iter().map(|request| (request.connection, request.turn)).collect();
    assert_eq!(places, [(0, 0), (0, 1), (0, 2)]);
    Ok(())
}

#[tokio::test]
async fn the_ledger_says_what_ran() -> io::Result<()> {
    let answers = [
        (Answer::text("x"), 1),
        (Answer::text("x").log("info", "l"), 1),
        (Answer::error(-32603, "no"), 1),
        (Answer::hangup().log("info", "l"), 1),
        (Answer::status(502), 0),
        (Answer::status(502).executes(), 1),
    ];
    for (answer, expected) in answers {
        for transport in [Transport::Json, Transport::Sse] {
            let (backend, client) = with(transport, answer.clone()).await?;
            let params = json!({"name": "t", "arguments": {"a": 1}});
            let mut reply = client.request("tools/call", params.clone()).await?;
            let _ = reply.bytes().await;
            assert_eq!(backend.executions(), vec![params; expected]);
            backend.forget_sessions();
            client.request("tools/call", "{}").await?;
            assert_eq!(backend.executions().len(), expected, "a lost session runs nothing");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_black_hole_neither_accepts_nor_refuses() -> io::Result<()> {
    let hole = BlackHole::start().await?;
    let connecting = tokio::net::TcpStream::connect(hole.address());
    let waited = tokio::time::timeout(std::time::Duration::from_millis(300), connecting).await;
    assert!(waited.is_err(), "{waited:?}");
    Ok(())
}
