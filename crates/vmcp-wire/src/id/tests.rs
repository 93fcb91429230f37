//! Ids keep their spelling; what is no id is refused.

use bytes::Bytes;

use super::RawId;

fn id(token: &'static str) -> Option<RawId> {
    RawId::from_token(token.as_bytes()).ok()
}

#[test]
fn takes_strings_and_integers_in_any_spelling() {
    for token in [
        "0",
        "-1",
        "-0",
        "1e3",
        "1.0",
        "1.50e1",
        "15E-0",
        "100e-2",
        "0e-99999999999999999999",
        "9223372036854775808",
        "18446744073709551616",
        "1e400",
        "1e99999999999999999999",
        "\"\"",
        "\"1\"",
        "\"\\u0031\"",
        "\"\\ud800\"",
    ] {
        assert_eq!(id(token).map(|id| id.as_bytes().to_vec()), Some(token.into()), "{token}");
    }
}

#[test]
fn refuses_everything_else() {
    for token in [
        "",
        " 1",
        "1 ",
        "null",
        "true",
        "{}",
        "[]",
        "1.5",
        "15e-1",
        "1e-400",
        "0.1e0",
        "01",
        "+1",
        "1.",
        "\"",
        "\"a",
        "1e-99999999999999999999",
        "\"a\" ",
        "1,2",
    ] {
        assert_eq!(id(token), None, "{token}");
    }
}

#[test]
fn long_ids_are_kept_up_to_the_bound() {
    let longest = format!("\"{}\"", "x".repeat(RawId::MAX_BYTES - 2));
    assert_eq!(RawId::from_token(longest.as_bytes()).unwrap().as_bytes(), longest.as_bytes());
    assert!(RawId::from_token(format!("\"{longest}").as_bytes()).is_err());
    assert!(RawId::from_token(format!("\"{}\"", "x".repeat(RawId::MAX_BYTES)).as_bytes()).is_err());
}

#[test]
fn numbers_come_back() {
    for n in [0, 7, 10, u64::MAX] {
        assert_eq!(RawId::number(n).as_u64(), Some(n));
        assert_eq!(RawId::number(n).as_bytes(), n.to_string().as_bytes());
    }
    assert_eq!(id("7.00").unwrap().as_u64(), Some(7));
    assert_eq!(id("\"7\"").unwrap().as_u64(), None);
    assert_eq!(id("-7").unwrap().as_u64(), None);
}

#[test]
fn an_id_is_as_small_as_a_bytes() {
    assert_eq!(size_of::<RawId>(), size_of::<Bytes>());
}
