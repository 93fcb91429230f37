//! Challenges as the RFCs show them, as servers send them, and garbage.

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::{Challenge, MAX_BYTES, MAX_CHALLENGES};

fn headers(fields: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(field.as_bytes()).unwrap());
    }
    headers
}

/// One line a challenge: `scheme token` or `scheme name=value name=value`.
fn check(fields: &[&str], wanted: &[&str]) {
    let read: Vec<String> = Challenge::parse_all(&headers(fields))
        .iter()
        .map(|one| {
            let mut words = vec![one.scheme().to_owned()];
            words.extend(one.token().map(str::to_owned));
            words.extend(one.parameters.iter().map(|(name, _)| {
                format!("{name}={}", one.parameter(name).unwrap_or("<contradictory>"))
            }));
            words.join(" ")
        })
        .collect();
    assert_eq!(read, wanted, "{fields:?}");
}

#[test]
fn reads_challenges_in_one_or_many_fields() {
    check(&["Bearer"], &["bearer"]);
    check(&[r#"Bearer realm="a", scope="x y""#], &["bearer realm=a scope=x y"]);
    check(
        &[r#"Basic realm="a, b", charset="UTF-8", Bearer error="invalid_token""#],
        &["basic realm=a, b charset=UTF-8", "bearer error=invalid_token"],
    );
    check(&["Bearer realm=a", "Basic realm=b"], &["bearer realm=a", "basic realm=b"]);
    // RFC 9110, §11.6.1: fields are one list, so a challenge may go on in the next.
    check(&["Bearer realm=a", "scope=b"], &["bearer realm=a scope=b"]);
    // Its own example.
    check(
        &[r#"Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\"""#],
        &["basic realm=simple", r#"newauth realm=apps type=1 title=Login to "apps""#],
    );
}

#[test]
fn tells_tokens_from_parameters() {
    check(&["Negotiate"], &["negotiate"]);
    check(&["Negotiate YII+/a=="], &["negotiate YII+/a=="]);
    check(&["Negotiate abc, Bearer realm=x"], &["negotiate abc", "bearer realm=x"]);
    check(&["NTLM , Basic realm=x"], &["ntlm", "basic realm=x"]);
    check(&["Basic realm=x"], &["basic realm=x"]);
    check(&["Bearer a = \"b\""], &["bearer a=b"]);
}

#[test]
fn names_have_no_case_and_duplicates_no_value() {
    check(&[r#"BEARER Scope="a", REALM=b"#], &["bearer scope=a realm=b"]);
    check(&["Bearer scope=a, scope=a"], &["bearer scope=a"]);
    check(&["Bearer scope=a, SCOPE=b, realm=c"], &["bearer scope=<contradictory> realm=c"]);
    let one = Challenge::parse_all(&headers(&["Bearer Scope=a"])).remove(0);
    assert_eq!(one.parameter("sCOPE"), Some("a"));
    assert!(one.is("bEARER"));
}

#[test]
fn reads_what_servers_send_although_they_must_not() {
    check(
        &["Bearer resource_metadata=https://h.example/.well-known/x?a=b, scope=\"a\""],
        &["bearer resource_metadata=https://h.example/.well-known/x?a=b scope=a"],
    );
    check(&[r#"Bearer realm="a" error="b""#], &["bearer realm=a error=b"]);
    check(&[r#",, Bearer ,, realm="a" ,,"#], &["bearer realm=a"]);
    check(&[r#"Bearer realm="open"#], &["bearer realm=open"]);
    check(&[r#"Bearer realm="open\"#], &[r"bearer realm=open\"]);
    check(&["realm=\"nobody's\", Bearer scope=a"], &["bearer scope=a"]);
    check(&[r#"@@"a, b" c, Bearer scope=a"#], &["bearer scope=a"]);
    check(&["Bearer realm="], &["bearer realm="]);
    check(&["", "  ", ","], &[]);
    check(&["Bearer realm=\"caf\u{e9}\""], &["bearer realm=caf\u{e9}"]);
}

#[test]
fn takes_the_bearer_challenge_that_says_something() {
    let fields = ["Basic realm=x", "Bearer", "Bearer scope=a", "Bearer scope=b"];
    let bearer = Challenge::bearer(&headers(&fields)).unwrap();
    assert_eq!(bearer.parameter("scope"), Some("a"));
    assert!(Challenge::bearer(&headers(&["Basic realm=x"])).is_none());
    assert!(Challenge::bearer(&headers(&["bearer realm=x"])).is_some());
}

#[test]
fn keeps_bounded_amounts() {
    let many = "Bearer a=1, ".repeat(MAX_CHALLENGES + 5);
    let read = Challenge::parse_all(&headers(&[&many]));
    assert_eq!(read.len(), MAX_CHALLENGES);
    // What belongs to a challenge that is not kept is not added to the last one that is.
    let over = format!("{}Bearer b=2", "Bearer a=1, ".repeat(MAX_CHALLENGES));
    assert!(
        Challenge::parse_all(&headers(&[&over])).iter().all(|one| one.parameter("b").is_none())
    );

    let long = format!("Bearer {}=1", "x".repeat(MAX_BYTES));
    assert_eq!(Challenge::parse_all(&headers(&[&long, "Basic realm=x"])).len(), 1);
    let parameters: String = (0..1000).map(|number| format!("p{number}=1,")).collect();
    let read = Challenge::parse_all(&headers(&[&format!("Bearer {parameters}")]));
    assert_eq!(read[0].parameters.len(), super::MAX_PARAMETERS);
}

#[test]
fn survives_every_pair_of_bytes_everywhere() {
    let text = br#"Bearer realm="a\"b", x=1, Basic YII==, z"#;
    for position in 0..text.len() {
        for byte in (0x20..=0xffu8).filter(|byte| *byte != 0x7f) {
            let mut changed = text.to_vec();
            changed[position] = byte;
            let mut headers = HeaderMap::new();
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(&changed).unwrap());
            for one in Challenge::parse_all(&headers) {
                assert!(!one.scheme().is_empty());
            }
        }
    }
}
