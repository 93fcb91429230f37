//! One outgoing strategy: a `type`, and a block of settings under the type's own key.

use crate::field::{Field, Fields};
use crate::model::OutgoingAuth;
use crate::reading::Reading;
use crate::report::Place;

mod aws_sts;
mod client;
mod header_injection;
mod oauth;
mod token;
mod value;
mod xaa;

pub(crate) use value::scopes_of;
pub(super) use value::{resource, secure_url, text};

/// The strategies, and the block in which each keeps its settings.
const STRATEGIES: [(&str, &str); 8] = [
    ("unauthenticated", ""),
    ("header_injection", "headerInjection"),
    ("token_exchange", "tokenExchange"),
    ("client_credentials", "clientCredentials"),
    ("upstream_inject", "upstreamInject"),
    ("aws_sts", "awsSts"),
    ("xaa", "xaa"),
    ("oauth", "oauth"),
];

/// A strategy, and where its type is named.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) auth: OutgoingAuth,
    pub(crate) at: Place,
}

/// Reads a strategy.
pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Rule> {
    let mut fields = field.fields("a strategy", &mut cx.report)?;
    let kind = fields.require("type", &mut cx.report);
    let block = kind.and_then(|kind| block(kind, &mut fields, cx));

    // Only the block of the chosen type may be there: another one is a setting without effect.
    let mut settings = None;
    for (word, name) in STRATEGIES.iter().filter(|(_, name)| !name.is_empty()) {
        let Some(found) = fields.get(name) else { continue };
        if block == Some(*name) {
            settings = Some(found);
        } else if let Some(kind) = kind.filter(|_| block.is_some()) {
            cx.report
                .error(found.key_at, format!("`{name}` has no effect here"))
                .hint(format!("it goes with `type: {word}`; see line {}", kind.at().line));
        }
    }
    let at = fields.at;
    if block.is_some() || kind.is_none() {
        fields.finish(&mut cx.report);
    }
    let auth = match (block?, settings) {
        ("", _) => Some(OutgoingAuth::Unauthenticated),
        // All that a login needs, the backend tells by itself.
        ("oauth", None) => Some(OutgoingAuth::OAuth(Default::default())),
        (name, None) => {
            cx.report.error(at, format!("a strategy of this type needs `{name}`"));
            None
        }
        (name, Some(settings)) => of_block(name, settings, cx),
    };
    Some(Rule { auth: auth?, at: kind.map_or(at, Field::at) })
}

/// The key of the settings of a type.
fn block(kind: Field<'_>, fields: &mut Fields<'_>, cx: &mut Reading<'_>) -> Option<&'static str> {
    let refused = match kind.text(&mut cx.report)? {
        // What its block says does not matter any more.
        "obo" => {
            fields.get("obo");
            Some((
                "`obo` needs an enterprise feature of ToolHive",
                "`token_exchange` trades the caller's token as well",
            ))
        }
        "passthrough" => Some((
            "`passthrough` is refused: a caller's token is issued for vmcp, and MCP forbids handing it on",
            "`token_exchange` trades it for one that is issued for the backend",
        )),
        _ => None,
    };
    if let Some((message, hint)) = refused {
        cx.report.error(kind.at(), message).hint(hint);
        return None;
    }
    kind.choice(&STRATEGIES, &mut cx.report)
}

fn of_block(name: &str, settings: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    match name {
        "headerInjection" => header_injection::read(settings, cx),
        "tokenExchange" => token::exchange(settings, cx),
        "clientCredentials" => token::client_credentials(settings, cx),
        "upstreamInject" => token::upstream_inject(settings, cx),
        "awsSts" => aws_sts::read(settings, cx),
        "xaa" => xaa::read(settings, cx),
        _ => oauth::read(settings, cx),
    }
}
