//! Text to a validated [`Config`]; every finding with file, line, column and a hint.
//!
//! Two formats go in: the ToolHive vMCP YAML and an editor's MCP JSON. Both become one small tree with
//! positions, and one set of readers walks it, so that both get errors of the same quality and all of
//! them in one run. Nothing here touches a file, a socket or the environment: the caller hands in the
//! texts and a function that answers for environment variables.
//!
//! A text goes through these modules from top to bottom:
//!
//! | module | what it does |
//! | --- | --- |
//! | `load` | the order of all steps, on one page |
//! | `tree` | YAML or JSON to one tree, every node with its place |
//! | `field` | typed readers; maps that report the keys nobody asked for |
//! | `reading`, `expand`, `secret` | variables of the environment in values; files of secrets |
//! | `toolhive` | the sections of the YAML |
//! | `editor` | the entries of an editor's file |
//! | `endpoint` | what both say about a backend's transport |
//! | `network` | where a backend may be |
//! | `credentials` | as whom each backend is called, of all places that say so |
//! | `conflict` | names that collide already here |
//! | `init` | a first YAML from an editor's file |
//! | `model` | the result, which everybody else reads |
//! | `diagnostic` | one finding, and how it is shown |

mod load;

mod tree;

mod field;
mod report;

mod expand;
mod reading;
mod secret;

mod nearest;
mod shape;
mod units;

mod toolhive;

mod editor;

mod draft;
mod endpoint;
mod network;

mod credentials;

mod conflict;

mod init;

mod diagnostic;
mod model;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use init::init_yaml;
pub use load::{Format, Source, Surroundings, demo, load};
pub use model::{
    ActorToken, Aggregation, Authz, AwsSts, Backend, BackendId, BackendTimeouts, Catalogue,
    ClientAuth, ClientCerts, ClientCredentials, Config, Custom, HeaderInjection, IncomingAuth,
    JwtAlgorithm, Limits, Listen, ListenError, ListenTls, Naming, Network, OAuth, OAuthClient,
    Oidc, OutgoingAuth, Override, PolicySource, PrefixFormat, ProcessScope, RoleMapping, SafeUrl,
    Seal, SealKey, SessionLimits, Stdio, Tasks, Timeouts, TlsVersion, TokenExchange, TokenType,
    ToolRules, Transport, UpstreamInject, Visibility, Xaa,
};
