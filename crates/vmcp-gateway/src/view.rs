//! What clients see: immutable, shared, built anew when a backend's inventory changes.
//!
//! A view answers everything a request needs with one hash lookup: pages of lists are written, advertised names
//! lead to their backend and to the backend's own name as it is spliced into the params.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use vmcp_backend::ServerHello;
use vmcp_wire::UriTemplate;
use vmcp_wire::header::ParamHeaders;
use vmcp_wire::task::Support;

mod apps;
mod build;
mod cursor;
mod descriptor;
mod judged;
mod listing;
mod merged;
mod tasks;

#[cfg(test)]
mod tests;

pub(crate) use build::{Known, build};
use judged::Gates;
pub(crate) use listing::Listing;
pub(crate) use tasks::TasksKnown;

use crate::catalogue::Offers;
use crate::naming::conflict::Conflict;
use crate::status::Counts;

/// What clients see.
pub(crate) struct View {
    /// The advertised tools.
    pub tools: Listing,
    /// The advertised prompts.
    pub prompts: Listing,
    /// The advertised resources.
    pub resources: Listing,
    /// The advertised resource templates.
    pub templates: Listing,
    /// The merged capabilities object.
    pub capabilities: Bytes,
    /// The merged instructions.
    pub instructions: Option<String>,
    /// Names that not everybody who wanted them could have.
    pub conflicts: Vec<Conflict>,
    /// Whether every backend answers lists with event streams: then so does vmcp.
    pub streamed: bool,
    /// What each backend says it can do; `None` while it is not known.
    pub offers: Vec<Option<Arc<Offers>>>,
    /// How each backend introduced itself; `None` while it is not known.
    hellos: Vec<Option<Arc<ServerHello>>>,
    /// What is decided by policies, if there are any.
    gates: Option<Box<Gates>>,
    /// What there is of tasks.
    pub tasks: TasksKnown,
    /// Of tools that can be tasks: how.
    task_support: HashMap<Box<str>, Support>,
    /// Of tools that have any: the arguments that headers repeat.
    param_headers: HashMap<Box<str>, Arc<ParamHeaders>>,
    tool_routes: HashMap<Box<str>, Route>,
    /// The advertised names of tools that apps know by their backend's own.
    own_names: HashMap<Box<str>, Box<str>>,
    prompt_routes: HashMap<Box<str>, Route>,
    owners: HashMap<Box<str>, usize>,
    matchers: Arc<[Matcher]>,
}

/// Where an advertised name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The backend's place in the configuration.
    pub backend: usize,
    /// The backend's own name as a JSON string; `None` if it is the advertised one.
    pub name: Option<Bytes>,
}

struct Matcher {
    template: UriTemplate,
    backend: usize,
}

/// What tells two views apart for a client: one digest per kind of `list_changed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Of the tools.
    pub tools: u64,
    /// Of resources and templates, which share their notification.
    pub resources: u64,
    /// Of the prompts.
    pub prompts: u64,
}

// === impl View ===

impl View {
    /// Where the tool of this name is.
    pub(crate) fn tool(&self, name: &str) -> Option<&Route> {
        self.tool_routes.get(self.advertised(name))
    }

    /// The advertised name of the tool that a client calls so: the same, unless it is a backend's own that only one tool
    /// has.
    fn advertised<'a>(&'a self, name: &'a str) -> &'a str {
        match self.own_names.get(name) {
            Some(advertised) if !self.tool_routes.contains_key(name) => advertised,
            _ => name,
        }
    }

    /// The arguments of this tool that headers repeat, if there are any.
    pub(crate) fn param_headers(&self, tool: &str) -> Option<&Arc<ParamHeaders>> {
        self.param_headers.get(self.advertised(tool))
    }

    /// Whether the tool of this name can be called as a task.
    pub(crate) fn task_support(&self, tool: &str) -> Support {
        self.task_support.get(self.advertised(tool)).copied().unwrap_or_default()
    }

    /// Where the prompt of this name is.
    pub(crate) fn prompt(&self, name: &str) -> Option<&Route> {
        self.prompt_routes.get(name)
    }

    /// Whose resource (or template, written out) this is: the exact URI, else the template that fits best.
    pub(crate) fn resource(&self, uri: &str) -> Option<usize> {
        if let Some(owner) = self.owners.get(uri) {
            return Some(*owner);
        }
        let fits = self.matchers.iter().filter(|matcher| matcher.template.matches(uri));
        // Of equal ones the first in config order; `max_by_key` would take the last.
        fits.rev().max_by_key(|matcher| matcher.template.specificity()).map(|found| found.backend)
    }

    /// Whose template this is, written as it was advertised.
    pub(crate) fn template(&self, text: &str) -> Option<usize> {
        let found = self.matchers.iter().find(|matcher| matcher.template.as_str() == text);
        found.map(|matcher| matcher.backend)
    }

    /// The only backend that says it can do this, if there is exactly one.
    pub(crate) fn only(&self, able: impl Fn(&Offers) -> bool) -> Option<usize> {
        let mut found = self
            .offers
            .iter()
            .enumerate()
            .filter(|(_, offers)| offers.as_deref().is_some_and(&able));
        let (at, _) = found.next()?;
        found.next().is_none().then_some(at)
    }

    /// What tells this view from another for a client.
    pub(crate) fn digests(&self) -> Digests {
        Digests {
            tools: self.tools.digest(),
            resources: self.resources.digest() ^ self.templates.digest().rotate_left(1),
            prompts: self.prompts.digest(),
        }
    }

    /// How much is advertised.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            tools: self.tools.len(),
            resources: self.resources.len(),
            templates: self.templates.len(),
            prompts: self.prompts.len(),
        }
    }
}
