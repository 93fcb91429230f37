//! What messages of a revision can say: kinds of content, of questions and of results.
//!
//! Members that a revision does not know are no matter, peers skip them. These are about what stands where a peer knows
//! all there can be: it would take the whole message for malformed.

use super::Revision;

impl Revision {
    /// Whether content may be a block of type `audio`.
    #[must_use]
    pub fn audio(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether content may be a block of type `resource_link`.
    #[must_use]
    pub fn resource_links(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether a tool's result may be in `structuredContent`; before, all that is read is `content`.
    #[must_use]
    pub fn structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether `structuredContent` may be any JSON value, and `outputSchema` any schema; before, an object and the schema
    /// of one.
    #[must_use]
    pub fn structured_values(self) -> bool {
        self.stateless()
    }

    /// Whether servers may send the client's user to a URL. Before, there is only a form, and the capability has no
    /// members.
    #[must_use]
    pub fn elicitation_by_url(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether a choice in a form may have titles as alternatives (`oneOf`), or several answers. Before, there are
    /// `enum` and `enumNames`, and one answer.
    #[must_use]
    pub fn titled_choices(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether the client's model may be given tools.
    #[must_use]
    pub fn sampling_tools(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether a message to or from the client's model may hold several blocks of content, as an array.
    #[must_use]
    pub fn sampling_lists(self) -> bool {
        self >= Self::V2025_11_25
    }
}
