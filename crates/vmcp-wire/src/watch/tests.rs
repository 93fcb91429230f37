//! The same is noticed, however the text is cut.

use super::{Noticed, ResultWatch};

/// What is noticed, as text, with the offset of each.
fn noticed(pieces: &[&str]) -> Vec<String> {
    let (mut watch, mut base, mut all) = (ResultWatch::new(), 0, Vec::new());
    for piece in pieces {
        watch.read(piece.as_bytes(), |at, what| {
            let at = base + at;
            all.push(match what {
                Noticed::Name(token) => format!("{at} name {}", String::from_utf8_lossy(token.0)),
                Noticed::Text(token) => format!("{at} text {}", String::from_utf8_lossy(token.0)),
                Noticed::End { empty } => format!("{at} end {empty}"),
            });
        });
        base += piece.len();
    }
    all
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(noticed(&[text]), expected, "{text}");
    for cut in (1..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
        assert_eq!(noticed(&[&text[..cut], &text[cut..]]), expected, "{text} cut at {cut}");
    }
}

#[test]
fn outermost_members_of_the_result_are_noticed_and_no_others() {
    check(r#"{"id":1,"result":{}}"#, &["18 end true"]);
    check(
        r#"{"result":{"a":"b"},"a":{"c":1}}"#,
        &[r#"13 name "a""#, r#"17 text "b""#, "18 end false"],
    );
    check(
        r#"{"x":{"result":{"n":1}},"result" : { "a" : [{"b":"c"},"d"], "e":"f\"}" }}"#,
        &[r#"39 name "a""#, r#"62 name "e""#, r#"69 text "f\"}""#, "71 end false"],
    );
    check(r#"{"id":"result","result":{"k":{}}}"#, &[r#"27 name "k""#, "31 end false"]);
}

#[test]
fn what_has_no_result_that_is_an_object_is_silent() {
    for text in [
        r#"{"error":{"result":{"a":1}},"id":1}"#,
        r#"{"result":[{"a":1}]}"#,
        r#"{"result":3,"other":{"a":1}}"#,
        r#"{"results":{"a":1}}"#,
    ] {
        check(text, &[]);
    }
}

#[test]
fn a_name_is_what_it_says_and_not_how_it_is_spelled() {
    let mut watch = ResultWatch::new();
    let mut hits = 0;
    let long = "k".repeat(500);
    let text = format!(r#"{{"r\u0065sult":{{"\u0061b":1,"ab":"cd","{long}":"{long}"}}}}"#);
    watch.read(text.as_bytes(), |_, what| match what {
        Noticed::Name(token) => hits += i32::from(token.is("ab")) + i32::from(token.is(&long)),
        Noticed::Text(token) => hits += 10 * i32::from(token.is("cd")),
        Noticed::End { .. } => hits += 100,
    });
    assert_eq!(hits, 112, "two names, one value, one end");
    assert!(watch.is_over());
}
