//! From inventories and rules to a view. Pure: the same input gives the same view, byte for byte.

use std::collections::HashMap;
use std::sync::Arc;

use vmcp_config::{Aggregation, BackendId};
use vmcp_wire::header::ParamHeaders;
use vmcp_wire::task::Support;
use vmcp_wire::{UriTemplate, quote};

use super::apps;
use super::descriptor::descriptor;
use super::listing::{Entry, Listing};
use super::{Matcher, Route, TasksKnown, View, merged};
use crate::catalogue::{Inventory, Item, Offers};
use crate::naming::conflict::Capability;
use crate::naming::{self, Named, Offer, Report};

/// One backend, in config order.
pub(crate) struct Known<'a> {
    /// Its name.
    pub id: &'a BackendId,
    /// What it offers, if that is known.
    pub inventory: Option<&'a Inventory>,
}

/// Builds the view.
pub(crate) fn build(rules: &Aggregation, backends: &[Known<'_>]) -> View {
    let mut report = Report::default();
    for known in backends {
        nameless(known, &mut report);
    }
    let offers = |of: fn(&Inventory) -> &Vec<Item>| offers(backends, of);
    let tools = naming::tools(rules, &offers(|known| &known.tools), &mut report);
    let prompts = naming::prompts(rules, &offers(|known| &known.prompts), &mut report);
    let resources =
        naming::uris(Capability::Resource, &offers(|known| &known.resources), &mut report);
    let templates =
        naming::uris(Capability::Template, &offers(|known| &known.templates), &mut report);

    let ids: Vec<&BackendId> = backends.iter().map(|known| known.id).collect();
    let known: Vec<Option<&Inventory>> = backends.iter().map(|known| known.inventory).collect();
    let offered: Vec<Option<&Offers>> =
        known.iter().map(|known| known.map(|known| &*known.offers)).collect();
    let texts: Vec<Option<&str>> =
        known.iter().map(|known| known.as_ref()?.hello.instructions.as_deref()).collect();
    View {
        param_headers: param_headers(&tools),
        task_support: task_support(&tools),
        tasks: TasksKnown::of(&offered),
        tool_routes: routes(&tools),
        own_names: apps::own_names(&tools),
        prompt_routes: routes(&prompts),
        owners: resources.iter().map(|named| (named.name.as_str().into(), named.backend)).collect(),
        matchers: matchers(&templates, backends, &mut report).into(),
        tools: listing(Capability::Tool, &tools),
        prompts: listing(Capability::Prompt, &prompts),
        resources: listing(Capability::Resource, &resources),
        templates: listing(Capability::Template, &templates),
        capabilities: merged::capabilities(&offered),
        instructions: merged::instructions(&ids, &texts, rules.max_instructions),
        hellos: known.iter().map(|known| known.map(|known| known.hello.clone())).collect(),
        gates: None,
        streamed: known.iter().any(Option::is_some)
            && known.iter().flatten().all(|known| known.streamed),
        offers: known.iter().map(|known| known.map(|known| known.offers.clone())).collect(),
        conflicts: report.into_conflicts(),
    }
}

fn offers<'a>(backends: &[Known<'a>], of: fn(&Inventory) -> &Vec<Item>) -> Vec<Offer<'a>> {
    let known = backends.iter().enumerate();
    known
        .filter_map(|(backend, known)| {
            Some(Offer { backend, id: known.id, items: of(known.inventory?) })
        })
        .collect()
}

fn nameless(known: &Known<'_>, report: &mut Report) {
    let Some(inventory) = known.inventory else { return };
    let none = inventory.nameless;
    for (kind, count) in [
        (Capability::Tool, none.tools),
        (Capability::Prompt, none.prompts),
        (Capability::Resource, none.resources),
        (Capability::Template, none.templates),
    ] {
        if count > 0 {
            report.malformed(kind, "", known.id);
        }
    }
}

fn listing(kind: Capability, named: &[Named<'_>]) -> Listing {
    let entries = named.iter().map(|named| Entry {
        backend: named.backend,
        key: &named.name,
        raw: descriptor(named),
    });
    Listing::new(kind, entries)
}

fn routes(named: &[Named<'_>]) -> HashMap<Box<str>, Route> {
    let route = |named: &Named<'_>| {
        let own = (named.name != *named.item.key).then(|| quote(&named.item.key));
        (named.name.as_str().into(), Route { backend: named.backend, name: own })
    };
    named.iter().map(route).collect()
}

/// By advertised name. A tool whose annotations are wrong is not listed for those who would need them.
fn param_headers(tools: &[Named<'_>]) -> HashMap<Box<str>, Arc<ParamHeaders>> {
    let annotated = tools.iter().filter_map(|named| {
        let headers = ParamHeaders::of_tool(&named.item.raw).ok()?;
        (!headers.is_empty()).then(|| (named.name.as_str().into(), Arc::new(headers)))
    });
    annotated.collect()
}

/// By advertised name.
fn task_support(tools: &[Named<'_>]) -> HashMap<Box<str>, Support> {
    let known = tools.iter().map(|named| (named, Support::of_tool(&named.item.raw)));
    let known = known.filter(|(_, support)| *support != Support::Forbidden);
    known.map(|(named, support)| (named.name.as_str().into(), support)).collect()
}

/// Templates that route. One that cannot be parsed is advertised all the same, but nothing matches it.
fn matchers(named: &[Named<'_>], backends: &[Known<'_>], report: &mut Report) -> Vec<Matcher> {
    let mut matchers = Vec::with_capacity(named.len());
    for named in named {
        match UriTemplate::parse(&named.name) {
            Ok(template) => matchers.push(Matcher { template, backend: named.backend }),
            Err(_) => {
                report.malformed(Capability::Template, &named.name, backends[named.backend].id);
            }
        }
    }
    matchers
}
