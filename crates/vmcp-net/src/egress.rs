//! Where connections may go: which addresses are dialled for a peer.
//!
//! A name says nothing about where it leads: whoever answers for it chooses the address, and may choose another
//! one a moment later. So the rule is about addresses, and it is applied to the addresses that are about to be
//! connected, after DNS, at each dial. A name that led to a public address and leads to `127.0.0.1` now is
//! refused now.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

pub use address::AddressClass;

mod address;

/// The addresses that may be dialled for a peer. Part of [`PoolKey`](crate::PoolKey).
///
/// Public addresses always may. [`Default`] allows nothing else: it is for URLs that somebody else chose, such as
/// what a backend names as its authorization server. For URLs of the configuration there is
/// [`configured_for`](Self::configured_for).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Egress {
    /// Whether [private](AddressClass::Private) addresses may be dialled.
    pub private: bool,
    /// Addresses that may be dialled whatever they are, metadata services included.
    pub allow: Vec<IpNet>,
}

// === impl Egress ===

impl Egress {
    /// Public addresses only.
    pub fn public() -> Self {
        Self::default()
    }

    /// What may be dialled for a URL that an operator wrote down: its host, and what the configuration says about
    /// its network.
    ///
    /// Unless `private` says it, private addresses may be dialled for a host that is private by its name:
    /// `localhost`, a name of one label, or one under `localhost`, `local`, `internal`, `svc`, `cluster.local`, `lan`,
    /// `home.arpa`, `test`. A host that is an address stands for itself: whoever writes `http://169.254.169.254`
    /// means it, so it may be dialled, unless `private` is `Some(false)`. `host` is as in a URL, an IPv6
    /// address with or without brackets.
    pub fn configured_for(host: &str, private: Option<bool>, allow: &[IpNet]) -> Self {
        let mut allow = allow.to_vec();
        match address_of(host) {
            Some(address) if private != Some(false) => {
                let address = IpNet::from(address.to_canonical());
                if !allow.contains(&address) {
                    allow.push(address);
                }
                Self { private: private.unwrap_or_default(), allow }
            }
            Some(_) => Self { private: false, allow },
            None => Self { private: private.unwrap_or_else(|| is_private_name(host)), allow },
        }
    }

    /// What may be dialled for a proxy that an operator wrote down: they mostly stand in a private network under a
    /// name that does not say so.
    pub(crate) fn for_proxy(host: &str) -> Self {
        Self::configured_for(host, Some(true), &[])
    }

    /// Whether `address` may be dialled; what it is, if not.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressClass> {
        let class = AddressClass::of(address);
        let address = address.to_canonical();
        let allowed = match class {
            AddressClass::Public => true,
            AddressClass::Private => self.private,
            _ => false,
        };
        if allowed || self.allow.iter().any(|net| net.contains(&address)) {
            return Ok(());
        }
        Err(class)
    }
}

/// The address that a URL's host is, if it is one, in any spelling that anything on the way may take for one:
/// `127.0.0.1`, `[::1]`, `0x7f.1`, `2130706433` (WHATWG URL, §3.5).
pub(crate) fn address_of(host: &str) -> Option<IpAddr> {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => Some(address.into()),
        Ok(Host::Ipv6(address)) => Some(address.into()),
        Ok(Host::Domain(_)) | Err(_) => host.parse().ok(),
    }
}

/// Whether a name can only be one of a private network; see [`Egress::configured_for`].
pub(crate) fn is_private_name(host: &str) -> bool {
    const SUFFIXES: [&str; 7] =
        [".localhost", ".local", ".internal", ".svc", ".lan", ".home.arpa", ".test"];
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    // An address in brackets that is none after all is no name either.
    !host.is_empty()
        && !host.contains(':')
        && (!host.contains('.') || SUFFIXES.iter().any(|suffix| host.ends_with(suffix)))
}

#[cfg(test)]
mod tests;
