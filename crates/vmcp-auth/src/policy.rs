//! What callers may do: Cedar policies over who calls and what is asked for.
//!
//! | Cedar | what it is |
//! | --- | --- |
//! | principal | `Client::"<subject>"` with `claim_<name>` attributes, in one group for each that its claims name |
//! | action | `Action::"call_tool"`, `Action::"read_resource"`, `Action::"get_prompt"` |
//! | resource | `Tool::"<advertised name>"`, `Resource::"<uri>"`, `Prompt::"<name>"`, in `MCP::"<name of the server>"` |
//! | context | `claim_<name>`, and `arg_<name>` for each argument of the call |
//!
//! There is one decision, [`Standing::decide`], in two halves. [`Subject::standing`] is what can be told of a caller and an
//! item without arguments; it is made once for both. What is left for a call are those policies that look at arguments
//! and whose scope the call is in; for most calls there are none.
//!
//! Nothing is permitted that no policy permits, and what cannot be decided is denied: an error in any policy denies the
//! request, and so does an argument that policies ask for and that two readers could read differently.

use std::fmt;

#[cfg(feature = "cedar")]
mod arguments;
#[cfg(feature = "cedar")]
mod claims;
#[cfg(feature = "cedar")]
mod compile;
#[cfg(feature = "cedar")]
mod judge;
#[cfg(feature = "cedar")]
mod number;
#[cfg(feature = "cedar")]
mod reads;
#[cfg(feature = "cedar")]
#[cfg(test)]
mod tests;

#[cfg(not(feature = "cedar"))]
#[path = "policy/absent.rs"]
mod judge;

pub use judge::{Policy, Standing, Subject};

/// What is asked for, without arguments.
#[derive(Debug, Clone, Copy)]
pub struct PolicyItem<'a> {
    /// Its kind, which tells the action, too.
    pub kind: PolicyKind,
    /// Its advertised name or URI.
    pub name: &'a str,
    /// What is said of a tool.
    pub hints: Hints,
}

/// A kind of thing that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Tools, to be called.
    Tool,
    /// Resources, to be read.
    Resource,
    /// Prompts, to be got.
    Prompt,
}

/// The annotations of a tool, as far as there are any. Unless the configuration gives them, they are its backend's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// `readOnlyHint`.
    pub read_only: Option<bool>,
    /// `destructiveHint`.
    pub destructive: Option<bool>,
    /// `idempotentHint`.
    pub idempotent: Option<bool>,
    /// `openWorldHint`.
    pub open_world: Option<bool>,
}

/// Whether a request may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Permit,
    /// It may not; why is for the log, never for the caller.
    Deny(Why),
}

/// Why a request may not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No policy permits it.
    NoPolicy,
    /// These policies forbid it.
    Forbidden(Vec<String>),
    /// Policies could not be evaluated.
    Error(String),
    /// The arguments, or the claims, are not what policies can decide about.
    Unclear(String),
}

/// The policies that a decision was made by, each as its place and its `@id`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Those that permit.
    pub permits: Vec<String>,
    /// Those that forbid.
    pub forbids: Vec<String>,
    /// Those that could not be evaluated, and why.
    pub errors: Vec<String>,
    /// What could not be decided about, if anything.
    pub unclear: Option<String>,
}

/// What is wrong with policies, each finding at its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PolicyErrors(pub Vec<PolicyProblem>);

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The file; empty if there is none.
    pub file: String,
    /// The line of the file in which the policy begins, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong, with the key and the line of the policy.
    pub message: String,
}

// === impl PolicyKind ===

impl PolicyKind {
    /// The action of asking for one.
    pub fn action(self) -> &'static str {
        match self {
            Self::Tool => "call_tool",
            Self::Resource => "read_resource",
            Self::Prompt => "get_prompt",
        }
    }

    /// Its entity type.
    pub fn entity(self) -> &'static str {
        match self {
            Self::Tool => "Tool",
            Self::Resource => "Resource",
            Self::Prompt => "Prompt",
        }
    }
}

// === impl Decision ===

impl Decision {
    /// Whether the request may be made.
    pub fn is_permit(&self) -> bool {
        matches!(self, Self::Permit)
    }
}

// === impl Why ===

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolicy => f.write_str("no policy permits it"),
            Self::Forbidden(by) => write!(f, "forbidden by {}", by.join(", ")),
            Self::Error(text) => write!(f, "a policy could not be evaluated: {text}"),
            Self::Unclear(text) => f.write_str(text),
        }
    }
}

// === impl Judgement ===

impl Judgement {
    /// The decision that these make.
    pub fn decision(self) -> Decision {
        if let Some(text) = self.unclear {
            return Decision::Deny(Why::Unclear(text));
        }
        if !self.errors.is_empty() {
            return Decision::Deny(Why::Error(self.errors.join("; ")));
        }
        if !self.forbids.is_empty() {
            return Decision::Deny(Why::Forbidden(self.forbids));
        }
        if self.permits.is_empty() { Decision::Deny(Why::NoPolicy) } else { Decision::Permit }
    }
}

// === impl PolicyProblem ===

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        }
        f.write_str(&self.message)
    }
}
