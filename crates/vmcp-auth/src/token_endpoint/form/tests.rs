//! Encodings, as RFC 6749 has them.

use super::{Form, encode_into, encoded_length};

fn check(text: &str, expected: &str) {
    let mut encoded = Vec::new();
    encode_into(text, &mut encoded);
    assert_eq!(String::from_utf8(encoded).unwrap(), expected, "{text:?}");
    assert_eq!(encoded_length(text), expected.len(), "{text:?}");
}

#[test]
fn encodes_every_kind_of_byte() {
    check("", "");
    check("azAZ09*-._", "azAZ09*-._");
    // RFC 6749 Appendix B, its own example.
    check(" %&+\u{a3}\u{20ac}", "+%25%26%2B%C2%A3%E2%82%AC");
    check("a=b:c;d,e/f?g#h~!'()\"<>\\", "a%3Db%3Ac%3Bd%2Ce%2Ff%3Fg%23h%7E%21%27%28%29%22%3C%3E%5C");
    check("\0\r\n\t\u{7f}", "%00%0D%0A%09%7F");
    check("\u{1f600}", "%F0%9F%98%80");
}

#[test]
fn agrees_with_an_independent_encoder_on_every_character() {
    for character in (0..0x3000).filter_map(char::from_u32) {
        let text = character.to_string();
        let expected: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        check(&text, &expected);
    }
}

#[test]
fn keeps_the_order_of_fields_and_leaves_out_what_is_not_there() {
    let form = Form::grant("g t")
        .with("a", "1&2")
        .with_some("absent", None::<String>)
        .with_some("b", Some(""))
        .with_each("resource", &["https://x/".to_owned(), "https://y/?q=1".to_owned()])
        .with_list("scope", &["r".to_owned(), "w".to_owned()])
        .with_list("none", &[])
        .with_secret("s", "p=w".to_owned().into());
    let encoded = form.encode();
    assert_eq!(
        std::str::from_utf8(&encoded).unwrap(),
        "grant_type=g+t&a=1%262&b=&resource=https%3A%2F%2Fx%2F&resource=https%3A%2F%2Fy%2F%3Fq%3D1\
         &scope=r+w&s=p%3Dw"
    );
    assert_eq!(form.secrets().collect::<Vec<_>>(), ["p=w"]);
    let shown = format!("{form:?}");
    assert!(shown.contains("scope") && !shown.contains("p=w"), "{shown}");
}
