//! From texts to a [`Config`].

use crate::diagnostic::Diagnostics;
use crate::model::Config;

/// One text to read.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in findings, usually a path.
    pub name: String,
    /// The text itself.
    pub text: String,
    /// What it is written in.
    pub format: Format,
}

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// JSON if it starts with `{`, else YAML.
    #[default]
    Auto,
    /// The ToolHive vMCP YAML.
    Yaml,
    /// An editor's JSON; comments and trailing commas are fine.
    Json,
}

/// Reads all sources as one configuration. `env` answers for environment variables.
pub fn load(
    _sources: &[Source],
    _env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Diagnostics> {
    Ok(Config::default())
}
