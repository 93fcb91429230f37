//! Tasks: calls that go on after they were answered, and the places where their ids stand.
//!
//! There are two forms. In the *requested* one the caller asks for a task in its params ([`TASK`]); the answer has the task
//! under that name, its state is asked for and its result is waited for. In the *offered* one a caller says that it can
//! follow tasks ([`EXTENSION`]) and the server decides; the task stands in the result itself, and its state brings along
//! what there is: questions, the result or the error.
//!
//! (MCP 2025-11-25, "Tasks"; the extension `io.modelcontextprotocol/tasks`, SEP-2663.)

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

use crate::{Member, Object, quote};

#[cfg(test)]
mod tests;

/// Key of `extensions` in the capabilities of both sides: the offered form.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";
/// Key of the capabilities of a server: the requested form. Member of the params of a call that is to become a task, and
/// of the result that it has then.
pub const TASK: &str = "task";
/// Member of the capabilities of a server: the requested form.
pub const CAPABILITY: &str = "tasks";
/// Key of `_meta`: the task that a message belongs to, `{"taskId"}`.
pub const RELATED: &str = "io.modelcontextprotocol/related-task";
/// Member of a task, and of the params of requests about one.
pub const ID: &str = "taskId";
/// Member of a task: see [`Status`].
pub const STATUS: &str = "status";

/// Params of a request about this task: a raw JSON object.
#[must_use]
pub fn naming(id: &str) -> Bytes {
    [b"{\"taskId\":", &quote(id)[..], b"}"].concat().into()
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It runs.
    Working,
    /// It waits for the client.
    InputRequired,
    /// It is done.
    Completed,
    /// It came to nothing.
    Failed,
    /// It was taken back.
    Cancelled,
}

/// Whether a tool can be called as a task, as its `execution.taskSupport` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Support {
    /// It cannot.
    #[default]
    Forbidden,
    /// As the caller likes.
    Optional,
    /// It cannot be called otherwise.
    Required,
}

// === impl Status ===

impl Status {
    /// Of the raw task object.
    #[must_use]
    pub fn of(task: &Object<'_>) -> Option<Self> {
        Some(match &*task.get(STATUS)?.as_str()? {
            "working" => Self::Working,
            "input_required" => Self::InputRequired,
            "completed" => Self::Completed,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            _ => return None,
        })
    }

    /// Whether it stays so.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

// === impl Support ===

impl Support {
    /// Of the raw descriptor of a tool. The usual one, without a word of it, is searched and not parsed.
    #[must_use]
    pub fn of_tool(descriptor: &[u8]) -> Self {
        if memmem::find(descriptor, b"taskSupport").is_none() {
            return Self::Forbidden;
        }
        let found = || {
            let execution = Object::parse(descriptor).ok()?.get("execution")?.as_object()?;
            Some(execution.get("taskSupport")?.as_str()?.into_owned())
        };
        match found().as_deref() {
            Some("optional") => Self::Optional,
            Some("required") => Self::Required,
            _ => Self::Forbidden,
        }
    }
}

/// One id of a task, and where it stands in the object that was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The id.
    pub id: String,
    /// Where it stands, quotes included.
    pub span: Range<usize>,
}

/// All ids of tasks that vmcp knows the place of in a raw result or raw params: of the object itself, of the task in it, of
/// the task that it belongs to. Empty for what is no object.
#[must_use]
pub fn places(raw: &[u8]) -> Vec<Place> {
    let Ok(object) = Object::parse(raw) else { return Vec::new() };
    fn id(member: Option<Member<'_>>) -> Option<Member<'_>> {
        member?.as_object()?.get(ID)
    }
    let related =
        object.get("_meta").and_then(|meta| meta.as_object()).and_then(|meta| meta.get(RELATED));
    let found = [object.get(ID), id(object.get(TASK)), id(related)];
    let place =
        |member: Member<'_>| Some(Place { id: member.as_str()?.into_owned(), span: member.span });
    found.into_iter().flatten().filter_map(place).collect()
}

/// Whether there may be such an id in it. The usual message is searched for one word and not parsed.
#[must_use]
pub fn is_mentioned(raw: &[u8]) -> bool {
    memmem::find(raw, b"\"taskId\"").is_some()
}

/// Whether a raw result says that the answer comes later: it is the offered form's task.
#[must_use]
pub fn is_made(result: &[u8]) -> bool {
    if memmem::find(result, b"\"task\"").is_none() {
        return false;
    }
    let kind =
        Object::parse(result).ok().and_then(|result| result.get(crate::revision::RESULT_TYPE));
    kind.is_some_and(|kind| kind.as_str().is_some_and(|kind| kind == TASK))
}
