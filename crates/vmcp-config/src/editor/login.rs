//! What an entry says about logging in at its server: `oauth` (Claude Code, Gemini CLI, VS Code), `auth` (Cursor).
//!
//! Where it says nothing, an editor asks its user to log in as soon as the server wants that. So does vmcp: the
//! credentials of `vmcp auth login` are used once they are there.

use secrecy::SecretString;
use url::Url;

use crate::credentials::OwnAuth;
use crate::endpoint;
use crate::field::{Field, Fields};
use crate::model::{ClientAuth, OAuth, OAuthClient, OutgoingAuth, SafeUrl};
use crate::reading::Reading;
use crate::report::Report;
use crate::toolhive::{Rule, scopes_of};
use crate::tree::{Kind, Value};

/// The settings of one entry, as they are spelled.
#[derive(Debug, Default)]
pub(crate) struct Login<'t> {
    /// The key that says so. `None`: nothing is said.
    pub(crate) key: Option<Field<'t>>,
    /// It says that there is no login.
    pub(crate) is_off: bool,
    pub(crate) client_id: Option<Field<'t>>,
    pub(crate) client_secret: Option<Field<'t>>,
    /// A list, or one text with spaces.
    pub(crate) scopes: Option<Field<'t>>,
    pub(crate) callback_port: Option<Field<'t>>,
    /// An issuer, or the URL of its metadata.
    pub(crate) issuer: Option<Field<'t>>,
}

/// Keys of which the server itself tells what vmcp needs to know, or that are about the editor's own address.
const ASKED_FOR: [&str; 7] = [
    "authorizationUrl",
    "tokenUrl",
    "registrationUrl",
    "redirectUri",
    "tokenParamName",
    "audiences",
    "audience",
];

/// Where metadata is, in between an issuer's host and its path (RFC 8414 §3), or behind both (OpenID Connect).
const WELL_KNOWN: [&str; 2] =
    ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

// === impl Login ===

impl<'t> Login<'t> {
    /// Takes the settings out of an entry.
    pub(super) fn of_entry(entry: &mut Fields<'t>, report: &mut Report) -> Self {
        let (oauth, auth) = (entry.get("oauth"), entry.get("auth"));
        if let (Some(_), Some(second)) = (oauth, auth) {
            report.error(second.key_at, "`oauth` and `auth` exclude each other");
        }
        match (oauth, auth) {
            (Some(field), _) => Self::oauth(field, report),
            (None, Some(field)) => Self::auth(field, report),
            (None, None) => Self::default(),
        }
    }

    fn oauth(field: Field<'t>, report: &mut Report) -> Self {
        let mut login = Self { key: Some(field), ..Self::default() };
        if field.node.kind() == Kind::Bool {
            login.is_off = field.bool(report) == Some(false);
            return login;
        }
        let Some(mut fields) = field.fields("`oauth`", report) else { return login };
        let enabled = fields.get("enabled").and_then(|field| field.bool(report));
        login.is_off = enabled == Some(false);
        login.client_id = fields.get("clientId");
        login.client_secret = fields.get("clientSecret");
        let scope = fields.get("scope");
        login.scopes = fields.get("scopes").or(scope);
        login.callback_port = fields.get("callbackPort");
        let metadata = fields.get("authServerMetadataUrl");
        login.issuer = fields.get("issuer").or(metadata);
        for key in ASKED_FOR {
            let Some(field) = fields.get(key) else { continue };
            report
                .warning(field.key_at, format!("`{key}` matters to the editor only"))
                .hint("vmcp asks the server, and has an address of its own to come back to");
        }
        fields.finish(report);
        login
    }

    fn auth(field: Field<'t>, report: &mut Report) -> Self {
        let mut login = Self { key: Some(field), ..Self::default() };
        if let Value::Scalar { text, .. } = &field.node.value {
            if text != "oauth" {
                report.not_yet(field.key_at, "auth").hint("give a token in `headers`");
            }
            return login;
        }
        let Some(mut fields) = field.fields("`auth`", report) else { return login };
        login.client_id = fields.get("CLIENT_ID");
        login.client_secret = fields.get("CLIENT_SECRET");
        login.scopes = fields.get("scopes");
        fields.finish(report);
        login
    }

    /// As whom the server is called. `headers` are those that the entry gives.
    pub(super) fn auth_of(
        &self,
        headers: &[(String, SecretString)],
        is_process: bool,
        cx: &mut Reading<'_>,
    ) -> OwnAuth {
        let settings = self.key.filter(|_| !self.is_off);
        if let Some(field) = settings.filter(|_| is_process) {
            cx.report.error(field.key_at, format!("`{}` only goes with HTTP", field.key));
        }
        if is_process || self.is_off {
            return OwnAuth::None;
        }
        let has_token = headers.iter().any(|(name, _)| is_authorization(name));
        match settings {
            Some(field) if has_token => {
                let message =
                    format!("`{}` has no effect beside an `Authorization` header", field.key);
                cx.report.warning(field.key_at, message);
                OwnAuth::None
            }
            None if has_token => OwnAuth::None,
            Some(field) => match self.read(cx) {
                Some(oauth) => {
                    OwnAuth::Given(Rule { auth: OutgoingAuth::OAuth(oauth), at: field.key_at })
                }
                None => OwnAuth::None,
            },
            None => {
                OwnAuth::Usual(OutgoingAuth::OAuth(OAuth { passive: true, ..OAuth::default() }))
            }
        }
    }

    fn read(&self, cx: &mut Reading<'_>) -> Option<OAuth> {
        let client = self.client(cx);
        let scopes = self.scopes.map(|field| scopes_of(field, cx)).unwrap_or_default();
        let port = self.callback_port.map(|field| field.port(&mut cx.report));
        let issuer = self.issuer.map(|field| issuer(field, cx));
        Some(OAuth {
            client: client?,
            client_metadata_url: None,
            scopes,
            callback_port: port.map_or(Some(None), |port| port.map(Some))?,
            issuer: issuer.map_or(Some(None), |issuer| issuer.map(Some))?,
            passive: false,
        })
    }

    fn client(&self, cx: &mut Reading<'_>) -> Option<Option<OAuthClient>> {
        let Some(id) = self.client_id else {
            if let Some(secret) = self.client_secret {
                let message = format!("`{}` needs an id of a client", secret.key);
                cx.report.error(secret.key_at, message);
                return None;
            }
            return Some(None);
        };
        let secret = self.client_secret.map(|field| not_empty(field, cx).map(SecretString::from));
        let id = not_empty(id, cx)?;
        let auth = match secret {
            Some(secret) => ClientAuth::Basic(secret?),
            None => ClientAuth::None,
        };
        Some(Some(OAuthClient { id, auth }))
    }
}

pub(crate) fn is_authorization(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization")
}

fn not_empty(field: Field<'_>, cx: &mut Reading<'_>) -> Option<String> {
    let text = cx.expand(field)?;
    if text.trim().is_empty() {
        cx.report.error(field.at(), format!("`{}` is empty", field.key));
        return None;
    }
    Some(text)
}

fn issuer(field: Field<'_>, cx: &mut Reading<'_>) -> Option<SafeUrl> {
    let text = not_empty(field, cx)?;
    let Some(url) = issuer_of(field.key, &text).and_then(|text| Url::parse(&text).ok()) else {
        cx.report
            .error(field.at(), format!("`{}` does not tell who the issuer is", field.key))
            .hint("such as https://example.com/.well-known/oauth-authorization-server");
        return None;
    };
    endpoint::secure(url, field, false, cx)
}

/// The issuer that the value of `key` is about.
pub(crate) fn issuer_of(key: &str, text: &str) -> Option<String> {
    if key == "issuer" {
        return Some(text.to_owned());
    }
    let (host, path) = WELL_KNOWN.iter().find_map(|known| text.split_once(known))?;
    Some(format!("{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::issuer_of;

    #[test]
    fn the_place_of_metadata_names_its_issuer() {
        let check = |text: &str, wanted: Option<&str>| {
            assert_eq!(issuer_of("authServerMetadataUrl", text).as_deref(), wanted, "{text}");
        };
        check(
            "https://a.example/.well-known/oauth-authorization-server",
            Some("https://a.example"),
        );
        check(
            "https://a.example/.well-known/oauth-authorization-server/t/1",
            Some("https://a.example/t/1"),
        );
        check("https://a.example/t/.well-known/openid-configuration", Some("https://a.example/t"));
        check("https://a.example/metadata.json", None);
        assert_eq!(issuer_of("issuer", "https://a").as_deref(), Some("https://a"));
    }
}
