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

/// How whoever calls follows tasks, which are calls that go on after they were answered ([`vmcp_wire::task`]).
///
/// A backend that has the other form is translated: the caller notices nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TaskForm {
    /// Whatever the backend's own form is: nothing is translated.
    #[default]
    Own,
    /// It asked for a task in its params, and waits for the result in a request of its own.
    Requested,
    /// It takes a task where it is given one, and asks for its state until that brings the result. A tool call in this
    /// form becomes a task wherever the backend leaves that to its callers.
    Offered,
    /// Not at all. A tool call becomes a task where the backend leaves that to its callers, and the reply goes on until
    /// the task's end. Dropped before, the task is cancelled.
    Driven,
}

/// What a repeated call gives to a backend that asked for it in its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputGiven {
    /// The answers: a raw JSON object, by the keys of the questions.
    pub responses: Option<Bytes>,
    /// What the backend wants back unread: a raw JSON string.
    pub state: Option<Bytes>,
}
