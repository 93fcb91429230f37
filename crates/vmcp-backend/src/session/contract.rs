//! What a session can do, whatever is behind it: one backend, or many as one.

use bytes::Bytes;
use vmcp_auth::BoxFuture;

use crate::{CallError, PromptResult, ResourceResult, Session, ToolResult};

/// An initialised session with an MCP server, used by many calls at the same time.
///
/// Implemented by [`Session`], which is one connection to one backend, and by the gateway's multi-session, which is
/// what one client holds of many. For code that must not care which of the two it was given.
///
/// # Cancel safety
/// Dropping the future of an operation takes the call back: the server is told, and nothing of it arrives later.
pub trait McpSession: Send + Sync {
    /// Calls a tool. `arguments` and `meta` are raw JSON objects. See [`Session::call_tool`].
    fn call_tool<'a>(
        &'a self,
        name: &'a str,
        arguments: Option<Bytes>,
        meta: Option<Bytes>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>>;

    /// Reads a resource. See [`Session::read_resource`].
    fn read_resource<'a>(
        &'a self,
        uri: &'a str,
    ) -> BoxFuture<'a, Result<ResourceResult, CallError>>;

    /// Gets a prompt. See [`Session::get_prompt`].
    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Option<Bytes>,
    ) -> BoxFuture<'a, Result<PromptResult, CallError>>;

    /// Ends the session: no new calls, those in flight may end within a bound, then the server is told. Idempotent;
    /// a second call returns at once.
    fn close(&self) -> BoxFuture<'_, ()>;

    /// The server's own session id, if there is one.
    fn session_id(&self) -> Option<String>;
}

impl McpSession for Session {
    fn call_tool<'a>(
        &'a self,
        name: &'a str,
        arguments: Option<Bytes>,
        meta: Option<Bytes>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(self.call_tool(name, arguments, meta))
    }

    fn read_resource<'a>(
        &'a self,
        uri: &'a str,
    ) -> BoxFuture<'a, Result<ResourceResult, CallError>> {
        Box::pin(self.read_resource(uri))
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Option<Bytes>,
    ) -> BoxFuture<'a, Result<PromptResult, CallError>> {
        Box::pin(self.get_prompt(name, arguments))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }

    fn session_id(&self) -> Option<String> {
        self.session_id()
    }
}
