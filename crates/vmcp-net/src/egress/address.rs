//! What an address is: the special-purpose registries of IANA (RFC 6890), and the addresses that clouds answer
//! their machines on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for. An IPv6 address that leads to an IPv4 address (mapped, translated, NAT64, 6to4) is
/// what that one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressClass {
    /// Anywhere on the internet.
    Public,
    /// This machine, or a private network: loopback, RFC 1918, shared space (RFC 6598), unique local (RFC 4193).
    Private,
    /// This link only (RFC 3927, RFC 4291).
    LinkLocal,
    /// Where a cloud tells a machine its credentials.
    Metadata,
    /// No address: `0.0.0.0/8`, `::`. Some systems connect it to themselves.
    Unspecified,
    /// Many machines: multicast and broadcast.
    Multicast,
    /// Set aside for documents, benchmarks, translation, or the future.
    Reserved,
}

// === impl AddressClass ===

impl AddressClass {
    /// What `address` is for.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => v4(address),
            IpAddr::V6(address) => v6(address),
        }
    }

    /// A word for it, as in "a *private* address".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Metadata services outside of link-local space: Alibaba, Oracle, Azure's wire server.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// Metadata services inside of link-local space: all the large clouds; containers and pods of AWS.
const METADATA_LINK_LOCAL: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(169, 254, 42, 42),
];

/// Metadata services over IPv6: AWS (machines, pods), Google, Scaleway.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

fn v4(address: Ipv4Addr) -> AddressClass {
    if METADATA_V4.contains(&address) || METADATA_LINK_LOCAL.contains(&address) {
        return AddressClass::Metadata;
    }
    match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => {
            AddressClass::Private
        }
        [169, 254, ..] => AddressClass::LinkLocal,
        // Two anycast addresses of protocols (RFC 7723, RFC 8155) in a reserved block.
        [192, 0, 0, 9 | 10] => AddressClass::Public,
        // Protocol assignments, documentation, 6to4 relays, benchmarks.
        [192, 0, 0 | 2, _]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..] => AddressClass::Reserved,
        [224..=239, ..] | [255, 255, 255, 255] => AddressClass::Multicast,
        [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Public,
    }
}

fn v6(address: Ipv6Addr) -> AddressClass {
    if METADATA_V6.contains(&address) {
        return AddressClass::Metadata;
    }
    if let Some(embedded) = embedded(address) {
        return v4(embedded);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Private,
        [0xfc00..=0xfdff, ..] => AddressClass::Private,
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        // Site-local, given up by RFC 3879 but still in use.
        [0xfec0..=0xfeff, ..] => AddressClass::Private,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        // AMT relays, AS112 and DRIP identifiers: the global ones among the protocol assignments.
        [0x2001, 3, ..] | [0x2001, 4, 0x112, ..] | [0x2001, 0x30..=0x3f, ..] => {
            AddressClass::Public
        }
        // The rest of the protocol assignments, Teredo and benchmarks included; documentation; SRv6.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => {
            AddressClass::Reserved
        }
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        // Never given out.
        _ => AddressClass::Reserved,
    }
}

/// The IPv4 address that an IPv6 address leads to.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let last = || Some(join(g, h));
    match [a, b, c, d, e, f] {
        // Mapped (RFC 4291, §2.5.5.2).
        [0, 0, 0, 0, 0, 0xffff] => last(),
        // Translated (RFC 2765, §2.1).
        [0, 0, 0, 0, 0xffff, 0] => last(),
        // Compatible (RFC 4291, §2.5.5.1); `::` and `::1` are not.
        [0, 0, 0, 0, 0, 0] if g != 0 => last(),
        // NAT64: the well-known prefix (RFC 6052) and the local one (RFC 8215), used with 96 bits.
        [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => last(),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}
