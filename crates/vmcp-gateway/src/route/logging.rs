//! `logging/setLevel`: kept for the client, and told to the backends it uses.

use std::time::Duration;

use tokio::time::timeout;
use vmcp_backend::{Call, CallError};

use super::{empty, params::invalid};
use crate::level::Level;
use crate::relay::Reply;
use crate::session::MultiSession;

/// How long the client waits for backends to take its level. They are told before the answer, so that the client's
/// next call is at that level; but none of them may hold the client up. No setting: who is late is told with the next
/// session.
const PATIENCE: Duration = Duration::from_millis(500);

/// A call asks for log messages of this level. Backends are told of the most verbose level that any call of the client
/// asked for: what of it each call gets is for whoever passes its messages on.
pub(crate) async fn raise(session: &MultiSession, level: Level) {
    if session.client.level().is_none_or(|known| level < known) {
        let _ = timeout(PATIENCE, session.set_level(level)).await;
    }
}

/// Sets the level.
pub(super) async fn set_level(session: &MultiSession, call: &Call) -> Result<Reply, CallError> {
    let level = call.params.as_ref().and_then(|params| Level::of_params(params));
    let level = level.ok_or_else(|| invalid("level is not one of the protocol's"))?;
    // A backend that does not answer in time keeps the level it has until its session is opened anew.
    let _ = timeout(PATIENCE, session.set_level(level)).await;
    Ok(empty())
}
