//! Edits change what they name and nothing else.

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use vmcp_wire::{Edits, Object, validate};

use crate::json::{cases, object, value};

fn edit(raw: &str, with: impl Fn(&Object<'_>, &mut Edits)) -> String {
    let object = Object::parse(raw.as_bytes()).unwrap();
    let mut edits = Edits::new();
    with(&object, &mut edits);
    String::from_utf8(edits.apply(raw.as_bytes()).to_vec()).unwrap()
}

/// Keys and raw values in their order.
fn members(raw: &str) -> Vec<(String, String)> {
    let object = Object::parse(raw.as_bytes()).unwrap();
    let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap();
    object.iter().map(|(key, member)| (key.into_owned(), text(member.raw))).collect()
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn removing_and_adding_leaves_the_others(
        raw in object(), pick in vec(any::<bool>(), 6), new in vec(value(), 0..3),
    ) {
        let before = members(&raw);
        let remove: Vec<&str> =
            before.iter().zip(&pick).filter(|(_, pick)| **pick).map(|((key, _), _)| key.as_str()).collect();
        let keys = ["new \"one\"", "new two"];
        let insert: Vec<(&str, &[u8])> = keys.into_iter().zip(new.iter().map(String::as_bytes)).collect();
        let after = edit(&raw, |object, edits| edits.rewrite(object, &remove, &insert));
        let mut expected = before.clone();
        expected.retain(|(key, _)| !remove.contains(&key.as_str()));
        expected.extend(insert.iter().map(|(key, value)| {
            ((*key).to_owned(), String::from_utf8(value.to_vec()).unwrap())
        }));
        prop_assert_eq!(validate(after.as_bytes(), 128), Ok(()), "{}", after);
        prop_assert_eq!(members(&after), expected);
    }

    #[test]
    fn replacing_every_value_and_back_is_no_change(raw in object(), new in value()) {
        let replaced = edit(&raw, |object, edits| {
            object.iter().for_each(|(_, member)| edits.replace(member.span, new.clone()));
        });
        prop_assert!(members(&replaced).iter().all(|(_, value)| *value == new));
        let before = members(&raw);
        let again = edit(&replaced, |object, edits| {
            for ((_, member), (_, value)) in object.iter().zip(&before) {
                edits.replace(member.span, value.clone());
            }
        });
        prop_assert_eq!(again, raw);
    }

    #[test]
    fn no_edit_is_no_change(raw in object()) {
        prop_assert_eq!(edit(&raw, |_, _| {}), raw);
    }
}

#[test]
fn commas_come_out_right() {
    let cases: [(&str, &[&str], &str, &str); 12] = [
        ("{}", &["a"], "{}", r#"{"n":0}"#),
        ("{ }", &["a"], "{ }", r#"{"n":0}"#),
        (r#"{"a":1}"#, &["a"], "{}", r#"{"n":0}"#),
        (r#"{"a":1}"#, &["b"], r#"{"a":1}"#, r#"{"a":1,"n":0}"#),
        (r#"{"a":1,"b":2}"#, &["a"], r#"{"b":2}"#, r#"{"b":2,"n":0}"#),
        (r#"{"a":1,"b":2}"#, &["b"], r#"{"a":1}"#, r#"{"a":1,"n":0}"#),
        (r#"{"a":1,"b":2}"#, &["a", "b"], "{}", r#"{"n":0}"#),
        (r#"{ "a" : 1 , "b" : 2 }"#, &["a"], r#"{ "b" : 2 }"#, r#"{ "b" : 2,"n":0 }"#),
        (r#"{ "a" : 1 , "b" : 2 }"#, &["b"], r#"{ "a" : 1 }"#, r#"{ "a" : 1,"n":0 }"#),
        (r#"{"a":1,"b":2,"c":3}"#, &["b", "c"], r#"{"a":1}"#, r#"{"a":1,"n":0}"#),
        (r#"{"a":1,"b":2,"c":3}"#, &["a", "c"], r#"{"b":2}"#, r#"{"b":2,"n":0}"#),
        (r#"{"a":1,"\u0061":2,"c":3}"#, &["a"], r#"{"c":3}"#, r#"{"c":3,"n":0}"#),
    ];
    for (raw, remove, removed, both) in cases {
        assert_eq!(edit(raw, |object, edits| edits.rewrite(object, remove, &[])), removed, "{raw}");
        let insert: &[(&str, &[u8])] = &[("n", b"0")];
        assert_eq!(edit(raw, |object, edits| edits.rewrite(object, remove, insert)), both, "{raw}");
    }
}

#[test]
fn nested_members_are_edited_in_the_outer_slice() {
    let raw = r#" {"name":"a","_meta":{"progressToken": 1 ,"x":1e5},"arguments":{}}"#;
    let edited = edit(raw, |object, edits| {
        let meta = object.get("_meta").unwrap().as_object().unwrap();
        edits.replace(meta.get("progressToken").unwrap().span, "\"t\"");
        edits.insert_member(&meta, "y", b"2");
        edits.replace(object.get("name").unwrap().span, "\"b\"");
        edits.remove_member(object, "arguments");
    });
    assert_eq!(edited, r#" {"name":"b","_meta":{"progressToken": "t" ,"x":1e5,"y":2}}"#);
}

#[test]
fn overlapping_and_impossible_edits_do_no_harm() {
    let mut edits = Edits::new();
    assert!(edits.is_empty());
    edits.replace(1..4, "x");
    edits.replace(2..6, "y");
    edits.replace(4..4, "z");
    edits.replace(90..99, "w");
    assert_eq!(edits.apply(b"abcdef"), "axzef");
}

#[test]
fn an_element_deep_inside_is_changed_where_it_stands() {
    let raw = r#" {"a":{"b":[ {"t":1.0} ,"x", {"t":2,"u":[]}]} , "z":1e3} "#;
    let after = edit(raw, |object, edits| {
        let inner = object.get("a").unwrap().as_object().unwrap();
        for item in inner.get("b").unwrap().items().unwrap() {
            let Some(item) = item.as_object() else { continue };
            edits.rewrite(&item, &["u"], &[("v", b"null")]);
        }
    });
    assert_eq!(after, r#" {"a":{"b":[ {"t":1.0,"v":null} ,"x", {"t":2,"v":null}]} , "z":1e3} "#);
    let object = Object::parse(br#"{"n":1,"e":[]}"#).unwrap();
    assert!(object.get("n").unwrap().items().is_none());
    assert!(object.get("e").unwrap().items().unwrap().is_empty());
}
