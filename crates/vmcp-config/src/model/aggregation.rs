//! How the backends' capabilities are named and shown.

use std::collections::{BTreeMap, BTreeSet};

use super::BackendId;

/// How the backends' capabilities are named and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregation {
    /// What happens to names, in particular to equal ones.
    pub naming: Naming,
    /// Advertise no tool at all.
    pub exclude_all: bool,
    /// The tools of a backend without an entry in `tools`.
    pub default_visibility: Visibility,
    /// Rules per backend.
    pub tools: BTreeMap<BackendId, ToolRules>,
    /// Capabilities in one page of an answer to a client.
    pub page_size: usize,
    /// Bytes of the backends' instructions told to clients; each backend gets an equal share at least.
    pub max_instructions: usize,
    /// The longest advertised name.
    pub max_name_len: usize,
}

/// What happens to names. Overrides are applied before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// Every name gets its backend's prefix.
    Prefix {
        /// The prefix.
        format: PrefixFormat,
    },
    /// An unique name stays; of equal ones the best-ranked backend's stays and the others are dropped.
    Priority {
        /// Best first; never empty.
        order: Vec<BackendId>,
        /// The prefix for equal names of which no backend is ranked, and for prompts of unranked ones.
        format: PrefixFormat,
    },
    /// Equal names are errors until overrides part them.
    Manual,
}

/// A prefix with `{workload}` where the backend's id goes. Empty: names stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefixFormat(String);

/// Shown or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Visibility {
    /// Shown.
    #[default]
    Allow,
    /// Not shown.
    Deny,
}

/// What is shown of one backend's tools, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToolRules {
    /// Only these names are shown (as they are after overrides, before prefixes). `None`: all.
    pub filter: Option<BTreeSet<String>>,
    /// The backend's own name to what is said instead, in the order written.
    pub overrides: Vec<(String, Override)>,
    /// Show none.
    pub exclude_all: bool,
}

/// What is said about a tool instead of the backend's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Override {
    /// Its name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Members that replace those of the tool's annotations: a raw JSON object.
    pub annotations: Option<String>,
}

// === impl Aggregation ===

impl Default for Aggregation {
    fn default() -> Self {
        Self {
            naming: Naming::Prefix { format: PrefixFormat::default() },
            exclude_all: false,
            default_visibility: Visibility::Allow,
            tools: BTreeMap::new(),
            page_size: 1000,
            max_instructions: 32 * 1024,
            max_name_len: 64,
        }
    }
}

// === impl Naming ===

impl Naming {
    /// The prefix for whatever has to be prefixed (under `Manual` that is prompts).
    pub fn format(&self) -> PrefixFormat {
        match self {
            Self::Prefix { format } | Self::Priority { format, .. } => format.clone(),
            Self::Manual => PrefixFormat::default(),
        }
    }
}

// === impl PrefixFormat ===

impl PrefixFormat {
    /// The place of the backend's id.
    pub const PLACEHOLDER: &'static str = "{workload}";

    /// Takes a format as it is written.
    pub fn new(format: impl Into<String>) -> Self {
        Self(format.into())
    }

    /// No prefix at all.
    pub fn none() -> Self {
        Self(String::new())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefix of one backend.
    pub fn prefix(&self, id: &BackendId) -> String {
        self.0.replace(Self::PLACEHOLDER, id.as_str())
    }
}

impl Default for PrefixFormat {
    fn default() -> Self {
        Self("{workload}_".to_owned())
    }
}

// === impl ToolRules ===

impl ToolRules {
    /// What replaces the tool the backend calls `original`.
    pub fn override_of(&self, original: &str) -> Option<&Override> {
        self.overrides.iter().find(|(name, _)| name == original).map(|(_, with)| with)
    }
}
