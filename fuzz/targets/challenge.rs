//! `WWW-Authenticate`: what RFC 9110 says of every list of challenges that keeps to it, and bounded garbage
//! of every other one. A line is a field.

#![no_main]

use std::collections::BTreeMap;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use libfuzzer_sys::fuzz_target;
use vmcp_auth::Challenge;

/// What is kept at most, by the documentation.
const MAX_CHALLENGES: usize = 16;
/// Parameters that are kept of one challenge.
const MAX_PARAMETERS: usize = 32;

/// A challenge that keeps to the grammar. A parameter has several values when it stands there several times.
#[derive(Debug, Default)]
struct Strict {
    scheme: String,
    token: Option<String>,
    parameters: BTreeMap<String, Vec<String>>,
}

fuzz_target!(|bytes: &[u8]| {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let headers = headers(&lines);
    let read = Challenge::parse_all(&headers);
    assert!(read.len() <= MAX_CHALLENGES);
    for challenge in &read {
        assert!(challenge.is(challenge.scheme()) && !challenge.scheme().is_empty());
        assert_eq!(challenge.scheme(), challenge.scheme().to_ascii_lowercase());
        again(challenge);
    }
    let bearer = Challenge::bearer(&headers);
    assert_eq!(bearer.is_some(), read.iter().any(|challenge| challenge.is("Bearer")));
    assert!(bearer.is_none_or(|bearer| read.contains(&bearer)));
    if let Some(expected) = by_the_book(&lines) {
        alike(&read, &expected);
    }
});

fn headers(lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(WWW_AUTHENTICATE, value);
    }
    headers
}

/// What was read can be written so that it is read again.
fn again(challenge: &Challenge) {
    for name in ["realm", "scope", "error", "resource_metadata"] {
        let Some(value) = challenge.parameter(name) else { continue };
        let escaped: String = value
            .chars()
            .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
            .collect();
        let line = format!("{} {name}=\"{escaped}\"", challenge.scheme());
        if HeaderValue::from_bytes(line.as_bytes()).is_err() {
            continue;
        }
        let read = Challenge::parse_all(&headers(&[line.as_bytes()]));
        assert_eq!(read.len(), 1, "{line}");
        assert_eq!(read[0].parameter(name), Some(value), "{line}");
    }
}

fn alike(read: &[Challenge], expected: &[Strict]) {
    assert_eq!(read.len(), expected.len(), "{read:?}");
    for (read, expected) in read.iter().zip(expected) {
        assert_eq!(read.scheme(), expected.scheme);
        assert_eq!(read.token(), expected.token.as_deref());
        for (name, values) in &expected.parameters {
            let first = values.first();
            let one = values.iter().all(|value| Some(value) == first);
            assert_eq!(read.parameter(name), first.filter(|_| one).map(String::as_str), "{name}");
        }
    }
}

/// All lines as one list (RFC 9110 §5.3), if every element keeps to §11.3 and §11.6.1, and bounds do not matter.
fn by_the_book(lines: &[&[u8]]) -> Option<Vec<Strict>> {
    let mut all: Vec<Strict> = Vec::new();
    for line in lines {
        let line = std::str::from_utf8(line).ok()?;
        HeaderValue::from_str(line).ok().filter(|_| line.is_ascii())?;
        for element in elements(line)? {
            add(&mut all, element)?;
        }
    }
    let fits = all.iter().all(|one| one.parameters.len() <= MAX_PARAMETERS);
    (all.len() <= MAX_CHALLENGES && fits).then_some(all)
}

/// Splits at the commas outside of quoted strings; empty elements are none.
fn elements(line: &str) -> Option<Vec<&str>> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = line.split(|c| {
        let comma = c == ',' && !quoted;
        (quoted, escaped) = match c {
            _ if escaped => (quoted, false),
            '\\' if quoted => (quoted, true),
            '"' => (!quoted, false),
            _ => (quoted, false),
        };
        comma
    });
    let parts: Vec<&str> = parts.map(trim).filter(|part| !part.is_empty()).collect();
    (!quoted).then_some(parts)
}

/// A parameter of the challenge before, or the start of the next one.
fn add(all: &mut Vec<Strict>, element: &str) -> Option<()> {
    if let Some((name, value)) = parameter(element) {
        let last = all.last_mut().filter(|last| last.token.is_none())?;
        last.parameters.entry(name).or_default().push(value);
        return Some(());
    }
    let (scheme, rest) = element.split_once([' ', '\t']).unwrap_or((element, ""));
    let mut challenge = Strict { scheme: token(scheme)?.to_ascii_lowercase(), ..Strict::default() };
    let rest = trim(rest);
    if !rest.is_empty() {
        if let Some((name, value)) = parameter(rest) {
            challenge.parameters.insert(name, vec![value]);
        } else {
            challenge.token = Some(token68(rest)?.to_owned());
        }
    }
    all.push(challenge);
    Some(())
}

fn parameter(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (token(trim(name))?, trim(value));
    let value = match value.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => token(value)?.to_owned(),
    };
    Some((name.to_ascii_lowercase(), value))
}

/// The inside of a quoted string whose end is the end of the text.
fn unquote(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut letters = text.chars();
    loop {
        match letters.next()? {
            '"' => return letters.next().is_none().then_some(value),
            '\\' => value.push(letters.next()?),
            letter => value.push(letter),
        }
    }
}

fn token(text: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    (!text.is_empty() && text.chars().all(allowed)).then_some(text)
}

fn token68(text: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let word = text.trim_end_matches('=');
    (!word.is_empty() && word.chars().all(allowed)).then_some(text)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
