//! Logins of editors' entries.

use secrecy::ExposeSecret;
use vmcp_config::{ClientAuth, OAuth, OutgoingAuth, init_yaml};

use crate::marked::check;
use crate::{loads, source};

/// The entry of one server as a file, its keys beginning at column 1 of line 2.
fn entry(keys: &str) -> String {
    format!("{{\"mcpServers\": {{\"git\": {{\n{keys}\n}}}}}}")
}

const URL: &str = r#""url": "https://git/mcp""#;

fn auth(keys: &str) -> OutgoingAuth {
    loads(&entry(keys)).0.backends.remove(0).auth
}

#[track_caller]
fn oauth(keys: &str) -> OAuth {
    match auth(&format!("{URL}, {keys}")) {
        OutgoingAuth::OAuth(oauth) => oauth,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_with_a_url_uses_a_login_if_there_is_one() {
    let usual = oauth(r#""headers": {"X-Key": "a"}"#);
    assert!(usual.passive && usual.client.is_none() && usual.scopes.is_empty());
    let says = |keys: &str| loads(&entry(keys)).0.assumed[2].clone();
    let wanted = "outgoingAuth: unauthenticated, or a login for an editor's entry if there is one";
    assert_eq!(says(URL), wanted);
    assert_eq!(says(r#""command": "x""#), "outgoingAuth: unauthenticated");
    for keys in [
        r#""url": "https://git/mcp", "headers": {"authorization": "Bearer a"}"#,
        r#""url": "https://git/mcp", "oauth": false"#,
        r#""url": "https://git/mcp", "oauth": {"enabled": false, "clientId": "a"}"#,
        r#""command": "x""#,
    ] {
        assert!(matches!(auth(keys), OutgoingAuth::Unauthenticated), "{keys}");
    }
}

#[test]
fn what_a_yaml_says_about_an_entry_counts() {
    let json = source("b.json", &entry(URL));
    for (yaml, strategy) in [
        ("name: a\n", "oauth"),
        ("outgoingAuth: {default: {type: unauthenticated}}\n", "unauthenticated"),
        (
            "outgoingAuth: {backends: {git: {type: header_injection, headerInjection: {headerName: A, headerValue: b}}}}\n",
            "header_injection",
        ),
    ] {
        let config =
            vmcp_config::load(&[source("a.yaml", yaml), json.clone()], crate::AROUND).unwrap();
        assert_eq!(config.backends[0].auth.strategy(), strategy, "{yaml}");
    }
    // What the entry itself asks for is more than a default, and less than a strategy by its name.
    let json = source("b.json", &entry(&format!("{URL}, \"oauth\": {{\"clientId\": \"a\"}}")));
    for (yaml, strategy) in [
        ("outgoingAuth: {default: {type: unauthenticated}}\n", "oauth"),
        ("outgoingAuth: {backends: {git: {type: unauthenticated}}}\n", "unauthenticated"),
    ] {
        let config =
            vmcp_config::load(&[source("a.yaml", yaml), json.clone()], crate::AROUND).unwrap();
        assert_eq!(config.backends[0].auth.strategy(), strategy, "{yaml}");
    }
}

#[test]
fn claude_code() {
    let read = oauth(
        r#""oauth": {"clientId": "me", "callbackPort": 8080, "scopes": "a b a",
            "authServerMetadataUrl": "https://as/.well-known/oauth-authorization-server/t"}"#,
    );
    let client = read.client.unwrap();
    assert!(client.id == "me" && matches!(client.auth, ClientAuth::None));
    assert_eq!((read.callback_port, read.scopes), (Some(8080), vec!["a".into(), "b".into()]));
    assert_eq!(read.issuer.unwrap().to_string(), "https://as/t");
    assert!(!read.passive, "who writes it down wants it");
}

#[test]
fn cursor() {
    let read = oauth(
        r#""auth": {"CLIENT_ID": "${env:HOME}", "CLIENT_SECRET": "${env:TOKEN}", "scopes": ["a", "b"]}"#,
    );
    let client = read.client.unwrap();
    let ClientAuth::Basic(secret) = &client.auth else { panic!("{client:?}") };
    assert_eq!((client.id.as_str(), secret.expose_secret()), ("/home/me", "s3cret"));
    assert_eq!(read.scopes.len(), 2);
    assert!(oauth(r#""auth": "oauth""#).client.is_none());
}

#[test]
fn gemini_and_others() {
    let (mut config, warnings) = loads(&entry(
        r#""httpUrl": "https://git/mcp", "authProviderType": "dynamic_discovery",
"oauth": {"enabled": true, "clientId": "a", "clientSecret": "b", "scopes": ["c"], "issuer": "https://as",
"redirectUri": "http://localhost:7777/oauth/callback", "tokenUrl": "https://as/t", "authorizationUrl": "https://as/a"}"#,
    ));
    let OutgoingAuth::OAuth(read) = config.backends.remove(0).auth else { panic!() };
    assert_eq!(read.issuer.unwrap().to_string(), "https://as/");
    let hint = "(vmcp asks the server, and has an address of its own to come back to)";
    assert_eq!(
        warnings,
        [
            format!("f:4:1: warning: `redirectUri` matters to the editor only {hint}"),
            format!("f:4:56: warning: `tokenUrl` matters to the editor only {hint}"),
            format!("f:4:84: warning: `authorizationUrl` matters to the editor only {hint}"),
        ]
    );
    let read = oauth(r#""oauth": {"clientId": "a", "scope": "b c"}"#);
    assert_eq!(read.scopes, ["b", "c"]);
}

#[test]
fn what_cannot_be_honoured_is_told() {
    for (keys, wanted) in [
        (
            r#""url": "https://git/mcp", §"auth": "a-token""#,
            "error: `auth` is not supported yet (give a token in `headers`)",
        ),
        (
            r#""url": "https://git/mcp", "oauth": {}, §"auth": {}"#,
            "error: `oauth` and `auth` exclude each other",
        ),
        (r#""command": "x", §"oauth": {"clientId": "a"}"#, "error: `oauth` only goes with HTTP"),
        (
            r#""url": "https://git/mcp", "headers": {"Authorization": "x"}, §"auth": {"CLIENT_ID": "a"}"#,
            "warning: `auth` has no effect beside an `Authorization` header",
        ),
        (
            r#""url": "https://git/mcp", "auth": {§"CLIENT_SECRET": "a"}"#,
            "error: `CLIENT_SECRET` needs an id of a client",
        ),
        (r#""url": "https://git/mcp", "oauth": {"clientId": §""}"#, "error: `clientId` is empty"),
        (
            r#""url": "https://git/mcp", "oauth": {"authServerMetadataUrl": §"https://as/metadata"}"#,
            "error: `authServerMetadataUrl` does not tell who the issuer is \
             (such as https://example.com/.well-known/oauth-authorization-server)",
        ),
        (
            r#""url": "https://git/mcp", "oauth": {"issuer": §"http://as"}"#,
            "error: `issuer` must start with https:// \
             (secrets are sent there; http:// is for loopback addresses only)",
        ),
        (
            r#""url": "https://git/mcp", "oauth": {"callbackPort": §"80"}"#,
            "error: `callbackPort` must be a port from 1 to 65535, found a string",
        ),
        (r#""url": "https://git/mcp", "oauth": {"scopes": §"a \""}"#, "error: `\"` is not a scope"),
        (
            r#""url": "https://git/mcp", "oauth": {§"client": "a"}"#,
            "error: unknown key `client` in `oauth` (did you mean `clientId`?)",
        ),
        (
            r#""url": "https://git/mcp", §"headersHelper": "./x""#,
            "error: `headersHelper` is not supported yet (give the headers in `headers`, from variables)",
        ),
        (
            r#""url": "https://git/mcp", "authProviderType": §"google_credentials""#,
            "error: `authProviderType` cannot be `google_credentials` (known here: `dynamic_discovery`)",
        ),
    ] {
        check(&entry(keys), &[wanted]);
    }
}

/// The strategies of a file and of the YAML that `init` makes of it, secrets included.
#[track_caller]
fn round_trips(keys: &str) {
    let text = entry(keys);
    let yaml = init_yaml(&[source("mcp.json", &text)]).unwrap();
    let shown = |text: &str| {
        let auth = loads(text).0.backends.remove(0).auth;
        let secret = match &auth {
            OutgoingAuth::OAuth(OAuth { client: Some(client), .. }) => match &client.auth {
                ClientAuth::Basic(secret) => secret.expose_secret().to_owned(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        format!("{auth:?} {secret}")
    };
    assert_eq!(shown(&yaml), shown(&text), "{yaml}");
}

#[test]
fn init_writes_the_logins_it_reads() {
    for keys in [
        "",
        r#", "oauth": {"clientId": "me", "callbackPort": 8080, "scopes": "a b",
            "authServerMetadataUrl": "https://${NO:-as}/.well-known/oauth-authorization-server/t"}"#,
        r#", "auth": {"CLIENT_ID": "a: #b", "CLIENT_SECRET": "${env:TOKEN}-x$${y}", "scopes": "a ${NO:-b c}"}"#,
        r#", "auth": {"CLIENT_ID": "a", "scopes": ["a", "null", "${NO:-b}"]}"#,
        r#", "auth": "oauth""#,
        r#", "oauth": false"#,
        r#", "headers": {"Authorization": "Bearer ${TOKEN}"}"#,
        r#", "headers": {"X-Key": {"env": "TOKEN"}}"#,
    ] {
        round_trips(&format!("{URL}{keys}"));
    }
    let text = entry(&format!(
        "{URL}, \"auth\": {{\"CLIENT_ID\": \"a\", \"CLIENT_SECRET\": \"${{input:key}}\"}}"
    ));
    let yaml = init_yaml(&[source("mcp.json", &text)]).unwrap();
    assert!(yaml.contains("clientSecret: \"${KEY}\"") && yaml.contains("#   KEY\n"), "{yaml}");
}
