//! Why something may be asked for, or not: for operators, never for clients.

use vmcp_auth::{CredentialScope, Decision, Identity, Judgement};
use vmcp_config::{Aggregation, BackendId, Naming, Visibility};
use vmcp_wire::revision::Family;

use crate::Gateway;
use crate::catalogue::{Item, Slot};
use crate::naming::conflict::{Capability, Conflict};

/// Why a caller may ask for something, or may not.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The backend that it is of, if that is known.
    pub backend: Option<BackendId>,
    /// Whether it is there at all, whoever asks.
    pub advertised: bool,
    /// If it is not: the key of the configuration that hides it.
    pub hidden_by: Option<&'static str>,
    /// Conflicts about the name.
    pub conflicts: Vec<Conflict>,
    /// Whether the caller is told of it.
    pub visible: bool,
    /// Whether the caller may ask for it with these arguments.
    pub decision: Decision,
    /// The policies by which that is decided; `None` if there are no policies.
    pub judgement: Option<Judgement>,
    /// As whom the backend is called: the strategy, and whether it depends on who calls.
    pub credentials: Option<(String, bool)>,
}

impl Gateway {
    /// Tells why this caller may ask for the tool, the prompt or the resource of this name with these arguments (a raw JSON
    /// object), or may not. What only a caller's own session is offered is not known here.
    pub fn explain(
        &self,
        identity: &Identity,
        kind: Capability,
        name: &str,
        arguments: Option<&[u8]>,
    ) -> Explanation {
        let core = self.core();
        let view = core.catalogue.view(Family::Session);
        let owner = match kind {
            Capability::Tool => view.tool(name).map(|route| route.backend),
            Capability::Prompt => view.prompt(name).map(|route| route.backend),
            Capability::Resource => view.resource(name),
            Capability::Template => view.template(name),
        };
        let hidden = match (kind, owner) {
            (Capability::Tool, None) => {
                let all = core.catalogue.slots.iter();
                all.flat_map(|slot| hidden(&core.config.aggregation, slot, name)).next()
            }
            _ => None,
        };
        let slot = owner.or(hidden.map(|(at, _)| at)).and_then(|at| core.catalogue.slots.get(at));
        let standing = core.rules.as_ref().map(|rules| {
            let sight = rules.sight(identity);
            view.with_item(kind, name, |item| sight.seen_as.standing(item))
        });
        let permitted = standing.as_ref().map(|standing| standing.decide(arguments));
        let credentials = slot.map(|slot| {
            let scope = core.connector.scope(&slot.target);
            let per_caller = scope.is_ok_and(|scope| scope == CredentialScope::PerCaller);
            (slot.target.auth.strategy().to_owned(), per_caller)
        });
        let conflicts = view.conflicts.iter();
        Explanation {
            backend: slot.map(|slot| slot.target.id.clone()),
            advertised: owner.is_some(),
            hidden_by: hidden.map(|(_, key)| key),
            conflicts: conflicts
                .filter(|one| one.kind == kind && one.name == name)
                .cloned()
                .collect(),
            visible: owner.is_some()
                && standing.as_ref().is_none_or(|standing| standing.is_visible()),
            decision: permitted.unwrap_or(Decision::Permit),
            judgement: standing.map(|standing| standing.verdict(arguments)),
            credentials,
        }
    }
}

impl Explanation {
    /// Whether the caller may ask for it, and somebody would answer.
    pub fn is_callable(&self) -> bool {
        self.advertised && self.decision.is_permit()
    }
}

/// The backend that has a tool which could be meant by this name, and the key that hides it.
fn hidden(rules: &Aggregation, slot: &Slot, name: &str) -> Option<(usize, &'static str)> {
    let id = &slot.target.id;
    let own = rules.tools.get(id);
    let inventory = slot.inventory.load_full()?;
    let local = |item: &Item| -> String {
        let with = own.and_then(|own| own.override_of(&item.key));
        with.and_then(|with| with.name.clone()).unwrap_or_else(|| item.key.to_string())
    };
    let prefix = match &rules.naming {
        Naming::Prefix { format } | Naming::Priority { format, .. } => format.prefix(id),
        Naming::Manual => String::new(),
    };
    let is_meant = |item: &&Item| {
        let local = local(item);
        *item.key == *name || local == name || format!("{prefix}{local}") == name
    };
    let local = local(inventory.tools.iter().find(is_meant)?);
    let key = match own {
        _ if rules.exclude_all => "aggregation.excludeAllTools",
        None if rules.default_visibility == Visibility::Deny => "aggregation.defaultToolVisibility",
        Some(own) if own.exclude_all => "aggregation.tools[].excludeAll",
        Some(own) if own.filter.as_ref().is_some_and(|filter| !filter.contains(&local)) => {
            "aggregation.tools[].filter"
        }
        // It has another name.
        _ => "aggregation.conflictResolution",
    };
    Some((slot.index, key))
}
