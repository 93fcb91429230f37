//! Which revisions a backend is spoken with.

use vmcp_wire::revision::{Protocol, Revision};

use crate::loads;
use crate::marked::check;

#[test]
fn a_backend_names_a_family_a_revision_or_nothing() {
    for (given, expected) in [
        ("", Protocol::Auto),
        (", protocol: auto", Protocol::Auto),
        (", protocol: legacy", Protocol::Handshake),
        (", protocol: 'modern'", Protocol::Stateless),
        (", protocol: 2025-06-18", Protocol::Exactly(Revision::V2025_06_18)),
        (", protocol: \"2026-07-28\"", Protocol::Exactly(Revision::V2026_07_28)),
        (", transport: sse, protocol: legacy", Protocol::Handshake),
        (", transport: sse, protocol: auto", Protocol::Auto),
    ] {
        let text = format!("backends: [{{name: git, url: 'https://git/mcp'{given}}}]\n");
        assert_eq!(loads(&text).0.backends[0].protocol, expected, "{given}");
    }
    let text = "backends: [{name: git, command: x, protocol: modern}]\n";
    assert_eq!(loads(text).0.backends[0].protocol, Protocol::Stateless);
    let editor = r#"{"mcpServers": {"git": {"url": "https://git/mcp"}}}"#;
    assert_eq!(loads(editor).0.backends[0].protocol, Protocol::Auto);
}

#[test]
fn other_words_are_refused() {
    let backend =
        |rest: &str| format!("backends: [{{name: git, url: 'https://git/mcp', {rest}}}]\n");
    check(
        &backend("protocol: §2025-06-19"),
        &["error: `protocol` cannot be `2025-06-19` (did you mean `2025-06-18`?)"],
    );
    check(
        &backend("protocol: §Modern"),
        &["error: `protocol` cannot be `Modern` (did you mean `modern`?)"],
    );
    check(&backend("protocol: §[auto]"), &["error: `protocol` must be a string, found a list"]);
    for word in ["modern", "2026-07-28"] {
        check(
            &backend(&format!("transport: sse, protocol: §{word}")),
            &[&format!(
                "error: `protocol: {word}` does not go with `transport: sse` \
                 (it is spoken over streamable HTTP and stdio)"
            )],
        );
    }
}
