//! A client's session as any other: many backends behind the contract of one.

use bytes::Bytes;
use vmcp_auth::BoxFuture;
use vmcp_backend::{
    Answer, Call, CallError, ErrorKind, Event, Executed, McpSession, PromptResult, ResourceResult,
    Response, Side, ToolResult,
};

use super::MultiSession;

/// Names are the advertised ones. What a backend says meanwhile goes to the client's sink.
impl McpSession for MultiSession {
    fn call_tool<'a>(
        &'a self,
        name: &'a str,
        arguments: Option<Bytes>,
        meta: Option<Bytes>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        let doing = move || format!("tool \"{name}\" call");
        Box::pin(async move {
            let result = ask(self, Call::tool(name, arguments, meta)).await;
            let result = result.and_then(|raw| Ok(ToolResult::from_raw(raw)?));
            result.map_err(|error| error.during(doing()))
        })
    }

    fn read_resource<'a>(
        &'a self,
        uri: &'a str,
    ) -> BoxFuture<'a, Result<ResourceResult, CallError>> {
        let doing = move || format!("resource \"{uri}\" read");
        Box::pin(async move {
            let result = ask(self, Ok(Call::resource(uri))).await;
            let result = result.and_then(|raw| Ok(ResourceResult::from_raw(raw)?));
            result.map_err(|error| error.during(doing()))
        })
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Option<Bytes>,
    ) -> BoxFuture<'a, Result<PromptResult, CallError>> {
        let doing = move || format!("prompt \"{name}\" get");
        Box::pin(async move {
            let result = ask(self, Call::prompt(name, arguments)).await;
            let result = result.and_then(|raw| Ok(PromptResult::from_raw(raw)?));
            result.map_err(|error| error.during(doing()))
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.close())
    }

    /// None: the id that a client knows a session by is its transport's.
    fn session_id(&self) -> Option<String> {
        None
    }
}

/// Makes a call and reads its answer whole; the raw result.
async fn ask(session: &MultiSession, call: Result<Call, CallError>) -> Result<Bytes, CallError> {
    let mut reply = session.call(call?).await?;
    let limits = session.core.config.limits.of_messages();
    let none = || {
        let kind = ErrorKind::Protocol("the reply ended without a response".to_owned());
        CallError::new(Side::Backend, kind, Executed::Unknown)
    };
    while let Some(event) = reply.next().await {
        let message = match event {
            Event::Failed(error) => return Err(error),
            Event::Response(Response::Made(result)) => return Ok(result),
            Event::InputRequired(asked) => asked.raw,
            Event::Response(Response::Whole(message)) => message,
            Event::Response(Response::Parts(parts)) => parts.whole(&limits).await?,
            Event::Paused => continue,
            outside => {
                (session.client.sink)(outside);
                continue;
            }
        };
        return Answer::of(&message).ok_or_else(none)?.into_result();
    }
    Err(none())
}
