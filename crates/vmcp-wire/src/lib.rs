//! Bytes to MCP messages and back: borrowed, lossless, bounded.
