//! `tasks/list`: what the client itself has asked for, from the gateway's own memory, page by page.
//!
//! Backends are not asked for lists: theirs are of whoever is behind a session, which may be many. How tasks are that may
//! have gone on is asked meanwhile, for a short time.

use std::time::Duration;

use tokio::time::timeout;
use vmcp_auth::Caller;
use vmcp_backend::{Answer, Call, CallError, RpcError, TaskForm};
use vmcp_wire::{method, quote, rpc, task};

use super::ledger::Listed;
use super::{has_tasks, link, track};
use crate::relay::Reply;
use crate::route::params::{self, invalid};
use crate::route::unknown;
use crate::session::MultiSession;
use crate::tasks;

/// How long backends may take to say how tasks are now; after that they are listed as they were told last. No setting: a
/// list waits for nobody.
const PATIENCE: Duration = Duration::from_millis(500);

/// Tasks of one page. Each one that runs is asked for.
const PAGE: usize = 50;

/// One page.
pub(in crate::route) async fn list(session: &MultiSession, call: Call) -> Result<Reply, CallError> {
    let has_it = session.client.form == TaskForm::Requested
        && session.view().offers.iter().flatten().any(|offers| has_tasks(offers));
    if !has_it {
        return unknown(session, call).await;
    }
    let after = after(&call)?;
    let owner = track::owner(&session.client);
    let page = || session.core.ledger.page(owner, after, PAGE);
    refresh(session, page().0, call.caller.as_ref()).await;
    let (listed, next) = page();
    let mut result = b"{\"tasks\":[".to_vec();
    for (at, listed) in listed.iter().enumerate() {
        if at > 0 {
            result.push(b',');
        }
        result.extend_from_slice(&listed.task);
    }
    result.push(b']');
    if let Some(next) = next {
        result.extend_from_slice(b",\"nextCursor\":");
        result.extend_from_slice(&quote(&next.to_string()));
    }
    result.push(b'}');
    Ok(Reply::made(result.into()))
}

/// After which place of the list the page begins.
fn after(call: &Call) -> Result<u64, CallError> {
    if call.params.is_none() {
        return Ok(0);
    }
    let object = params::object(call)?;
    let cursor = params::member(&object, "cursor")?.filter(|member| !member.is_null());
    let Some(cursor) = cursor else { return Ok(0) };
    let text = cursor.as_str().ok_or_else(|| invalid("cursor must be a string"))?;
    text.parse().map_err(|_| invalid("cursor is not valid"))
}

/// Asks how these tasks are now.
async fn refresh(session: &MultiSession, listed: Vec<Listed>, caller: Option<&Caller>) {
    let caller = caller.cloned().unwrap_or_default();
    let mut asked = Vec::new();
    for listed in listed.into_iter().filter(|listed| !listed.over) {
        let Ok(link) = link(session, listed.backend, &caller).await else { continue };
        let mut call = Call::new(method::TASKS_GET, Some(task::naming(&listed.own)));
        (call.tasks, call.caller) = (TaskForm::Requested, Some(caller.clone()));
        let (core, owner) = (session.core.clone(), track::owner(&session.client));
        asked.push(async move {
            match link.ask(call).await {
                Ok(Answer::Success(task)) => {
                    if let Some(task) = track::shown(&task, &listed.own, &listed.shown) {
                        core.ledger.told(owner, &listed.shown, &task);
                    }
                }
                Ok(Answer::Failure(error)) => {
                    if RpcError::from_raw(error).code() == rpc::INVALID_PARAMS {
                        core.ledger.gone(owner, &listed.shown);
                    }
                }
                Err(error) => tracing::debug!(%error, "a task is listed as it was told last"),
            }
        });
    }
    let _ = timeout(PATIENCE, tasks::all(asked)).await;
}
