//! Which arguments of a tool are repeated in headers, read out of its input schema.
//!
//! An annotation is a non-empty token (RFC 9110, §5.6.2), unique in its schema whatever the case of its letters, on a
//! string, an integer or a boolean, that is reached from the root through `properties` alone. The schema is walked
//! level by level over the bytes it came as.
//!
//! Almost no tool has the word in it: the rest costs one look for it.

use std::collections::HashSet;

use memchr::memmem;

use super::param::ParamHeader;
use crate::{Member, Object};

const WORD: &str = "x-mcp-header";
/// How deep a schema is looked into.
const MAX_DEPTH: usize = 64;
/// How many headers one tool may ask for. Servers take about a hundred in all.
const MAX_HEADERS: usize = 64;
/// Where the schemas of a schema are that an argument is not reached through: one each, lists, and maps.
const ONE: [&str; 12] = [
    "items",
    "additionalItems",
    "unevaluatedItems",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "contains",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
];
const LISTS: [&str; 4] = ["oneOf", "anyOf", "allOf", "prefixItems"];
const MAPS: [&str; 5] =
    ["$defs", "definitions", "patternProperties", "dependentSchemas", "dependencies"];

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
    /// The properties on the way from the root.
    path: Vec<Box<str>>,
    found: Vec<ParamHeader>,
}

/// The annotations of a raw tool, or what is wrong with them.
pub(super) fn read(tool: &[u8]) -> Result<Vec<ParamHeader>, String> {
    // An escape may hide the word; it is ASCII, so its escapes begin alike.
    let has = |word: &[u8]| memmem::find(tool, word).is_some();
    if !has(WORD.as_bytes()) && !has(b"\\u00") {
        return Ok(Vec::new());
    }
    let tool = Object::parse(tool).ok();
    let Some(schema) = tool.and_then(|tool| tool.get("inputSchema")) else { return Ok(Vec::new()) };
    let mut walk = Walk::default();
    walk.schema(&schema, Reached::Plainly, 0)?;
    Ok(walk.found)
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
                self.properties(&member, reached, depth)?;
            } else if MAPS.contains(&key) {
                let inner = member.as_object();
                let mut schemas = inner.iter().flat_map(Object::iter);
                schemas.try_for_each(|(_, one)| self.otherwise(&one, depth))?;
            } else if ONE.contains(&key) {
                self.otherwise(&member, depth)?;
            }
            // `items` is a list in older schemas.
            if LISTS.contains(&key) || key == "items" {
                self.list(&member, depth)?;
            }
        }
        Ok(())
    }

    fn properties(
        &mut self,
        at: &Member<'_>,
        reached: Reached,
        depth: usize,
    ) -> Result<(), String> {
        let members = at.as_object();
        for (name, member) in members.iter().flat_map(Object::iter) {
            self.path.push(name.into());
            self.schema(&member, reached, depth + 1)?;
            self.path.pop();
        }
        Ok(())
    }

    fn list(&mut self, at: &Member<'_>, depth: usize) -> Result<(), String> {
        for raw in at.as_array().unwrap_or_default() {
            let member = Member { raw, span: 0..raw.len(), key_span: 0..0 };
            self.otherwise(&member, depth)?;
        }
        Ok(())
    }

    fn otherwise(&mut self, at: &Member<'_>, depth: usize) -> Result<(), String> {
        self.schema(at, Reached::Otherwise, depth + 1)
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
        if matches!(reached, Reached::Otherwise) || self.path.is_empty() {
            return Err(format!("\"{name}\" is not reached through properties alone"));
        }
        if !self.names.insert(name.to_ascii_lowercase()) {
            return Err(format!("\"{name}\" is there twice"));
        }
        if self.found.len() == MAX_HEADERS {
            return Err(format!("there are more than {MAX_HEADERS}"));
        }
        self.found.push(ParamHeader::new(&name, &self.path));
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
    use super::read;

    fn check(schema: &str) -> Option<String> {
        read(format!(r#"{{"name":"t","inputSchema":{schema}}}"#).as_bytes()).err()
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
