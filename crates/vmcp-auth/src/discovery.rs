//! Metadata documents: what a protected resource and an authorization server say about themselves.
//!
//! Only reading and checking is here; nothing is fetched. Unknown members are ignored, a member that is there
//! twice or of the wrong type refuses the document, and the error names it.
//!
//! | type | document |
//! | --- | --- |
//! | [`ProtectedResource`] | RFC 9728: which authorization servers give tokens for a resource |
//! | [`AuthorizationServer`] | RFC 8414 and OpenID Connect Discovery 1.0: the endpoints, and what they can do |
//!
//! Invariants: an identifier (issuer, resource) stays the string it came as, since it is compared and sent as such;
//! every URL is HTTPS or leads to this machine, and has neither user, password nor fragment.

use std::fmt;

use url::{Host, Url};

pub use authorization_server::AuthorizationServer;
pub(crate) use authorization_server::origin_of;
pub use protected_resource::ProtectedResource;

mod authorization_server;
mod protected_resource;

/// The longest document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// Why a document is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is longer than [`MAX_DOCUMENT_BYTES`].
    #[error("the document is longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    /// It is not the JSON it should be.
    #[error("not a metadata document: {0}")]
    Malformed(String),
    /// A member says something that cannot be used.
    #[error("\"{member}\" {problem}")]
    Member {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// Why a URL is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlProblem {
    /// It is none.
    #[error("is not an absolute URL")]
    NotAUrl,
    /// Only HTTPS is safe between machines (OAuth 2.1, §1.5).
    #[error("must be https (http only on this machine)")]
    Insecure,
    /// Credentials in a URL end up in logs.
    #[error("must not contain a user or password")]
    Userinfo,
    /// Fragments are not part of identifiers and are not sent.
    #[error("must not contain a fragment")]
    Fragment,
    /// An issuer has no query (RFC 8414, §2).
    #[error("must not contain a query")]
    Query,
}

/// Reads a URL that a document or a challenge names.
pub(crate) fn url(text: &str) -> Result<Url, UrlProblem> {
    // A parser mends what is not a URL (RFC 3986 has printable ASCII only), but identifiers are kept, sent and shown as
    // they came.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(UrlProblem::NotAUrl);
    }
    let url = Url::parse(text).map_err(|_| UrlProblem::NotAUrl)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UrlProblem::NotAUrl);
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(UrlProblem::Insecure),
        _ => return Err(UrlProblem::NotAUrl),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlProblem::Userinfo);
    }
    if url.fragment().is_some() {
        return Err(UrlProblem::Fragment);
    }
    Ok(url)
}

/// Reads an issuer identifier.
pub(crate) fn issuer(text: &str) -> Result<Url, UrlProblem> {
    let url = url(text)?;
    if url.query().is_some() { Err(UrlProblem::Query) } else { Ok(url) }
}

/// Whether the host can only be this machine: `localhost`, a name under it, or a loopback address.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Whether a text is a scope (RFC 6749, §3.3). What is none is neither sent nor shown.
pub(crate) fn is_scope(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    !text.is_empty() && text.bytes().all(is_allowed)
}

fn read<'d, T: serde::Deserialize<'d>>(document: &'d [u8]) -> Result<T, DocumentError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(DocumentError::TooLong);
    }
    let malformed = |problem: String| DocumentError::Malformed(problem);
    // serde_json checks only the text that it keeps, and would take an array for the members in their order.
    let text = std::str::from_utf8(document).map_err(|error| malformed(error.to_string()))?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(malformed("no object".to_owned()));
    }
    serde_json::from_str(text).map_err(|error| malformed(error.to_string()))
}

fn wrong(member: &'static str, problem: &dyn fmt::Display) -> DocumentError {
    DocumentError::Member { member, problem: problem.to_string() }
}

/// The URL with another path and without a query.
fn at_path(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_path(path);
    url
}

#[cfg(test)]
mod tests;
