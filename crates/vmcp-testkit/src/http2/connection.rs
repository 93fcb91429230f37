//! One HTTP/2 connection.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::frame::{
    ACK, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM,
    SETTINGS, SHUT, WINDOW_UPDATE, frame, headers,
};
use super::{Http2Fault, Shared};
use crate::json::lenient;

pub(super) struct Connection {
    pub(super) stream: TlsStream<TcpStream>,
    shared: Arc<Shared>,
    bodies: HashMap<u32, Vec<u8>>,
}

// === impl Connection ===

impl Connection {
    pub(super) fn new(stream: TlsStream<TcpStream>, shared: Arc<Shared>) -> Self {
        Self { stream, shared, bodies: HashMap::new() }
    }

    /// Serves requests until the connection is over; an error ends it too.
    pub(super) async fn serve(&mut self) -> io::Result<()> {
        let mut preface = [0; PREFACE.len()];
        self.stream.read_exact(&mut preface).await?;
        self.write(&frame(SETTINGS, 0, 0, &[])).await?;
        loop {
            let read = Frame::read(&mut self.stream).await?;
            let ends = read.flags & END_STREAM != 0;
            match read.kind {
                SETTINGS if read.flags & ACK == 0 => {
                    self.write(&frame(SETTINGS, ACK, 0, &[])).await?;
                }
                PING if read.flags & ACK == 0 => {
                    self.write(&frame(PING, ACK, 0, &read.payload)).await?;
                }
                HEADERS => {
                    self.bodies.insert(read.stream, Vec::new());
                }
                DATA => self.body(read.stream, &read.payload).await?,
                _ => continue,
            }
            if ends
                && matches!(read.kind, HEADERS | DATA)
                && let Some(body) = self.bodies.remove(&read.stream)
                && !self.request(read.stream, &body).await?
            {
                return Ok(());
            }
        }
    }

    async fn body(&mut self, stream: u32, data: &[u8]) -> io::Result<()> {
        if let Some(body) = self.bodies.get_mut(&stream) {
            body.extend(data);
        }
        let more = u32::try_from(data.len()).unwrap_or(0).to_be_bytes();
        if !data.is_empty() {
            self.write(&frame(WINDOW_UPDATE, 0, 0, &more)).await?;
            self.write(&frame(WINDOW_UPDATE, 0, stream, &more)).await?;
        }
        Ok(())
    }

    /// Answers one request; says whether the connection goes on.
    async fn request(&mut self, stream: u32, body: &[u8]) -> io::Result<bool> {
        let message = lenient(body);
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        self.shared.heard.lock().push(method.clone());
        match method.as_str() {
            "" => self.status(stream, 405).await?,
            "initialize" => {
                let revision = &message["params"]["protocolVersion"];
                let result = json!({
                    "protocolVersion": revision,
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "h2", "version": "1"},
                });
                self.answer(stream, &message["id"], &result).await?;
            }
            "tools/call" => return self.call(stream, &message).await,
            method if method.starts_with("notifications/") => {
                if self.shared.shuts {
                    self.write(&frame(SETTINGS, 0, 0, &SHUT)).await?;
                }
                self.status(stream, 202).await?;
            }
            _ => self.answer(stream, &message["id"], &json!({"tools": []})).await?,
        }
        Ok(true)
    }

    async fn call(&mut self, stream: u32, message: &Value) -> io::Result<bool> {
        let fault = self.shared.faults.lock().pop_front();
        if !matches!(fault, Some(Http2Fault::Refuse(_) | Http2Fault::GoAwayBefore(_))) {
            self.shared.recorder.execute(message["params"].clone());
        }
        let result = json!({"content": [{"type": "text", "text": "done"}]});
        let mut goes_on = true;
        match fault {
            None => self.answer(stream, &message["id"], &result).await?,
            Some(Http2Fault::Refuse(code) | Http2Fault::Reset(code)) => {
                self.write(&frame(RST_STREAM, 0, stream, &code.to_be_bytes())).await?;
            }
            Some(Http2Fault::BreakOff(code)) => {
                self.write(&frame(HEADERS, END_HEADERS, stream, &headers(200))).await?;
                self.write(&frame(DATA, 0, stream, br#"{"jsonrpc":"2.0","#)).await?;
                self.write(&frame(RST_STREAM, 0, stream, &code.to_be_bytes())).await?;
            }
            Some(Http2Fault::GoAwayBefore(code)) => {
                self.go_away(stream - 1, code).await?;
                goes_on = false;
            }
            Some(Http2Fault::GoAwayAfter(code)) => {
                self.go_away(stream, code).await?;
                goes_on = false;
            }
            Some(Http2Fault::GoAwayAnswered) => {
                self.go_away(stream, 0).await?;
                self.answer(stream, &message["id"], &result).await?;
                goes_on = false;
            }
            Some(Http2Fault::Close) => goes_on = false,
            Some(Http2Fault::SettingsFlood) => self.flood(&frame(SETTINGS, 0, 0, &[])).await?,
            Some(Http2Fault::PingFlood) => self.flood(&frame(PING, 0, 0, &[7; 8])).await?,
        }
        Ok(goes_on)
    }

    /// `GOAWAY` with this code: streams up to the last are, or will be, looked at.
    async fn go_away(&mut self, last: u32, code: u32) -> io::Result<()> {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.write(&frame(GOAWAY, 0, 0, &payload)).await
    }

    /// Until the client is gone. What it says meanwhile is read and thrown away, or it could not go on listening.
    async fn flood(&mut self, frame: &[u8]) -> io::Result<()> {
        let many = frame.repeat(256);
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let reading = async {
            let mut read = [0; 16 * 1024];
            while reader.read(&mut read).await? > 0 {}
            Ok(())
        };
        let writing = async {
            loop {
                writer.write_all(&many).await?;
                writer.flush().await?;
            }
        };
        tokio::select! {
            outcome = reading => outcome,
            outcome = writing => outcome,
        }
    }

    async fn answer(&mut self, stream: u32, id: &Value, result: &Value) -> io::Result<()> {
        let body = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        self.write(&frame(HEADERS, END_HEADERS, stream, &headers(200))).await?;
        self.write(&frame(DATA, END_STREAM, stream, body.as_bytes())).await
    }

    async fn status(&mut self, stream: u32, status: u16) -> io::Result<()> {
        self.write(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &headers(status))).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}
