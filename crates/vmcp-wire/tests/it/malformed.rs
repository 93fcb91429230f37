//! What is no message is refused, with the code that says which kind of wrong it is.

use vmcp_wire::{Body, Limits, Message, WireError, parse_body, rpc};

fn code(bytes: &[u8]) -> Option<i64> {
    let limits = Limits::default();
    Message::parse(bytes.to_vec().into(), &limits).err().map(|error| error.code())
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    let texts: [&[u8]; 22] = [
        b"",
        b" ",
        b"{",
        b"\"x",
        br#"{"jsonrpc":"2.0","id":2,"method":"tools/li"#,
        br#"{"jsonrpc":"2.0","id":2,"method":"a"},"#,
        br#"{"jsonrpc":"2.0","id":2,"method":"a"}{}"#,
        br#"{"jsonrpc":"2.0","id":2,"method":"a",}"#,
        br#"{'jsonrpc':'2.0','id':2,'method':'a'}"#,
        br#"{jsonrpc:"2.0","id":2,"method":"a"}"#,
        br#"{"jsonrpc":"2.0","id":2,"method":"a" /* c */}"#,
        br#"{"jsonrpc":"2.0","id":02,"method":"a"}"#,
        br#"{"jsonrpc":"2.0","id":+2,"method":"a"}"#,
        br#"{"jsonrpc":"2.0","id":2,"method":"a","params":NaN}"#,
        br#"{"jsonrpc":"2.0","id":2,"method":"a","params":"\x41"}"#,
        b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a\",\"params\":\"\xff\xfe\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a\",\"params\":\"\xc0\xaf\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a\",\"params\":\"\xed\xa0\x80\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a\",\"params\":\"\n\"}",
        b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a\"}",
        b"\x0b{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a\"}",
        b"\xc2\xa0{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"a\"}",
    ];
    for text in texts {
        assert_eq!(code(text), Some(rpc::PARSE_ERROR), "{}", text.escape_ascii());
    }
}

#[test]
fn what_is_no_message_is_an_invalid_request() {
    for text in [
        // Not an object.
        "null",
        "true",
        "\"x\"",
        "1",
        "[]",
        "{}",
        // The version.
        r#"{"id":1,"method":"a"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
        r#"{"jsonrpc":2.0,"id":1,"method":"a"}"#,
        r#"{"jsonrpc":["2.0"],"id":1,"method":"a"}"#,
        // The id.
        r#"{"jsonrpc":"2.0","id":null,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1e-1,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":[1],"method":"a"}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
        // The method.
        r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":""}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
        // Neither or more than one.
        r#"{"jsonrpc":"2.0","id":1}"#,
        r#"{"jsonrpc":"2.0","id":1,"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#,
    ] {
        assert_eq!(code(text.as_bytes()), Some(rpc::INVALID_REQUEST), "{text}");
    }
}

/// Two parsers that disagree about a doubled member are how a check is passed by.
#[test]
fn doubled_members_are_refused_in_every_spelling() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","m\u0065thod":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}"#,
        r#"{"Method":"tools/call","jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","\u004dethod":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"PARAMS":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"paramſ":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{},"param\u017f":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"ID":1,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","method":"a","Id":1}"#,
        r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","JsonRPC":"2.0","id":1,"method":"a"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","Result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"id":1,"result":{}}"#,
    ] {
        assert_eq!(code(text.as_bytes()), Some(rpc::INVALID_REQUEST), "{text}");
    }
}

#[test]
fn other_members_are_nobodys_business() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"method":"a","methods":1,"":2,"":3,"i":4,"x\ud800":5}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"id":1,"id":2,"METHOD":3,"method":4}}"#,
        r#"{"jsonrpc":"2\u002e0","id":"","method":"a"}"#,
    ] {
        assert_eq!(code(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn bounds_are_errors_of_their_own() {
    let text = |depth: usize| {
        let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
        format!(r#"{{"jsonrpc":"2.0","method":"a","params":{open}{close}}}"#)
    };
    let limits = Limits { max_bytes: 1000, max_depth: 100, max_batch: 2 };
    let parse = |text: String| Message::parse(text.into(), &limits).err();
    assert_eq!(parse(text(100)), None);
    assert_eq!(parse(text(101)), Some(WireError::TooDeep { limit: 100 }));
    assert_eq!(parse("[".repeat(1000)), Some(WireError::TooDeep { limit: 100 }));
    assert_eq!(parse(" ".repeat(1001)), Some(WireError::TooLarge { limit: 1000 }));
    let id = format!(r#"{{"jsonrpc":"2.0","method":"a","id":"{}"}}"#, "x".repeat(5000));
    let id = Message::parse(id.into(), &Limits::default()).err();
    assert_eq!(id, Some(WireError::TooLarge { limit: 4096 }));
    let batch = |text: &'static str| parse_body(text.into(), &limits);
    assert!(matches!(batch("[1,2]"), Ok(Body::Batch(list)) if list.len() == 2));
    assert!(matches!(batch("[1,2,3]"), Err(WireError::TooMany { limit: 2 })));
}

#[test]
fn a_batch_is_as_good_as_each_of_its_members() {
    let text = r#" [ {"jsonrpc":"2.0","id":1,"method":"a"} ,[], {"jsonrpc":"2.0","id":1}, 7,
        {"jsonrpc":"2.0","method":"b"}]"#;
    let Body::Batch(list) = parse_body(text.into(), &Limits::default()).unwrap() else {
        panic!("no batch")
    };
    let methods: Vec<_> = list.iter().map(|one| one.as_ref().ok().map(Message::method)).collect();
    assert_eq!(methods, [Some("a"), None, None, None, Some("b")]);
    for text in ["[]", "[ ]", "[{}", "[{}]]", "[1,]"] {
        assert!(parse_body(text.into(), &Limits::default()).is_err(), "{text}");
    }
}
