//! How a caller can be asked something, and what it gives in return.

use bytes::Bytes;

/// How whoever calls can be asked something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asking {
    /// While the call runs: a backend's questions come as [`Event::Request`](crate::Event::Request), each of which can
    /// be answered, whatever the backend's own way of asking is.
    #[default]
    Live,
    /// By an answer, after which the call is repeated: questions of a backend that asks that way come as
    /// [`Event::InputRequired`](crate::Event::InputRequired). One that can only ask while the call runs still does so.
    Return,
}

/// What a repeated call gives to a backend that asked for it in its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputGiven {
    /// The answers: a raw JSON object, by the keys of the questions.
    pub responses: Option<Bytes>,
    /// What the backend wants back unread: a raw JSON string.
    pub state: Option<Bytes>,
}
