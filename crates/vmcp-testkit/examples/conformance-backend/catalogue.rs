//! What the backend lists, read from `catalogue.json`.

use std::io;

use rmcp::model::{Prompt, Resource, ResourceTemplate, Tool};
use serde::Deserialize;

/// What the backend lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Catalogue {
    pub(crate) tools: Vec<Tool>,
    pub(crate) extra_tool: Tool,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) extra_prompt: Prompt,
    pub(crate) resources: Vec<Resource>,
    pub(crate) resource_templates: Vec<ResourceTemplate>,
}

// === impl Catalogue ===

impl Catalogue {
    pub(crate) fn read() -> io::Result<Self> {
        serde_json::from_str(include_str!("catalogue.json")).map_err(io::Error::other)
    }
}
