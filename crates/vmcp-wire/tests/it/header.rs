//! Headers that repeat what a body says, made and compared.

use bytes::Bytes;
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
use vmcp_wire::header::{
    METHOD, Mismatch, NAME, ParamHeaders, check_encoded, check_request, decode, encode, name_value,
};
use vmcp_wire::{Limits, Message};

use crate::json::cases;

/// Header lines as a map of lines would give them.
struct Lines(Vec<(String, Vec<u8>)>);

impl Lines {
    fn new(lines: &[(&str, &str)]) -> Self {
        Self(lines.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    fn get(&self, name: &str) -> Vec<&[u8]> {
        let lines = self.0.iter().filter(|(other, _)| other == name);
        lines.map(|(_, value)| &value[..]).collect()
    }
}

const TOOL: &str = r#"{"name":"t","inputSchema":{"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},
    "count":{"type":"integer","x-mcp-header":"Count"},
    "dry":{"type":["boolean","null"],"x-mcp-header":"Dry-Run"},
    "where":{"type":"object","properties":{"zone":{"type":"string","x-mcp-header":"Zone"}}},
    "query":{"type":"string"}}}}"#;

fn annotated() -> ParamHeaders {
    ParamHeaders::of_tool(TOOL.as_bytes()).unwrap()
}

fn values(arguments: &str) -> Vec<(String, String)> {
    let params = annotated();
    let values = params.values(Some(arguments.as_bytes())).unwrap();
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn compared(arguments: &str, lines: &[(&str, &str)]) -> Result<(), Mismatch> {
    let lines = Lines::new(lines);
    annotated().check(Some(arguments.as_bytes()), |name| lines.get(name))
}

#[test]
fn says_where_each_argument_goes() {
    let params = annotated();
    let said: Vec<_> = params.iter().map(|one| (one.header(), one.path().join("."))).collect();
    assert_eq!(
        said,
        [
            ("mcp-param-region", "region".to_owned()),
            ("mcp-param-count", "count".to_owned()),
            ("mcp-param-dry-run", "dry".to_owned()),
            ("mcp-param-zone", "where.zone".to_owned()),
        ]
    );
    assert!(ParamHeaders::of_tool(br#"{"name":"t","inputSchema":{}}"#).unwrap().is_empty());
}

#[test]
fn repeats_arguments_as_they_are_meant() {
    for (arguments, expected) in [
        (r#"{}"#, vec![]),
        (r#"{"region":"eu","query":"x"}"#, vec![("region", "eu")]),
        (r#"{"region":""}"#, vec![("region", "")]),
        (r#"{"region":"\u00fc"}"#, vec![("region", "=?base64?w7w=?=")]),
        (r#"{"region":null,"dry":null,"count":null}"#, vec![]),
        (r#"{"count":42.0,"dry":false}"#, vec![("count", "42"), ("dry-run", "false")]),
        (r#"{"count":-7e2}"#, vec![("count", "-700")]),
        (r#"{"count":9007199254740993}"#, vec![("count", "9007199254740993")]),
        (r#"{"count":1.50}"#, vec![("count", "1.50")]),
        (r#"{"count":"42"}"#, vec![("count", "42")]),
        (r#"{"where":{"zone":"b"}}"#, vec![("zone", "b")]),
        (r#"{"where":{"Zone":"b"},"zone":"c","where.zone":"d"}"#, vec![]),
        (r#"{"where":"b","region":["eu"],"count":{}}"#, vec![]),
        (r#"{"r\u0065gion":"eu"}"#, vec![("region", "eu")]),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(name, value)| (format!("mcp-param-{name}"), value.to_owned()))
            .collect();
        assert_eq!(values(arguments), expected, "{arguments}");
    }
    assert!(annotated().values(None).unwrap().is_empty());
}

#[test]
fn takes_headers_that_say_the_same() {
    for (arguments, lines) in [
        (r#"{"count":42}"#, vec![("mcp-param-count", "42.0")]),
        (r#"{"count":4.2e1}"#, vec![("mcp-param-count", " 42 ")]),
        (r#"{"region":"eu"}"#, vec![("mcp-param-region", "=?base64?ZXU=?=")]),
        (r#"{"dry":true}"#, vec![("mcp-param-dry-run", "true"), ("mcp-param-other", "\u{fc}")]),
        (r#"{"region":null}"#, vec![]),
        (r#"{"region":["eu"]}"#, vec![]),
        (r#"{"region":"eu","Region":"us"}"#, vec![("mcp-param-region", "eu")]),
    ] {
        assert_eq!(compared(arguments, &lines), Ok(()), "{arguments} {lines:?}");
    }
}

#[test]
fn refuses_headers_that_do_not() {
    let eu = r#"{"region":"eu"}"#;
    let name: Box<str> = "mcp-param-region".into();
    let count: Box<str> = "mcp-param-count".into();
    for (arguments, lines, expected) in [
        (eu, vec![], Mismatch::Missing(name.clone())),
        (eu, vec![("mcp-param-region", "us")], Mismatch::Differs(name.clone())),
        (eu, vec![("mcp-param-region", "EU")], Mismatch::Differs(name.clone())),
        (
            eu,
            vec![("mcp-param-region", "eu"), ("mcp-param-region", "eu")],
            Mismatch::Twice(name.clone()),
        ),
        (eu, vec![("mcp-param-region", "=?base64?ZXU?=")], Mismatch::Malformed(name.clone())),
        (eu, vec![("mcp-param-region", "=?BASE64?ZXU=?=")], Mismatch::Differs(name.clone())),
        ("{}", vec![("mcp-param-region", "eu")], Mismatch::Unfounded(name.clone())),
        (r#"{"region":null}"#, vec![("mcp-param-region", "")], Mismatch::Unfounded(name.clone())),
        (
            r#"{"region":"eu","region":"us"}"#,
            vec![("mcp-param-region", "eu")],
            Mismatch::Ambiguous(name),
        ),
        (r#"{"count":42}"#, vec![("mcp-param-count", "43")], Mismatch::Differs(count.clone())),
        (r#"{"count":42}"#, vec![("mcp-param-count", "")], Mismatch::Differs(count.clone())),
        (r#"{"count":"42"}"#, vec![("mcp-param-count", "42.0")], Mismatch::Differs(count)),
        (
            r#"{"dry":true}"#,
            vec![("mcp-param-dry-run", "True")],
            Mismatch::Differs("mcp-param-dry-run".into()),
        ),
    ] {
        assert_eq!(compared(arguments, &lines), Err(expected), "{arguments} {lines:?}");
    }
    let lines = Lines::new(&[("mcp-param-region", "eu")]);
    let without = annotated().check(None, |name| lines.get(name));
    assert_eq!(without, Err(Mismatch::Unfounded("mcp-param-region".into())));
}

fn request(method: &str, params: &str) -> Message {
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    Message::parse(Bytes::from(text), &Limits::default()).unwrap()
}

#[test]
fn a_request_is_named_in_its_headers() {
    let check = |method, params, lines: &[(&str, &str)]| {
        let lines = Lines::new(lines);
        check_request(&request(method, params), |name| lines.get(name))
    };
    let call = [(METHOD, "tools/call"), (NAME, "a b")];
    let (method, name) = (Box::<str>::from(METHOD), Box::<str>::from(NAME));
    for (asked, params, lines, expected) in [
        ("tools/call", r#"{"name":"a b"}"#, &call[..], Ok(())),
        ("tools/call", r#"{"name":"a b"}"#, &call[..1], Err(Mismatch::Missing(name.clone()))),
        ("tools/call", r#"{"name":"a b"}"#, &call[1..], Err(Mismatch::Missing(method.clone()))),
        ("tools/call", r#"{"name":"b"}"#, &call[..], Err(Mismatch::Differs(name.clone()))),
        (
            "tools/call",
            r#"{"name":"a b","NAME":"c"}"#,
            &call[..],
            Err(Mismatch::Ambiguous(name.clone())),
        ),
        ("tools/call", "{}", &call[..], Err(Mismatch::Unfounded(name))),
        ("tools/call", r#"{"name":1}"#, &call[..1], Ok(())),
        ("prompts/get", r#"{"name":"a b"}"#, &call[..], Err(Mismatch::Differs(method.clone()))),
        ("tools/list", "{}", &[(METHOD, "Tools/List")], Err(Mismatch::Differs(method.clone()))),
        ("tools/list", "{}", &[(METHOD, " tools/list\t"), (NAME, "x")], Ok(())),
        (
            "tools/list",
            "{}",
            &[(METHOD, "tools/list"), (METHOD, "x")],
            Err(Mismatch::Twice(method)),
        ),
        (
            "resources/read",
            r#"{"uri":"test://\u00fc"}"#,
            &[(METHOD, "resources/read"), (NAME, "=?base64?dGVzdDovL8O8?=")],
            Ok(()),
        ),
        ("tasks/get", r#"{"taskId":"7"}"#, &[(METHOD, "tasks/get"), (NAME, "7")], Ok(())),
    ] {
        assert_eq!(check(asked, params, lines), expected, "{asked} {params} {lines:?}");
    }
    assert_eq!(name_value("resources/read", br#"{"uri":"a"}"#).as_deref(), Some("a"));
    assert_eq!(name_value("tools/call", b"{}"), None);
    assert_eq!(name_value("completion/complete", br#"{"name":"a","uri":"b"}"#), None);
}

/// Base64, RFC 4648, §4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        out.extend([digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]);
        out.truncate(out.len() - (3 - chunk.len()));
        out.push_str(&"=="[..3 - chunk.len()]);
    }
    out
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        let value = encode(&text);
        prop_assert!(value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')));
        prop_assert_eq!(value.trim_matches([' ', '\t']), &value);
        let decoded = decode(value.as_bytes());
        prop_assert_eq!(decoded.as_deref(), Some(&text[..]));
        prop_assert!(check_encoded("x", &text, [value.as_bytes()]).is_ok());
    }

    #[test]
    fn what_is_decoded_is_what_was_meant(
        value in prop::string::string_regex("(=\\?base64\\?)?([ -~]{4}){0,2}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?(\\?=)?").unwrap(),
    ) {
        if let Some(text) = decode(value.as_bytes()) {
            // Nothing but what stands between the marks is decoded, and only where it is what Base64 would make of it.
            let marked = format!("=?base64?{}?=", base64(&text));
            prop_assert!([&text[..], &marked].contains(&value.trim()), "{value} {text}");
        }
    }

    #[test]
    fn what_is_sent_is_what_is_expected(
        region in any::<Option<String>>(),
        count in any::<Option<i64>>(),
        dry in any::<Option<bool>>(),
        zone in any::<Option<f64>>(),
        other in any::<String>(),
    ) {
        let arguments = serde_json::json!({
            "region": region, "count": count, "dry": dry, "where": {"zone": zone}, "query": other,
        });
        let arguments = arguments.to_string();
        let values = values(&arguments);
        let there = zone.is_some_and(f64::is_finite);
        let expected = [region.is_some(), count.is_some(), dry.is_some(), there];
        prop_assert_eq!(values.len(), expected.iter().filter(|there| **there).count());
        let lines: Vec<_> = values.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        prop_assert_eq!(compared(&arguments, &lines), Ok(()));
        for missing in 0..lines.len() {
            let mut fewer = lines.clone();
            let (name, _) = fewer.remove(missing);
            prop_assert_eq!(compared(&arguments, &fewer), Err(Mismatch::Missing(name.into())));
        }
        if region.as_deref().is_some_and(|region| region != other) {
            let mut changed = lines.clone();
            let value = encode(&other);
            changed[0].1 = &value;
            prop_assert!(compared(&arguments, &changed).is_err());
        }
    }
}
