//! What fails on the way out, and whether the request may have reached the server.

use std::error::Error as StdError;
use std::net::IpAddr;
use std::time::Duration;

use crate::AddressClass;

/// Why an HTTP exchange has no response, or no more of one. Texts are for logs: they may name addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The client could not be set up for this peer: certificates, proxy.
    #[error("{0}")]
    Setup(String),
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The host leads to an address that may not be dialled for it.
    #[error("{}", refusal(host, *address, *class))]
    Egress {
        /// The host of the URL.
        host: String,
        /// Where it leads; `None` when its name says enough.
        address: Option<IpAddr>,
        /// What that is.
        class: AddressClass,
    },
    /// A connection that broke before anything of the request was written to it.
    #[error("the connection closed before the request was written: {0}")]
    Unsent(String),
    /// The server refused the request before it looked at it (HTTP/2 REFUSED_STREAM, GOAWAY), twice.
    #[error("the server refused the request unprocessed: {0}")]
    Refused(String),
    /// The server asked to go where we do not go.
    #[error("{0}")]
    Redirect(String),
    /// The response's header is larger than its bound.
    #[error("the response header is too large")]
    HeaderTooLarge,
    /// The response's body is compressed, which nobody asked for: what it would become has no bound.
    #[error("the response has the content encoding \"{0}\", and only \"identity\" is read")]
    Encoded(String),
    /// The response's body is longer than this bound, in bytes.
    #[error("the body is longer than {0} bytes")]
    BodyTooLarge(usize),
    /// There is no whole response within this time.
    #[error("no whole response within {} ms", .0.as_millis())]
    Late(Duration),
    /// The exchange broke after the request was, or may have been, written.
    #[error("the exchange broke: {0}")]
    Exchange(String),
    /// The response's body broke off.
    #[error("the body broke off: {0}")]
    Body(String),
}

// === impl NetError ===

impl NetError {
    /// Whether the server provably did not work on the request.
    pub fn provably_unsent(&self) -> bool {
        matches!(
            self,
            Self::Setup(_)
                | Self::Connect(_)
                | Self::Egress { .. }
                | Self::Unsent(_)
                | Self::Refused(_)
        )
    }

    pub(crate) fn connect_timeout(after: Duration) -> Self {
        Self::Connect(format!("no connection within {} ms", after.as_millis()))
    }

    /// No connection, for a reason that may be one of ours.
    pub(crate) fn from_dialling(error: &(dyn StdError + 'static)) -> Self {
        own(error).unwrap_or_else(|| Self::Connect(chain(error)))
    }

    /// No response on an HTTP/2 connection.
    pub(crate) fn from_exchange(error: &hyper::Error) -> Self {
        if error.is_canceled() {
            // hyper says so only when nothing of the request was written.
            Self::Unsent(chain(error))
        } else if is_refused(error) {
            Self::Refused(chain(error))
        } else if error.is_parse_too_large() {
            Self::HeaderTooLarge
        } else {
            Self::Exchange(chain(error))
        }
    }

    pub(crate) fn from_body(error: &hyper::Error) -> Self {
        Self::Body(chain(error))
    }
}

/// An error of ours that became the cause of somebody else's.
fn own(error: &(dyn StdError + 'static)) -> Option<NetError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<NetError>() {
            return Some(own.clone());
        }
        cause = error.source();
    }
    None
}

/// Why an address is not dialled, and what would change that.
fn refusal(host: &str, address: Option<IpAddr>, class: AddressClass) -> String {
    let allow = match class {
        AddressClass::Private => "`network.private` or `network.allow`",
        _ => "`network.allow`",
    };
    let what = match address {
        Some(address) if host.trim_matches(['[', ']']) == address.to_string() => {
            format!("\"{host}\" is a {class} address")
        }
        Some(address) => format!("\"{host}\" leads to {address}, a {class} address"),
        None => format!("\"{host}\" is a {class} name"),
    };
    format!("{what}, which is not dialled here unless {allow} says so")
}

/// Whether the peer says that it did nothing with the request (RFC 9113, §8.7): it refused the stream, or it went away
/// and named a last stream that is older. Streams up to that one end in another error.
fn is_refused(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        let refused = cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
        cause.is_remote() && (refused || cause.is_go_away())
    })
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}
