//! An MCP client over the standard streams of a child process.

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::PATIENCE;
use crate::json::Json;

/// Speaks newline-delimited JSON-RPC with a child process, which is killed when this is dropped.
pub struct LineClient {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    next_id: u64,
    /// What each request says in its `_meta`.
    meta: Option<Json>,
}

// === impl LineClient ===

impl LineClient {
    /// Starts a program with these arguments and, besides the environment of the test, these variables. Its standard
    /// error is that of the test.
    #[expect(
        clippy::disallowed_methods,
        reason = "the process under test or its peer, not a backend"
    )]
    pub fn start(
        program: impl AsRef<OsStr>,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let input = child.stdin.take();
        Ok(Self { child, input, output: BufReader::new(output).lines(), next_id: 1, meta: None })
    }

    /// Speaks the stateless revision from now on: each request says so, and declares these capabilities.
    pub fn be_stateless(&mut self, capabilities: impl Into<Json>) {
        self.meta = Some(super::stateless::meta(super::stateless::REVISION, &capabilities.into()));
    }

    /// The child's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Writes one line.
    pub async fn line(&mut self, line: &str) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(format!("{line}\n").as_bytes()).await?;
        input.flush().await
    }

    /// The next line; `None` when the child closed its output.
    pub async fn text(&mut self) -> io::Result<Option<String>> {
        tokio::time::timeout(PATIENCE, self.output.next_line()).await?
    }

    /// The next line as a message; `None` when the child closed its output.
    pub async fn message(&mut self) -> io::Result<Option<Value>> {
        match self.text().await? {
            Some(text) => serde_json::from_str(&text).map(Some).map_err(io::Error::other),
            None => Ok(None),
        }
    }

    /// The whole handshake; gives the `result` of its first half.
    pub async fn handshake(
        &mut self,
        revision: &str,
        capabilities: impl Into<Json>,
    ) -> io::Result<Value> {
        let params = super::introduction(revision, &capabilities.into());
        let mut response = self.call("initialize", params).await?;
        self.line(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
        Ok(response["result"].take())
    }

    /// Sends a request; gives its id.
    pub async fn request(&mut self, method: &str, params: impl Into<Json>) -> io::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        let mut params = params.into();
        if let Some(meta) = &self.meta {
            params = super::stateless::with_meta(&params, meta);
        }
        self.line(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{params}}}"#,
            json!(method)
        ))
        .await?;
        Ok(id)
    }

    /// Sends a request and reads on until its response: the whole message. Everything else is passed over.
    pub async fn call(&mut self, method: &str, params: impl Into<Json>) -> io::Result<Value> {
        let id = self.request(method, params).await?;
        while let Some(message) = self.message().await? {
            if message["id"] == id && message.get("method").is_none() {
                return Ok(message);
            }
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the child ended without a response"))
    }

    /// Closes the child's input and waits for its end; gives the exit code.
    pub async fn end(&mut self) -> io::Result<Option<i32>> {
        self.input = None;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await??;
        Ok(status.code())
    }
}
