//! MCP clients that show every status, header and byte.

mod http;
mod line;
mod reply;

pub use http::RawClient;
pub use line::LineClient;
pub use reply::RawReply;
