//! The only outbound HTTP client.
