//! `tools/call` and `prompts/get`: by advertised name.

use vmcp_backend::{Call, CallError, ErrorKind};
use vmcp_wire::Edits;

use super::{forward, params};
use crate::naming::conflict::Capability;
use crate::relay::Reply;
use crate::session::MultiSession;

/// Forwards the call to the owner of the name, under the owner's own name; all other params stay as they are.
pub(super) async fn call(
    session: &MultiSession,
    kind: Capability,
    mut call: Call,
) -> Result<Reply, CallError> {
    let (backend, spliced) = {
        let object = params::object(&call)?;
        let (name, member) = params::text(&object, "name")?;
        let view = session.view();
        let route = match kind {
            Capability::Prompt => view.prompt(&name),
            _ => view.tool(&name),
        };
        let route = route.ok_or_else(|| unknown(kind, name.into_owned()))?;
        let spliced = route.name.as_ref().zip(call.params.as_ref()).map(|(own, raw)| {
            let mut edits = Edits::new();
            edits.replace(member.span, own.clone());
            edits.apply(raw)
        });
        (route.backend, spliced)
    };
    if spliced.is_some() {
        call.params = spliced;
    }
    forward(session, backend, call).await
}

/// A hidden name and one that never was get the same answer.
fn unknown(kind: Capability, name: String) -> CallError {
    CallError::client(match kind {
        Capability::Prompt => ErrorKind::UnknownPrompt(name),
        _ => ErrorKind::UnknownTool(name),
    })
}
