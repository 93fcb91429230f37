//! `headerInjection`.

use secrecy::{ExposeSecret, SecretString};

use crate::endpoint::{header_name, header_value};
use crate::field::{Field, Fields};
use crate::model::{HeaderInjection, OutgoingAuth};
use crate::reading::Reading;
use crate::secret::{self, Found, Secret, SecretKeys};

const VALUE: SecretKeys =
    SecretKeys { text: "headerValue", env: "headerValueEnv", file: "headerValueFile" };

pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<OutgoingAuth> {
    let mut fields = field.fields("`headerInjection`", &mut cx.report)?;
    let name_field = fields.require("headerName", &mut cx.report);
    let name = name_field
        .and_then(|field| field.text(&mut cx.report).map(|name| (name, field.at())))
        .filter(|(name, at)| header_name(name, *at, cx));
    let value = value(&mut fields, cx);
    fields.finish(&mut cx.report);
    let Secret { field, value } = value?;
    let fine = header_value(&value, field.key, field.at(), cx);
    let (name, _) = name?;
    fine.then(|| OutgoingAuth::HeaderInjection(HeaderInjection { name: name.to_owned(), value }))
}

fn value<'t>(fields: &mut Fields<'t>, cx: &mut Reading<'_>) -> Option<Secret<'t>> {
    match secret::read_with(fields, &VALUE, literal, cx) {
        Found::Good(secret) => Some(secret),
        Found::Bad => None,
        Found::Absent => {
            let message =
                "`headerInjection` needs `headerValue`, `headerValueEnv` or `headerValueFile`";
            cx.report
                .error(fields.at, message)
                .hint("`headerValueEnv` names a variable and keeps the secret out of the file");
            None
        }
    }
}

/// In ToolHive this value is literal, so it is here; who writes a variable wants to know.
fn literal(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SecretString> {
    let text = SecretString::from(field.spelled(&mut cx.report)?.to_owned());
    if text.expose_secret().is_empty() {
        cx.report.error(field.at(), "`headerValue` is empty");
        return None;
    }
    if text.expose_secret().contains("${") {
        cx.report
            .warning(field.at(), "`headerValue` is sent as it is, `${…}` included")
            .hint("use `headerValueEnv`, or `headers` of the backend");
    }
    Some(text)
}
