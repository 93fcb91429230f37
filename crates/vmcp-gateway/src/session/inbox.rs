//! What a client's own backend session says outside calls.

use std::sync::Arc;

use vmcp_backend::{Event, Outside, Sink};
use vmcp_wire::method;

use super::{Client, Ear};
use crate::catalogue::Slot;
use crate::route;

/// Passes the backend's words on to the client, except what the gateway itself acts on.
pub(super) fn inbox(client: &Arc<Client>, slot: &Arc<Slot>, ear: Arc<Ear>) -> Sink {
    let client = client.clone();
    let slot = Arc::downgrade(slot);
    Arc::new(move |outside| {
        let Some(slot) = slot.upgrade() else { return };
        if client.is_closed() {
            return;
        }
        match outside {
            // The session heals itself and renews its subscriptions; what it alone offered has to be announced anew.
            Outside::Lost => ear.lost(),
            Outside::Request(mut request) => {
                request.message = route::related(&client, slot.index, request.message.clone());
                let request = client.tokens.admit(slot.index, request);
                client.give(slot.index, Event::Request(request));
            }
            Outside::Notification(message) => match message.method() {
                // The client is told when the view has changed, and only if it has.
                method::TOOLS_LIST_CHANGED
                | method::PROMPTS_LIST_CHANGED
                | method::RESOURCES_LIST_CHANGED => {
                    // What it says to this client need not be news to everybody.
                    if !slot.per_caller || slot.inventory.load().is_some() {
                        slot.wake.notify_one();
                    }
                    ear.heard();
                }
                method::TASKS_STATUS | method::TASKS_CHANGED => {
                    let told = route::status(&client, slot.index, &message);
                    told.into_iter().for_each(|told| (client.sink)(Event::Notification(told)));
                }
                method::LOG_MESSAGE => {
                    let message = route::related(&client, slot.index, message);
                    client.give(slot.index, Event::Notification(message));
                }
                _ => {
                    let message = route::related(&client, slot.index, message);
                    (client.sink)(Event::Notification(message));
                }
            },
        }
    })
}
