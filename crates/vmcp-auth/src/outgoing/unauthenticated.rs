//! Strategy `unauthenticated`: nothing is added to a request.

use http::HeaderMap;

use super::{OutgoingAuth, OutgoingRule};
use crate::Identity;

pub(super) const NAME: &str = "unauthenticated";

/// Adds nothing.
#[derive(Debug, Clone, Copy)]
pub struct Unauthenticated;

impl OutgoingAuth for Unauthenticated {
    fn name(&self) -> &str {
        NAME
    }

    fn validate(&self, _rule: &OutgoingRule) -> Result<(), String> {
        Ok(())
    }

    fn apply(
        &self,
        _rule: &OutgoingRule,
        _headers: &mut HeaderMap,
        _identity: Option<&Identity>,
    ) -> Result<(), String> {
        Ok(())
    }
}
