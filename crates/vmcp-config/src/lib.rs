//! Text to a validated [`Config`]; every finding with file, line, column and a hint.
//!
//! Two formats go in: the ToolHive vMCP YAML and an editor's MCP JSON. Both become one small tree with
//! positions, and one set of readers walks it, so that both get errors of the same quality and all of
//! them in one run. Nothing here touches a file, a socket or the environment: the caller hands in the
//! texts and a function that answers for environment variables.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`model`](Config) | the validated configuration everybody else reads |
//! | `diagnostic` | one finding, and how it is shown |

mod diagnostic;
mod load;
mod model;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use load::{Format, Source, load};
pub use model::{
    Aggregation, Backend, BackendId, BackendTimeouts, Config, Limits, Listen, Naming, OutgoingAuth,
    Override, PrefixFormat, ProcessScope, SafeUrl, SessionLimits, Stdio, Timeouts, ToolRules,
    Transport, Visibility,
};
