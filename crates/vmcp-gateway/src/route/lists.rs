//! The four lists: pages of the view.

use vmcp_backend::{Asking, Call, CallError};

use super::params::{self, invalid};
use crate::naming::conflict::Capability;
use crate::relay::Reply;
use crate::session::MultiSession;

/// One page.
pub(super) fn page(
    session: &MultiSession,
    kind: Capability,
    call: &Call,
) -> Result<Reply, CallError> {
    let cursor = match call.params {
        Some(_) => {
            let object = params::object(call)?;
            // `null` is how some clients write "none".
            match params::member(&object, "cursor")?.filter(|member| !member.is_null()) {
                Some(member) => {
                    Some(member.as_str().ok_or_else(|| invalid("cursor must be a string"))?)
                }
                None => None,
            }
        }
        None => None,
    };
    // Nobody was ever given the empty one. Clients without a session mean the first page by it.
    let first = |text: &str| text.is_empty() && call.asking == Asking::Return;
    let cursor = cursor.filter(|text| !first(text));
    let view = session.view_of(call);
    let listing = match kind {
        Capability::Tool => &view.tools,
        Capability::Prompt => &view.prompts,
        Capability::Resource => &view.resources,
        Capability::Template => &view.templates,
    };
    let size = session.core.config.aggregation.page_size;
    let result =
        listing.page(cursor.as_deref(), size).ok_or_else(|| invalid("cursor is not valid"))?;
    Ok(Reply::made(result).shaped(view.streamed))
}
