//! What a backend has been told to do.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::json::Json;
use crate::record::Recorded;

/// Looks at each request before anything else does; an answer keeps it out.
pub(crate) type Guard = Arc<dyn Fn(&Recorded) -> Option<Answer> + Send + Sync>;

/// How a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP that answers requests with JSON bodies, except where an answer has messages before its end.
    Json,
    /// Streamable HTTP that answers requests with event streams.
    Sse,
    /// The HTTP+SSE transport of 2024-11-05.
    HttpSse,
}

/// Which family of revisions a backend speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Those with a handshake and sessions.
    Legacy,
    /// The stateless one, 2026-07-28.
    Modern,
    /// Both on one endpoint: a request that says its revision in its `_meta` or its header is a stateless one.
    Dual,
}

/// How lists are cut into pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// One page.
    Whole,
    /// Pages of so many items.
    Pages(usize),
    /// Pages of so many items; the second page's cursor is the empty string.
    EmptyCursor(usize),
    /// The first page, which names itself as the next page forever.
    Loop(usize),
    /// Two first pages that name each other forever.
    Cycle(usize),
    /// The first page over and over, each time with a cursor never seen before.
    Endless(usize),
}

/// One tool, resource, template or prompt.
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) raw: Json,
    pub(crate) answer: Answer,
}

/// What a backend does with sessions.
#[derive(Clone)]
pub(crate) enum SessionIds {
    Minted,
    None,
    Fixed(String),
}

/// What a backend has been told to do; may change while it runs.
pub(crate) struct Script {
    pub(crate) transport: Transport,
    pub(crate) path: String,
    pub(crate) server_info: Json,
    pub(crate) instructions: Option<String>,
    pub(crate) capabilities: Option<Json>,
    pub(crate) revision: Option<String>,
    pub(crate) era: Era,
    /// `ttlMs` and `cacheScope` of what a stateless client may keep.
    pub(crate) cache: (u64, String),
    /// Results of the stateless revision stay as the script has them.
    pub(crate) bare: bool,
    /// Asks clients for what they did not declare.
    pub(crate) presumptuous: bool,
    pub(crate) tools: Vec<Item>,
    pub(crate) resources: Vec<Item>,
    pub(crate) templates: Vec<Item>,
    pub(crate) prompts: Vec<Item>,
    pub(crate) listing: Listing,
    pub(crate) overrides: HashMap<String, Answer>,
    pub(crate) paths: HashMap<String, Answer>,
    pub(crate) every: Option<Answer>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) required_header: Option<(String, String)>,
    pub(crate) session_ids: SessionIds,
    pub(crate) lost_status: u16,
    pub(crate) resumable: bool,
    pub(crate) named_events: bool,
    pub(crate) keep_alive: bool,
    pub(crate) accept_delay: Option<Duration>,
}

// === impl Item ===

impl Item {
    /// `member` is what identifies such an item: `name`, `uri` or `uriTemplate`.
    pub(crate) fn new(member: &str, raw: Json, answer: Answer) -> Self {
        let key = raw.member(member).unwrap_or_default();
        Self { key, raw, answer }
    }
}

// === impl Listing ===

impl Listing {
    /// The items of the page at the cursor, and the cursor of the next.
    pub(crate) fn page<'a>(
        self,
        items: &'a [Item],
        cursor: Option<&str>,
    ) -> Result<(&'a [Item], Option<String>), &'static str> {
        let first = |size: usize| &items[..size.min(items.len())];
        let number = |cursor: &str| cursor.strip_prefix("page-").and_then(|rest| rest.parse().ok());
        let (size, page) = match (self, cursor) {
            (Self::Whole, None) => return Ok((items, None)),
            (Self::Loop(size), _) => return Ok((first(size), Some("again".to_owned()))),
            (Self::Cycle(size), cursor) => {
                let next = if cursor == Some("a") { "b" } else { "a" };
                return Ok((first(size), Some(next.to_owned())));
            }
            (Self::Endless(size), cursor) => {
                let turn = cursor.and_then(number).unwrap_or(0);
                return Ok((first(size), Some(format!("page-{}", turn + 1))));
            }
            (Self::Pages(size) | Self::EmptyCursor(size), None) => (size, 0),
            (Self::EmptyCursor(size), Some("")) => (size, 1),
            (Self::Pages(size) | Self::EmptyCursor(size), Some(cursor)) => {
                (size, number(cursor).ok_or("unknown cursor")?)
            }
            (Self::Whole, Some(_)) => return Err("unknown cursor"),
        };
        let start = (page * size).min(items.len());
        let end = (start + size).min(items.len());
        let next = match self {
            _ if end == items.len() => None,
            Self::EmptyCursor(_) if page == 0 => Some(String::new()),
            _ => Some(format!("page-{}", page + 1)),
        };
        Ok((&items[start..end], next))
    }
}

// === impl Script ===

impl Default for Script {
    fn default() -> Self {
        Self {
            transport: Transport::Sse,
            path: "/mcp".to_owned(),
            server_info: json!({"name": "testkit", "version": "1.0.0"}).into(),
            instructions: None,
            capabilities: None,
            revision: None,
            era: Era::Legacy,
            cache: (0, "private".to_owned()),
            bare: false,
            presumptuous: false,
            tools: Vec::new(),
            resources: Vec::new(),
            templates: Vec::new(),
            prompts: Vec::new(),
            listing: Listing::Whole,
            overrides: HashMap::new(),
            paths: HashMap::new(),
            every: None,
            guards: Vec::new(),
            required_header: None,
            session_ids: SessionIds::Minted,
            lost_status: 404,
            resumable: false,
            named_events: true,
            keep_alive: true,
            accept_delay: None,
        }
    }
}

impl Script {
    /// The given capabilities, or those that what there is makes true.
    pub(crate) fn capabilities(&self) -> Json {
        if let Some(capabilities) = &self.capabilities {
            return capabilities.clone();
        }
        let mut found = Map::new();
        let mut add = |name: &str, there: bool, value: Value| {
            if there {
                found.insert(name.to_owned(), value);
            }
        };
        add("tools", !self.tools.is_empty(), json!({"listChanged": true}));
        let resources = !self.resources.is_empty() || !self.templates.is_empty();
        add("resources", resources, json!({"subscribe": true, "listChanged": true}));
        add("prompts", !self.prompts.is_empty(), json!({"listChanged": true}));
        add("completions", self.overrides.contains_key("completion/complete"), json!({}));
        Value::Object(found).into()
    }
}
