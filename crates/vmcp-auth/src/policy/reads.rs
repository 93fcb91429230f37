//! What policies look at, told from their JSON form: which arguments and which claims, and which policies look at none.
//!
//! Cedar has no way to compute the name of an attribute, so every attribute that a policy can reach is written in it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

const ARGUMENT: &str = "arg_";
const CLAIM: &str = "claim_";

/// What policies look at.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads {
    /// Attributes of arguments: `arg_…`.
    pub(super) arguments: BTreeSet<String>,
    /// Attributes of claims: `claim_…`.
    pub(super) claims: BTreeSet<String>,
    /// The context as a whole.
    pub(super) context: bool,
    /// Arguments as attributes of something else than the context.
    pub(super) elsewhere: bool,
}

// === impl Reads ===

impl Reads {
    /// What the conditions of a policy look at.
    pub(super) fn of(policy: &Value) -> Self {
        let mut reads = Self::default();
        reads.walk(policy.get("conditions").unwrap_or(&Value::Null));
        reads
    }

    /// Whether any argument is looked at.
    pub(super) fn asks(&self) -> bool {
        self.context || !self.arguments.is_empty()
    }

    pub(super) fn join(&mut self, other: Self) {
        self.arguments.extend(other.arguments);
        self.claims.extend(other.claims);
        self.context |= other.context;
        self.elsewhere |= other.elsewhere;
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    self.member(key, member);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            _ => {}
        }
    }

    fn member(&mut self, key: &str, value: &Value) {
        match (key, value) {
            ("." | "has", Value::Object(access)) => {
                let left = access.get("left").unwrap_or(&Value::Null);
                let of_context = *left == json!({"Var": "context"});
                if let Some(attr) = access.get("attr").and_then(Value::as_str) {
                    self.attribute(attr, of_context);
                }
                if !of_context {
                    self.walk(left);
                }
            }
            ("Var", Value::String(name)) if name == "context" => self.context = true,
            // Not where attributes are known to be; then it is read as one all the same.
            ("attr", Value::String(attr)) => self.attribute(attr, false),
            _ => self.walk(value),
        }
    }

    fn attribute(&mut self, attr: &str, of_context: bool) {
        if attr.starts_with(ARGUMENT) {
            self.elsewhere |= !of_context;
            self.arguments.insert(attr.to_owned());
        } else if attr.starts_with(CLAIM) {
            self.claims.insert(attr.to_owned());
        }
    }
}

/// The policy without those of its conditions that look at arguments: it permits whatever the policy permits with some
/// arguments, as far as that can be told.
pub(super) fn without_arguments(policy: &Value) -> Value {
    let mut policy = policy.clone();
    let Some(conditions) = policy.get_mut("conditions").and_then(Value::as_array_mut) else {
        return policy;
    };
    for condition in conditions {
        let whether = condition.get("kind").and_then(Value::as_str) == Some("when");
        let (joint, neutral) = if whether { ("&&", true) } else { ("||", false) };
        let Some(body) = condition.get_mut("body") else { continue };
        *body = kept(body, joint).unwrap_or_else(|| json!({"Value": neutral}));
    }
    policy
}

/// The policy's scope alone, as a permission.
pub(super) fn scope(policy: &Value) -> Value {
    let mut policy = policy.clone();
    if let Some(members) = policy.as_object_mut() {
        members.insert("effect".to_owned(), json!("permit"));
        members.insert("conditions".to_owned(), json!([]));
    }
    policy
}

/// The parts of a chain that look at no argument.
fn kept(body: &Value, joint: &str) -> Option<Value> {
    let parts = body.get(joint).and_then(|parts| Some((parts.get("left")?, parts.get("right")?)));
    if let Some((left, right)) = parts {
        return match (kept(left, joint), kept(right, joint)) {
            (Some(left), Some(right)) => Some(json!({joint: {"left": left, "right": right}})),
            (one, other) => one.or(other),
        };
    }
    let mut reads = Reads::default();
    reads.walk(body);
    (!reads.asks()).then(|| body.clone())
}
