//! What addresses and names are, and what a configured host allows.

use super::*;

#[test]
fn what_addresses_are_for() {
    use AddressClass::{LinkLocal, Metadata, Multicast, Private, Public, Reserved, Unspecified};
    let table = [
        (Public, "1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.0.9"),
        (Public, "192.0.1.1 198.17.255.255 198.20.0.0 223.255.255.255 11.0.0.1 126.0.0.1"),
        (Public, "2606:4700::1111 2a00:1450::8 2001:4860:4860::8888 2001:200::1 2001:3::1"),
        (Private, "127.0.0.1 127.255.255.254 10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255"),
        (Private, "192.168.0.1 100.64.0.0 100.127.255.255 ::1 fc00::1 fd12:3456::1 fec0::1"),
        (LinkLocal, "169.254.0.1 169.254.255.255 fe80::1 febf::1"),
        (Metadata, "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 192.0.0.192"),
        (Metadata, "168.63.129.16 fd00:ec2::254 fd00:ec2::23 fd20:ce::254"),
        (Unspecified, "0.0.0.0 0.1.2.3 ::"),
        (Multicast, "224.0.0.1 239.255.255.255 255.255.255.255 ff02::1 ffff::1"),
        (Reserved, "192.0.0.1 192.0.2.1 198.51.100.7 203.0.113.9 192.88.99.1 198.18.0.1"),
        (Reserved, "198.19.255.255 240.0.0.1 255.255.255.254 2001:db8::1 3fff::1 2001:2::1"),
        (Reserved, "2001::1 2001:10::1 100::1 5f00::1 4000::1 64:ff9a::1"),
        // Mapped, translated, compatible, NAT64 (both), 6to4.
        (Private, "::ffff:127.0.0.1 ::ffff:0:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1"),
        (Private, "64:ff9b:1::a00:1 64:ff9b:1:ffff:1:2:a00:1 2002:7f00:1:: 2002:c0a8:1::1"),
        (Metadata, "::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::1"),
        (Unspecified, "::ffff:0.0.0.0 64:ff9b::"),
        (Public, "::ffff:1.1.1.1 64:ff9b::808:808 2002:808:808::1"),
    ];
    for (class, addresses) in table {
        for address in addresses.split(' ') {
            assert_eq!(AddressClass::of(address.parse().unwrap()), class, "{address}");
        }
    }
}

#[test]
fn reads_every_spelling_of_an_address() {
    let table = [
        ("127.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7F000001", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("[::]", "::"),
        ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("[::ffff:7f00:1]", "::ffff:127.0.0.1"),
        ("１２７.0.0.1", "127.0.0.1"),
    ];
    for (host, address) in table {
        assert_eq!(address_of(host), Some(address.parse().unwrap()), "{host}");
    }
    for host in ["localhost", "example.com", "1.2.3.4.example", "[fe80::1%25eth0]", ""] {
        assert_eq!(address_of(host), None, "{host}");
    }
}

#[test]
fn knows_private_names() {
    let private = "localhost LocalHost. a.localhost mcp mcp.local mcp.internal ns.svc \
                   a.ns.svc.cluster.local nas.lan box.home.arpa a.test";
    for host in private.split_whitespace() {
        assert!(is_private_name(host), "{host}");
    }
    let others = "example.com localhost.example.com internal.example svc.io lan.net \
                  notlocalhost.com home.arpa.example [fe80::1%25eth0] .";
    for host in others.split_whitespace() {
        assert!(!is_private_name(host), "{host}");
    }
}

#[test]
fn what_a_configured_host_allows() {
    let table: [(&str, Option<bool>, &str, bool); 17] = [
        ("127.0.0.1", None, "127.0.0.1", true),
        ("127.0.0.1", None, "::ffff:127.0.0.1", true),
        ("[::ffff:127.0.0.1]", None, "127.0.0.1", true),
        ("127.0.0.1", None, "127.0.0.2", false),
        ("127.0.0.1", Some(false), "127.0.0.1", false),
        ("[::1]", None, "::1", true),
        ("169.254.169.254", None, "169.254.169.254", true),
        ("169.254.169.254", None, "10.0.0.1", false),
        ("localhost", None, "127.0.0.1", true),
        ("LOCALHOST.", None, "::1", true),
        ("mcp.svc", None, "10.0.0.1", true),
        ("mcp.internal", None, "169.254.169.254", false),
        ("example.com", None, "10.0.0.1", false),
        ("example.com", None, "93.184.215.14", true),
        ("example.com", Some(true), "10.0.0.1", true),
        ("example.com", Some(true), "100.100.100.200", false),
        ("localhost", Some(false), "127.0.0.1", false),
    ];
    for (host, private, address, allowed) in table {
        let egress = Egress::configured_for(host, private, &[]);
        let outcome = egress.check(address.parse().unwrap());
        assert_eq!(outcome.is_ok(), allowed, "{host} at {address}: {outcome:?}");
    }
}

#[test]
fn a_list_allows_whatever_it_names() {
    let allow = ["198.18.0.0/15".parse().unwrap(), "fe80::/10".parse().unwrap()];
    let egress = Egress::configured_for("example.com", Some(false), &allow);
    for address in ["198.18.0.1", "::ffff:198.19.0.1", "fe80::1"] {
        assert_eq!(egress.check(address.parse().unwrap()), Ok(()), "{address}");
    }
    let refused = egress.check("169.254.169.254".parse().unwrap());
    assert_eq!(refused, Err(AddressClass::Metadata));
}
