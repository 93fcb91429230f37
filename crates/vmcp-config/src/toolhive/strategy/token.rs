//! `tokenExchange`, `clientCredentials` and `upstreamInject`.

use super::client::{self, CLIENT};
use super::value;
use crate::field::{Field, Fields};
use crate::model::{ActorToken, ClientCredentials, OutgoingAuth, TokenExchange, UpstreamInject};
use crate::reading::Reading;
use crate::secret::{self, Found, SecretKeys};

const ACTOR: SecretKeys =
    SecretKeys { text: "actorToken", env: "actorTokenEnv", file: "actorTokenFile" };

pub(super) fn exchange(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`tokenExchange`", &mut cx.report)?;
    let token_url = fields.require("tokenUrl", &mut cx.report);
    let token_url = token_url.and_then(|field| value::secure_url(field, false, cx));
    let client = client::read(&mut fields, &CLIENT, cx);
    let audience = value::get(&mut fields, "audience", cx);
    let resources = value::resources(&mut fields, cx);
    let scopes = value::scopes(&mut fields, cx);
    let subject = fields.get("subjectTokenType").map(|field| value::token_type(field, cx));
    let requested = fields.get("requestedTokenType").map(|field| value::token_type(field, cx));
    let subject_provider = value::get(&mut fields, "subjectProviderName", cx);
    let actor = actor(&mut fields, cx);
    fields.finish(&mut cx.report);
    Some(OutgoingAuth::TokenExchange(TokenExchange {
        token_url: token_url?,
        client: client.optional()?,
        audience,
        resources,
        scopes,
        subject_token_type: subject.unwrap_or(Some(Default::default()))?,
        requested_token_type: value::optional(requested)?,
        subject_provider,
        actor: actor.optional()?,
    }))
}

fn actor(fields: &mut Fields<'_>, cx: &mut Reading<'_>) -> Found<ActorToken> {
    let kind_field = fields.get("actorTokenType");
    let kind = kind_field.map_or(Some(Default::default()), |field| value::token_type(field, cx));
    match (secret::read(fields, &ACTOR, cx), kind, kind_field) {
        (Found::Good(secret), Some(kind), _) => {
            Found::Good(ActorToken { token: secret.value, kind })
        }
        (Found::Absent, _, None) => Found::Absent,
        (Found::Absent, _, Some(field)) => {
            let message = format!("`{}` needs `{}`", field.key, ACTOR.text);
            cx.report.error(field.key_at, message);
            Found::Bad
        }
        _ => Found::Bad,
    }
}

pub(super) fn client_credentials(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`clientCredentials`", &mut cx.report)?;
    let token_url = fields.require("tokenUrl", &mut cx.report);
    let token_url = token_url.and_then(|field| value::secure_url(field, false, cx));
    let id = fields.require(CLIENT.id, &mut cx.report);
    let client = client::read(&mut fields, &CLIENT, cx).optional().flatten();
    let audience = value::get(&mut fields, "audience", cx);
    let resources = value::resources(&mut fields, cx);
    let scopes = value::scopes(&mut fields, cx);
    fields.finish(&mut cx.report);
    let client = client?;
    if let Some(message) = client::needs_proof(&client, &CLIENT) {
        cx.report
            .error(id?.key_at, message)
            .hint("or a key: `clientKeyFile`; who cannot prove its identity gets no token");
        return None;
    }
    let token_url = token_url?;
    Some(OutgoingAuth::ClientCredentials(ClientCredentials {
        token_url,
        client,
        audience,
        resources,
        scopes,
    }))
}

pub(super) fn upstream_inject(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`upstreamInject`", &mut cx.report)?;
    let provider = fields.require("providerName", &mut cx.report);
    let provider = provider.and_then(|field| value::text(field, cx));
    fields.finish(&mut cx.report);
    Some(OutgoingAuth::UpstreamInject(UpstreamInject { provider: provider? }))
}
