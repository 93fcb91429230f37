//! `xaa`.

use super::client::{self, ClientKeys, IDP, TARGET};
use super::value;
use crate::field::{Field, Fields};
use crate::model::{OAuthClient, OutgoingAuth, TokenType, Xaa};
use crate::reading::Reading;

pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`xaa`", &mut cx.report)?;
    let insecure = fields.get("insecureTargetTokenUrl");
    let insecure_target = insecure.and_then(|field| field.bool(&mut cx.report)).unwrap_or_default();
    let idp_token_url = fields.require("idpTokenUrl", &mut cx.report);
    let idp_token_url = idp_token_url.and_then(|field| value::secure_url(field, false, cx));
    let target_token_url = fields.require("targetTokenUrl", &mut cx.report);
    let target_token_url =
        target_token_url.and_then(|field| value::secure_url(field, insecure_target, cx));
    let idp_client = client(&mut fields, &IDP, cx);
    let target_client = client(&mut fields, &TARGET, cx);
    let target_audience = fields.require("targetAudience", &mut cx.report);
    let target_audience = target_audience.and_then(|field| value::text(field, cx));
    let target_resource = fields.get("targetResource").map(|field| value::resource(field, cx));
    let scopes = value::scopes(&mut fields, cx);
    let subject_provider = value::get(&mut fields, "subjectProviderName", cx);
    let kind = fields.get("subjectTokenType").map(|field| subject_token_type(field, cx));
    fields.finish(&mut cx.report);
    Some(OutgoingAuth::Xaa(Xaa {
        idp_token_url: idp_token_url?,
        idp_client: idp_client?,
        target_token_url: target_token_url?,
        target_client: target_client?,
        target_audience: target_audience?,
        target_resource: value::optional(target_resource)?,
        scopes,
        subject_provider,
        subject_token_type: kind.unwrap_or(Some(TokenType::IdToken))?,
        insecure_target,
    }))
}

/// As in ToolHive, an id without anything that proves it is a mistake unless it is said to be none.
fn client(
    fields: &mut Fields<'_>,
    keys: &ClientKeys,
    cx: &mut Reading<'_>,
) -> Option<Option<OAuthClient>> {
    let id = fields.get(keys.id);
    let is_public = fields.get(keys.method).is_some();
    let client = client::read(fields, keys, cx).optional()?;
    if let (Some(client), Some(id)) = (&client, id)
        && let Some(message) = client::needs_proof(client, keys).filter(|_| !is_public)
    {
        let hint = format!("a public client says so: `{}: none`", keys.method);
        cx.report.error(id.key_at, message).hint(hint);
        return None;
    }
    Some(client)
}

fn subject_token_type(field: Field<'_>, cx: &mut Reading<'_>) -> Option<TokenType> {
    let kind = value::token_type(field, cx)?;
    if kind != TokenType::IdToken {
        cx.report
            .error(field.at(), "`subjectTokenType` of `xaa` can only be `id_token`")
            .hint("an issuer makes the grant of an ID token");
        return None;
    }
    Some(kind)
}
