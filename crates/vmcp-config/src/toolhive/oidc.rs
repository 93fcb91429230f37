//! `incomingAuth.oidc`: which tokens are good for vmcp.

use super::later;
use super::strategy::{resource, scopes_of, secure_url, text};
use crate::endpoint;
use crate::field::{Field, Fields};
use crate::model::{Oidc, SafeUrl};
use crate::reading::Reading;

/// Reads the map; `None` if it cannot be used, which is reported.
pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Oidc> {
    let mut fields = field.fields("`oidc`", &mut cx.report)?;
    let insecure = flag(&mut fields, "insecureAllowHttp", cx).unwrap_or_default();
    let issuer =
        fields.require("issuer", &mut cx.report).and_then(|field| issuer(field, insecure, cx));
    let audience = fields.require("audience", &mut cx.report).and_then(|field| text(field, cx));
    let mut oidc =
        Oidc::new(issuer.clone().unwrap_or_default(), audience.clone().unwrap_or_default());
    oidc.insecure_http = insecure;
    oidc.private = flag(&mut fields, "jwksAllowPrivateIp", cx);
    if let Some(field) = fields.get("resource") {
        oidc.resource = resource(field, cx);
    }
    if let Some(field) = fields.get("jwksUrl") {
        oidc.jwks_url = secure_url(field, insecure, cx);
    }
    if let Some(field) = fields.get("scopes") {
        oidc.scopes = scopes_of(field, cx);
    }
    if let Some(field) = fields.get("requiredScopes") {
        oidc.required_scopes = scopes_of(field, cx);
    }
    if let Some(field) = fields.get("clockSkew") {
        oidc.clock_skew = clock_skew(field, cx).unwrap_or(Oidc::CLOCK_SKEW);
    }
    if let Some(field) = fields.get("caBundlePath") {
        oidc.trust = certificates(field, cx);
    }
    later::refuse_in(&mut fields, "incomingAuth.oidc", later::OIDC, cx);
    fields.finish(&mut cx.report);
    (issuer.is_some() && audience.is_some()).then_some(oidc)
}

fn flag(fields: &mut Fields<'_>, key: &'static str, cx: &mut Reading<'_>) -> Option<bool> {
    fields.get(key).and_then(|field| field.bool(&mut cx.report))
}

/// An issuer identifier, as it is spelled: tokens name it exactly so (RFC 8414 §2).
fn issuer(field: Field<'_>, insecure: bool, cx: &mut Reading<'_>) -> Option<String> {
    let spelled = text(field, cx)?;
    let url: SafeUrl = endpoint::secure(endpoint::url(field, cx)?, field, insecure, cx)?;
    if url.as_url().query().is_some() || url.as_url().fragment().is_some() {
        cx.report.error(field.at(), "`issuer` must have neither a query nor a fragment");
        return None;
    }
    Some(spelled)
}

fn clock_skew(field: Field<'_>, cx: &mut Reading<'_>) -> Option<std::time::Duration> {
    let skew = field.duration(&mut cx.report)?;
    if skew > Oidc::MAX_CLOCK_SKEW {
        cx.report
            .error(field.at(), "`clockSkew` is more than 5m")
            .hint("an expired token is good for so long");
        return None;
    }
    Some(skew)
}

fn certificates(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let path = endpoint::absolute_path(field, cx)?;
    match cx.file(&path) {
        Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => Some(pem),
        Ok(_) => {
            cx.report.error(field.at(), "`caBundlePath` leads to a file without a certificate");
            None
        }
        Err(error) => {
            cx.report.error(field.at(), format!("`caBundlePath` cannot be read: {error}"));
            None
        }
    }
}
