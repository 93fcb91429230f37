//! `oauth`.

use super::client::{self, CLIENT};
use super::value;
use crate::field::Field;
use crate::model::{OAuth, OutgoingAuth, SafeUrl};
use crate::reading::Reading;

pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`oauth`", &mut cx.report)?;
    let metadata = fields.get("clientMetadataUrl");
    let client_metadata_url = metadata.map(|field| metadata_url(field, cx));
    let id = fields.get(CLIENT.id);
    let client = client::read(&mut fields, &CLIENT, cx);
    let twice = id.zip(metadata);
    if let Some((id, metadata)) = twice {
        let message = format!("`{}` and `{}` exclude each other", id.key, metadata.key);
        cx.report.error(metadata.key_at, message).hint("the URL is the client's id");
    }
    let scopes = value::scopes(&mut fields, cx);
    let callback_port = fields.get("callbackPort").map(|field| field.port(&mut cx.report));
    let issuer = fields.get("issuer").map(|field| issuer(field, cx));
    let passive = fields.get("passive").and_then(|field| field.bool(&mut cx.report));
    fields.finish(&mut cx.report);
    if twice.is_some() {
        return None;
    }
    Some(OutgoingAuth::OAuth(OAuth {
        client: client.optional()?,
        client_metadata_url: value::optional(client_metadata_url)?,
        scopes,
        callback_port: value::optional(callback_port)?,
        issuer: value::optional(issuer)?,
        passive: passive.unwrap_or_default(),
    }))
}

/// A client id that is a URL has a path, and nothing that could be spelled in two ways.
fn metadata_url(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SafeUrl> {
    let url = value::secure_url(field, false, cx)?;
    let parsed = url.as_url();
    if parsed.path() == "/" || parsed.query().is_some() || parsed.fragment().is_some() {
        cx.report
            .error(field.at(), "`clientMetadataUrl` needs a path and has no `?` or `#`")
            .hint("such as https://example.com/vmcp-client.json");
        return None;
    }
    Some(url)
}

/// RFC 8414 §2.
fn issuer(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SafeUrl> {
    let url = value::secure_url(field, false, cx)?;
    if url.as_url().query().is_some() || url.as_url().fragment().is_some() {
        cx.report.error(field.at(), "`issuer` has no `?` or `#`");
        return None;
    }
    Some(url)
}
