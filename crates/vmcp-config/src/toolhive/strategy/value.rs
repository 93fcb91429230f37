//! Values that several strategies have: URLs, scopes, resources, types of tokens.

use url::Url;

use crate::endpoint;
use crate::field::{Field, Fields};
use crate::model::{SafeUrl, TokenType};
use crate::nearest;
use crate::reading::Reading;
use crate::report::Place;
use crate::tree::Kind;

/// The registered types that go by a short name (RFC 8693 §3).
const TOKEN_TYPES: [&str; 7] =
    ["access_token", "id_token", "jwt", "refresh_token", "saml1", "saml2", "id-jag"];

/// What may be absent, but not wrong: `None` if it was.
pub(super) fn optional<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

/// A text with its variables filled in, never empty.
pub(in crate::toolhive) fn text(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    field.text(&mut cx.report)?;
    let text = cx.expand(field)?;
    if text.trim().is_empty() {
        cx.report.error(field.at(), format!("`{}` is empty", field.key));
        return None;
    }
    Some(text)
}

/// The text of `key`, if it is there.
pub(super) fn get(
    fields: &mut Fields<'_>,
    key: &'static str,
    cx: &mut Reading<'_>,
) -> Option<String> {
    fields.get(key).and_then(|field| text(field, cx))
}

/// A URL that secrets are sent to: HTTPS, or an address of this machine. `insecure` takes any.
pub(in crate::toolhive) fn secure_url(
    field: Field<'_>,
    insecure: bool,
    cx: &mut Reading<'_>,
) -> Option<SafeUrl> {
    endpoint::secure(endpoint::url(field, cx)?, field, insecure, cx)
}

/// `scopes`, as below.
pub(super) fn scopes(fields: &mut Fields<'_>, cx: &mut Reading<'_>) -> Vec<String> {
    fields.get("scopes").map(|field| scopes_of(field, cx)).unwrap_or_default()
}

/// A list of scopes, or one text with spaces in between, as it is sent.
pub(crate) fn scopes_of(field: Field<'_>, cx: &mut Reading<'_>) -> Vec<String> {
    let mut scopes: Vec<String> = Vec::new();
    let mut add = |scope: &str, at: Place, cx: &mut Reading<'_>| {
        if !is_scope(scope) {
            let error = cx.report.error(at, format!("`{scope}` is not a scope"));
            if scope.contains(' ') {
                error.hint("each item of the list is one scope");
            }
        } else if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    };
    if field.node.kind() == Kind::Text {
        let text = cx.expand(field).unwrap_or_default();
        for scope in text.split_ascii_whitespace() {
            add(scope, field.at(), cx);
        }
        return scopes;
    }
    for item in field.items(&mut cx.report) {
        if let Some(scope) = text(item, cx) {
            add(&scope, item.at(), cx);
        }
    }
    scopes
}

/// `scope-token` of RFC 6749 §3.3.
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| matches!(c, '!' | '#'..='[' | ']'..='~'))
}

/// `resources`: URIs of what a token is for.
pub(super) fn resources(fields: &mut Fields<'_>, cx: &mut Reading<'_>) -> Vec<String> {
    let Some(field) = fields.get("resources") else { return Vec::new() };
    let items = field.items(&mut cx.report);
    items.into_iter().filter_map(|item| resource(item, cx)).collect()
}

/// An absolute URI without a fragment (RFC 8707 §2), sent as it is spelled.
pub(in crate::toolhive) fn resource(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let text = text(field, cx)?;
    if Url::parse(&text).is_ok_and(|url| url.fragment().is_none()) {
        return Some(text);
    }
    cx.report
        .error(field.at(), format!("`{}` needs an absolute URI without `#`", field.key))
        .hint("such as https://example.com/mcp");
    None
}

/// A type by its short name or as a URI.
pub(super) fn token_type(field: Field<'_>, cx: &mut Reading<'_>) -> Option<TokenType> {
    let text = text(field, cx)?;
    if let Some(known) = TokenType::known(&text) {
        return Some(known);
    }
    if Url::parse(&text).is_ok() && !text.starts_with(TokenType::REGISTERED) {
        return Some(TokenType::Other(text.into()));
    }
    let word = text.strip_prefix(TokenType::REGISTERED).unwrap_or(&text);
    cx.report
        .error(field.at(), format!("`{}` cannot be `{text}`", field.key))
        .hint(nearest::hint(word, &TOKEN_TYPES));
    None
}
