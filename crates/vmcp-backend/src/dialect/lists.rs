//! Everything a backend offers, page by page.
//!
//! A backend may be wrong about its pages: repeat a cursor, go in circles, never end. A repeated cursor is an
//! error whether or not it directly follows itself; pages, items and bytes are bounded. An empty cursor is a
//! cursor; only an absent or null one is the end.

use std::collections::HashSet;

use bytes::Bytes;
use vmcp_wire::header::ParamHeaders;
use vmcp_wire::{Object, list, method, quote, rpc};

use crate::error::code_of;
use crate::{
    Answer, Call, CallError, CapabilityList, ErrorKind, Executed, Freshness, ListFreshness, Session,
};

/// How much of a cursor or a name is repeated in a log.
const MAX_CURSOR: usize = 256;

/// One kind of capability: where it is listed.
struct Kind {
    method: &'static str,
    key: &'static str,
    optional: bool,
}

/// The items of one kind.
#[derive(Default)]
struct Listed {
    items: Vec<Bytes>,
    /// Whether every page came as an event stream; `None` if there was no page.
    streamed: Option<bool>,
    /// What its pages say of how long they are fresh; `None` if there was no page.
    freshness: Option<Option<Freshness>>,
}

/// A backend that advertises tools must list them.
const TOOLS: Kind = Kind { method: method::TOOLS_LIST, key: "tools", optional: false };
const RESOURCES: Kind = Kind { method: method::RESOURCES_LIST, key: "resources", optional: true };
const TEMPLATES: Kind =
    Kind { method: method::RESOURCES_TEMPLATES_LIST, key: "resourceTemplates", optional: true };
const PROMPTS: Kind = Kind { method: method::PROMPTS_LIST, key: "prompts", optional: true };

/// Lists what the backend advertises, all kinds at the same time.
pub(crate) async fn list_all(session: &Session) -> Result<CapabilityList, CallError> {
    let hello = session.hello();
    let advertised = |key| {
        let members = Object::parse(&hello.capabilities).ok()?;
        let member = members.get(key)?;
        (!member.is_null()).then_some(())
    };
    let tools = advertised("tools").map(|()| TOOLS);
    let resources = advertised("resources").map(|()| RESOURCES);
    let templates = advertised("resources").map(|()| TEMPLATES);
    let prompts = advertised("prompts").map(|()| PROMPTS);
    // Boxed: four calls side by side would make a future of everybody who lists too large for a stack.
    let (tools, resources, templates, prompts) = tokio::try_join!(
        Box::pin(list_kind(session, tools)),
        Box::pin(list_kind(session, resources)),
        Box::pin(list_kind(session, templates)),
        Box::pin(list_kind(session, prompts)),
    )?;
    let listed = [&tools, &resources, &templates, &prompts];
    let mut shapes = listed.iter().filter_map(|listed| listed.streamed).peekable();
    let streamed = shapes.peek().is_some() && shapes.all(|streamed| streamed);
    let fresh = |listed: &Listed| listed.freshness.flatten();
    let freshness = ListFreshness {
        tools: fresh(&tools),
        resources: fresh(&resources),
        templates: fresh(&templates),
        prompts: fresh(&prompts),
    };
    let [tools, resources, templates, prompts] =
        [tools, resources, templates, prompts].map(|listed| listed.items);
    Ok(CapabilityList { tools, resources, templates, prompts, streamed, freshness })
}

async fn list_kind(session: &Session, kind: Option<Kind>) -> Result<Listed, CallError> {
    let mut listed = Listed::default();
    let Some(kind) = kind else { return Ok(listed) };
    let limits = session.limits();
    let mut bytes = 0_usize;
    let mut seen = HashSet::new();
    let mut cursor: Option<String> = None;
    for _ in 0..limits.max_list_pages {
        let Some(result) = page(session, &kind, cursor.as_deref(), &mut listed).await? else {
            return Ok(listed);
        };
        let fresh = super::freshness(&result);
        listed.freshness = Some(match listed.freshness {
            None => fresh,
            Some(before) => super::least([before, fresh]),
        });
        bytes = bytes.saturating_add(result.len());
        if bytes > limits.max_list_bytes {
            let kind = ErrorKind::TooLarge { limit: limits.max_list_bytes };
            return Err(CallError::backend(session.backend(), kind, Executed::Unknown));
        }
        let page = list::items(&result, kind.key)
            .map_err(|error| wrong(session, &kind, &format!("no list in it: {error}")))?;
        let items = page.items.into_iter();
        listed.items.extend(items.filter(|item| kind.takes(session, item)));
        if listed.items.len() > limits.max_list_items {
            let text = format!("more than {} items", limits.max_list_items);
            return Err(wrong(session, &kind, &text));
        }
        let Some(next) = page.next_cursor else { return Ok(listed) };
        if !seen.insert(next.clone()) {
            let next = printable(&next, MAX_CURSOR);
            let text =
                format!("pagination cursor \"{next}\" repeated; backend is not advancing pages");
            return Err(wrong(session, &kind, &text));
        }
        cursor = Some(next);
    }
    let pages = limits.max_list_pages;
    let text = format!("pagination exceeded {pages} pages; backend does not end its list");
    Err(wrong(session, &kind, &text))
}

/// One page's result; `None` if the backend does not know an optional method.
async fn page(
    session: &Session,
    kind: &Kind,
    cursor: Option<&str>,
    listed: &mut Listed,
) -> Result<Option<Bytes>, CallError> {
    let params = cursor.map(|cursor| {
        let cursor = quote(cursor);
        [b"{\"cursor\":", cursor.as_ref(), b"}"].concat().into()
    });
    let reply = session.forward(Call::new(kind.method, params)).await?;
    listed.streamed = Some(listed.streamed.unwrap_or(true) && reply.streamed);
    match session.whole(reply).await? {
        Answer::Success(result) => Ok(Some(result)),
        Answer::Failure(error)
            // In the midst of a list it would make a part look like the whole.
            if kind.optional && cursor.is_none() && code_of(&error) == Some(rpc::METHOD_NOT_FOUND) =>
        {
            tracing::warn!(
                backend = %session.backend(),
                method = kind.method,
                "the backend advertises a capability and does not know how to list it"
            );
            Ok(None)
        }
        Answer::Failure(error) => {
            let text = crate::error::text_of(&error);
            Err(wrong(session, kind, "the backend answered with an error").with_internal(text))
        }
    }
}

// === impl Kind ===

impl Kind {
    /// Whether an item can be offered to clients.
    fn takes(&self, session: &Session, item: &Bytes) -> bool {
        if self.key != TOOLS.key {
            return true;
        }
        let fault = match ParamHeaders::of_tool(item) {
            Ok(headers) => {
                session.note_tool(item, headers);
                return true;
            }
            Err(fault) => fault,
        };
        let name = Object::parse(item).ok().and_then(|tool| tool.get("name"));
        let name = name.and_then(|name| name.as_str()).unwrap_or_default();
        tracing::warn!(
            backend = %session.backend(),
            tool = printable(&name, MAX_CURSOR),
            fault,
            "a tool with an invalid x-mcp-header annotation is left out"
        );
        false
    }
}

/// A piece of a backend's own text, for logs.
fn printable(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

fn wrong(session: &Session, kind: &Kind, text: &str) -> CallError {
    let kind = ErrorKind::Protocol(format!("{}: {text}", kind.method));
    CallError::backend(session.backend(), kind, Executed::Unknown)
}
