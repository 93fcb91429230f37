//! The methods of clients: a fixed set, so that labels stay bounded and names need no allocation.

use std::borrow::Cow;

use vmcp_wire::method;

/// Every method that clients call, by place; what is not among them is the last.
const METHODS: [&str; 17] = [
    method::TOOLS_CALL,
    method::TOOLS_LIST,
    method::RESOURCES_READ,
    method::RESOURCES_LIST,
    method::RESOURCES_TEMPLATES_LIST,
    method::RESOURCES_SUBSCRIBE,
    method::RESOURCES_UNSUBSCRIBE,
    method::PROMPTS_GET,
    method::PROMPTS_LIST,
    method::COMPLETION_COMPLETE,
    method::LOGGING_SET_LEVEL,
    method::TASKS_GET,
    method::TASKS_RESULT,
    method::TASKS_LIST,
    method::TASKS_CANCEL,
    HANDSHAKE,
    OTHER,
];

const HANDSHAKE: &str = "handshake";
const OTHER: &str = "other";

/// A method of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MethodKind(usize);

// === impl MethodKind ===

impl MethodKind {
    /// The first request of a session.
    pub(crate) const HANDSHAKE: Self = Self(METHODS.len() - 2);

    /// The kind of a call's method.
    pub(crate) fn of(method: &str) -> Self {
        let known = METHODS[..METHODS.len() - 2].iter().position(|known| *known == method);
        Self(known.unwrap_or(METHODS.len() - 1))
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..METHODS.len()).map(Self)
    }

    pub(crate) fn index(self) -> usize {
        self.0
    }

    pub(crate) fn label(self) -> &'static str {
        METHODS[self.0]
    }

    /// `method` without a copy when it is known.
    pub(crate) fn name(self, method: &str) -> Cow<'static, str> {
        if self.label() == method { self.label().into() } else { method.to_owned().into() }
    }
}
