//! What could not be advertised as asked, and why.

use std::fmt;

use vmcp_config::BackendId;

/// The four kinds of things a backend offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource.
    Resource,
    /// A resource template.
    Template,
}

/// Why something is not advertised, or not by its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Several capabilities would have had this name; the winner has it.
    Taken,
    /// Under manual naming several backends have this name and no override parts them: nobody has it.
    Unresolved,
    /// The item has no usable name, URI or template.
    Malformed,
}

/// One name that not everybody who wanted it could have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What kind of name it is.
    pub kind: Capability,
    /// The advertised name, URI or URI template.
    pub name: String,
    /// Why.
    pub cause: Cause,
    /// Who has the name.
    pub winner: Option<BackendId>,
    /// Whose capability is not advertised.
    pub losers: Vec<BackendId>,
}

// === impl Capability ===

impl Capability {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "resource template",
        }
    }
}

// === impl Conflict ===

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`: ", self.kind.as_str(), self.name)?;
        match (&self.cause, &self.winner) {
            (Cause::Malformed, _) => f.write_str("it cannot be named; left out of")?,
            (Cause::Unresolved, _) => {
                f.write_str("not advertised, because no override tells it apart; offered by")?;
            }
            (Cause::Taken, Some(winner)) => write!(f, "advertised for {winner}; not for")?,
            (Cause::Taken, None) => f.write_str("not advertised for")?,
        }
        for (at, loser) in self.losers.iter().enumerate() {
            write!(f, "{} {loser}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
