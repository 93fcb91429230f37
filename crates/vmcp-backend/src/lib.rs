//! One persistent MCP session to one backend.
