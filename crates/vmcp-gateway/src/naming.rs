//! The backends' names to advertised names.
//!
//! Everything is a pure function of the configuration and of what the backends offer, in config order and
//! then in the backend's own order; nothing depends on which backend answered first. The order of rules:
//!
//! 1. overrides give a tool its local name;
//! 2. filters and visibility take tools out, so that a tool nobody may see takes no name from another;
//! 3. the strategy gives the wanted name;
//! 4. the wanted name is spelled as model APIs demand ([`label`]);
//! 5. of those that are still equal the first keeps the name, and the others are reported.

pub(crate) mod conflict;
mod label;
mod plan;
mod prompts;
mod tools;
mod uris;

#[cfg(test)]
mod tests;

pub(crate) use plan::{Named, Offer, Report};
pub(crate) use prompts::prompts;
pub(crate) use tools::tools;
pub(crate) use uris::uris;
