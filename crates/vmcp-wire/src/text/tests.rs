//! Strings in every spelling say the same.

use super::{decode, decode_lossy, folds_to, quote, says};

#[test]
fn decodes_every_escape() {
    let token = br#""\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00 \u00E9""#;
    assert_eq!(decode(token).as_deref(), Some("\"\\/\u{8}\u{c}\n\r\tAé€😀 é"));
}

#[test]
fn plain_text_is_borrowed() {
    assert!(matches!(decode("\"äöü\"".as_bytes()), Some(std::borrow::Cow::Borrowed("äöü"))));
}

#[test]
fn lone_surrogates_are_no_text() {
    for token in [r#""\ud800""#, r#""\udc00x""#, r#""\ud800\u0041""#, r#""\ud800\ud800""#] {
        assert_eq!(decode(token.as_bytes()), None, "{token}");
        assert!(decode_lossy(token.as_bytes()).contains('\u{fffd}'), "{token}");
    }
    assert_eq!(decode_lossy(br#""\ud800\u0041""#), "\u{fffd}A");
}

#[test]
fn compares_across_spellings() {
    assert!(says(br#""m\u0065thod""#, "method"));
    assert!(says(br#""tools\/call""#, "tools/call"));
    assert!(!says(br#""Method""#, "method"));
    assert!(!says(br#""\ud800""#, "\u{fffd}"));
    assert!(!says(b"12", "12"));
}

#[test]
fn folds_as_lenient_parsers_do() {
    assert!(folds_to("PaRaMS", "params"));
    assert!(folds_to("param\u{17f}", "params"));
    assert!(folds_to("to\u{212a}en", "token"));
    assert!(!folds_to("param", "params"));
    assert!(!folds_to("pärams", "params"));
}

#[test]
fn quotes_what_decodes_to_the_same() {
    let text = "\u{0}\u{1f}\"\\/\n\r\t\u{7f}é😀";
    assert_eq!(decode(&quote(text)).as_deref(), Some(text));
    assert_eq!(&quote("a\u{1}")[..], br#""a\u0001""#);
}
