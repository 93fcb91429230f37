//! YAML into the tree.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use super::{Entry, MAX_DEPTH, MAX_NODES, Node, SyntaxError, Value};
use crate::report::{Place, Report};

/// Reads one YAML document. Duplicate keys go to `report`; the first one counts.
pub(crate) fn parse(text: &str, file: usize, report: &mut Report) -> Result<Node, SyntaxError> {
    let mut builder = Builder { file, report, open: Vec::new(), anchors: HashMap::new(), nodes: 0 };
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let mark = error.marker();
            builder.syntax(place(file, mark.line(), mark.col() + 1, 1), &error.info())
        })?;
        match builder.event(event, span)? {
            Some(node) if root.is_none() => root = Some(node),
            Some(node) => {
                let mut error = builder.syntax(node.at, "a second document in one file");
                error.hint = Some("remove the `---` before it".to_owned());
                return Err(error);
            }
            None => {}
        }
    }
    Ok(root.unwrap_or(Node {
        at: place(file, 1, 1, 1),
        value: Value::Scalar { text: String::new(), plain: true },
    }))
}

struct Builder<'r> {
    file: usize,
    report: &'r mut Report,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A collection whose end has not come yet.
struct Open {
    at: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    Seq(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Place)> },
}

// === impl Builder ===

impl Builder<'_> {
    /// Takes one event; gives the root when it is complete.
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<Option<Node>, SyntaxError> {
        let at = self.place_of(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text_tag = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let plain = style == ScalarStyle::Plain && !text_tag;
                let node = Node { at, value: Value::Scalar { text: text.into_owned(), plain } };
                self.complete(node, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.open(at, anchor, Content::Seq(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                self.open(at, anchor, Content::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => {
                    let value = match open.content {
                        Content::Seq(items) => Value::Seq(items),
                        Content::Map { entries, .. } => Value::Map(entries),
                    };
                    self.complete(Node { at: open.at, value }, open.anchor)
                }
                None => Ok(None),
            },
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(node) => {
                    let (nodes, depth) = measure(node);
                    self.nodes += nodes;
                    if self.nodes > MAX_NODES || self.open.len() + depth > MAX_DEPTH {
                        return Err(self.syntax(at, "aliases make this text too large"));
                    }
                    let node = Node { at, value: node.value.clone() };
                    self.complete(node, 0)
                }
                None => Err(self.syntax(at, "an alias inside of what it stands for")),
            },
            _ => Ok(None),
        }
    }

    fn open(
        &mut self,
        at: Place,
        anchor: usize,
        content: Content,
    ) -> Result<Option<Node>, SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.syntax(at, "nested too deeply"));
        }
        self.open.push(Open { at, anchor, content });
        Ok(None)
    }

    fn complete(&mut self, node: Node, anchor: usize) -> Result<Option<Node>, SyntaxError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.syntax(node.at, "too large"));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else { return Ok(Some(node)) };
        match &mut open.content {
            Content::Seq(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                Some((key, at)) => super::insert(entries, Entry { key, at, node }, self.report),
                None => match node.value {
                    Value::Scalar { text, .. } => *key = Some((text, node.at)),
                    _ => return Err(self.syntax(node.at, "a key must be a string")),
                },
            },
        }
        Ok(None)
    }

    fn place_of(&self, span: Span) -> Place {
        let (start, end) = (span.start, span.end);
        let len =
            if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
        place(self.file, start.line(), start.col() + 1, len.max(1))
    }

    fn syntax(&self, at: Place, message: &str) -> SyntaxError {
        SyntaxError { at, message: message.to_owned(), hint: None }
    }
}

fn place(file: usize, line: usize, column: usize, len: usize) -> Place {
    Place { file, line, column, len }
}

/// What an alias brings along: its nodes, and how deep they are nested.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.value {
        Value::Scalar { .. } => Vec::new(),
        Value::Seq(items) => items.iter().map(measure).collect(),
        Value::Map(entries) => entries.iter().map(|entry| measure(&entry.node)).collect(),
    };
    let nodes = children.iter().map(|(nodes, _)| nodes).sum::<usize>();
    let depth = children.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    (1 + nodes, 1 + depth)
}
