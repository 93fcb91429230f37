//! Arguments of a tool that are repeated in headers.

use super::compare::{Mismatch, said, single};
use super::value::encode;
use super::{PARAM_PREFIX, number, schema};
use crate::{Member, Object};

/// One argument that is repeated in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamHeader {
    header: Box<str>,
    path: Box<[Box<str>]>,
}

/// The arguments of one tool that are repeated in headers (`x-mcp-header` in its input schema).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParamHeaders(Box<[ParamHeader]>);

/// What stands where an argument is expected.
enum Found<'a> {
    Nothing,
    Value(Member<'a>),
    Twice,
}

// === impl ParamHeader ===

impl ParamHeader {
    pub(super) fn new(name: &str, path: &[Box<str>]) -> Self {
        let header = format!("{PARAM_PREFIX}{}", name.to_ascii_lowercase());
        Self { header: header.into(), path: path.into() }
    }

    /// The header's name, in lower case.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The argument's name, and those of the objects it is in, outermost first.
    #[must_use]
    pub fn path(&self) -> &[Box<str>] {
        &self.path
    }

    fn find<'a>(&self, arguments: &Object<'a>) -> Found<'a> {
        let mut object = arguments.clone();
        let Some((last, ways)) = self.path.split_last() else { return Found::Nothing };
        for step in ways {
            match exactly(&object, step) {
                Found::Value(member) => match member.as_object() {
                    Some(inner) => object = inner,
                    None => return Found::Nothing,
                },
                other => return other,
            }
        }
        match exactly(&object, last) {
            Found::Value(member) if member.is_null() => Found::Nothing,
            other => other,
        }
    }

    fn check<'h>(
        &self,
        arguments: Option<&Object<'_>>,
        lines: impl IntoIterator<Item = &'h [u8]>,
    ) -> Result<(), Mismatch> {
        let name = &*self.header;
        let value = match arguments.map_or(Found::Nothing, |arguments| self.find(arguments)) {
            Found::Value(member) if !matches!(member.raw.first(), Some(b'{' | b'[')) => member,
            Found::Twice => return Err(Mismatch::Ambiguous(name.into())),
            // Of an object or a list no header can be made, whatever the schema wants: that is not for us to say.
            Found::Nothing | Found::Value(_) => {
                return match single(name, lines)? {
                    Some(_) => Err(Mismatch::Unfounded(name.into())),
                    None => Ok(()),
                };
            }
        };
        let said = said(name, lines)?;
        let same = match value.raw.first() {
            Some(b'"') => value.as_str().is_some_and(|text| text == said),
            Some(b't' | b'f') => value.raw == said.as_bytes(),
            _ => number::equal(value.raw, said.as_bytes()),
        };
        if same { Ok(()) } else { Err(Mismatch::Differs(name.into())) }
    }
}

// === impl ParamHeaders ===

impl ParamHeaders {
    /// Reads them out of a raw tool, as lists have it. A tool without them costs one look for the word.
    ///
    /// # Errors
    /// What is wrong with an annotation, for a log: it is empty or no token (RFC 9110, §5.6.2), there twice whatever
    /// the case of its letters, on something else than a string, an integer or a boolean, or on something that is not
    /// reached from the root through `properties` alone. Such a tool cannot be called over HTTP, and must not be
    /// listed to whoever would try.
    pub fn of_tool(tool: &[u8]) -> Result<Self, String> {
        schema::read(tool).map(|list| Self(list.into()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &ParamHeader> {
        self.0.iter()
    }

    /// The headers for a call with these raw arguments: name and encoded value.
    ///
    /// An argument that is absent or null has none. Nor has an object or a list: whoever sees the call will refuse it
    /// for its own reasons.
    ///
    /// # Errors
    /// [`Mismatch::Ambiguous`] when an argument stands there twice.
    pub fn values(&self, arguments: Option<&[u8]>) -> Result<Vec<(&str, String)>, Mismatch> {
        let mut values = Vec::new();
        let arguments = arguments.filter(|_| !self.is_empty());
        let Some(arguments) = arguments.and_then(|raw| Object::parse(raw).ok()) else {
            return Ok(values);
        };
        for param in self.iter() {
            match param.find(&arguments) {
                Found::Value(member) => {
                    values.extend(text(&member).map(|text| (param.header(), text)));
                }
                Found::Nothing => {}
                Found::Twice => return Err(Mismatch::Ambiguous(param.header.clone())),
            }
        }
        Ok(values)
    }

    /// Checks that headers say what the raw arguments of a call say. `lines` gives all lines of the header of a name.
    /// Headers that no argument asks for may say anything.
    ///
    /// # Errors
    /// When one is missing, malformed, or says something else; also when it is there and its argument is not.
    pub fn check<'h, L>(
        &self,
        arguments: Option<&[u8]>,
        lines: impl Fn(&str) -> L,
    ) -> Result<(), Mismatch>
    where
        L: IntoIterator<Item = &'h [u8]>,
    {
        let arguments = arguments.filter(|_| !self.is_empty());
        let arguments = arguments.and_then(|raw| Object::parse(raw).ok());
        self.iter().try_for_each(|param| param.check(arguments.as_ref(), lines(param.header())))
    }
}

/// The member of exactly this name. In another letter case it is another argument.
fn exactly<'a>(object: &Object<'a>, key: &str) -> Found<'a> {
    let mut members = object.iter().filter(|(name, _)| name == key);
    match (members.next(), members.next()) {
        (None, _) => Found::Nothing,
        (Some((_, member)), None) => Found::Value(member),
        (Some(_), Some(_)) => Found::Twice,
    }
}

/// What a header says of an argument.
fn text(member: &Member<'_>) -> Option<String> {
    match member.raw.first()? {
        b'"' => member.as_str().map(|text| encode(&text).into_owned()),
        b'{' | b'[' | b'n' => None,
        _ => {
            let spelled = || std::str::from_utf8(member.raw).ok().map(str::to_owned);
            // What is no safe integer breaks the tool's own rules; whoever made them may still take it.
            number::integer(member.raw).map(|number| number.to_string()).or_else(spelled)
        }
    }
}
