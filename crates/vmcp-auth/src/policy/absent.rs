//! Policies in a build without Cedar: there are none, and whoever wants some is refused.

use std::sync::Arc;

use vmcp_config::Authz;

use super::{Decision, Judgement, PolicyErrors, PolicyItem, PolicyProblem, Why};
use crate::Identity;

/// The policies of a configuration. In this build they permit nothing.
#[derive(Debug, Clone)]
pub struct Policy;

/// A caller, as policies see it.
#[derive(Debug)]
pub struct Subject;

/// What can be told of a caller and an item without arguments.
#[derive(Debug, Clone)]
pub struct Standing;

// === impl Policy ===

impl Policy {
    /// Refuses: this build has no policies.
    ///
    /// # Errors
    /// Always.
    pub fn compile(_: &str, authz: &Authz) -> Result<Self, PolicyErrors> {
        let first = authz.policies.first();
        Err(PolicyErrors(vec![PolicyProblem {
            file: first.map(|first| first.file.to_string()).unwrap_or_default(),
            line: first.map_or(1, |first| first.line),
            column: first.map_or(1, |first| first.column),
            message: "incomingAuth.authz: this build of vmcp has no policies".to_owned(),
        }]))
    }

    /// How policies see this caller.
    pub fn subject(&self, _: &Identity) -> Arc<Subject> {
        Arc::new(Subject)
    }
}

// === impl Subject ===

impl Subject {
    /// What can be told of this caller and an item without arguments.
    pub fn standing(&self, _: PolicyItem<'_>) -> Standing {
        Standing
    }
}

// === impl Standing ===

impl Standing {
    /// Whether the item may be asked for with some arguments, as far as that can be told without them.
    pub fn is_visible(&self) -> bool {
        false
    }

    /// Whether the item may be asked for with these arguments, a raw JSON object.
    pub fn decide(&self, _: Option<&[u8]>) -> Decision {
        Decision::Deny(Why::NoPolicy)
    }

    /// Whether [`decide`](Self::decide) reads arguments.
    pub fn reads_arguments(&self) -> bool {
        false
    }

    /// The policies by which that is decided.
    pub fn verdict(&self, _: Option<&[u8]>) -> Judgement {
        Judgement::default()
    }
}
