//! `tools/call` and `prompts/get`: by advertised name.

use vmcp_backend::{Call, CallError, ErrorKind, TaskForm};
use vmcp_wire::Edits;

use super::forward_tracked;
use super::params::{self, invalid};
use super::tasks::{self, Plan};
use crate::catalogue::Scope;
use crate::naming::conflict::Capability;
use crate::relay::Reply;
use crate::session::MultiSession;

/// Forwards the call to the owner of the name, under the owner's own name; all other params stay as they are.
pub(super) async fn call(
    session: &MultiSession,
    kind: Capability,
    mut call: Call,
) -> Result<Reply, CallError> {
    let (backend, spliced, plan) = {
        let object = params::object(&call)?;
        let (name, member) = params::text(&object, "name")?;
        let view = session.view_of(&call);
        let route = match kind {
            Capability::Prompt => view.prompt(&name),
            _ => view.tool(&name),
        };
        let route = route.ok_or_else(|| unknown(kind, name.clone().into_owned()))?;
        let permitted = view.permits(kind, &name, &object);
        if !permitted.map_err(|_| invalid("arguments is ambiguous"))? {
            return Err(unknown(kind, name.into_owned()));
        }
        let mut edits = Edits::new();
        if let Some(own) = &route.name {
            edits.replace(member.span, own.clone());
        }
        let plan = match kind {
            Capability::Tool => tasks::plan(session, route.backend, (&name, &object), &mut edits)?,
            _ => Plan::default(),
        };
        let raw = call.params.as_ref().filter(|_| !edits.is_empty());
        (route.backend, raw.map(|raw| edits.apply(raw)), plan)
    };
    if spliced.is_some() {
        call.params = spliced;
    }
    call.tasks = plan.form;
    let is_shared = session.core.catalogue.slots[backend].scope == Scope::Shared;
    call.keeps_progress = call.tasks == TaskForm::Requested && !is_shared;
    forward_tracked(session, backend, call, plan.track).await
}

/// A hidden name and one that never was get the same answer.
fn unknown(kind: Capability, name: String) -> CallError {
    CallError::client(match kind {
        Capability::Prompt => ErrorKind::UnknownPrompt(name),
        _ => ErrorKind::UnknownTool(name),
    })
}
