//! What is negotiated, and the facts of each revision.

use super::{Protocol, Revision};

#[test]
fn echoes_what_it_speaks_and_offers_the_newest_with_a_handshake_otherwise() {
    for revision in Revision::HANDSHAKES {
        assert_eq!(Revision::negotiate(revision.as_str()), revision);
        assert_eq!(Revision::parse_handshake(revision.as_str()), Some(revision));
    }
    for unknown in ["", "1900-01-01", "2099-01-01", "2025-06-18 ", "latest"] {
        assert_eq!(Revision::negotiate(unknown), Revision::LATEST_HANDSHAKE);
        assert_eq!(Revision::parse(unknown), None);
    }
}

#[test]
fn no_handshake_agrees_on_the_stateless_revision() {
    assert_eq!(Revision::parse("2026-07-28"), Some(Revision::STATELESS));
    assert_eq!(Revision::parse_handshake("2026-07-28"), None);
    assert_eq!(Revision::negotiate("2026-07-28"), Revision::LATEST_HANDSHAKE);
    assert_eq!(Revision::ALL[..4], Revision::HANDSHAKES);
    assert_eq!(Revision::ALL.map(Revision::stateless), [false, false, false, false, true]);
}

#[test]
fn facts_hold_from_a_revision_on_or_up_to_it() {
    let table = |fact: fn(Revision) -> bool| Revision::ALL.map(fact);
    assert_eq!(table(Revision::batching), [true, true, false, false, false]);
    assert_eq!(table(Revision::streamable_http), [false, true, true, true, true]);
    assert_eq!(table(Revision::completions_capability), [false, true, true, true, true]);
    assert_eq!(table(Revision::version_header), [false, false, true, true, true]);
    assert_eq!(table(Revision::completion_context), [false, false, true, true, true]);
    assert_eq!(table(Revision::elicitation), [false, false, true, true, true]);
    assert_eq!(table(Revision::priming), [false, false, false, true, false]);
    assert_eq!(table(Revision::polling), [false, false, false, true, false]);
    assert_eq!(table(Revision::tasks), [false, false, false, true, false]);
    assert_eq!(table(Revision::audio), [false, true, true, true, true]);
    assert_eq!(table(Revision::resource_links), [false, false, true, true, true]);
    assert_eq!(table(Revision::structured_content), [false, false, true, true, true]);
    assert_eq!(table(Revision::structured_values), [false, false, false, false, true]);
    assert_eq!(table(Revision::elicitation_by_url), [false, false, false, true, true]);
    assert_eq!(table(Revision::titled_choices), [false, false, false, true, true]);
    assert_eq!(table(Revision::sampling_tools), [false, false, false, true, true]);
    assert_eq!(table(Revision::sampling_lists), [false, false, false, true, true]);
    assert!(Revision::ALL.is_sorted());
}

#[test]
fn a_configuration_names_a_family_a_revision_or_nothing() {
    let table = [
        ("auto", Some(Protocol::Auto)),
        ("legacy", Some(Protocol::Handshake)),
        ("modern", Some(Protocol::Stateless)),
        ("2024-11-05", Some(Protocol::Exactly(Revision::V2024_11_05))),
        ("2026-07-28", Some(Protocol::Exactly(Revision::V2026_07_28))),
        ("Auto", None),
        ("2027-01-01", None),
        ("", None),
    ];
    for (word, protocol) in table {
        assert_eq!(Protocol::parse(word), protocol, "{word}");
        if let Some(protocol) = protocol {
            assert_eq!(protocol.as_str(), word);
        }
    }
    for word in Protocol::words() {
        assert!(Protocol::parse(word).is_some(), "{word}");
    }
    assert_eq!(Protocol::words().count(), 3 + Revision::ALL.len());
}

#[test]
fn a_protocol_says_which_families_may_be_tried() {
    let exactly = Protocol::Exactly;
    let table = [
        (Protocol::Auto, true, true),
        (Protocol::Handshake, true, false),
        (Protocol::Stateless, false, true),
        (exactly(Revision::V2025_03_26), true, false),
        (exactly(Revision::V2026_07_28), false, true),
    ];
    for (protocol, handshake, stateless) in table {
        assert_eq!(protocol.allows_handshake(), handshake, "{protocol:?}");
        assert_eq!(protocol.allows_stateless(), stateless, "{protocol:?}");
    }
    assert!(exactly(Revision::V2025_03_26).allows(Revision::V2025_03_26));
    assert!(!exactly(Revision::V2025_03_26).allows(Revision::V2025_06_18));
    assert!(Protocol::Handshake.allows(Revision::V2024_11_05));
    assert!(!Protocol::Handshake.allows(Revision::V2026_07_28));
    assert!(!Protocol::Stateless.allows(Revision::V2025_11_25));
}
