//! Tells clients that lists changed: each one whose view changed, once per kind.

use std::sync::Arc;
use std::time::Duration;

use vmcp_wire::{Limits, Message, method, rpc};

use crate::core::Core;

/// Changes within this time are one: backends that restart together would otherwise be as many notifications.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// The notifications, written once.
pub(crate) struct Messages {
    pub(super) tools: Option<Message>,
    pub(super) resources: Option<Message>,
    pub(super) prompts: Option<Message>,
}

/// Tells clients, until the task is ended.
pub(crate) async fn announce(core: Arc<Core>) {
    let messages = Messages {
        tools: message(method::TOOLS_LIST_CHANGED),
        resources: message(method::RESOURCES_LIST_CHANGED),
        prompts: message(method::PROMPTS_LIST_CHANGED),
    };
    loop {
        core.catalogue.changed.notified().await;
        tokio::time::sleep(DEBOUNCE).await;
        let digests = core.catalogue.view().digests();
        for session in core.registry.all() {
            session.tell(&digests, &messages);
        }
    }
}

fn message(method: &str) -> Option<Message> {
    Message::parse(rpc::notification(method, None), &Limits::default()).ok()
}
