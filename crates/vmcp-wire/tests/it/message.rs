//! A message is read and rewritten without touching any byte that is not ours.

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use vmcp_wire::{Kind, Limits, Message, Piece, RawId};

use crate::json::{cases, id, message, value};

fn parse(text: &str) -> Message {
    Message::parse(text.to_owned().into(), &Limits::default()).unwrap()
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn a_new_id_leaves_every_other_byte(parts in message(), new in id()) {
        let message = parse(&parts.text());
        prop_assert_eq!(message.kind(), parts.kind);
        let old_id = message.id().unwrap();
        prop_assert_eq!(old_id.as_bytes(), parts.id.as_bytes());
        let new_id = RawId::from_token(new.as_bytes()).unwrap();
        prop_assert_eq!(message.with_id(&new_id), parts.with_id(&new));
        // And back again: nothing is lost on a round trip through other ids.
        let other = Message::parse(message.with_id(&new_id), &Limits::default()).unwrap();
        prop_assert_eq!(other.with_id(&old_id), parts.text());
    }

    #[test]
    fn the_body_is_what_was_sent(parts in message()) {
        let message = parse(&parts.text());
        let body = match parts.kind {
            Kind::Request => message.params(),
            Kind::Success => message.result(),
            _ => message.error(),
        };
        prop_assert_eq!(body.unwrap(), parts.body);
        let method = if parts.kind == Kind::Request { "tools/call" } else { "" };
        prop_assert_eq!(message.method(), method);
    }

    #[test]
    fn pieces_are_the_message(parts in message()) {
        let pieces = parse(&parts.text()).pieces();
        let id = RawId::from_token(parts.id.as_bytes()).unwrap();
        prop_assert!(pieces.contains(&Piece::Id(id)));
        prop_assert_eq!(joined(&pieces, "@"), parts.with_id("@"));
    }

    #[test]
    fn other_params_leave_every_other_byte(parts in message(), new in value(), new_id in id()) {
        let message = parse(&parts.text());
        let rewritten = message.with_params(new.as_bytes());
        if parts.kind != Kind::Request {
            prop_assert_eq!(rewritten, parts.text());
            return Ok(());
        }
        let again = Message::parse(rewritten, &Limits::default()).unwrap();
        prop_assert_eq!(&again.params().unwrap()[..], new.as_bytes());
        prop_assert_eq!(again.with_params(parts.body.as_bytes()), parts.text());
        let id = RawId::from_token(new_id.as_bytes()).unwrap();
        let both = message.rewrite(Some(&id), Some(new.as_bytes()));
        prop_assert_eq!(both, again.with_id(&id));
    }
}

/// The text of pieces, with `id` in the hole. Pieces may cut characters.
pub(crate) fn joined(pieces: &[Piece], id: &str) -> String {
    String::from_utf8(joined_bytes(pieces, id)).unwrap()
}

pub(crate) fn joined_bytes(pieces: &[Piece], id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => out.extend_from_slice(bytes),
            Piece::Id(_) => out.extend_from_slice(id.as_bytes()),
        }
    }
    out
}

#[test]
fn members_that_are_missing_are_added() {
    let seven = RawId::number(7);
    let request = parse(r#"{"method":"a","jsonrpc":"2.0","id":1}"#);
    assert_eq!(request.params(), None);
    assert_eq!(
        request.rewrite(Some(&seven), Some(b"{}")),
        r#"{"method":"a","params":{},"jsonrpc":"2.0","id":7}"#
    );
    let failure = parse(r#"{"jsonrpc":"2.0","error":{"code":1,"message":""} }"#);
    assert_eq!(
        failure.with_id(&seven),
        r#"{"jsonrpc":"2.0","error":{"code":1,"message":""},"id":7 }"#
    );
    let failure = parse(r#"{"jsonrpc":"2.0","id" : null ,"error":{}}"#);
    assert_eq!((failure.kind(), failure.id()), (Kind::Failure, None));
    assert_eq!(failure.with_id(&seven), r#"{"jsonrpc":"2.0","id" : 7 ,"error":{}}"#);
}

#[test]
fn a_notification_never_becomes_a_request() {
    let text = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"a":1}}"#;
    let message = parse(text);
    assert_eq!((message.kind(), message.id()), (Kind::Notification, None));
    assert_eq!(message.with_id(&RawId::number(7)), text);
    assert_eq!(message.pieces(), [Piece::Bytes(text.into())]);
    assert_eq!(message.with_params(b"{}"), text.replace(r#"{"a":1}"#, "{}"));
}

#[test]
fn parts_share_memory_with_the_message() {
    let message = parse(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#);
    let result = message.result().unwrap();
    assert!(message.bytes().as_ptr_range().contains(&result.as_ptr()));
    assert_eq!(message.with_id(&RawId::number(1)).as_ptr(), message.bytes().as_ptr());
}

#[test]
fn a_response_may_have_members_of_a_request_in_another_case() {
    // Only requests are authorised by what they say, so only there a double reading is dangerous.
    parse(r#"{"jsonrpc":"2.0","id":1,"result":{},"Error":null,"params":1}"#);
}
