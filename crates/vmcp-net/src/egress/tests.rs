use super::*;

#[test]
fn what_a_configured_host_allows() {
    let table: [(&str, Option<bool>, &str, bool); 12] = [
        ("127.0.0.1", None, "127.0.0.1", true),
        ("127.0.0.1", None, "127.0.0.2", false),
        ("127.0.0.1", Some(false), "127.0.0.1", false),
        ("[::1]", None, "::1", true),
        ("169.254.169.254", None, "169.254.169.254", true),
        ("localhost", None, "127.0.0.1", true),
        ("LOCALHOST.", None, "::1", true),
        ("mcp.svc", None, "10.0.0.1", true),
        ("mcp.internal", None, "169.254.169.254", false),
        ("example.com", None, "10.0.0.1", false),
        ("example.com", Some(true), "10.0.0.1", true),
        ("localhost", Some(false), "127.0.0.1", false),
    ];
    for (host, private, address, allowed) in table {
        let egress = Egress::configured_for(host, private, &[]);
        let outcome = egress.check(address.parse().unwrap());
        assert_eq!(outcome.is_ok(), allowed, "{host} at {address}: {outcome:?}");
    }
}
