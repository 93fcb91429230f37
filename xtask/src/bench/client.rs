//! One client: one connection, one handshake, then calls.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::backend::COUNTERS;
use super::shape::{Framing, Shape, message};

/// The revision that the load is spoken in.
const REVISION: &str = "2025-11-25";
/// The path of the endpoint, the same at every target.
const PATH: &str = "/mcp";

/// A client with an initialised session.
pub(super) struct Client {
    connection: Connection,
    headers: HeaderMap,
    number: usize,
    calls: u64,
}

impl Client {
    /// Connects and shakes hands.
    pub(super) async fn open(address: SocketAddr, number: usize) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(&address.to_string())?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        let connection = Connection::open(address).await?;
        let mut client = Self { connection, headers, number, calls: 0 };
        client.handshake().await?;
        Ok(client)
    }

    async fn handshake(&mut self) -> Result<()> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{REVISION}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"0"}}}}}}"#
        );
        let response = self.send(Method::POST, Bytes::from(body)).await?;
        ensure!(response.status() == StatusCode::OK, "the handshake: {}", response.status());
        let session = response.headers().get("mcp-session-id").cloned();
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(find(&body, b"serverInfo"), "the handshake: {}", String::from_utf8_lossy(&body));
        if let Some(session) = session {
            self.headers.insert("mcp-session-id", session);
        }
        self.headers.insert("mcp-protocol-version", HeaderValue::from_static(REVISION));
        let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let response = self.send(Method::POST, Bytes::from_static(ready.as_bytes())).await?;
        ensure!(response.status() == StatusCode::ACCEPTED, "initialized: {}", response.status());
        response.into_body().collect().await?;
        Ok(())
    }

    /// Makes one call and checks the reply to its last byte.
    pub(super) async fn call(&mut self, shape: Shape, filler: &[u8]) -> Result<()> {
        self.calls += 1;
        // An id of its own per session: crossed replies cannot pass the check.
        let id = (self.number as u64) << 32 | self.calls;
        let message = message(self.number, self.calls);
        let response = self.send(Method::POST, shape.request(id, &message)).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(
            head.status == StatusCode::OK,
            "{}: {}",
            head.status,
            String::from_utf8_lossy(&body)
        );
        let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let streamed = kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"));
        let reply = if streamed { event_data(&body)? } else { body };
        ensure!(streamed || shape.framing == Framing::Json, "an event stream was asked for");
        if !shape.is_reply(&reply, id, &message, filler) {
            let shown = String::from_utf8_lossy(&reply[..reply.len().min(400)]).into_owned();
            bail!("not the reply to call {id}: {shown}");
        }
        Ok(())
    }

    /// Ends the session.
    pub(super) async fn close(mut self) -> Result<()> {
        let response = self.send(Method::DELETE, Bytes::new()).await?;
        response.into_body().collect().await?;
        Ok(())
    }

    async fn send(&mut self, method: Method, body: Bytes) -> Result<Response<Incoming>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = http::Uri::from_static(PATH);
        *request.headers_mut() = self.headers.clone();
        self.connection.send(request).await
    }
}

/// One keep-alive connection; its driver ends with it.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        let driver = tokio::spawn(connection).abort_handle();
        Ok(Self { sender, driver })
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        self.sender.ready().await.context("the connection was closed between two calls")?;
        Ok(self.sender.send_request(request).await?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What the backend counted so far.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Counters {
    /// Requests of any kind.
    pub exchanges: u64,
    /// Connections that were opened.
    pub connections: u64,
}

/// Asks the backend for its counters.
pub(super) async fn counters(backend: SocketAddr) -> Result<Counters> {
    let mut connection = Connection::open(backend).await?;
    let request = Request::builder()
        .uri(COUNTERS)
        .header(header::HOST, backend.to_string())
        .body(Full::new(Bytes::new()))?;
    let body = connection.send(request).await?.into_body().collect().await?.to_bytes();
    Ok(serde_json::from_slice(&body)?)
}

/// The data of the last event that has any: the reply stands last in its stream.
fn event_data(body: &[u8]) -> Result<Bytes> {
    let text = std::str::from_utf8(body)?;
    let events = text.split("\n\n").map(|event| {
        let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
        data.map(|data| data.strip_prefix(' ').unwrap_or(data)).collect::<Vec<_>>().join("\n")
    });
    let last = events.filter(|data| !data.is_empty()).last().context("a stream without data")?;
    Ok(Bytes::from(last))
}

fn find(body: &[u8], needle: &[u8]) -> bool {
    body.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::event_data;

    #[test]
    fn the_reply_is_the_last_event_with_data() {
        let body = b": hello\n\nid: 1\ndata:\n\nevent: message\ndata: {\"a\":\ndata: 1}\n\n";
        assert_eq!(event_data(body).unwrap(), "{\"a\":\n1}");
        assert!(event_data(b": nothing\n\n").is_err());
    }
}
