//! What holds for every text.

use proptest::collection::{btree_map, vec};
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Value, json};
use vmcp_config::{Config, Format, Source, Surroundings, init_yaml, load};

/// Every variable is set to its own name.
fn env(name: &str) -> Option<String> {
    Some(format!("value of {name}"))
}

const AROUND: Surroundings<'static> =
    Surroundings { env: &env, file: &|path| Ok(format!("text of {}", path.display())) };

/// Texts that are likely to be misread, and any others. A NUL cannot stand in a YAML text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| text.replace('\0', "")),
        "[ -~]{0,12}",
        "[-:#{}\\[\\],&*!|>'\"%@` ~\n\t\\\\$]{0,6}",
        "\\$\\{[A-Z]{1,3}(:-[a-z ]{0,4})?\\}",
        prop_oneof!["true", "null", "~", "1e3", "0x1F", "- a", "a: b", "# c", "---", "yes"],
    ]
}

fn entry() -> impl Strategy<Value = Value> {
    let env = btree_map("[A-Za-z_:# ]{1,8}", text(), 0..4);
    let stdio = ("[a-z/ ]{0,8}x", vec(text(), 0..4), env)
        .prop_map(|(command, args, env)| json!({ "command": command, "args": args, "env": env }));
    let headers = btree_map("X-[a-z]{1,8}", "[ -~]{0,12}", 0..4);
    let http = ("[a-z]{1,8}", headers).prop_map(
        |(path, headers)| json!({ "url": format!("https://h/{path}"), "headers": headers }),
    );
    prop_oneof![stdio, http]
}

fn source(text: String, format: Format) -> Source {
    Source { name: "f".to_owned(), text, format }
}

/// Everything about the backends, secrets included.
fn told(config: &Config) -> String {
    use secrecy::ExposeSecret;
    use vmcp_config::Transport;

    let one = |backend: &vmcp_config::Backend| {
        let (args, env) = match &backend.transport {
            Transport::Stdio(stdio) => (stdio.args.clone(), stdio.env.as_slice()),
            _ => (Vec::new(), [].as_slice()),
        };
        let secrets: Vec<(&str, &str)> = backend
            .headers
            .iter()
            .chain(env)
            .map(|(name, value)| (name.as_str(), value.expose_secret()))
            .collect();
        format!("{:?} {args:?} {secrets:?}", backend.transport)
    };
    config.backends.iter().map(one).collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_init_writes_says_the_same(entries in btree_map("[a-z]{1,8}", entry(), 1..4)) {
        let json = source(json!({ "mcpServers": entries }).to_string(), Format::Json);
        // What the editor's file itself does not say is not for `init` to say.
        let Ok(from_json) = load(std::slice::from_ref(&json), AROUND) else { return Ok(()) };
        let yaml = init_yaml(std::slice::from_ref(&json)).map_err(|found| {
            proptest::test_runner::TestCaseError::fail(found.to_string())
        })?;
        match load(&[source(yaml.clone(), Format::Yaml)], AROUND) {
            Ok(from_yaml) => prop_assert_eq!(told(&from_yaml), told(&from_json), "{}", yaml),
            Err(found) => prop_assert!(false, "{}\n{}", found, yaml),
        }
    }

    #[test]
    fn no_text_makes_it_panic(
        text in prop_oneof![any::<String>(), "[-:#{}\\[\\],&*!|>'\"a-c \n\t\\\\/$0-9.]{0,60}"],
    ) {
        for format in [Format::Auto, Format::Yaml, Format::Json] {
            let source = source(text.clone(), format);
            if let Err(found) = load(std::slice::from_ref(&source), AROUND) {
                for one in &found.0 {
                    prop_assert!(one.line >= 1 && one.column >= 1 && one.len >= 1, "{}", one);
                    one.render(&text);
                }
            }
            let _ = init_yaml(std::slice::from_ref(&source));
        }
    }

    #[test]
    fn places_are_inside_of_the_text(key in "[a-z]{1,6}", value in "[a-z0-9.]{1,6}") {
        let text = format!("backends: [{{name: a, command: b}}]\n{key}: {value}\n");
        let found = match load(&[source(text.clone(), Format::Yaml)], AROUND) {
            Ok(config) => config.warnings,
            Err(found) => found.0,
        };
        for one in found {
            let line = text.lines().nth(one.line - 1).unwrap_or_default().chars().count();
            prop_assert!(one.column - 1 + one.len <= line.max(1), "{}", one);
        }
    }
}

/// Anything that may stand as a value, in a spelling that fits into a flow map.
fn garbage() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        proptest::strategy::Just(Value::Null),
        prop_oneof![
            "https?://[a-z:@/#?.\\[\\]]{0,12}",
            "arn:aws:iam::[0-9]{11,13}:[a-z/]{0,8}",
            "[0-9]{1,20}(ns|s|m|h)?",
            "[0-9.:/]{1,20}",
            "urn:ietf:params:oauth:token-type:[a-z_]{0,8}",
        ]
        .prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map("[a-zA-Z]{1,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

const SECRET: &str = "hunter2 hush";

/// Keys of the sections about credentials, headers and networks, each with anything as its value.
fn section() -> impl Strategy<Value = Value> {
    const KEYS: [&str; 37] = [
        "type",
        "headerName",
        "headerValue",
        "headerValueEnv",
        "headerValueFile",
        "tokenUrl",
        "clientId",
        "clientSecret",
        "clientSecretEnv",
        "clientSecretFile",
        "clientAuthMethod",
        "clientKey",
        "clientKeyFile",
        "clientKeyAlgorithm",
        "clientAssertionAudience",
        "audience",
        "resources",
        "scopes",
        "subjectTokenType",
        "requestedTokenType",
        "actorToken",
        "actorTokenType",
        "providerName",
        "idpTokenUrl",
        "idpClientId",
        "targetTokenUrl",
        "targetAudience",
        "targetResource",
        "region",
        "fallbackRoleArn",
        "roleMappings",
        "sessionDuration",
        "stsUrl",
        "clientMetadataUrl",
        "callbackPort",
        "issuer",
        "passive",
    ];
    let key = proptest::sample::select(&KEYS[..]);
    btree_map(key, garbage(), 0..8).prop_map(|map| {
        let mut map = json!(map);
        map["clientSecret"] = SECRET.into();
        map
    })
}

/// A whole file in which those sections are garbage, or nearly right.
fn file() -> impl Strategy<Value = Value> {
    const BLOCKS: [(&str, &str); 8] = [
        ("unauthenticated", "none"),
        ("header_injection", "headerInjection"),
        ("token_exchange", "tokenExchange"),
        ("client_credentials", "clientCredentials"),
        ("upstream_inject", "upstreamInject"),
        ("xaa", "xaa"),
        ("aws_sts", "awsSts"),
        ("oauth", "oauth"),
    ];
    let strategy = || {
        (proptest::sample::select(&BLOCKS[..]), prop_oneof![section(), garbage()])
            .prop_map(|((word, block), settings)| json!({ "type": word, block: settings }))
    };
    let network = prop_oneof![
        (garbage(), garbage()).prop_map(|(a, b)| json!({ "private": a, "allow": b })),
        garbage(),
    ];
    let timeout = garbage().prop_map(|tools| json!({ "tools": tools }));
    (strategy(), strategy(), network, timeout, garbage(), garbage()).prop_map(
        |(one, two, network, timeout, headers, passed)| {
            json!({
                "backends": [{
                    "name": "a", "url": "https://a/", "network": network, "timeout": timeout, "headers": headers,
                }],
                "outgoingAuth": { "default": one, "backends": { "a": two } },
                "passthroughHeaders": passed,
            })
        },
    )
}

/// An editor's entry whose login is garbage.
fn login() -> impl Strategy<Value = Value> {
    let keys = proptest::sample::select(
        &[
            "clientId",
            "clientSecret",
            "scopes",
            "callbackPort",
            "issuer",
            "authServerMetadataUrl",
            "enabled",
        ][..],
    );
    let settings = btree_map(keys, garbage(), 0..5).prop_map(|map| json!(map));
    (prop_oneof![settings, garbage()], proptest::sample::select(&["oauth", "auth"][..])).prop_map(
        |(login, key)| json!({ "mcpServers": { "a": { "url": "https://a/", key: login } } }),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_credentials_make_it_panic_or_show_a_secret(file in file()) {
        let source = source(file.to_string(), Format::Json);
        let yaml = Source { format: Format::Yaml, ..source.clone() };
        let shown = match load(std::slice::from_ref(&source), AROUND) {
            Ok(config) => format!("{config:?}"),
            Err(found) => {
                prop_assert!(found.0.iter().all(|one| one.line == 1 && one.column <= source.text.len() + 1));
                found.to_string()
            }
        };
        prop_assert!(!shown.contains(SECRET), "{}", shown);
        // Both spellings of one tree are one configuration.
        let same = load(&[yaml], AROUND).map_or_else(|found| found.0.len(), |config| config.warnings.len());
        let found = load(&[source], AROUND).map_or_else(|found| found.0.len(), |config| config.warnings.len());
        prop_assert_eq!(same, found);
    }

    #[test]
    fn what_init_writes_of_a_login_says_the_same(file in login()) {
        let json = source(file.to_string(), Format::Json);
        let Ok(from_json) = load(std::slice::from_ref(&json), AROUND) else { return Ok(()) };
        let yaml = init_yaml(&[json]).unwrap();
        match load(&[source(yaml.clone(), Format::Yaml)], AROUND) {
            Ok(from_yaml) => prop_assert_eq!(
                format!("{:?}", from_json.backends), format!("{:?}", from_yaml.backends), "{}", yaml
            ),
            Err(found) => prop_assert!(false, "{}\n{}", found, yaml),
        }
    }
}
