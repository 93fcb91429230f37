//! The little of XML that STS writes: elements with attributes that nobody needs, and text.
//!
//! Everything else (comments, CDATA, processing instructions but the declaration, document types, foreign entities) is
//! refused: nothing is expanded, nothing is fetched, and what is not understood is not half understood.

use zeroize::Zeroizing;

/// How deep elements may be nested.
const DEPTH: usize = 16;

/// The elements of a document that hold no elements, each with the names on the way to it. Texts are wiped from
/// memory when they are dropped.
#[derive(Debug)]
pub(super) struct Leaves(Vec<(Vec<String>, Zeroizing<String>)>);

// === impl Leaves ===

impl Leaves {
    /// # Errors
    /// Where the document stops making sense; never what it says there.
    pub(super) fn read(document: &str) -> Result<Self, &'static str> {
        let mut reader = Reader { rest: document, open: Vec::new(), leaves: Vec::new() };
        reader.skip_declaration()?;
        loop {
            reader.rest = reader.rest.trim_start_matches(is_space);
            reader.tag()?;
            if reader.open.is_empty() {
                break;
            }
        }
        let after = reader.rest.trim_matches(is_space);
        if after.is_empty() {
            Ok(Self(reader.leaves))
        } else {
            Err("something follows the document")
        }
    }

    /// The text of the one element with this path; `None` if there is none, or more than one.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        let mut found = self.0.iter().filter(|(names, _)| names == path);
        let (_, text) = found.next()?;
        found.next().is_none().then_some(text.as_str())
    }
}

struct Reader<'a> {
    rest: &'a str,
    open: Vec<String>,
    leaves: Vec<(Vec<String>, Zeroizing<String>)>,
}

// === impl Reader ===

impl Reader<'_> {
    fn skip_declaration(&mut self) -> Result<(), &'static str> {
        let text = self.rest.trim_start_matches('\u{feff}');
        self.rest = match text.strip_prefix("<?xml ") {
            Some(rest) => rest.split_once("?>").ok_or("the declaration has no end")?.1,
            None => text,
        };
        Ok(())
    }

    /// Reads one tag and, behind one that opens, the text of a leaf with the tag that closes it.
    fn tag(&mut self) -> Result<(), &'static str> {
        let inner = self.rest.strip_prefix('<').ok_or("text stands between elements")?;
        let (tag, rest) = end_of_tag(inner)?;
        self.rest = rest;
        if let Some(name) = tag.strip_prefix('/') {
            return self.close(name);
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = tag.split(is_space).next().unwrap_or_default();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
        {
            return Err("there is a tag that is no plain element");
        }
        if self.open.len() == DEPTH {
            return Err("the elements are nested too deep");
        }
        self.open.push(name.to_owned());
        if empty {
            self.leaf(Zeroizing::default());
            return self.close(name);
        }
        let (text, _) = self.rest.split_once('<').ok_or("an element has no end")?;
        let closes = self.rest.get(text.len()..).is_some_and(|rest| rest.starts_with("</"));
        if closes {
            self.leaf(unescape(text)?);
            self.rest = self.rest.get(text.len()..).unwrap_or_default();
            return self.tag();
        }
        Ok(())
    }

    fn leaf(&mut self, text: Zeroizing<String>) {
        self.leaves.push((self.open.clone(), text));
    }

    fn close(&mut self, name: &str) -> Result<(), &'static str> {
        match self.open.pop() {
            Some(open) if open == name.trim_end_matches(is_space) => Ok(()),
            _ => Err("a tag closes what was not open"),
        }
    }
}

/// What is inside a tag, and what follows it. A `>` in an attribute's value does not end it.
fn end_of_tag(inner: &str) -> Result<(&str, &str), &'static str> {
    let mut quote = None;
    for (at, letter) in inner.char_indices() {
        match (quote, letter) {
            (None, '>') => {
                let (tag, rest) = inner.split_at(at);
                return Ok((tag, rest.strip_prefix('>').unwrap_or(rest)));
            }
            (None, '<') => return Err("a tag stands in a tag"),
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    Err("a tag has no end")
}

/// Text with the five entities and the numbered ones resolved (XML 1.0 §4.1, §4.6).
fn unescape(text: &str) -> Result<Zeroizing<String>, &'static str> {
    let mut whole = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';').ok_or("an entity has no end")?;
        whole.push_str(before);
        whole.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            numbered => {
                let number = numbered.strip_prefix('#').ok_or("there is an unknown entity")?;
                let code = match number.strip_prefix('x') {
                    Some(digits) => u32::from_str_radix(digits, 16),
                    None => number.parse(),
                };
                let letter = code.ok().and_then(char::from_u32);
                letter.ok_or("there is an entity that is no character")?
            }
        });
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n')
}

#[cfg(test)]
mod tests {
    use super::Leaves;

    fn read(document: &str) -> Result<Vec<(String, String)>, &'static str> {
        let leaves = Leaves::read(document)?.0;
        Ok(leaves.into_iter().map(|(path, text)| (path.join("/"), text.to_string())).collect())
    }

    fn check(document: &str, expected: &[(&str, &str)]) {
        let expected = expected.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        assert_eq!(read(document), Ok(expected.collect()), "{document}");
    }

    #[test]
    fn reads_what_sts_writes() {
        check("<a/>", &[("a", "")]);
        check("<a></a>\n", &[("a", "")]);
        check(
            "<?xml version=\"1.0\"?>\r\n<a xmlns=\"https://x/>\">\n  <b>1</b>\n  <c><d >&lt;&#65;&#x42;&amp;</d ></c><e />\n</a>",
            &[("a/b", "1"), ("a/c/d", "<AB&"), ("a/e", "")],
        );
        check("<a><b> kept </b></a>", &[("a/b", " kept ")]);
    }

    #[test]
    fn refuses_the_rest() {
        for document in [
            "",
            "text",
            "{\"json\": 1}",
            "<a>",
            "<a",
            "<a><b></a></b>",
            "<a>text<b/></a>",
            "<a><b/>text</a>",
            "<a/><b/>",
            "<a/>text",
            "</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a><!-- no --></a>",
            "<a><![CDATA[no]]></a>",
            "<a><?no?></a>",
            "<a>&x;</a>",
            "<a>&amp</a>",
            "<a>&#xD800;</a>",
            "<a>&#;</a>",
            "<n:a></n:a>",
            "<a b=\"></a>",
            "< a></a>",
            "<>",
            "<é/>",
        ] {
            assert!(read(document).is_err(), "{document}: {:?}", read(document));
        }
        let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
        assert_eq!(read(&deep), Err("the elements are nested too deep"));
        check(&format!("{}{}", "<a>".repeat(16), "</a>".repeat(16)), &[(&["a"; 16].join("/"), "")]);
    }

    #[test]
    fn one_path_is_one_text() {
        let leaves = Leaves::read("<a><b>1</b><c>2</c><c>3</c></a>").unwrap();
        assert_eq!(leaves.text(&["a", "b"]), Some("1"));
        assert_eq!(leaves.text(&["a", "c"]), None);
        assert_eq!(leaves.text(&["a"]), None);
        assert_eq!(leaves.text(&["b"]), None);
    }
}
