//! `tasks/get`, `update` and `cancel` of the tasks extension: at the backend whose call became the task.

use vmcp_backend::{Call, CallError};

use super::params::{self, invalid};
use super::{forward, unknown};
use crate::catalogue::Offers;
use crate::relay::Reply;
use crate::session::MultiSession;

/// The extension that backends declare.
const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// Forwards the call to whoever has the task: the backend that answered with it, else the only one that has tasks.
pub(super) async fn task(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    let owner = {
        let view = session.view();
        let has = |offers: &Offers| offers.extensions.iter().any(|(key, _)| **key == *EXTENSION);
        if !view.offers.iter().flatten().any(|offers| has(offers)) {
            drop(view);
            return unknown(session, call).await;
        }
        let object = params::object(&call)?;
        let (id, _) = params::text(&object, "taskId")?;
        session.client.tasks.owner(&id).or_else(|| view.only(has))
    };
    match owner {
        Some(backend) => forward(session, backend, call).await,
        None => Err(invalid("there is no such task")),
    }
}
