//! Many backends as one MCP server.
