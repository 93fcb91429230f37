//! What backends say of tasks on their own, for streams that want to hear of them.

use std::collections::BTreeMap;

use vmcp_auth::Caller;

use super::{find, link};
use crate::session::MultiSession;

/// A backend's own id, and the one that the client knows.
type Named = (Box<str>, Box<str>);

/// A stream wants to hear of these tasks. Gives those of which their backends will tell.
pub(crate) async fn watch(
    session: &MultiSession,
    shown: &[Box<str>],
    caller: &Caller,
) -> Vec<Box<str>> {
    let mut backends: BTreeMap<usize, Vec<Named>> = BTreeMap::new();
    let mut wanted = BTreeMap::new();
    for id in shown {
        if let Some((backend, own)) = find(session, id) {
            wanted.insert(backend, session.client.tasks.watch(backend, &own, id));
            backends.entry(backend).or_default().push((own, id.clone()));
        }
    }
    let mut told = Vec::new();
    for (backend, tasks) in backends {
        let own = wanted.remove(&backend).unwrap_or_default();
        let honoured = match link(session, backend, caller).await {
            Ok(link) => link.watch_tasks(own).await,
            Err(error) => Err(error),
        };
        let honoured = honoured.unwrap_or_else(|error| {
            tracing::debug!(%error, "a backend does not tell of its tasks");
            Vec::new()
        });
        for (own, id) in tasks {
            match honoured.iter().any(|honoured| **honoured == *own) {
                true => told.push(id),
                false => drop(session.client.tasks.unwatch(backend, &own)),
            }
        }
    }
    told.sort_unstable();
    told
}

/// The stream is over.
pub(crate) async fn unwatch(session: &MultiSession, shown: &[Box<str>], caller: &Caller) {
    let mut backends = BTreeMap::new();
    for id in shown {
        if let Some((backend, own)) = find(session, id) {
            backends.insert(backend, session.client.tasks.unwatch(backend, &own));
        }
    }
    for (backend, own) in backends {
        let Ok(link) = link(session, backend, caller).await else { continue };
        if let Err(error) = link.watch_tasks(own).await {
            tracing::debug!(%error, "a backend tells more of its tasks than anybody wants to hear");
        }
    }
}
