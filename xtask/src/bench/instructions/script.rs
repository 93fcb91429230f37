//! The client and the backend of a count: plain sockets, every message in one write, so that each run of vmcp reads
//! the same bytes in the same pieces.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::bench::backend::Kind;
use crate::bench::backend::answer::{Answer, Answers};
use crate::bench::client::find;
use crate::bench::shape::{Framing, Shape, message};
use crate::process;

/// How long vmcp may take to know its backends.
const SETTLE: Duration = Duration::from_secs(60);
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before every message to vmcp.
const REST: Duration = Duration::from_millis(2);
const REVISION: &str = "2025-11-25";

/// The backend, a thread for each connection. It ends with the program.
pub(super) struct Server {
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts it.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let answers = Arc::new(Answers::new());
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                thread::spawn(move || serve(socket, &answers));
            }
        });
        Ok(Self { address })
    }
}

/// Lets vmcp come to rest: whether it found the next message before it slept must not depend on how fast others are.
#[expect(clippy::disallowed_methods, reason = "threads of their own, and no runtime")]
fn rest() {
    thread::sleep(REST);
}

/// Whatever goes wrong here is seen by the client.
fn serve(mut socket: TcpStream, answers: &Answers) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut input = BufReader::new(socket.try_clone()?);
    while let Some((first, body)) = read_request(&mut input)? {
        let path = first.split(' ').nth(1).unwrap_or_default();
        rest();
        socket.write_all(&answer(answers, &first, &body, Kind::of(path).tools))?;
    }
    Ok(())
}

fn answer(answers: &Answers, first: &str, body: &[u8], tools: usize) -> Vec<u8> {
    let empty = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into();
    if first.starts_with("DELETE ") {
        return empty("200 OK");
    }
    if !first.starts_with("POST ") {
        return empty("405 Method Not Allowed");
    }
    let Some(answer) = answers.to(body, tools) else { return empty("400 Bad Request") };
    let Answer::Message { pieces, stream, session } = answer else {
        return empty("202 Accepted");
    };
    let body = pieces.concat();
    let session = session.map(|id| format!("mcp-session-id: session-{id}\r\n")).unwrap_or_default();
    if stream {
        let event = [b"event: message\ndata: ", &body[..], b"\n\n"].concat();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let size = format!("{:x}\r\n", event.len());
        return [head.as_bytes(), size.as_bytes(), &event, b"\r\n0\r\n\r\n"].concat();
    }
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{session}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), &body].concat()
}

fn read_request(input: &mut impl BufRead) -> Result<Option<(String, Vec<u8>)>> {
    let head = read_head(input)?;
    let Some(first) = head.first() else { return Ok(None) };
    let mut body = vec![0; length(&head).unwrap_or(0)];
    input.read_exact(&mut body)?;
    Ok(Some((first.clone(), body)))
}

/// The lines of a head, the names of its headers in small letters; none at the end of the connection.
fn read_head(input: &mut impl BufRead) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 || line == "\r\n" {
            return Ok(lines);
        }
        let line = line.trim_end();
        lines.push(match line.split_once(':') {
            Some((name, value)) if !lines.is_empty() => {
                format!("{}: {}", name.to_ascii_lowercase(), value.trim())
            }
            _ => line.to_owned(),
        });
    }
}

fn length(head: &[String]) -> Option<usize> {
    head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}

/// The client, on one connection.
pub(super) struct Client {
    socket: TcpStream,
    input: BufReader<TcpStream>,
    calls: u64,
}

/// A session of it.
pub(super) struct Session(String);

impl Client {
    /// Connects.
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { input: BufReader::new(socket.try_clone()?), socket, calls: 0 })
    }

    /// Waits until so many tools are listed.
    pub(super) fn settle(&mut self, tools: usize) -> Result<()> {
        let end = Instant::now() + SETTLE;
        while Instant::now() < end {
            let mut session = self.open()?;
            let list = self.list(&session)?;
            self.close(&mut session)?;
            let list: serde_json::Value = serde_json::from_slice(&list)?;
            if list["result"]["tools"].as_array().is_some_and(|list| list.len() == tools) {
                return Ok(());
            }
            process::pause();
        }
        bail!("vmcp does not list {tools} tools")
    }

    /// Shakes hands.
    pub(super) fn open(&mut self) -> Result<Session> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{REVISION}","capabilities":{{}},"clientInfo":{{"name":"bench","version":"0"}}}}}}"#
        );
        let (head, _) = self.ask("POST", body.as_bytes(), None)?;
        let id = head.iter().find_map(|line| line.strip_prefix("mcp-session-id:"));
        let session = Session(id.context("a handshake without a session")?.trim().to_owned());
        let ready = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        self.ask("POST", ready, Some(&session))?;
        Ok(session)
    }

    /// Ends a session.
    pub(super) fn close(&mut self, session: &mut Session) -> Result<()> {
        self.ask("DELETE", b"", Some(session)).map(drop)
    }

    /// Calls so many times, one after the other, and checks each reply.
    pub(super) fn call(
        &mut self,
        session: &Session,
        tool: &str,
        stream: bool,
        calls: usize,
    ) -> Result<()> {
        let framing = if stream { Framing::Sse } else { Framing::Json };
        let shape = Shape { framing, ..Shape::SMALL };
        for _ in 0..calls {
            self.calls += 1;
            // Ids of one length, whatever has been called before.
            let id = 1_000_000 + self.calls;
            let text = message(0, self.calls);
            let (_, reply) = self.ask("POST", &shape.request(id, tool, &text), Some(session))?;
            let wanted = format!(r#"{{"jsonrpc":"2.0","id":{id},"result""#);
            let whole = find(&reply, wanted.as_bytes()) && find(&reply, text.as_bytes());
            ensure!(whole, "not the reply to {id}: {}", String::from_utf8_lossy(&reply));
        }
        Ok(())
    }

    /// Opens so many sessions, lists in each, and ends it.
    pub(super) fn open_and_list(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            let mut session = self.open()?;
            let list = self.list(&session)?;
            ensure!(find(&list, b"b1_tool_0"), "not the list");
            self.close(&mut session)?;
        }
        Ok(())
    }

    fn list(&mut self, session: &Session) -> Result<Vec<u8>> {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        Ok(self.ask("POST", body, Some(session))?.1)
    }

    fn ask(
        &mut self,
        method: &str,
        body: &[u8],
        session: Option<&Session>,
    ) -> Result<(Vec<String>, Vec<u8>)> {
        // Always as long: a port has four or five digits.
        let mut head = format!(
            "{method} /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: {}\r\n",
            body.len()
        );
        if let Some(Session(id)) = session {
            head += &format!("mcp-session-id: {id}\r\nmcp-protocol-version: {REVISION}\r\n");
        }
        rest();
        self.socket.write_all(&[head.as_bytes(), b"\r\n", body].concat())?;
        let head = read_head(&mut self.input)?;
        let first = head.first().context("vmcp closed the connection")?;
        ensure!(first.contains(" 20"), "{method}: {first}");
        let body = match length(&head) {
            Some(length) => {
                let mut body = vec![0; length];
                self.input.read_exact(&mut body)?;
                body
            }
            None if head.iter().any(|line| line == "transfer-encoding: chunked") => {
                self.read_chunks()?
            }
            None => Vec::new(),
        };
        Ok((head, body))
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.input.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim_end(), 16).context("the size of a chunk")?;
            let mut chunk = vec![0; size + 2];
            self.input.read_exact(&mut chunk)?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }
}
