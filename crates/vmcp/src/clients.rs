//! The programs around vmcp: where they keep their MCP files, and what to paste into them.

use std::path::{Path, PathBuf};

/// A place where a client keeps its MCP file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The client.
    pub(crate) client: &'static str,
    /// The file.
    pub(crate) path: PathBuf,
}

/// The well-known places: of the folder first, then of the user.
pub(crate) fn places(home: Option<&Path>) -> Vec<Place> {
    let of_folder = [
        ("this folder", ".mcp.json"),
        ("Cursor, this folder", ".cursor/mcp.json"),
        ("VS Code, this folder", ".vscode/mcp.json"),
    ];
    let of_user = [
        ("Claude Desktop", "Library/Application Support/Claude/claude_desktop_config.json"),
        ("Claude Desktop", ".config/Claude/claude_desktop_config.json"),
        ("Claude Code", ".claude.json"),
        ("Cursor", ".cursor/mcp.json"),
        ("VS Code", "Library/Application Support/Code/User/mcp.json"),
        ("VS Code", ".config/Code/User/mcp.json"),
        ("Windsurf", ".codeium/windsurf/mcp_config.json"),
    ];
    let of_folder =
        of_folder.into_iter().map(|(client, path)| Place { client, path: PathBuf::from(path) });
    let of_user = home.into_iter().flat_map(|home| {
        of_user.into_iter().map(|(client, path)| Place { client, path: home.join(path) })
    });
    of_folder.chain(of_user).collect()
}

/// What to paste so that a client finds the endpoint.
pub(crate) fn paste(url: &str) -> String {
    format!(
        "\
Claude Code:
  claude mcp add --transport http vmcp {url}
Cursor, Claude Desktop and others, in their `mcpServers`:
  {{ \"mcpServers\": {{ \"vmcp\": {{ \"type\": \"http\", \"url\": \"{url}\" }} }} }}
VS Code, in .vscode/mcp.json:
  {{ \"servers\": {{ \"vmcp\": {{ \"type\": \"http\", \"url\": \"{url}\" }} }} }}"
    )
}
