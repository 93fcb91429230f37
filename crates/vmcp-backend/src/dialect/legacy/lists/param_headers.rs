//! Tools that ask for some of their arguments in HTTP headers (SEP-2243, `x-mcp-header`), wrongly.
//!
//! A client that mirrors arguments into headers must leave out a tool whose annotations are invalid: it could not call
//! it. vmcp's clients may be such clients, so such a tool is not listed, and the others stay.
//!
//! An annotation is a non-empty token (RFC 9110, §5.6.2), unique in its schema whatever the case of its letters, on a
//! string, an integer or a boolean, that is reached from the root through `properties` alone.
//!
//! Almost no tool has the word in it: the rest costs one look for it.

use std::collections::HashSet;

use memchr::memmem;
use vmcp_wire::{Member, Object};

const WORD: &str = "x-mcp-header";
/// How deep a schema is looked into.
const MAX_DEPTH: usize = 64;
/// Where the schemas of a schema are that an argument is not reached through: one each, lists, and maps.
const ONE: [&str; 9] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedProperties",
];
const LISTS: [&str; 4] = ["oneOf", "anyOf", "allOf", "prefixItems"];
const MAPS: [&str; 4] = ["$defs", "definitions", "patternProperties", "dependentSchemas"];

/// What is wrong with the annotations of a raw tool; `None` if nothing is.
pub(super) fn fault(tool: &[u8]) -> Option<String> {
    // An escape may hide the word; it is ASCII, so its escapes begin alike.
    let has = |word: &[u8]| memmem::find(tool, word).is_some();
    if !has(WORD.as_bytes()) && !has(b"\\u00") {
        return None;
    }
    let schema = Object::parse(tool).ok()?.get("inputSchema")?;
    Walk::default().schema(&schema, Reached::Plainly, 0).err()
}

/// How a schema is reached from the root.
#[derive(Clone, Copy)]
enum Reached {
    /// Through `properties` alone.
    Plainly,
    /// Otherwise: which argument it is about, if any, depends.
    Otherwise,
}

#[derive(Default)]
struct Walk {
    /// The names that were there, in lower case.
    names: HashSet<String>,
}

// === impl Walk ===

impl Walk {
    fn schema(&mut self, at: &Member<'_>, reached: Reached, depth: usize) -> Result<(), String> {
        let Some(schema) = at.as_object() else { return Ok(()) };
        if depth > MAX_DEPTH {
            return Err(format!("the schema is nested deeper than {MAX_DEPTH} levels"));
        }
        for (key, member) in schema.iter() {
            let key = key.as_ref();
            if key == WORD {
                self.annotation(&schema, &member, reached)?;
            } else if key == "properties" {
                self.map(&member, reached, depth)?;
            } else if MAPS.contains(&key) {
                self.map(&member, Reached::Otherwise, depth)?;
            } else if ONE.contains(&key) {
                self.schema(&member, Reached::Otherwise, depth + 1)?;
            }
            // `items` is a list in older schemas.
            if LISTS.contains(&key) || key == "items" {
                self.list(&member, depth)?;
            }
        }
        Ok(())
    }

    fn map(&mut self, at: &Member<'_>, reached: Reached, depth: usize) -> Result<(), String> {
        let members = at.as_object();
        let mut schemas = members.iter().flat_map(Object::iter);
        schemas.try_for_each(|(_, member)| self.schema(&member, reached, depth + 1))
    }

    fn list(&mut self, at: &Member<'_>, depth: usize) -> Result<(), String> {
        for raw in at.as_array().unwrap_or_default() {
            let member = Member { raw, span: 0..raw.len(), key_span: 0..0 };
            self.schema(&member, Reached::Otherwise, depth + 1)?;
        }
        Ok(())
    }

    fn annotation(
        &mut self,
        schema: &Object<'_>,
        value: &Member<'_>,
        reached: Reached,
    ) -> Result<(), String> {
        let name = value.as_str().ok_or("its value is not a string")?;
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err("its value is not a token".to_owned());
        }
        if !has_plain_type(schema) {
            return Err(format!("\"{name}\" is not on a string, an integer or a boolean"));
        }
        if matches!(reached, Reached::Otherwise) {
            return Err(format!("\"{name}\" is not reached through properties alone"));
        }
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(format!("\"{name}\" is there twice"));
        }
        Ok(())
    }
}

/// Whether what a schema describes can be written into a header; `null` besides means that there is none.
fn has_plain_type(schema: &Object<'_>) -> bool {
    let is_plain = |raw: &[u8]| matches!(raw, b"\"string\"" | b"\"integer\"" | b"\"boolean\"");
    let Some(kind) = schema.get("type") else { return false };
    match kind.as_array() {
        Some(kinds) => {
            let mut kinds = kinds.into_iter().filter(|kind| *kind != b"\"null\"");
            kinds.next().is_some_and(is_plain) && kinds.next().is_none()
        }
        None => is_plain(kind.raw),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::fault;

    fn check(schema: &str) -> Option<String> {
        fault(format!(r#"{{"name":"t","inputSchema":{schema}}}"#).as_bytes())
    }

    #[test]
    fn takes_what_the_rules_allow() {
        for schema in [
            r#"{}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"Region"},"b":{"type":"boolean","x-mcp-header":"B"}}}"#,
            r#"{"properties":{"o":{"type":"object","properties":{"a":{"type":"integer","x-mcp-header":"N"}}}}}"#,
            r#"{"properties":{"a":{"type":["string","null"],"x-mcp-header":"Region"}}}"#,
            // A property of that name is no annotation, and neither is a value.
            r#"{"properties":{"x-mcp-header":{"type":"number"}}}"#,
            r#"{"properties":{"a":{"type":"number","default":"x-mcp-header"}}}"#,
            r#"{"properties":{"a":{"type":"number","enum":[{"x-mcp-header":""}]}}}"#,
        ] {
            assert_eq!(check(schema), None, "{schema}");
        }
    }

    #[test]
    fn refuses_what_they_do_not() {
        let annotated = |rest: &str| format!(r#"{{"properties":{{"a":{{{rest}}}}}}}"#);
        let deep = |levels: usize| {
            let open = r#"{"properties":{"a":"#.repeat(levels);
            let inner = r#"{"type":"string","x-mcp-header":"N"}"#;
            format!("{open}{inner}{}", "}}".repeat(levels))
        };
        let inner = r#"{"type":"string","x-mcp-header":"N"}"#;
        let table = [
            (annotated(r#""type":"string","x-mcp-header":"""#), "not a token"),
            (annotated(r#""type":"string","x-mcp-header":"a b""#), "not a token"),
            (annotated(r#""type":"string","x-mcp-header":"a\r\nb: c""#), "not a token"),
            (annotated(r#""type":"string","x-mcp-header":"é""#), "not a token"),
            (annotated(r#""type":"string","x-mcp-header":1"#), "not a string"),
            (annotated(r#""type":"number","x-mcp-header":"N""#), "is not on a string"),
            (annotated(r#""type":"array","x-mcp-header":"N""#), "is not on a string"),
            (annotated(r#""x-mcp-header":"N""#), "is not on a string"),
            (annotated(r#""type":["string","integer"],"x-mcp-header":"N""#), "is not on a string"),
            (annotated(r#""type":"number","\u0078-mcp-header":"N""#), "is not on a string"),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":"N"},"b":{"type":"string","x-mcp-header":"n"}}}"#
                    .to_owned(),
                "there twice",
            ),
            (annotated(&format!(r#""items":{inner}"#)), "not reached"),
            (annotated(&format!(r#""items":[{inner}]"#)), "not reached"),
            (format!(r#"{{"oneOf":[{{}},{{"properties":{{"a":{inner}}}}}]}}"#), "not reached"),
            (format!(r#"{{"$defs":{{"d":{inner}}}}}"#), "not reached"),
            (deep(65), "deeper than 64"),
        ];
        for (schema, text) in table {
            let found = check(&schema);
            assert!(
                found.as_deref().is_some_and(|found| found.contains(text)),
                "{schema}: {found:?}"
            );
        }
        assert_eq!(check(&deep(64)), None);
    }
}
