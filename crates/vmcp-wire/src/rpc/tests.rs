//! Messages that we write are messages that we read.

use crate::{Kind, Limits, Message, RawId, rpc};

#[test]
fn writes_what_it_reads() {
    let id = RawId::number(7);
    let message = |bytes| Message::parse(bytes, &Limits::default()).unwrap();
    let request = message(rpc::request(&id, "tools/call", Some(b"{\"a\":1.0}")));
    assert_eq!((request.kind(), request.method()), (Kind::Request, "tools/call"));
    assert_eq!(request.params().unwrap(), "{\"a\":1.0}");
    assert_eq!(message(rpc::request(&id, "a\"b", None)).method(), "a\"b");
    assert_eq!(
        rpc::notification("n", Some(b"{}")),
        r#"{"jsonrpc":"2.0","method":"n","params":{}}"#
    );
    assert_eq!(rpc::notification("n", None), r#"{"jsonrpc":"2.0","method":"n"}"#);
    assert_eq!(rpc::success(&id, b"{}"), r#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    assert_eq!(
        rpc::failure(Some(&id), -32603, "no\n", Some(b"1")),
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"no\n","data":1}}"#
    );
    assert_eq!(
        rpc::failure(None, rpc::PARSE_ERROR, "bad", None),
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"bad"}}"#
    );
}
