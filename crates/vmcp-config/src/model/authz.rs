//! What callers may do.

use std::sync::Arc;

/// `incomingAuth.authz`: Cedar policies, and what of a caller's claims they see. Nothing is permitted that no policy
/// permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authz {
    /// The policies, in the order written; at least one.
    pub policies: Vec<PolicySource>,
    /// `entitiesJson`: further entities in Cedar's JSON format, such as groups and who is in them.
    pub entities: Option<PolicySource>,
    /// `groupClaimName`: the claim that holds the caller's groups, with dots between the names of nested ones. Without,
    /// the usual ones count: `groups`, `roles`, `cognito:groups`.
    pub group_claim: Option<String>,
    /// `roleClaimName`: a claim that holds more groups.
    pub role_claim: Option<String>,
    /// `groupEntityType`: the type of groups; `THVGroup` unless something else is given.
    pub group_type: String,
}

/// A text of a policy language, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySource {
    /// The text.
    pub text: Arc<str>,
    /// The file that it stands in.
    pub file: Arc<str>,
    /// The line that it begins in, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
}

// === impl Authz ===

impl Authz {
    /// The type of groups if nothing else is given.
    pub const GROUP_TYPE: &str = "THVGroup";

    /// These policies, and the defaults for the rest: what embedders begin with.
    pub fn cedar(policies: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        Self {
            policies: policies.into_iter().map(|text| PolicySource::new(text)).collect(),
            entities: None,
            group_claim: None,
            role_claim: None,
            group_type: Self::GROUP_TYPE.to_owned(),
        }
    }
}

// === impl PolicySource ===

impl PolicySource {
    /// A text that stands in no file.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), file: "".into(), line: 1, column: 1 }
    }
}
