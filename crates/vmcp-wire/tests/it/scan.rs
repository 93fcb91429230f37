//! The scanner accepts exactly what `serde_json` accepts as a raw value. One exception, on
//! purpose: `serde_json` has no bound on the depth of a raw value, we have one.

use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};
use proptest::sample::select;
use serde_json::value::RawValue;
use vmcp_wire::{WireError, validate};

use crate::json::{cases, damage, padded, value};

fn agree(bytes: &[u8]) -> bool {
    let theirs = serde_json::from_slice::<&RawValue>(bytes).is_ok();
    validate(bytes, usize::MAX).is_ok() == theirs
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn accepts_json(text in padded(value())) {
        prop_assert_eq!(validate(text.as_bytes(), 128), Ok(()), "{}", text);
        prop_assert!(agree(text.as_bytes()));
    }

    #[test]
    fn agrees_on_damaged_json(text in padded(value()), damage in damage()) {
        let mut bytes = text.into_bytes();
        damage.iter().for_each(|damage| damage.apply(&mut bytes));
        prop_assert!(agree(&bytes), "{}", bytes.escape_ascii());
    }

    #[test]
    fn agrees_on_token_soup(tokens in vec(select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\\", "\\u12", "1", "0", "-", ".", "e", "+",
        "true", "nul", "l", " ", "\n", "\u{b}", "\u{feff}", "é",
    ]), 0..12)) {
        let text: String = tokens.concat();
        prop_assert!(agree(text.as_bytes()), "{}", text);
    }

    #[test]
    fn agrees_on_any_bytes_in_a_string(bytes in vec(proptest::num::u8::ANY, 0..6), long in 0..70usize) {
        let mut text = format!("\"{}", "x".repeat(long)).into_bytes();
        text.extend_from_slice(&bytes);
        text.push(b'"');
        prop_assert!(agree(&text), "{}", text.escape_ascii());
    }
}

/// Every sequence of two bytes, and every lead byte of a longer character with edges behind it.
#[test]
fn agrees_on_all_short_characters() {
    for first in 0..=255u8 {
        for second in 0..=255u8 {
            assert!(agree(&[b'"', first, second, b'"']), "{first:x} {second:x}");
        }
        for second in [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0] {
            for third in [0x7f, 0x80, 0xbf, 0xc0] {
                assert!(agree(&[b'"', first, second, third, b'"']));
                for fourth in [b'a', 0x7f, 0x80, 0xbf, 0xc0] {
                    assert!(agree(&[b'"', first, second, third, fourth, b'"']));
                }
            }
        }
    }
}

#[test]
fn depth_is_bounded_and_costs_no_native_stack() {
    let nested = |depth: usize| {
        let open: String = (0..depth).map(|at| if at % 3 == 0 { "[" } else { "{\"k\":" }).collect();
        let close: String =
            (0..depth).rev().map(|at| if at % 3 == 0 { "]" } else { "}" }).collect();
        format!("{open}0{close}")
    };
    for depth in [1, 63, 64, 65, 127, 128, 129, 192, 193, 100_000] {
        assert_eq!(validate(nested(depth).as_bytes(), depth), Ok(()), "{depth}");
        assert_eq!(
            validate(nested(depth).as_bytes(), depth - 1),
            Err(WireError::TooDeep { limit: depth - 1 })
        );
        // A wrong bracket on any level is seen.
        let wrong = nested(depth).replacen("0]", "0}", 1).replacen("0}]", "0]]", 1);
        if wrong != nested(depth) {
            assert!(validate(wrong.as_bytes(), depth).is_err(), "{depth}");
        }
    }
}

#[test]
fn names_the_place_of_the_fault() {
    for (text, at) in [
        ("[1,]", 3),
        ("{\"a\" 1}", 5),
        ("[1 2]", 3),
        ("[01]", 2),
        ("[1.]", 3),
        ("tru ", 3),
        ("[\"a\u{1}\"]", 3),
        ("[\"\\x\"]", 3),
        ("[\"\\u00g0\"]", 6),
        ("{} x", 3),
        ("{1:2}", 1),
        ("{\"a\":1,}", 7),
        ("\u{feff}{}", 0),
        ("[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u{2}\"]", 42),
    ] {
        match validate(text.as_bytes(), 9) {
            Err(WireError::Syntax { offset, .. }) => assert_eq!(offset, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn cut_off_text_says_so() {
    for text in ["", " ", "{", "[1,", "\"a", "\"\\", "\"\\u00", "tru", "-", "1.", "1e", "{\"a\":"] {
        assert_eq!(validate(text.as_bytes(), 9), Err(WireError::Truncated), "{text}");
    }
}

proptest! {
    #![proptest_config(cases(500))]

    /// Any prefix of JSON is either cut off or (numbers, trailing space) complete.
    #[test]
    fn prefixes_are_never_wrong(text in padded(value()), at in proptest::num::usize::ANY) {
        let at = at % (text.len() + 1);
        let result = validate(&text.as_bytes()[..at], 128);
        prop_assert!(matches!(result, Ok(()) | Err(WireError::Truncated)), "{:?}", result);
    }
}

/// Keeps the strategies honest: a good part of the damaged texts is broken, a good part is not.
#[test]
fn damage_does_damage() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (padded(value()), damage());
    let broken = (0..400).filter(|_| {
        use proptest::strategy::ValueTree;
        let (text, damage) = strategy.new_tree(&mut runner).unwrap().current();
        let mut bytes = text.into_bytes();
        damage.iter().for_each(|damage| damage.apply(&mut bytes));
        validate(&bytes, 128).is_err()
    });
    let broken = broken.count();
    assert!((100..380).contains(&broken), "{broken} of 400");
}
