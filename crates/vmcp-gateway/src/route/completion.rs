//! `completion/complete`: by what is completed, a prompt or a resource template.

use vmcp_backend::{Call, CallError, ErrorKind};
use vmcp_wire::Edits;

use super::params::{self, invalid};
use super::{forward, unable};
use crate::relay::Reply;
use crate::session::MultiSession;
use crate::view::Route;

/// Completes at the owner of the prompt or template.
pub(super) async fn complete(session: &MultiSession, mut call: Call) -> Result<Reply, CallError> {
    let (route, spliced) = {
        let object = params::object(&call)?;
        let member = params::member(&object, "ref")?.ok_or_else(|| invalid("ref is missing"))?;
        let reference = member.as_object().ok_or_else(|| invalid("ref must be an object"))?;
        let (kind, _) = params::text(&reference, "type")?;
        let view = session.view_of(&call);
        match &*kind {
            "ref/prompt" => {
                let (name, member) = params::text(&reference, "name")?;
                let route = view.prompt(&name).cloned();
                let route = route.ok_or_else(|| {
                    CallError::client(ErrorKind::UnknownPrompt(name.into_owned()))
                })?;
                let spliced = route.name.as_ref().zip(call.params.as_ref()).map(|(own, raw)| {
                    let mut edits = Edits::new();
                    edits.replace(member.span, own.clone());
                    edits.apply(raw)
                });
                (route, spliced)
            }
            "ref/resource" => {
                let (uri, _) = params::text(&reference, "uri")?;
                let template = view.template(&uri).filter(|_| view.permits_template(&uri));
                let resource = || view.resource(&uri).filter(|_| view.permits_uri(&uri));
                let owner = template.or_else(resource);
                let backend = owner.ok_or_else(|| {
                    // Nothing is read here: that there is no such template is a wrong argument.
                    invalid(format!("there is no resource template {uri}"))
                })?;
                (Route { backend, name: None }, None)
            }
            _ => return Err(invalid("ref.type must be ref/prompt or ref/resource")),
        }
    };
    if spliced.is_some() {
        call.params = spliced;
    }
    let able = {
        let view = session.view();
        view.offers[route.backend].as_ref().is_some_and(|offers| offers.completions)
    };
    if !able {
        return Err(unable(session, route.backend, &call));
    }
    forward(session, route.backend, call).await
}
