//! Who may do what.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::{
    Context, Entities, Entity, EntityUid, PolicyId, PolicySet, Request, RestrictedExpression,
};
use vmcp_config::Authz;

use super::compile::{Compiled, uid};
use super::{Decision, Judgement, PolicyErrors, PolicyItem, PolicyKind};
use super::{arguments, claims};
use crate::Identity;

/// The longest text of an error that is kept, in characters.
const MOST_TEXT: usize = 300;

type Attributes = Vec<(String, RestrictedExpression)>;

/// The policies of a configuration. Cheap to clone.
#[derive(Clone)]
pub struct Policy(Arc<Compiled>);

/// A caller, as policies see it: its name, its groups and its claims.
pub struct Subject {
    policy: Arc<Compiled>,
    uid: EntityUid,
    /// The configured entities and the caller.
    entities: Entities,
    /// Of the context what every request of the caller has.
    claims: Attributes,
    /// Why nothing can be decided for this caller, if so.
    unclear: Option<String>,
}

/// What can be told of a caller and an item without arguments, and what is left to be told with them.
#[derive(Clone)]
pub struct Standing {
    fixed: Found,
    unclear: Option<String>,
    visible: bool,
    asking: Option<Arc<Asking>>,
    policy: Arc<Compiled>,
}

/// What is left to be told with arguments.
struct Asking {
    /// The policies whose scope the request is in.
    policies: PolicySet,
    subject: EntityUid,
    action: EntityUid,
    item: EntityUid,
    /// Caller and item, without arguments.
    entities: Entities,
    claims: Attributes,
}

/// The policies that apply.
#[derive(Debug, Clone, Default)]
struct Found {
    permits: Vec<PolicyId>,
    forbids: Vec<PolicyId>,
    errors: Vec<String>,
}

// === impl Policy ===

impl Policy {
    /// Reads the policies of the server with this name. The name is that of the entity which all items are in.
    ///
    /// # Errors
    /// Everything that is wrong with them, each with its place.
    pub fn compile(server: &str, authz: &Authz) -> Result<Self, PolicyErrors> {
        Compiled::new(server, authz).map(|compiled| Self(Arc::new(compiled)))
    }

    /// How policies see this caller.
    pub fn subject(&self, identity: &Identity) -> Arc<Subject> {
        Arc::new(Subject::new(&self.0, identity))
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("policies", &self.0.labels.len()).finish_non_exhaustive()
    }
}

// === impl Subject ===

impl Subject {
    fn new(policy: &Arc<Compiled>, identity: &Identity) -> Self {
        let uid = uid(&policy.names.client, identity.subject());
        let mut subject = Self {
            policy: Arc::clone(policy),
            uid,
            entities: policy.entities.clone(),
            claims: Vec::new(),
            unclear: None,
        };
        if let Err(text) = subject.describe(identity) {
            subject.unclear = Some(text);
        }
        subject
    }

    /// Adds what is known of the caller.
    fn describe(&mut self, identity: &Identity) -> Result<(), String> {
        let policy = Arc::clone(&self.policy);
        let read = claims::read(identity.claims()).ok_or("the claims are no object")?;
        let (attributes, unclear) = claims::attributes(&read, &policy.reads);
        if !unclear.is_empty() {
            // A policy looks at it, and would take it for missing.
            return Err(format!("claims that policies cannot read: {}", unclear.join(", ")));
        }
        let group_claim = policy.group_claim.as_deref();
        let groups = claims::groups(&read, group_claim, policy.role_claim.as_deref());
        let groups = groups.iter().map(|group| super::compile::uid(&policy.names.group, group));
        let groups: HashSet<EntityUid> = groups.collect();
        let caller = merged(&self.entities, self.uid.clone(), attributes.clone(), groups)?;
        self.entities = with(&self.entities, caller)?;
        self.claims = attributes;
        Ok(())
    }

    /// What can be told of this caller and an item without arguments.
    pub fn standing(&self, item: PolicyItem<'_>) -> Standing {
        let mut standing = Standing {
            fixed: Found::default(),
            unclear: self.unclear.clone(),
            visible: false,
            asking: None,
            policy: Arc::clone(&self.policy),
        };
        if standing.unclear.is_none()
            && let Err(text) = self.judge(item, &mut standing)
        {
            standing.visible = false;
            standing.unclear = Some(text);
        }
        standing
    }

    fn judge(&self, item: PolicyItem<'_>, standing: &mut Standing) -> Result<(), String> {
        let policy = &self.policy;
        let (kind, action) = policy.names.kind(item.kind);
        let item_uid = uid(kind, item.name);
        let parents = HashSet::from([policy.names.server.clone()]);
        let entity = merged(&self.entities, item_uid.clone(), attributes(item), parents)?;
        let entities = with(&self.entities, entity)?;
        let context = context(self.claims.clone())?;
        let request =
            Request::new(self.uid.clone(), action.clone(), item_uid.clone(), context, None)
                .map_err(|error| error.to_string())?;
        let found = |policies: &PolicySet| Found::of(policy, &request, policies, &entities);
        standing.fixed = found(&policy.fixed);
        let open = standing.fixed.forbids.is_empty() && standing.fixed.errors.is_empty();
        let permits = |found: &Found| !found.permits.is_empty();
        standing.visible = open && (permits(&standing.fixed) || permits(&found(&policy.relaxed)));
        if !open {
            // Whatever the others say, it is denied.
            return Ok(());
        }
        let scoped = found(&policy.scopes).permits;
        if scoped.is_empty() {
            return Ok(());
        }
        let scoped = scoped.iter().filter_map(|id| policy.asking.policy(id).cloned());
        let policies = PolicySet::from_policies(scoped).map_err(|error| error.to_string())?;
        standing.asking = Some(Arc::new(Asking {
            policies,
            subject: self.uid.clone(),
            action: action.clone(),
            item: item_uid,
            entities,
            claims: self.claims.clone(),
        }));
        Ok(())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").finish_non_exhaustive()
    }
}

// === impl Standing ===

impl Standing {
    /// Whether the item may be asked for with some arguments, as far as that can be told without them.
    pub fn is_visible(&self) -> bool {
        self.visible
    }

    /// Whether [`decide`](Self::decide) reads arguments.
    pub fn reads_arguments(&self) -> bool {
        self.asking.is_some()
    }

    /// Whether the item may be asked for with these arguments, a raw JSON object: the very bytes that are forwarded.
    pub fn decide(&self, arguments: Option<&[u8]>) -> Decision {
        match &self.asking {
            // The usual case: nothing is looked at.
            None if self.visible => Decision::Permit,
            _ => self.verdict(arguments).decision(),
        }
    }

    /// The policies by which that is decided.
    pub fn verdict(&self, arguments: Option<&[u8]>) -> Judgement {
        let mut found = self.fixed.clone();
        let mut unclear = self.unclear.clone();
        if let (Some(asking), None) = (&self.asking, &unclear) {
            match asking.ask(&self.policy, arguments) {
                Ok(more) => found.join(more),
                Err(text) => unclear = Some(text),
            }
        }
        let labels = |ids: &[PolicyId]| ids.iter().map(|id| self.policy.label(id)).collect();
        Judgement {
            permits: labels(&found.permits),
            forbids: labels(&found.forbids),
            errors: found.errors,
            unclear,
        }
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("visible", &self.visible).finish_non_exhaustive()
    }
}

// === impl Asking ===

impl Asking {
    fn ask(&self, policy: &Compiled, raw: Option<&[u8]>) -> Result<Found, String> {
        let arguments = arguments::attributes(raw, &policy.reads)?;
        let entities = match policy.reads.elsewhere && !arguments.is_empty() {
            true => {
                let none = HashSet::new();
                let item = merged(&self.entities, self.item.clone(), arguments.clone(), none)?;
                Some(with(&self.entities, item)?)
            }
            false => None,
        };
        let mut attributes = self.claims.clone();
        attributes.extend(arguments);
        let context = context(attributes)?;
        let (subject, action) = (self.subject.clone(), self.action.clone());
        let request = Request::new(subject, action, self.item.clone(), context, None)
            .map_err(|error| error.to_string())?;
        let entities = entities.as_ref().unwrap_or(&self.entities);
        Ok(Found::of(policy, &request, &self.policies, entities))
    }
}

// === impl Found ===

impl Found {
    fn of(policy: &Compiled, request: &Request, set: &PolicySet, entities: &Entities) -> Self {
        if set.is_empty() {
            return Self::default();
        }
        let response = policy.authorizer.is_authorized(request, set, entities);
        let mut found = Self::default();
        for id in response.diagnostics().reason() {
            match set.policy(id).map(cedar_policy::Policy::effect) {
                Some(cedar_policy::Effect::Permit) => found.permits.push(id.clone()),
                _ => found.forbids.push(id.clone()),
            }
        }
        for error in response.diagnostics().errors() {
            let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
            let text: String = error.inner().to_string().chars().take(MOST_TEXT).collect();
            found.errors.push(format!("{}: {text}", policy.label(error.policy_id())));
        }
        // Sets have an order of their own.
        found.permits.sort();
        found.forbids.sort();
        found.errors.sort();
        found
    }

    fn join(&mut self, more: Self) {
        self.permits.extend(more.permits);
        self.forbids.extend(more.forbids);
        self.errors.extend(more.errors);
    }
}

/// What every request for the item has as attributes of it.
fn attributes(item: PolicyItem<'_>) -> Attributes {
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let (feature, operation) = match item.kind {
        PolicyKind::Tool => ("tool", "call"),
        PolicyKind::Resource => ("resource", "read"),
        PolicyKind::Prompt => ("prompt", "get"),
    };
    let mut attributes = vec![
        ("name".to_owned(), text(item.name)),
        ("feature".to_owned(), text(feature)),
        ("operation".to_owned(), text(operation)),
    ];
    if item.kind == PolicyKind::Resource {
        attributes.push(("uri".to_owned(), text(item.name)));
    }
    for (name, hint) in [
        ("readOnlyHint", item.hints.read_only),
        ("destructiveHint", item.hints.destructive),
        ("idempotentHint", item.hints.idempotent),
        ("openWorldHint", item.hints.open_world),
    ] {
        if let Some(hint) = hint {
            attributes.push((name.to_owned(), RestrictedExpression::new_bool(hint)));
        }
    }
    attributes
}

/// An entity with what is known of it from the configuration; of two values for one attribute the request's counts.
fn merged(
    known: &Entities,
    uid: EntityUid,
    attributes: Attributes,
    mut parents: HashSet<EntityUid>,
) -> Result<Entity, String> {
    let mut all: HashMap<String, RestrictedExpression> = HashMap::new();
    if let Some(known) = known.get(&uid) {
        let (_, attributes, configured) = known.clone().into_inner();
        all.extend(attributes);
        parents.extend(configured);
    }
    all.extend(attributes);
    Entity::new(uid, all, parents).map_err(|error| error.to_string())
}

fn with(entities: &Entities, entity: Entity) -> Result<Entities, String> {
    entities.clone().upsert_entities([entity], None).map_err(|error| error.to_string())
}

fn context(attributes: Attributes) -> Result<Context, String> {
    Context::from_pairs(attributes).map_err(|error| error.to_string())
}
