//! `Host` and `Origin`: the defence against DNS rebinding.
//!
//! A page from the open web can make a browser resolve its own name to a loopback address and then call
//! whatever listens there. The browser still tells the truth in two headers: `Host` names the page's own
//! domain, and `Origin` the page. On a loopback listener both must be loopback names, on every path and
//! method. Elsewhere any `Host` passes unless a list was given, but an `Origin` must be on the list: a
//! program that is not a browser sends none.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, StatusCode, Version, header};
use vmcp_config::Listen;

use crate::respond::Rejection;

/// Which names are ours, and which pages may call.
pub(crate) struct Places {
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Where a connection came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// A listener on a loopback address.
    Loopback,
    /// Any other listener.
    Open,
}

// === impl Places ===

impl Places {
    pub(crate) fn new(listen: &Listen) -> Self {
        let lower = |list: &[String]| list.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { hosts: lower(&listen.hosts), origins: lower(&listen.origins) }
    }

    /// Refuses a request that names a foreign host or comes from a foreign page.
    pub(crate) fn check(&self, door: Door, head: &Parts) -> Result<(), Rejection> {
        let host = single(&head.headers, header::HOST)?;
        let target = head.uri.authority().map(http::uri::Authority::as_str);
        let named = match (host, target) {
            // HTTP/2 may carry both; they must not disagree.
            (Some(host), Some(target)) if head.version == Version::HTTP_2 && host != target => {
                return Err(Rejection::new(StatusCode::BAD_REQUEST, "the host is named twice"));
            }
            // The absolute form wins over `Host` (RFC 9112 §3.2.2), but both are checked.
            (Some(host), Some(target)) => [Some(host), Some(target)],
            (named, other) => [named, other],
        };
        if named == [None, None] {
            return Err(Rejection::new(StatusCode::BAD_REQUEST, "no host is named"));
        }
        if !named.into_iter().flatten().all(|name| self.is_our_host(door, name)) {
            return Err(Rejection::new(StatusCode::FORBIDDEN, "this host name is not served here"));
        }
        match single(&head.headers, header::ORIGIN)? {
            Some(origin) if !self.is_our_origin(door, origin) => {
                Err(Rejection::new(StatusCode::FORBIDDEN, "this origin is not allowed"))
            }
            _ => Ok(()),
        }
    }

    fn is_our_host(&self, door: Door, authority: &str) -> bool {
        let Some(host) = host_of(authority) else { return false };
        match door {
            Door::Loopback => is_loopback_name(host) || self.lists_host(host, authority),
            Door::Open => self.hosts.is_empty() || self.lists_host(host, authority),
        }
    }

    /// A listed name fits with any port, unless it was listed with one.
    fn lists_host(&self, host: &str, authority: &str) -> bool {
        self.hosts.iter().any(|listed| {
            listed.eq_ignore_ascii_case(host) || listed.eq_ignore_ascii_case(authority)
        })
    }

    fn is_our_origin(&self, door: Door, origin: &str) -> bool {
        if self.origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        door == Door::Loopback
            && (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
            && host_of(authority).is_some_and(is_loopback_name)
    }
}

/// The only value of a header; a second one could make two readers see two requests.
pub(crate) fn single(
    headers: &HeaderMap,
    name: impl header::AsHeaderName,
) -> Result<Option<&str>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::new(StatusCode::BAD_REQUEST, "a header stands there twice"));
    }
    match first.to_str() {
        Ok(text) => Ok(Some(text.trim_matches([' ', '\t']))),
        Err(_) => Err(Rejection::new(StatusCode::BAD_REQUEST, "a header is not visible ASCII")),
    }
}

/// The host of `host`, `host:port` or `[v6]:port`; `None` when there is more to it, such as a user or a path.
fn host_of(authority: &str) -> Option<&str> {
    let (host, rest) = match authority.strip_prefix('[') {
        Some(inner) => {
            let end = inner.find(']')?;
            (&inner[..end], &inner[end + 1..])
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port =
        rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    (port && plain && !host.is_empty()).then_some(host)
}

fn is_loopback_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Door, Listen, Places, host_of};

    fn origin(door: Door, origin: &str) -> bool {
        let listen = Listen { origins: vec!["https://App.example".into()], ..Listen::default() };
        Places::new(&listen).is_our_origin(door, origin)
    }

    fn host(door: Door, hosts: &[&str], host: &str) -> bool {
        let hosts = hosts.iter().map(|&name| name.to_owned()).collect();
        Places::new(&Listen { hosts, ..Listen::default() }).is_our_host(door, host)
    }

    #[test]
    fn a_loopback_listener_takes_pages_of_this_machine_only() {
        for good in [
            "http://localhost",
            "HTTP://LOCALHOST:4483",
            "https://127.0.0.1:8080",
            "http://[::1]:1",
            "https://app.example",
        ] {
            assert!(origin(Door::Loopback, good), "{good}");
        }
        for bad in [
            "null",
            "http://evil.example",
            "http://localhost.evil.com",
            "http://[::1].evil.example",
            "http://user@localhost",
            "http://localhost/path",
            "ftp://localhost",
            "http://localhost:99999",
            "localhost",
            "",
        ] {
            assert!(!origin(Door::Loopback, bad), "{bad}");
        }
    }

    #[test]
    fn an_open_listener_takes_listed_pages_only() {
        assert!(origin(Door::Open, "https://app.example"));
        assert!(!origin(Door::Open, "http://localhost"));
    }

    #[test]
    fn a_loopback_listener_answers_to_loopback_names_only() {
        for good in ["localhost", "LocalHost:1", "127.0.0.1:4483", "127.9.9.9", "[::1]:4483"] {
            assert!(host(Door::Loopback, &[], good), "{good}");
        }
        for bad in
            ["evil.example", "localhost.", "127.0.0.1.evil.example", "::1", "[::1", "a@localhost"]
        {
            assert!(!host(Door::Loopback, &[], bad), "{bad}");
        }
        assert!(host(Door::Loopback, &["gate.example"], "gate.example:443"));
    }

    #[test]
    fn an_open_listener_answers_to_any_name_until_some_are_listed() {
        assert!(host(Door::Open, &[], "anything.example:4483"));
        assert!(host(Door::Open, &["gate.example:443"], "gate.example:443"));
        assert!(!host(Door::Open, &["gate.example:443"], "gate.example:80"));
        assert!(!host(Door::Open, &["gate.example"], "other.example"));
    }

    #[test]
    fn splits_the_host_from_its_port() {
        assert_eq!(host_of("[::1]:80"), Some("::1"));
        assert_eq!(host_of("a.b:80"), Some("a.b"));
        assert_eq!(host_of("a.b:80:80"), None);
        assert_eq!(host_of("a b"), None);
        assert_eq!(host_of(":80"), None);
    }
}
