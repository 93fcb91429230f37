//! What a backend offers, and answers read whole.

use bytes::Bytes;

/// What a backend offers; each item is the raw JSON it sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapabilityList {
    /// Tools.
    pub tools: Vec<Bytes>,
    /// Resources.
    pub resources: Vec<Bytes>,
    /// Resource templates.
    pub templates: Vec<Bytes>,
    /// Prompts.
    pub prompts: Vec<Bytes>,
    /// Whether the backend answered every list with an event stream.
    pub streamed: bool,
}

/// A backend's answer, read whole: raw JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The result object.
    Success(Bytes),
    /// The error object.
    Failure(Bytes),
}
