//! From the texts of a configuration to what decides. Whatever is wrong is found here, before anybody calls.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Entities, EntityId, EntityTypeName, EntityUid, ParseErrors, Policy, PolicyId,
    PolicySet,
};
use miette::Diagnostic;
use vmcp_config::{Authz, PolicySource};

use super::reads::{self, Reads};
use super::{PolicyErrors, PolicyKind, PolicyProblem};

/// What decides.
pub(super) struct Compiled {
    pub(super) authorizer: Authorizer,
    /// Policies that look at no argument.
    pub(super) fixed: PolicySet,
    /// Those that do.
    pub(super) asking: PolicySet,
    /// Of those the permissions, without what they ask of arguments.
    pub(super) relaxed: PolicySet,
    /// Of those the scopes alone.
    pub(super) scopes: PolicySet,
    /// What all of them look at.
    pub(super) reads: Reads,
    /// The configured entities.
    pub(super) entities: Entities,
    pub(super) names: Names,
    pub(super) group_claim: Option<String>,
    pub(super) role_claim: Option<String>,
    /// How each policy is called to people.
    pub(super) labels: HashMap<PolicyId, String>,
}

/// The words of the entity model.
pub(super) struct Names {
    pub(super) client: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) server: EntityUid,
    kinds: [(EntityTypeName, EntityUid); 3],
}

/// What is found on the way.
#[derive(Default)]
struct Findings(Vec<PolicyProblem>);

// === impl Compiled ===

impl Compiled {
    pub(super) fn new(server: &str, authz: &Authz) -> Result<Self, PolicyErrors> {
        let mut findings = Findings::default();
        let mut compiled = match Self::empty(server, authz) {
            Ok(compiled) => compiled,
            Err(error) => {
                let source = PolicySource::new("");
                findings.add(&source, format!("incomingAuth.authz.groupEntityType: {error}"));
                return Err(PolicyErrors(findings.0));
            }
        };
        if authz.policies.is_empty() {
            let text = "incomingAuth.authz.policies: there is none, so nothing would be permitted";
            findings.add(&PolicySource::new(""), text.to_owned());
        }
        for (at, source) in authz.policies.iter().enumerate() {
            compiled.read(at, source, &mut findings);
        }
        if let Some(source) = &authz.entities {
            match Entities::from_json_str(&source.text, None) {
                Ok(entities) => compiled.entities = entities,
                Err(error) => findings
                    .add(source, format!("incomingAuth.authz.entitiesJson: {}", chain(&error))),
            }
        }
        if findings.0.is_empty() { Ok(compiled) } else { Err(PolicyErrors(findings.0)) }
    }

    /// Without a policy.
    fn empty(server: &str, authz: &Authz) -> Result<Self, String> {
        Ok(Self {
            authorizer: Authorizer::new(),
            fixed: PolicySet::new(),
            asking: PolicySet::new(),
            relaxed: PolicySet::new(),
            scopes: PolicySet::new(),
            reads: Reads::default(),
            entities: Entities::empty(),
            names: Names::new(server, &authz.group_type)?,
            group_claim: authz.group_claim.clone(),
            role_claim: authz.role_claim.clone(),
            labels: HashMap::new(),
        })
    }

    fn read(&mut self, at: usize, source: &PolicySource, findings: &mut Findings) {
        let key = format!("incomingAuth.authz.policies[{at}]");
        let set = match PolicySet::from_str(&source.text) {
            Ok(set) => set,
            Err(errors) => {
                for error in errors.iter() {
                    findings.add(source, format!("{key}{}: {}", line(source, error), chain(error)));
                }
                return;
            }
        };
        if set.templates().next().is_some() {
            findings.add(source, format!("{key}: a template permits and forbids nothing"));
        }
        let mut policies: Vec<&Policy> = set.policies().collect();
        // They are named by the order in which they stand there.
        policies.sort_by_key(|policy| {
            let id = policy.id().to_string();
            id.trim_start_matches("policy").parse::<usize>().unwrap_or_default()
        });
        if policies.is_empty() && set.templates().next().is_none() {
            findings.add(source, format!("{key}: there is no policy in it"));
        }
        let single = policies.len() == 1;
        for (nth, policy) in policies.into_iter().enumerate() {
            let name = match single {
                true => format!("policies[{at}]"),
                false => format!("policies[{at}].{nth}"),
            };
            if let Err(error) = self.add(&name, source, policy) {
                findings.add(source, format!("incomingAuth.authz.{name}: {error}"));
            }
        }
    }

    fn add(&mut self, name: &str, source: &PolicySource, policy: &Policy) -> Result<(), String> {
        let text = |error: &dyn Display| error.to_string();
        let id = PolicyId::new(name);
        let policy = policy.new_id(id.clone());
        let form = policy.to_json().map_err(|error| text(&error))?;
        let reads = Reads::of(&form);
        let asks = reads.asks();
        self.reads.join(reads);
        let mut label = name.to_owned();
        if let Some(own) = policy.annotation("id").filter(|own| !own.is_empty()) {
            label = format!("{label} \"{}\"", own.escape_debug());
        }
        if !source.file.is_empty() {
            label = format!("{label} ({}:{})", source.file, source.line);
        }
        self.labels.insert(id.clone(), label);
        if !asks {
            return self.fixed.add(policy).map_err(|error| text(&error));
        }
        let form_of =
            |form| Policy::from_json(Some(id.clone()), form).map_err(|error| error.to_string());
        if policy.effect() == cedar_policy::Effect::Permit {
            let relaxed = form_of(reads::without_arguments(&form))?;
            self.relaxed.add(relaxed).map_err(|error| text(&error))?;
        }
        let scope = form_of(reads::scope(&form))?;
        self.scopes.add(scope).map_err(|error| text(&error))?;
        self.asking.add(policy).map_err(|error| text(&error))
    }

    /// How people know a policy.
    pub(super) fn label(&self, id: &PolicyId) -> String {
        self.labels.get(id).cloned().unwrap_or_else(|| id.to_string())
    }
}

// === impl Names ===

impl Names {
    fn new(server: &str, group: &str) -> Result<Self, String> {
        let kinds = [PolicyKind::Tool, PolicyKind::Resource, PolicyKind::Prompt];
        let [tool, resource, prompt] = kinds.map(|kind| {
            let action = uid(&entity_type("Action")?, kind.action());
            Ok::<_, String>((entity_type(kind.entity())?, action))
        });
        Ok(Self {
            client: entity_type("Client")?,
            group: entity_type(group)?,
            server: uid(&entity_type("MCP")?, server),
            kinds: [tool?, resource?, prompt?],
        })
    }

    /// The type of an item, and the action of asking for it.
    pub(super) fn kind(&self, kind: PolicyKind) -> &(EntityTypeName, EntityUid) {
        let [tool, resource, prompt] = &self.kinds;
        match kind {
            PolicyKind::Tool => tool,
            PolicyKind::Resource => resource,
            PolicyKind::Prompt => prompt,
        }
    }
}

fn entity_type(name: &str) -> Result<EntityTypeName, String> {
    name.parse().map_err(|error: ParseErrors| error.to_string())
}

/// An entity by its type and its id. The id is taken as it is: nothing in it can end it.
pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

// === impl Findings ===

impl Findings {
    fn add(&mut self, source: &PolicySource, message: String) {
        self.0.push(PolicyProblem {
            file: source.file.to_string(),
            line: source.line,
            column: source.column,
            message,
        });
    }
}

/// Which line of a text with several lines an error is in.
fn line(source: &PolicySource, error: &dyn Diagnostic) -> String {
    let place = error.labels().and_then(|mut places| places.next());
    let Some(offset) = place.map(|place| place.offset()) else { return String::new() };
    let before = source.text.get(..offset).unwrap_or(&source.text);
    format!(", line {}", before.matches('\n').count() + 1)
}

/// An error with what it was caused by.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
