//! `awsSts`.

use std::time::Duration;

use super::value;
use crate::field::{Field, Fields};
use crate::model::{AwsSts, OutgoingAuth, RoleMapping};
use crate::reading::Reading;
use crate::tree::{Kind, Value};

/// What AWS allows (`DurationSeconds` of `AssumeRoleWithWebIdentity`).
const SESSION: std::ops::RangeInclusive<u64> = 900..=43_200;

pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`awsSts`", &mut cx.report)?;
    let region = fields.require("region", &mut cx.report);
    let region = region.and_then(|field| label(field, "such as us-east-1", cx));
    let service = match fields.get("service") {
        Some(field) => label(field, "such as aws-mcp", cx),
        None => Some("aws-mcp".to_owned()),
    };
    let fallback = fields.get("fallbackRoleArn").map(|field| role_arn(field, cx));
    let mappings = fields.get("roleMappings");
    let role_mappings = mappings.map(|field| role_mappings(field, cx)).unwrap_or_default();
    if fallback.is_none() && mappings.is_none() {
        cx.report
            .error(fields.at, "`awsSts` needs `fallbackRoleArn` or `roleMappings`")
            .hint("the role that vmcp takes on for a caller");
    }
    let role_claim = value::get(&mut fields, "roleClaim", cx);
    let session = match fields.get("sessionDuration") {
        Some(field) => session_duration(field, cx),
        None => Some(Duration::from_secs(3600)),
    };
    let session_name_claim = value::get(&mut fields, "sessionNameClaim", cx);
    let subject_provider = value::get(&mut fields, "subjectProviderName", cx);
    let sts_url = fields.get("stsUrl").map(|field| value::secure_url(field, false, cx));
    fields.finish(&mut cx.report);
    Some(OutgoingAuth::AwsSts(AwsSts {
        region: region?,
        service: service?,
        fallback_role_arn: value::optional(fallback)?,
        role_mappings,
        role_claim: role_claim.unwrap_or_else(|| "groups".to_owned()),
        session_duration: session?,
        session_name_claim: session_name_claim.unwrap_or_else(|| "sub".to_owned()),
        subject_provider,
        sts_url: value::optional(sts_url)?,
    }))
}

/// Part of a host name and of a signature's scope.
fn label(field: Field<'_>, such_as: &str, cx: &mut Reading<'_>) -> Option<String> {
    let text = value::text(field, cx)?;
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.len() > 63 || !text.chars().all(fine) || text.starts_with('-') || text.ends_with('-') {
        cx.report
            .error(field.at(), format!("`{}` has small letters, digits and `-` only", field.key))
            .hint(such_as);
        return None;
    }
    Some(text)
}

/// `arn:PARTITION:iam::ACCOUNT:role/NAME`.
fn role_arn(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let text = value::text(field, cx)?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let fine = match parts[..] {
        ["arn", partition, "iam", "", account, resource] => {
            let name = resource.strip_prefix("role/").unwrap_or_default();
            let of_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
            partition.starts_with("aws")
                && account.len() == 12
                && account.chars().all(|c| c.is_ascii_digit())
                && !name.is_empty()
                && name.chars().all(of_name)
        }
        _ => false,
    };
    if !fine {
        cx.report
            .error(field.at(), format!("`{}` is not the ARN of a role", field.key))
            .hint("such as arn:aws:iam::123456789012:role/reader");
        return None;
    }
    Some(text)
}

fn role_mappings(field: Field<'_>, cx: &mut Reading<'_>) -> Vec<RoleMapping> {
    let items = field.items(&mut cx.report);
    if items.is_empty() && field.node.kind() == Kind::Seq {
        cx.report.error(field.at(), "`roleMappings` is empty");
    }
    items.into_iter().filter_map(|item| role_mapping(item, cx)).collect()
}

fn role_mapping(item: Field<'_>, cx: &mut Reading<'_>) -> Option<RoleMapping> {
    let mut fields = item.fields("an entry of `roleMappings`", &mut cx.report)?;
    let (claim_field, matcher_field) = (fields.get("claim"), fields.get("matcher"));
    let claim = claim_field.and_then(|field| value::text(field, cx));
    // An expression has its own use for `$`, `{` and `}`: they are left as they are.
    let matcher = matcher_field.and_then(|field| field.text(&mut cx.report)).map(str::to_owned);
    match (claim_field, matcher_field) {
        (Some(_), Some(second)) => {
            cx.report.error(second.key_at, "`claim` and `matcher` exclude each other");
        }
        (None, Some(matcher)) => {
            cx.report
                .not_yet(matcher.key_at, "awsSts.roleMappings.matcher")
                .hint("`claim` compares the claim that `roleClaim` names");
        }
        (None, None) => {
            cx.report
                .error(fields.at, "an entry of `roleMappings` needs `claim`")
                .hint("a role for everybody is `fallbackRoleArn`");
        }
        _ => {}
    }
    let arn = fields.require("roleArn", &mut cx.report);
    let role_arn = arn.and_then(|field| role_arn(field, cx));
    let priority = priority(&mut fields, cx);
    fields.finish(&mut cx.report);
    Some(RoleMapping { claim, matcher, role_arn: role_arn?, priority })
}

fn priority(fields: &mut Fields<'_>, cx: &mut Reading<'_>) -> Option<i64> {
    let field = fields.get("priority")?;
    let number = number(field).and_then(|text| text.parse().ok());
    if number.is_none() {
        field.wrong("a whole number", &mut cx.report);
    }
    number
}

/// Seconds, as in ToolHive, or a duration.
fn session_duration(field: Field<'_>, cx: &mut Reading<'_>) -> Option<Duration> {
    let duration = match number(field) {
        Some(text) => text.parse().ok().map(Duration::from_secs),
        None => Some(field.duration(&mut cx.report)?),
    };
    let fine = duration.filter(|duration| SESSION.contains(&duration.as_secs()));
    if fine.is_none() {
        cx.report
            .error(field.at(), "`sessionDuration` must be from 15m to 12h")
            .hint("a duration, or a number of seconds from 900 to 43200");
    }
    fine
}

fn number(field: Field<'_>) -> Option<&str> {
    match &field.node.value {
        Value::Scalar { text, .. } if field.node.kind() == Kind::Number => Some(text),
        _ => None,
    }
}
