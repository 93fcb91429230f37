//! Strategies that make JSON *text*: odd spellings, odd whitespace, any order of keys.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use proptest::{prop_oneof, test_runner::Config};

/// How many cases a property is tried with.
pub(crate) fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Whitespace, mostly none.
pub(crate) fn space() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => vec(select(vec![' ', '\n', '\r', '\t']), 1..4).prop_map(String::from_iter),
    ]
}

/// A number in any spelling.
pub(crate) fn number() -> impl Strategy<Value = String> {
    let odd = vec![
        "0",
        "-0",
        "1.0",
        "1e400",
        "-1E+07",
        "9223372036854775808",
        "18446744073709551616",
        "0.1e-999999999999",
        "123456789012345678901234567890",
        "1.000000000000000000000001",
    ];
    let made = (any::<bool>(), any::<u32>(), vec(0..10u8, 0..4), any::<Option<i16>>()).prop_map(
        |(minus, whole, fraction, exponent)| {
            let mut text = format!("{}{whole}", if minus { "-" } else { "" });
            if !fraction.is_empty() {
                text.push('.');
                text.extend(fraction.iter().map(|digit| char::from(b'0' + digit)));
            }
            if let Some(exponent) = exponent {
                text.push_str(&format!("e{exponent}"));
            }
            text
        },
    );
    prop_oneof![select(odd).prop_map(str::to_owned), made]
}

/// The inside of a string: plain characters of any width and every kind of escape.
fn text() -> impl Strategy<Value = String> {
    let escapes = vec![r#"\""#, r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\u0000"];
    let piece = prop_oneof![
        4 => any::<char>().prop_map(|letter| match letter {
            '"' | '\\' | '\0'..='\u{1f}' => 'x'.to_string(),
            plain => plain.to_string(),
        }),
        2 => select(vec!["plain ASCII text of some length ", "x", "é", "€", "😀", "{\u{7f}}[,]:"])
            .prop_map(str::to_owned),
        1 => select(escapes).prop_map(str::to_owned),
        // Any code unit, lone surrogates included.
        1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
        1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04X}")),
    ];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// A string token.
pub(crate) fn string() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("\"{text}\""))
}

/// Any JSON value.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let literal = select(vec!["null", "true", "false", "{}", "[]"]).prop_map(str::to_owned);
    let leaf = prop_oneof![1 => literal, 2 => number(), 2 => string()];
    leaf.prop_recursive(5, 48, 6, |inner| {
        let elements = vec(padded(inner.clone()), 0..6)
            .prop_map(|elements| format!("[{}]", elements.join(",")));
        prop_oneof![elements, object_of(string(), inner)]
    })
}

/// An object with any keys.
pub(crate) fn object() -> impl Strategy<Value = String> {
    object_of(string(), value())
}

/// An object with keys and values of given kinds.
fn object_of(
    key: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (vec(member(key, value), 0..6), space()).prop_map(|(members, space)| {
        format!("{{{}{space}}}", members.join(",")).replace("{ }", "{}")
    })
}

/// `key : value`, with whitespace everywhere it may be.
pub(crate) fn member(
    key: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (padded(key), padded(value)).prop_map(|(key, value)| format!("{key}:{value}"))
}

/// Whitespace on both sides.
pub(crate) fn padded(token: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (space(), token, space()).prop_map(|(before, token, after)| format!("{before}{token}{after}"))
}

/// A token of an id.
pub(crate) fn id() -> impl Strategy<Value = String> {
    let odd = vec!["1", "1.0", "-0", "1e3", "9223372036854775808", "\"\"", "\"\\u0031\"", "15e-0"];
    prop_oneof![
        2 => select(odd).prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|id| id.to_string()),
        2 => string(),
    ]
}

/// A key, in its own spelling or with some letters escaped.
pub(crate) fn spelled(key: &'static str) -> impl Strategy<Value = String> {
    let plain = Just(format!("\"{key}\""));
    let escaped = vec(any::<bool>(), key.len()).prop_map(move |escape| {
        let letters = key.bytes().zip(escape).map(|(letter, escape)| match escape {
            true => format!("\\u{letter:04x}"),
            false => char::from(letter).to_string(),
        });
        format!("\"{}\"", letters.collect::<String>())
    });
    prop_oneof![3 => plain, 1 => escaped]
}

/// A message, cut at its id: what stands before it, the id itself, what stands behind.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) before: String,
    pub(crate) id: String,
    pub(crate) after: String,
    pub(crate) kind: vmcp_wire::Kind,
    /// The params, result or error.
    pub(crate) body: String,
}

impl Parts {
    pub(crate) fn text(&self) -> String {
        self.with_id(&self.id)
    }

    pub(crate) fn with_id(&self, id: &str) -> String {
        format!("{}{id}{}", self.before, self.after)
    }
}

/// A message with an id, unknown members, any order and any spelling.
pub(crate) fn message() -> impl Strategy<Value = Parts> {
    use vmcp_wire::Kind::{Failure, Request, Success};
    let kind = (
        select(vec![Request, Success, Failure]),
        (spelled("params"), spelled("result"), spelled("error")),
    )
        .prop_map(|(kind, (params, result, error))| match kind {
            Request => (kind, params),
            Success => (kind, result),
            _ => (kind, error),
        });
    // The id's place is marked by a byte that JSON text cannot contain.
    let hole = member(spelled("id"), Just("\u{1}".to_owned()));
    let version = member(spelled("jsonrpc"), Just("\"2.0\"".to_owned()));
    let method = member(spelled("method"), Just("\"tools\\/call\"".to_owned()));
    let unknown = vec(member(string().prop_map(|key| format!("\"~{}", &key[1..])), value()), 0..4);
    let body = (value(), space(), space());
    let around = (space(), space());
    (kind, id(), body, unknown, hole, version, method, around, any::<u64>()).prop_map(
        |(
            (kind, key),
            id,
            (body, before, after),
            mut members,
            hole,
            version,
            method,
            around,
            seed,
        )| {
            members.extend([hole, version, format!("{key}:{before}{body}{after}")]);
            if kind == Request {
                members.push(method);
            }
            shuffle(&mut members, seed);
            let text = format!("{}{{{}}}{}", around.0, members.join(","), around.1);
            let (before, after) = text.split_once('\u{1}').unwrap();
            Parts { before: before.to_owned(), id, after: after.to_owned(), kind, body }
        },
    )
}

fn shuffle<T>(list: &mut [T], mut seed: u64) {
    for at in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        list.swap(at, (seed >> 33) as usize % (at + 1));
    }
}

/// Cuts bytes into chunks of the given sizes, over and over.
pub(crate) fn chunks(bytes: &[u8], sizes: &[usize]) -> Vec<bytes::Bytes> {
    let mut chunks = Vec::new();
    let mut rest = bytes;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*size).clamp(1, rest.len()));
        chunks.push(bytes::Bytes::copy_from_slice(now));
        rest = later;
    }
    chunks
}

/// Sizes for [`chunks`], single bytes likely.
pub(crate) fn sizes() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![2 => 1..4usize, 1 => 1..80usize], 1..12)
}

/// A change to bytes that probably breaks them.
#[derive(Debug, Clone)]
pub(crate) enum Damage {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
}

impl Damage {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: &usize| at % bytes.len().max(1);
        match self {
            _ if bytes.is_empty() => {}
            Self::Set(at, byte) => {
                let at = place(at);
                bytes[at] = *byte;
            }
            Self::Insert(at, byte) => bytes.insert(place(at), *byte),
            Self::Remove(at) => {
                bytes.remove(place(at));
            }
            Self::Cut(at) => bytes.truncate(place(at)),
        }
    }
}

/// Damage, with bytes that mean something in JSON or UTF-8.
pub(crate) fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let byte = || {
        prop_oneof![
            3 => select(b"{}[],:\"\\ 0123456789-+.eEutfnabr/\n\x0b\x0c\x00".to_vec()),
            1 => select(b"\x80\xbf\xc0\xc2\xe0\xed\xa0\xf0\xf4\xf5\xff\x1f\x7f".to_vec()),
        ]
    };
    let one = prop_oneof![
        3 => (any::<usize>(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        3 => (any::<usize>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        2 => any::<usize>().prop_map(Damage::Remove),
        1 => any::<usize>().prop_map(Damage::Cut),
    ];
    vec(one, 0..4)
}
