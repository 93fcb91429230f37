//! One client: one connection, one handshake, then calls.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::backend::COUNTERS;
use super::shape::{Framing, Shape, TOOL, message};

/// The revision that the load is spoken in.
const REVISION: &str = "2025-11-25";

/// Where a client goes, and what it is to know about it.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// The path of MCP there.
    pub path: Uri,
    /// What the echoing tool is called there.
    pub tool: String,
    /// What each request carries besides the usual headers.
    pub headers: HeaderMap,
    /// Whether a reply must come back byte for byte; else it must mean the same.
    pub exact: bool,
}

impl Endpoint {
    /// `/mcp` at this address, with nothing special about it.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            path: Uri::from_static("/mcp"),
            tool: TOOL.to_owned(),
            headers: HeaderMap::new(),
            exact: true,
        }
    }

    /// With another name for the tool.
    pub(super) fn calling(mut self, tool: &str) -> Self {
        tool.clone_into(&mut self.tool);
        self
    }
}

/// A client with an initialised session on a connection of its own.
pub(super) struct Client {
    connection: Connection,
    session: Session,
}

impl Client {
    /// Connects and shakes hands.
    pub(super) async fn open(endpoint: &Arc<Endpoint>, number: usize) -> Result<Self> {
        let mut connection = Connection::open(endpoint.address).await?;
        let session = Session::open(&mut connection, endpoint, number).await?;
        Ok(Self { connection, session })
    }

    /// Makes one call and checks the reply to its last byte.
    pub(super) async fn call(&mut self, shape: Shape, filler: &[u8]) -> Result<()> {
        self.session.call(&mut self.connection, shape, filler).await
    }

    /// Lists the tools: the whole answer, with this cursor if there is one.
    pub(super) async fn list(&mut self, cursor: Option<&str>) -> Result<Bytes> {
        self.session.list(&mut self.connection, cursor).await
    }

    /// Opens the session's stream. It lasts as long as what is returned.
    pub(super) async fn listen(&mut self) -> Result<Response<Incoming>> {
        self.session.listen(&mut self.connection).await
    }

    /// Ends the session.
    pub(super) async fn close(mut self) -> Result<()> {
        self.session.close(&mut self.connection).await
    }
}

/// An initialised session, apart from the connection it is used on.
pub(super) struct Session {
    endpoint: Arc<Endpoint>,
    headers: HeaderMap,
    number: usize,
    calls: u64,
}

impl Session {
    /// Shakes hands.
    pub(super) async fn open(
        connection: &mut Connection,
        endpoint: &Arc<Endpoint>,
        number: usize,
    ) -> Result<Self> {
        let mut headers = endpoint.headers.clone();
        headers.insert(header::HOST, HeaderValue::from_str(&endpoint.address.to_string())?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("application/json, text/event-stream"),
        );
        let mut session = Self { endpoint: Arc::clone(endpoint), headers, number, calls: 0 };
        session.handshake(connection).await?;
        Ok(session)
    }

    async fn handshake(&mut self, connection: &mut Connection) -> Result<()> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{REVISION}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"0"}}}}}}"#
        );
        let response = self.send(connection, Method::POST, Bytes::from(body)).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let shown = || String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned();
        ensure!(head.status == StatusCode::OK, "the handshake: {}: {}", head.status, shown());
        ensure!(find(&body, b"serverInfo"), "the handshake: {}", shown());
        if let Some(session) = head.headers.get("mcp-session-id") {
            self.headers.insert("mcp-session-id", session.clone());
        }
        self.headers.insert("mcp-protocol-version", HeaderValue::from_static(REVISION));
        let ready = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let response = self.send(connection, Method::POST, Bytes::from_static(ready)).await?;
        let status = response.status();
        response.into_body().collect().await?;
        ensure!(status.is_success(), "initialized: {status}");
        Ok(())
    }

    /// Makes one call and checks the reply.
    pub(super) async fn call(
        &mut self,
        connection: &mut Connection,
        shape: Shape,
        filler: &[u8],
    ) -> Result<()> {
        self.calls += 1;
        // An id of its own per session: crossed replies cannot pass the check.
        let id = (self.number as u64) << 32 | self.calls;
        let message = message(self.number, self.calls);
        let request = shape.request(id, &self.endpoint.tool, &message);
        let (streamed, reply) = self.reply(connection, request).await?;
        ensure!(
            streamed || shape.framing == Framing::Json || !self.endpoint.exact,
            "an event stream was asked for"
        );
        let check = if self.endpoint.exact { Shape::is_reply } else { Shape::means_reply };
        if !check(shape, &reply, id, &message, filler) {
            let shown = String::from_utf8_lossy(&reply[..reply.len().min(400)]).into_owned();
            bail!("not the reply to call {id}: {shown}");
        }
        Ok(())
    }

    /// Lists the tools.
    pub(super) async fn list(
        &mut self,
        connection: &mut Connection,
        cursor: Option<&str>,
    ) -> Result<Bytes> {
        let params = cursor.map(|cursor| format!(r#","params":{{"cursor":{cursor:?}}}"#));
        let params = params.unwrap_or_default();
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list"{params}}}"#);
        let (_, reply) = self.reply(connection, Bytes::from(body)).await?;
        ensure!(reply.starts_with(b"{"), "a list is an object");
        Ok(reply)
    }

    /// Opens the session's stream, which takes the connection.
    pub(super) async fn listen(
        &mut self,
        connection: &mut Connection,
    ) -> Result<Response<Incoming>> {
        let response = self.send(connection, Method::GET, Bytes::new()).await?;
        ensure!(response.status() == StatusCode::OK, "the stream: {}", response.status());
        Ok(response)
    }

    /// Ends the session.
    pub(super) async fn close(&mut self, connection: &mut Connection) -> Result<()> {
        let response = self.send(connection, Method::DELETE, Bytes::new()).await?;
        response.into_body().collect().await?;
        Ok(())
    }

    /// The message that answers a request, and whether it came in an event stream.
    async fn reply(&self, connection: &mut Connection, body: Bytes) -> Result<(bool, Bytes)> {
        let (head, body) = self.send(connection, Method::POST, body).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        if head.status != StatusCode::OK {
            bail!("{}: {}", head.status, String::from_utf8_lossy(&body[..body.len().min(400)]));
        }
        let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let streamed = kind.is_some_and(|kind| kind.starts_with(b"text/event-stream"));
        Ok((streamed, if streamed { event_data(&body)? } else { body }))
    }

    async fn send(
        &self,
        connection: &mut Connection,
        method: Method,
        body: Bytes,
    ) -> Result<Response<Incoming>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.endpoint.path.clone();
        *request.headers_mut() = self.headers.clone();
        connection.send(request).await
    }
}

/// One keep-alive connection; its driver ends with it.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

impl Connection {
    /// Connects.
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        let driver = tokio::spawn(connection).abort_handle();
        Ok(Self { sender, driver })
    }

    /// Gets a page outside the protocol.
    pub(super) async fn get(&mut self, host: SocketAddr, path: &str) -> Result<Bytes> {
        let request = Request::builder()
            .uri(path)
            .header(header::HOST, host.to_string())
            .body(Full::new(Bytes::new()))?;
        Ok(self.send(request).await?.into_body().collect().await?.to_bytes())
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
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Counters {
    /// Requests of any kind.
    pub exchanges: u64,
    /// Connections that were opened.
    pub connections: u64,
}

/// Asks the backend for its counters.
pub(super) async fn counters(backend: SocketAddr) -> Result<Counters> {
    let body = Connection::open(backend).await?.get(backend, COUNTERS).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// The data of the last event that has any: the reply stands last in its stream. Usually one line, and then
/// nothing is copied.
fn event_data(body: &Bytes) -> Result<Bytes> {
    let text = std::str::from_utf8(body)?;
    let (mut last, mut event): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(data) = line.strip_prefix("data:") {
            event.push(data.strip_prefix(' ').unwrap_or(data));
        } else if line.is_empty() && event.iter().any(|data| !data.is_empty()) {
            last = std::mem::take(&mut event);
        } else if line.is_empty() {
            event.clear();
        }
    }
    match *last {
        [] => bail!("a stream without data"),
        [only] => Ok(body.slice_ref(only.as_bytes())),
        _ => Ok(Bytes::from(last.join("\n"))),
    }
}

/// Whether `needle` is in `body`.
pub(super) fn find(body: &[u8], needle: &[u8]) -> bool {
    body.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::event_data;

    #[test]
    fn the_reply_is_the_last_event_with_data() {
        let body = b": hello\n\nid: 1\ndata:\n\nevent: message\ndata: {\"a\":\ndata: 1}\n\n";
        assert_eq!(event_data(&body[..].into()).unwrap(), "{\"a\":\n1}");
        let body = b"data: {\"a\":1}\r\n\r\ndata:\r\n\r\n";
        assert_eq!(event_data(&body[..].into()).unwrap(), "{\"a\":1}");
        assert!(event_data(&b": nothing\n\n"[..].into()).is_err());
    }
}
