//! The part of a view that policies permit to one caller.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use vmcp_auth::{Decision, Hints, PolicyItem, PolicyKind, Standing};
use vmcp_config::BackendId;
use vmcp_wire::Object;

use super::listing::{Entry, Listing};
use super::{TasksKnown, View, merged};
use crate::catalogue::Offers;
use crate::naming::conflict::Capability;
use crate::policy::Sight;

/// What is decided of what there is, and who is asked about the rest.
pub(crate) struct Gates {
    sight: Arc<Sight>,
    tools: HashMap<Box<str>, Standing>,
    prompts: HashMap<Box<str>, Standing>,
    resources: HashMap<Box<str>, Standing>,
    templates: HashSet<Box<str>>,
}

/// What one caller sees of one list, and what is decided of each of its items.
struct Part {
    listing: Listing,
    standings: HashMap<Box<str>, Standing>,
}

// === impl View ===

impl View {
    /// The view without what this caller may not ask for. `ids` are the backends' names.
    pub(crate) fn judged(&self, sight: &Arc<Sight>, ids: &[&BackendId], most: usize) -> Self {
        let mut backends = HashSet::new();
        let of_tool = |name: &str| self.tool_routes.get(name).map(|route| route.backend);
        let tools = part(sight, &self.tools, of_tool, &mut backends);
        let of_prompt = |name: &str| self.prompt_routes.get(name).map(|route| route.backend);
        let prompts = part(sight, &self.prompts, of_prompt, &mut backends);
        let of_resource = |uri: &str| self.owners.get(uri).copied();
        let resources = part(sight, &self.resources, of_resource, &mut backends);
        // One that cannot be parsed leads nowhere, but is listed.
        let of_template = |text: &str| Some(self.template(text).unwrap_or(usize::MAX));
        let templates = part(sight, &self.templates, of_template, &mut backends);

        // A backend of which nothing may be asked for says nothing of itself either.
        let hellos = self.hellos.iter().enumerate();
        let hellos: Vec<_> =
            hellos.map(|(at, hello)| hello.clone().filter(|_| backends.contains(&at))).collect();
        let none = Offers::default();
        let offers = self.offers.iter().enumerate().map(|(at, offers)| match offers.as_deref() {
            Some(_) if !backends.contains(&at) => Some(&none),
            offers => offers,
        });
        let offers: Vec<Option<&Offers>> = offers.collect();
        let texts = hellos.iter().map(|hello| hello.as_ref()?.instructions.as_deref());
        let texts: Vec<Option<&str>> = texts.collect();
        let open = |standings: &HashMap<Box<str>, Standing>, name: &str| {
            standings.get(name).is_some_and(Standing::is_visible)
        };
        Self {
            capabilities: merged::capabilities(&offers),
            instructions: merged::instructions(ids, &texts, most),
            tasks: TasksKnown::of(&offers),
            task_support: among(&self.task_support, |name| open(&tools.standings, name)),
            param_headers: among(&self.param_headers, |name| open(&tools.standings, name)),
            tool_routes: among(&self.tool_routes, |name| open(&tools.standings, name)),
            own_names: self.own_names.clone(),
            prompt_routes: among(&self.prompt_routes, |name| open(&prompts.standings, name)),
            // What is read is decided by its URI, whoever's it is.
            owners: self.owners.clone(),
            matchers: self.matchers.clone(),
            conflicts: Vec::new(),
            streamed: self.streamed,
            offers: self.offers.clone(),
            hellos,
            gates: Some(Box::new(Gates {
                sight: sight.clone(),
                templates: visible(&templates.standings),
                tools: tools.standings,
                prompts: prompts.standings,
                resources: resources.standings,
            })),
            tools: tools.listing,
            prompts: prompts.listing,
            resources: resources.listing,
            templates: templates.listing,
        }
    }

    /// What policies are asked about the item of this name; it need not be there.
    pub(crate) fn with_item<T>(
        &self,
        kind: Capability,
        wanted: &str,
        ask: impl FnOnce(PolicyItem<'_>) -> T,
    ) -> T {
        let listing = match kind {
            Capability::Tool => &self.tools,
            Capability::Prompt => &self.prompts,
            Capability::Resource => &self.resources,
            Capability::Template => &self.templates,
        };
        let found = listing.items().iter().find(|raw| name(kind, raw).as_deref() == Some(wanted));
        ask(item(kind, wanted, found.map_or(&[], |raw| raw)))
    }

    /// Whether policies decide what may be asked for.
    pub(crate) fn is_judged(&self) -> bool {
        self.gates.is_some()
    }

    /// Whether the tool or prompt of this name, which is in this view, may be asked for with these params.
    ///
    /// # Errors
    /// When two readers could find different arguments in the params. Only whoever sees the item is told.
    pub(crate) fn permits(
        &self,
        kind: Capability,
        name: &str,
        params: &Object<'_>,
    ) -> Result<bool, vmcp_wire::WireError> {
        let Some(gates) = &self.gates else { return Ok(true) };
        let (standings, name) = match kind {
            Capability::Prompt => (&gates.prompts, name),
            _ => (&gates.tools, self.advertised(name)),
        };
        let Some(standing) = standings.get(name) else { return Ok(false) };
        let arguments = match standing.reads_arguments() {
            true => params.unique("arguments")?.map(|member| member.raw),
            false => None,
        };
        let decision = standing.decide(arguments);
        Ok(decision.is_permit() || gates.sight.permits(kind, name, decision))
    }

    /// Whether this may be read.
    pub(crate) fn permits_uri(&self, uri: &str) -> bool {
        let Some(gates) = &self.gates else { return true };
        gates.sight.permits(Capability::Resource, uri, gates.read(uri))
    }

    /// Whether this is one of the templates that are listed.
    pub(crate) fn permits_template(&self, text: &str) -> bool {
        self.gates.as_ref().is_none_or(|gates| gates.templates.contains(text))
    }
}

// === impl Gates ===

impl Gates {
    fn read(&self, uri: &str) -> Decision {
        match self.resources.get(uri) {
            Some(standing) => standing.decide(None),
            None => {
                let hints = Hints::default();
                let item = PolicyItem { kind: PolicyKind::Resource, name: uri, hints };
                self.sight.seen_as.standing(item).decide(None)
            }
        }
    }
}

/// What the caller sees of a list; `backends` become those that something of it is from.
fn part(
    sight: &Sight,
    listing: &Listing,
    owner: impl Fn(&str) -> Option<usize>,
    backends: &mut HashSet<usize>,
) -> Part {
    let kind = listing.kind();
    let (mut kept, mut standings): (Vec<(usize, Box<str>, Bytes)>, _) =
        (Vec::new(), HashMap::new());
    for raw in listing.items() {
        // A name that cannot be read again is nobody's.
        let Some(name) = name(kind, raw) else { continue };
        let Some(backend) = owner(&name) else { continue };
        let standing = sight.seen_as.standing(item(kind, &name, raw));
        if standing.is_visible() {
            backends.insert(backend);
            kept.push((backend, name.clone(), raw.clone()));
        }
        standings.insert(name, standing);
    }
    let entries =
        kept.iter().map(|(backend, key, raw)| Entry { backend: *backend, key, raw: raw.clone() });
    Part { listing: Listing::new(kind, entries), standings }
}

/// The item of an advertised descriptor.
fn item<'a>(kind: Capability, name: &'a str, raw: &[u8]) -> PolicyItem<'a> {
    let hints = match kind {
        Capability::Tool => hints(raw).unwrap_or_default(),
        _ => Hints::default(),
    };
    let kind = match kind {
        Capability::Tool => PolicyKind::Tool,
        Capability::Prompt => PolicyKind::Prompt,
        Capability::Resource | Capability::Template => PolicyKind::Resource,
    };
    PolicyItem { kind, name, hints }
}

fn name(kind: Capability, raw: &[u8]) -> Option<Box<str>> {
    let key = match kind {
        Capability::Tool | Capability::Prompt => "name",
        Capability::Resource => "uri",
        Capability::Template => "uriTemplate",
    };
    let object = Object::parse(raw).ok()?;
    object.unique(key).ok()??.as_str().map(|name| name.into())
}

/// The annotations of a tool; none of those that stand there twice.
fn hints(raw: &[u8]) -> Option<Hints> {
    let object = Object::parse(raw).ok()?;
    let annotations = object.unique("annotations").ok()??.as_object()?;
    let hint = |key| annotations.unique(key).ok()??.as_bool();
    Some(Hints {
        read_only: hint("readOnlyHint"),
        destructive: hint("destructiveHint"),
        idempotent: hint("idempotentHint"),
        open_world: hint("openWorldHint"),
    })
}

fn among<T: Clone>(
    all: &HashMap<Box<str>, T>,
    is_in: impl Fn(&str) -> bool,
) -> HashMap<Box<str>, T> {
    let all = all.iter().filter(|(name, _)| is_in(name));
    all.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn visible(standings: &HashMap<Box<str>, Standing>) -> HashSet<Box<str>> {
    let visible = standings.iter().filter(|(_, standing)| standing.is_visible());
    visible.map(|(name, _)| name.clone()).collect()
}
