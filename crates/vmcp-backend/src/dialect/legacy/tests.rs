//! The handshake's messages.

use bytes::Bytes;
use vmcp_wire::revision::Revision;
use vmcp_wire::{Limits, Message, RawId};

use super::{greeting, opening};
use crate::{ClientHello, ServerHello};

fn check(result: &str) -> Result<ServerHello, String> {
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,{result}}}"#);
    let message = Message::parse(Bytes::from(text), &Limits::default()).unwrap();
    greeting(&message, None)
}

#[test]
fn says_what_the_client_said() {
    let hello = ClientHello {
        revision: Revision::parse("2025-06-18").unwrap(),
        capabilities: Bytes::from_static(br#"{"roots":{"listChanged":true},"x":1.0}"#),
        client_info: Bytes::from_static(br#"{"name":"n","version":"1"}"#),
    };
    let expected = concat!(
        r#"{"jsonrpc":"2.0","id":3,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
        r#""capabilities":{"roots":{"listChanged":true},"x":1.0},"clientInfo":{"name":"n","version":"1"}}}"#,
    );
    assert_eq!(opening(&RawId::number(3), &hello), expected);
}

#[test]
fn takes_any_revision_it_speaks() {
    for name in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let hello = check(&format!(
            r#""result":{{"protocolVersion":"{name}","capabilities":{{"tools":{{ }}}},"instructions":"a\nb"}}"#
        ))
        .unwrap();
        assert_eq!(hello.revision.as_str(), name);
        assert_eq!(hello.capabilities, r#"{"tools":{ }}"#);
        assert_eq!(hello.server_info, "{}");
        assert_eq!(hello.instructions.as_deref(), Some("a\nb"));
    }
}

#[test]
fn refuses_what_is_no_greeting() {
    for (result, expected) in [
        (r#""result":{"protocolVersion":"1999-01-01"}"#, "1999-01-01"),
        // It has no handshake: nobody can agree on it in one.
        (r#""result":{"protocolVersion":"2026-07-28"}"#, "2026-07-28"),
        (r#""result":{"capabilities":{}}"#, "no protocol version"),
        (r#""result":[]"#, "no object"),
        (r#""error":{"code":-32602,"message":"go away"}"#, "go away"),
    ] {
        let error = check(result).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
