//! A client with two connections: the stream, and one for each message.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::rig::Wire;

/// The revision of this transport.
pub(super) const OLDEST: &str = "2024-11-05";

/// A client whose stream is open.
pub(super) struct SseClient {
    address: SocketAddr,
    stream: Wire,
    heard: String,
    comments: usize,
    /// What the server said where to post.
    pub(super) endpoint: String,
}

impl SseClient {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let mut stream = Wire::to(address).await;
        let head = "accept: text/event-stream";
        stream.say(&format!("GET /sse HTTP/1.1\r\nhost: {address}\r\n{head}\r\n\r\n")).await;
        let (status, head) = stream.head().await.unwrap();
        assert_eq!(status, 200, "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        let (heard, endpoint) = (String::new(), String::new());
        let mut client = Self { address, stream, heard, comments: 0, endpoint };
        let (name, endpoint) = client.event().await.unwrap();
        assert_eq!(name, "endpoint");
        client.endpoint = endpoint;
        client
    }

    /// After the handshake, by a client that has roots.
    pub(super) async fn open(address: SocketAddr, revision: &str) -> Self {
        let mut client = Self::connect(address).await;
        client.shake(revision).await;
        client
    }

    pub(super) fn hello(revision: &str) -> Value {
        json!({"protocolVersion": revision, "capabilities": {"roots": {}},
            "clientInfo": {"name": "t", "version": "0"}})
    }

    pub(super) fn ping() -> String {
        r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned()
    }

    pub(super) async fn shake(&mut self, revision: &str) {
        self.ask(json!(0), "initialize", Self::hello(revision)).await;
        assert_eq!(self.next().await["result"]["protocolVersion"], revision);
        self.notify("notifications/initialized", json!({})).await;
    }

    /// Posts a message: status and body.
    pub(super) async fn post(&self, message: &str) -> (u16, String) {
        Self::post_to(self.address, &self.endpoint, message).await
    }

    pub(super) async fn post_to(address: SocketAddr, target: &str, message: &str) -> (u16, String) {
        let mut wire = Wire::to(address).await;
        wire.say(&format!(
            "POST {target} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{message}",
            message.len()
        ))
        .await;
        let reply = wire.reply().await.unwrap();
        (reply.status, reply.body)
    }

    pub(super) async fn ask(&self, id: Value, method: &str, params: Value) -> (u16, String) {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.post(&message.to_string()).await
    }

    pub(super) async fn notify(&self, method: &str, params: Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        assert_eq!(self.post(&message.to_string()).await, (202, String::new()));
    }

    /// The next event, name and data; `None` at the end of the stream.
    pub(super) async fn event(&mut self) -> Option<(String, String)> {
        loop {
            let Some(end) = self.heard.find("\n\n") else {
                let chunk = self.stream.chunk().await.unwrap();
                if chunk.is_empty() {
                    assert_eq!(self.heard, "");
                    return None;
                }
                self.heard.push_str(std::str::from_utf8(&chunk).unwrap());
                continue;
            };
            let text = self.heard[..end].to_owned();
            self.heard.drain(..end + 2);
            if text.starts_with(':') {
                self.comments += 1;
                continue;
            }
            // The name that comes last counts.
            let name = text.lines().filter_map(|line| line.strip_prefix("event: ")).next_back();
            let data: Vec<&str> =
                text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            return Some((name.unwrap_or("message").to_owned(), data.join("\n")));
        }
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Value {
        let (name, data) = self.event().await.unwrap();
        assert_eq!(name, "message");
        serde_json::from_str(&data).unwrap()
    }

    /// Reads until this many comments have come, and nothing else.
    pub(super) async fn comments(&mut self, count: usize) {
        while self.comments < count {
            let chunk = self.stream.chunk().await.unwrap();
            assert_eq!(chunk, b":\n\n");
            self.comments += 1;
        }
    }

    pub(super) fn close_stream(self) {
        drop(self.stream);
    }
}
