//! The part of a backend that both formats share: how it is reached, and what is sent along.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::field::{Field, Fields};
use crate::model::{ProcessScope, SafeUrl, Stdio, Transport};
use crate::reading::Reading;
use crate::report::{Place, Report};
use crate::secret;

/// What a file says about the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransportWord {
    Http,
    StreamableHttp,
    Sse,
    Stdio,
}

/// The keys that describe how a backend is reached, not yet checked against each other.
#[derive(Debug, Default)]
pub(crate) struct Endpoint<'t> {
    /// The key that names the transport, as it is called in this format.
    pub(crate) word_key: &'static str,
    pub(crate) word: Option<(TransportWord, Place)>,
    pub(crate) url: Option<Field<'t>>,
    pub(crate) command: Option<Field<'t>>,
    pub(crate) args: Option<Field<'t>>,
    pub(crate) env: Option<Field<'t>>,
    pub(crate) cwd: Option<Field<'t>>,
    pub(crate) process: Option<Field<'t>>,
    pub(crate) headers: Option<Field<'t>>,
}

const WORDS: [(&str, TransportWord); 7] = [
    ("stdio", TransportWord::Stdio),
    ("streamable-http", TransportWord::StreamableHttp),
    ("sse", TransportWord::Sse),
    ("http", TransportWord::Http),
    ("streamableHttp", TransportWord::StreamableHttp),
    ("streamable_http", TransportWord::StreamableHttp),
    ("local", TransportWord::Stdio),
];

/// Headers that are part of the transport itself; so is whatever begins with `mcp-`.
const OF_TRANSPORT: [&str; 6] =
    ["accept", "accept-encoding", "content-length", "content-type", "host", "last-event-id"];

/// Headers that tell of one hop only, and would lie on the next.
const OF_ONE_HOP: [&str; 15] = [
    "connection",
    "forwarded",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Reads the word for a transport.
pub(crate) fn transport_word(
    field: Field<'_>,
    report: &mut Report,
) -> Option<(TransportWord, Place)> {
    field.choice(&WORDS, report).map(|word| (word, field.at()))
}

// === impl Endpoint ===

impl<'t> Endpoint<'t> {
    /// Takes the keys that both formats call alike.
    pub(crate) fn shared(fields: &mut Fields<'t>) -> Self {
        Self {
            word_key: "",
            word: None,
            url: fields.get("url"),
            command: fields.get("command"),
            args: fields.get("args"),
            env: fields.get("env"),
            cwd: fields.get("cwd"),
            process: None,
            headers: fields.get("headers"),
        }
    }

    /// Checks the keys against each other and reads them.
    pub(crate) fn transport(
        &self,
        what: &str,
        at: Place,
        cx: &mut Reading<'_>,
    ) -> Option<Transport> {
        let stdio = match (self.word, self.url, self.command) {
            (Some((word, _)), _, _) => word == TransportWord::Stdio,
            (None, Some(_), Some(command)) => {
                let message = format!("{what} has both `url` and `command`");
                cx.report.error(command.key_at, message).hint("keep the one that is meant");
                return None;
            }
            (None, None, None) => {
                cx.report
                    .error(at, format!("{what} needs `url` or `command`"))
                    .hint("`url` of a server that runs, or `command` to start one");
                return None;
            }
            (None, _, command) => command.is_some(),
        };
        if stdio { self.stdio(what, at, cx).map(Transport::Stdio) } else { self.http(what, at, cx) }
    }

    /// Reads the headers; they only go with HTTP.
    pub(crate) fn headers(&self, cx: &mut Reading<'_>) -> Vec<(String, SecretString)> {
        let Some(field) = self.headers else { return Vec::new() };
        let mut headers: Vec<(String, SecretString)> = Vec::new();
        for member in field.members(&mut cx.report) {
            let name_is_fine = header_name(member.key, member.key_at, cx);
            if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(member.key)) {
                let message = format!("header `{}` is here a second time", member.key);
                cx.report
                    .error(member.key_at, message)
                    .hint("case does not matter in header names");
                continue;
            }
            let Some(value) = secret::value(member, cx) else { continue };
            if header_value(&value, member.key, member.at(), cx) && name_is_fine {
                headers.push((member.key.to_owned(), value));
            }
        }
        headers
    }

    fn http(&self, what: &str, at: Place, cx: &mut Reading<'_>) -> Option<Transport> {
        for (key, field) in self.of_processes() {
            self.misplaced(key, field, "only goes with a command to start", cx);
        }
        let Some(field) = self.url else {
            cx.report.error(at, format!("{what} needs `url`"));
            return None;
        };
        let url = SafeUrl::from(url(field, cx)?);
        Some(match self.word.map(|(word, _)| word) {
            Some(TransportWord::StreamableHttp) => Transport::StreamableHttp { url },
            Some(TransportWord::Sse) => Transport::Sse { url },
            _ => Transport::Http { url },
        })
    }

    fn stdio(&self, what: &str, at: Place, cx: &mut Reading<'_>) -> Option<Stdio> {
        for (key, field) in [("url", self.url), ("headers", self.headers)] {
            self.misplaced(key, field, "only goes with HTTP", cx);
        }
        let args = self.args.map(|field| list(field, cx)).unwrap_or_default();
        let env = self.env.map(|field| environment(field, cx)).unwrap_or_default();
        let cwd = self.cwd.and_then(|field| cx.expand(field)).map(PathBuf::from);
        let scopes = [("shared", ProcessScope::Shared), ("session", ProcessScope::PerSession)];
        let process = self.process.and_then(|field| field.choice(&scopes, &mut cx.report));
        let Some(command) = self.command else {
            cx.report.error(at, format!("{what} needs `command`"));
            return None;
        };
        command.text(&mut cx.report)?;
        let command = cx.expand(command)?;
        Some(Stdio { command, args, env, cwd, process: process.unwrap_or_default() })
    }

    fn of_processes(&self) -> [(&'static str, Option<Field<'t>>); 5] {
        [
            ("command", self.command),
            ("args", self.args),
            ("env", self.env),
            ("cwd", self.cwd),
            ("process", self.process),
        ]
    }

    fn misplaced(&self, key: &str, field: Option<Field<'t>>, why: &str, cx: &mut Reading<'_>) {
        let Some(field) = field else { return };
        let error = cx.report.error(field.key_at, format!("`{key}` {why}"));
        if let Some((_, at)) = self.word {
            error.hint(format!("the `{}` is set in line {}", self.word_key, at.line));
        }
    }
}

/// A list of arguments.
fn list(field: Field<'_>, cx: &mut Reading<'_>) -> Vec<String> {
    let items = field.items(&mut cx.report);
    items.into_iter().filter_map(|item| cx.expand(item)).collect()
}

fn environment(field: Field<'_>, cx: &mut Reading<'_>) -> Vec<(String, SecretString)> {
    let mut variables = Vec::new();
    for member in field.members(&mut cx.report) {
        if member.key.is_empty() || member.key.contains(['=', '\0']) {
            cx.report
                .error(member.key_at, format!("`{}` cannot name a variable", member.key))
                .hint("`env` maps names to values");
            continue;
        }
        if let Some(value) = cx.expand_secret(member) {
            variables.push((member.key.to_owned(), value));
        }
    }
    variables
}

/// A URL of http or https. The text of a bad one is not repeated: it may hold a secret.
pub(crate) fn url(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Url> {
    field.text(&mut cx.report)?;
    let text = cx.expand(field)?;
    let problem = match Url::parse(&text) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            format!("`{}` must start with http:// or https://", field.key)
        }
        Ok(url) => {
            if url.fragment().is_some() {
                cx.report.warning(field.at(), "a fragment (`#…`) is never sent to a server");
            }
            return Some(url);
        }
        Err(error) => format!("`{}` is not a URL: {error}", field.key),
    };
    cx.report.error(field.at(), problem).hint("such as https://example.com/mcp");
    None
}

/// Takes a URL that secrets are sent to: HTTPS, or an address of this machine. `insecure` takes any.
pub(crate) fn secure(
    url: Url,
    field: Field<'_>,
    insecure: bool,
    cx: &mut Reading<'_>,
) -> Option<SafeUrl> {
    if url.scheme() != "https" && !is_loopback(&url) && !insecure {
        cx.report
            .error(field.at(), format!("`{}` must start with https://", field.key))
            .hint("secrets are sent there; http:// is for loopback addresses only");
        return None;
    }
    if !url.username().is_empty() || url.password().is_some() {
        cx.report.error(field.at(), format!("`{}` must not hold a user or a password", field.key));
        return None;
    }
    Some(SafeUrl::from(url))
}

/// Whether a URL leads to this machine by its own words.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether `name` may be the name of a header that the user sets.
pub(crate) fn header_name(name: &str, at: Place, cx: &mut Reading<'_>) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        cx.report.error(at, format!("`{name}` is not a header name"));
        return false;
    }
    let lower = name.to_ascii_lowercase();
    if OF_TRANSPORT.contains(&lower.as_str()) || lower.starts_with("mcp-") {
        cx.report.error(at, format!("header `{name}` is set by vmcp itself"));
        return false;
    }
    if OF_ONE_HOP.contains(&lower.as_str()) {
        cx.report.error(at, format!("header `{name}` is about one connection and never sent on"));
        return false;
    }
    true
}

/// Whether `value` may be sent; it is never shown.
pub(crate) fn header_value(
    value: &SecretString,
    key: &str,
    at: Place,
    cx: &mut Reading<'_>,
) -> bool {
    let fine = value.expose_secret().chars().all(|c| c == '\t' || (c >= ' ' && c != '\u{7f}'));
    if !fine {
        cx.report
            .error(at, format!("the value of `{key}` has a line break or a control character"))
            .hint("a header is one line; look for a trailing line break in the variable");
    }
    fine
}

/// An absolute path.
pub(crate) fn absolute_path(field: Field<'_>, cx: &mut Reading<'_>) -> Option<PathBuf> {
    field.text(&mut cx.report)?;
    let text = cx.expand(field)?;
    if Path::new(&text).is_absolute() && !text.split('/').any(|part| part == "..") {
        return Some(PathBuf::from(text));
    }
    cx.report.error(field.at(), format!("`{}` must be an absolute path without `..`", field.key));
    None
}
