//! The arguments of a call, as policies see them: the very bytes that are forwarded, read so that nobody could read
//! something else in them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use cedar_policy::RestrictedExpression;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::number::number;
use super::reads::Reads;

/// The arguments that policies look at, as attributes.
///
/// # Errors
/// When two readers could find different values, or a value that policies look at has no form in Cedar. Without values.
pub(super) fn attributes(
    raw: Option<&[u8]>,
    reads: &Reads,
) -> Result<Vec<(String, RestrictedExpression)>, String> {
    let Some(raw) = raw.filter(|raw| raw.trim_ascii() != b"null") else { return Ok(Vec::new()) };
    let members: Members<'_> =
        serde_json::from_slice(raw).map_err(|error| format!("arguments: {error}"))?;
    let wanted = Wanted::new(reads);
    let mut found: Vec<(String, RestrictedExpression)> = Vec::new();
    for (name, value) in members.0 {
        let text = value.get();
        if text.starts_with(['{', '[']) {
            serde_json::from_str::<Unambiguous>(text)
                .map_err(|error| format!("argument {name:?}: {error}"))?;
        }
        wanted.check(&name)?;
        let Some((key, value)) = attribute(&name, text, reads)? else { continue };
        if found.iter().any(|(known, _)| *known == key) {
            return Err(format!("argument {name:?}: another one is the same to policies"));
        }
        found.push((key, value));
    }
    Ok(found)
}

/// One argument, if policies look at it.
fn attribute(
    name: &str,
    text: &str,
    reads: &Reads,
) -> Result<Option<(String, RestrictedExpression)>, String> {
    let has_parts = text.starts_with(['{', '[']);
    let key = if has_parts { format!("arg_{name}_present") } else { format!("arg_{name}") };
    if !reads.context && !reads.arguments.contains(&key) {
        return Ok(None);
    }
    let value = match text.as_bytes().first() {
        Some(b'{' | b'[') => Some(RestrictedExpression::new_bool(true)),
        Some(b't' | b'f') => Some(RestrictedExpression::new_bool(text == "true")),
        Some(b'"') => serde_json::from_str(text).ok().map(RestrictedExpression::new_string),
        // As if it were not there.
        Some(b'n') => return Ok(None),
        _ => number(text),
    };
    match value {
        Some(value) => Ok(Some((key, value))),
        None => Err(format!("argument {name:?}: policies have no such number")),
    }
}

/// The names that policies look at, to be compared as readers compare that do not mind the case of letters.
struct Wanted<'a> {
    names: Vec<(&'a str, String)>,
}

impl<'a> Wanted<'a> {
    fn new(reads: &'a Reads) -> Self {
        let bare = reads.arguments.iter().filter_map(|key| key.strip_prefix("arg_"));
        let names = bare.flat_map(|name| [Some(name), name.strip_suffix("_present")]);
        Self { names: names.flatten().map(|name| (name, folded(name))).collect() }
    }

    /// Refuses a name that could be taken for another one that policies look at.
    fn check(&self, name: &str) -> Result<(), String> {
        if self.names.iter().any(|(known, _)| *known == name) {
            return Ok(());
        }
        let folded = folded(name);
        match self.names.iter().find(|(_, known)| *known == folded) {
            Some((known, _)) => Err(format!("argument {name:?} could be taken for {known:?}")),
            None => Ok(()),
        }
    }
}

/// Upper case first: some letters have their simple form only there.
fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// An object's members, each key once.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                let mut seen = HashSet::new();
                while let Some(Key(key)) = map.next_key()? {
                    if !seen.insert(folded(&key)) {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                    members.push((key, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value in which every object has every key once.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Checker.deserialize(deserializer)
    }
}

struct Checker;

impl<'de> DeserializeSeed<'de> for Checker {
    type Value = Unambiguous;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Unambiguous, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checker {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unambiguous, A::Error> {
        while items.next_element_seed(Checker)?.is_some() {}
        Ok(Unambiguous)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unambiguous, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key) {
                return Err(A::Error::custom("a member stands there twice"));
            }
            map.next_value_seed(Checker)?;
        }
        Ok(Unambiguous)
    }
}
