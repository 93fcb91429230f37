//! `${VAR}`, `${VAR:-default}`, `${env:VAR}` in values, and `$${` for a literal `${`.

/// A part of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    Text(&'t str),
    /// `$${`: the characters `${`.
    Escaped,
    /// A variable of the environment.
    Variable {
        name: &'t str,
        default: Option<&'t str>,
    },
    /// What stands between the braces is no variable of the environment, such as `input:token`.
    Other(&'t str),
}

/// A part, and the byte where it starts.
pub(crate) type Located<'t> = (usize, Part<'t>);

/// Takes a value apart.
pub(crate) fn parts(text: &str) -> Vec<Located<'_>> {
    let mut parts = Vec::new();
    let mut done = 0;
    while let Some(found) = text[done..].find("${").map(|found| found + done) {
        let Some(end) = text[found..].find('}').map(|end| end + found) else { break };
        if text[..found].ends_with('$') && found > done {
            // `$${`: everything before the second dollar, then the brace as text.
            parts.push((done, Part::Text(&text[done..found - 1])));
            parts.push((found, Part::Escaped));
            done = found + 2;
            continue;
        }
        if found > done {
            parts.push((done, Part::Text(&text[done..found])));
        }
        parts.push((found, reference(&text[found + 2..end])));
        done = end + 1;
    }
    if done < text.len() {
        parts.push((done, Part::Text(&text[done..])));
    }
    parts
}

fn reference(inner: &str) -> Part<'_> {
    let name = inner.strip_prefix("env:").unwrap_or(inner);
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    if is_variable_name(name) { Part::Variable { name, default } } else { Part::Other(inner) }
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::Part::{Escaped, Other, Text, Variable};
    use super::{Part, parts};

    #[test]
    fn takes_values_apart() {
        let check = |text, wanted: &[Part<'_>]| {
            let found: Vec<Part<'_>> = parts(text).into_iter().map(|(_, part)| part).collect();
            assert_eq!(found, wanted, "{text}");
        };
        check("plain $HOME", &[Text("plain $HOME")]);
        check("${A}", &[Variable { name: "A", default: None }]);
        check("${env:A}", &[Variable { name: "A", default: None }]);
        check("${A:-x y}", &[Variable { name: "A", default: Some("x y") }]);
        check("${A:-}", &[Variable { name: "A", default: Some("") }]);
        check("a${A}b", &[Text("a"), Variable { name: "A", default: None }, Text("b")]);
        check("${input:token}", &[Other("input:token")]);
        check("${1}", &[Other("1")]);
        check("a$${A}", &[Text("a"), Escaped, Text("A}")]);
        check("$${A}", &[Text(""), Escaped, Text("A}")]);
        check("open ${A", &[Text("open ${A")]);
    }
}
