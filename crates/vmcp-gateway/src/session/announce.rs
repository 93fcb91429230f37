//! Tells clients that lists changed: each one whose view changed, once per kind.

use std::sync::Arc;

use vmcp_wire::{Limits, Message, method, rpc};

use crate::core::Core;
use crate::view::Digests;

/// The notifications, written once.
pub(crate) struct Messages {
    tools: Option<Message>,
    resources: Option<Message>,
    prompts: Option<Message>,
}

/// Tells clients, until the task is ended.
pub(crate) async fn announce(core: Arc<Core>) {
    loop {
        core.catalogue.changed.notified().await;
        // Backends that restart together would otherwise be as many notifications.
        tokio::time::sleep(core.config.timeouts.announce).await;
        for session in core.registry.all() {
            if session.catch_up() {
                // A view was built; others want the thread too.
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Messages {
    pub(crate) fn new() -> Self {
        Self {
            tools: message(method::TOOLS_LIST_CHANGED),
            resources: message(method::RESOURCES_LIST_CHANGED),
            prompts: message(method::PROMPTS_LIST_CHANGED),
        }
    }

    /// Those for whatever is not the same in both.
    pub(super) fn between(
        &self,
        before: &Digests,
        now: &Digests,
    ) -> impl Iterator<Item = &Message> {
        let kinds = [
            (before.tools != now.tools, &self.tools),
            (before.resources != now.resources, &self.resources),
            (before.prompts != now.prompts, &self.prompts),
        ];
        kinds.into_iter().filter_map(|(changed, message)| message.as_ref().filter(|_| changed))
    }
}

fn message(method: &str) -> Option<Message> {
    Message::parse(rpc::notification(method, None), &Limits::default()).ok()
}
