//! `listen.tls`.

use crate::endpoint::absolute_path;
use crate::field::{Field, Fields};
use crate::model::{ClientCerts, ListenTls, TlsVersion};
use crate::reading::Reading;

const CLIENT_AUTH: &[(&str, ClientCerts)] = &[
    ("off", ClientCerts::Off),
    ("optional", ClientCerts::Optional),
    ("required", ClientCerts::Required),
];

const VERSIONS: &[(&str, TlsVersion)] = &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];

/// Reads the section; the files it names are not looked at.
pub(super) fn read(field: Field<'_>, cx: &mut Reading<'_>) -> Option<ListenTls> {
    let mut fields = field.fields("`tls`", &mut cx.report)?;
    let cert = fields.require("cert", &mut cx.report).and_then(|field| absolute_path(field, cx));
    let key = fields.require("key", &mut cx.report).and_then(|field| absolute_path(field, cx));
    let authority = fields.get("clientCa");
    let client_ca = authority.and_then(|field| absolute_path(field, cx));
    let client_auth = client_auth(&mut fields, authority, cx);
    let version = fields.get("minVersion");
    let min_version = version.and_then(|field| version_of(field, cx)).unwrap_or_default();
    fields.finish(&mut cx.report);
    Some(ListenTls { cert: cert?, key: key?, client_ca, client_auth, min_version })
}

/// Who names authorities wants certificates of them; who wants certificates must name authorities.
fn client_auth(
    fields: &mut Fields<'_>,
    authority: Option<Field<'_>>,
    cx: &mut Reading<'_>,
) -> ClientCerts {
    let Some(field) = fields.get("clientAuth") else {
        return if authority.is_some() { ClientCerts::Required } else { ClientCerts::Off };
    };
    let wanted = field.choice(CLIENT_AUTH, &mut cx.report).unwrap_or_default();
    match (wanted, authority) {
        (ClientCerts::Off, Some(unused)) => {
            let message = "`clientCa` is not used while `clientAuth` is `off`";
            cx.report.warning(unused.at(), message);
        }
        (ClientCerts::Optional | ClientCerts::Required, None) => {
            let message = "`clientAuth` needs `clientCa`, the authorities of clients' certificates";
            cx.report.error(field.at(), message);
        }
        _ => {}
    }
    wanted
}

/// Without quotes it is a number to YAML.
fn version_of(field: Field<'_>, cx: &mut Reading<'_>) -> Option<TlsVersion> {
    let text = field.spelled(&mut cx.report)?;
    let found = VERSIONS.iter().find(|(word, _)| *word == text).map(|(_, version)| *version);
    if found.is_none() {
        let message = format!("`{}` cannot be `{text}`", field.key);
        cx.report.error(field.at(), message).hint("it is `1.2` or `1.3`");
    }
    found
}
