//! What one backend offers, read once when it was listed.

use std::sync::Arc;

use bytes::Bytes;
use vmcp_backend::{CapabilityList, ServerHello};
use vmcp_wire::revision::Family;
use vmcp_wire::{Object, task};

use crate::status::Counts;

/// One tool, prompt, resource or template: its key and the backend's own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its name, URI or URI template.
    pub key: Box<str>,
    /// The descriptor as the backend wrote it.
    pub raw: Bytes,
}

/// Everything one backend offers.
#[derive(Debug, Clone)]
pub(crate) struct Inventory {
    /// How it introduced itself.
    pub hello: Arc<ServerHello>,
    /// What it says it can do.
    pub offers: Arc<Offers>,
    /// Its tools, in its order.
    pub tools: Vec<Item>,
    /// Its prompts.
    pub prompts: Vec<Item>,
    /// Its resources.
    pub resources: Vec<Item>,
    /// Its resource templates.
    pub templates: Vec<Item>,
    /// Items without a usable name.
    pub nameless: Counts,
    /// Whether it answers lists with event streams.
    pub streamed: bool,
    /// What it offers instead to clients without a session, if that is something else.
    pub apart: Option<Arc<Inventory>>,
}

/// Keys and raw values of one object.
pub(crate) type Members = Vec<(Box<str>, Bytes)>;

/// A backend's capabilities object, as far as routing asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Offers {
    /// It has tools.
    pub tools: bool,
    /// It has prompts.
    pub prompts: bool,
    /// It has resources.
    pub resources: bool,
    /// It tells when a resource changes.
    pub subscribe: bool,
    /// It logs.
    pub logging: bool,
    /// It completes arguments.
    pub completions: bool,
    /// It has tasks, for callers that ask for them in calls of tools.
    pub tasks: bool,
    /// Keys and raw values of `experimental`.
    pub experimental: Members,
    /// Keys and raw values of `extensions`.
    pub extensions: Members,
}

// === impl Inventory ===

impl Inventory {
    /// Reads the keys of everything listed.
    pub(crate) fn read(hello: Arc<ServerHello>, list: CapabilityList) -> Self {
        let mut nameless = Counts::default();
        Self {
            streamed: list.streamed,
            offers: Arc::new(Offers::read(&hello)),
            tools: items(list.tools, "name", &mut nameless.tools),
            prompts: items(list.prompts, "name", &mut nameless.prompts),
            resources: items(list.resources, "uri", &mut nameless.resources),
            templates: items(list.templates, "uriTemplate", &mut nameless.templates),
            nameless,
            hello,
            apart: None,
        }
    }

    /// What it offers to clients of this family.
    pub(crate) fn to(self: &Arc<Self>, family: Family) -> &Arc<Self> {
        match (&self.apart, family) {
            (Some(apart), Family::Stateless) => apart,
            _ => self,
        }
    }

    /// How much there is.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            tools: self.tools.len(),
            resources: self.resources.len(),
            templates: self.templates.len(),
            prompts: self.prompts.len(),
        }
    }

    /// Whether nothing at all is new: not even what no client is told.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        self.same_as(other)
            && self.streamed == other.streamed
            && self.hello.revision == other.hello.revision
            && self.hello.capabilities == other.hello.capabilities
            && self.hello.server_info == other.hello.server_info
    }

    /// Whether a client that is offered this could tell the two apart.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.tools == other.tools
            && self.prompts == other.prompts
            && self.resources == other.resources
            && self.templates == other.templates
            && self.nameless == other.nameless
            && self.offers == other.offers
            && self.hello.instructions == other.hello.instructions
    }
}

/// Copies each descriptor out of the page it came in: a page would otherwise live as long as its last item.
fn items(raw: Vec<Bytes>, key: &str, nameless: &mut usize) -> Vec<Item> {
    let mut items = Vec::with_capacity(raw.len());
    for raw in raw {
        match key_of(&raw, key) {
            Some(key) => items.push(Item { key, raw: Bytes::copy_from_slice(&raw) }),
            None => *nameless += 1,
        }
    }
    items
}

fn key_of(raw: &[u8], key: &str) -> Option<Box<str>> {
    let object = Object::parse(raw).ok()?;
    let member = object.unique(key).ok()??;
    member.as_str().filter(|name| !name.is_empty()).map(|name| name.into())
}

// === impl Offers ===

impl Offers {
    /// Reads them.
    pub(crate) fn read(hello: &ServerHello) -> Self {
        let Ok(root) = Object::parse(&hello.capabilities) else { return Self::default() };
        let has = |key: &str| root.get(key).is_some_and(|member| !member.is_null());
        let subscribe = root
            .get("resources")
            .and_then(|member| member.as_object())
            .and_then(|resources| resources.get("subscribe"))
            .and_then(|member| member.as_bool());
        Self {
            tools: has("tools"),
            prompts: has("prompts"),
            resources: has("resources"),
            subscribe: subscribe == Some(true),
            logging: has("logging"),
            // Older servers answer completions without announcing them.
            completions: has("completions") || !hello.revision.completions_capability(),
            tasks: has_tasks(&root),
            experimental: members(&root, "experimental"),
            extensions: members(&root, "extensions"),
        }
    }
}

fn has_tasks(root: &Object<'_>) -> bool {
    let found = || {
        let tasks = root.get(task::CAPABILITY)?.as_object()?;
        tasks.get("requests")?.as_object()?.get("tools")?.as_object()?.get("call")
    };
    found().is_some()
}

fn members(root: &Object<'_>, key: &str) -> Members {
    let Some(object) = root.get(key).and_then(|member| member.as_object()) else {
        return Vec::new();
    };
    object.iter().map(|(key, member)| (key.into(), Bytes::copy_from_slice(member.raw))).collect()
}
