//! Outgoing strategies: what is understood.

use secrecy::ExposeSecret;
use vmcp_config::{
    AwsSts, ClientAuth, OAuth, OAuthClient, OutgoingAuth, TokenExchange, TokenType, Xaa,
};

use crate::loads;

/// The strategy of an HTTP backend, without the warning that callers have no token.
#[track_caller]
fn strategy(text: &str) -> OutgoingAuth {
    let (mut config, warnings) = loads(&format!(
        "backends: [{{name: git, url: 'https://git.example/mcp'}}]\noutgoingAuth: {{backends: {{git: {text}}}}}\n"
    ));
    let others: Vec<&String> =
        warnings.iter().filter(|one| !one.contains("needs a token of the caller")).collect();
    assert_eq!(others, [""; 0]);
    config.backends.remove(0).auth
}

#[track_caller]
fn exchange(text: &str) -> TokenExchange {
    let text =
        format!("{{type: token_exchange, tokenExchange: {{tokenUrl: 'https://i/t'{text}}}}}");
    match strategy(&text) {
        OutgoingAuth::TokenExchange(exchange) => exchange,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn oauth(text: &str) -> OAuth {
    match strategy(text) {
        OutgoingAuth::OAuth(oauth) => oauth,
        other => panic!("{other:?}"),
    }
}

/// A client in one line; its secret too.
fn shown(client: Option<&OAuthClient>) -> String {
    let Some(client) = client else { return "nobody".to_owned() };
    let auth = match &client.auth {
        ClientAuth::None => "public".to_owned(),
        ClientAuth::Basic(secret) => format!("basic {}", secret.expose_secret()),
        ClientAuth::Post(secret) => format!("post {}", secret.expose_secret()),
        ClientAuth::PrivateKeyJwt { key_pem, algorithm, key_id, audience } => {
            let key = key_pem.expose_secret().lines().next().unwrap_or_default();
            let audience = audience.as_deref().map(|audience| format!(" for {audience}"));
            format!("{algorithm} {key} {key_id:?}{}", audience.unwrap_or_default())
        }
    };
    format!("{} {auth}", client.id)
}

#[test]
fn a_token_exchange_of_toolhive() {
    let read = exchange(
        ", clientId: vmcp, clientSecretEnv: TOKEN, audience: git, scopes: [repo, 'user:read'], \
         subjectTokenType: id_token, subjectProviderName: github",
    );
    assert_eq!(read.token_url.to_string(), "https://i/t");
    assert_eq!(shown(read.client.as_ref()), "vmcp basic s3cret");
    assert_eq!(read.audience.as_deref(), Some("git"));
    assert_eq!(read.scopes, ["repo", "user:read"]);
    assert_eq!(read.subject_token_type, TokenType::IdToken);
    assert_eq!(read.subject_provider.as_deref(), Some("github"));
    assert!(read.resources.is_empty() && read.requested_token_type.is_none());
    assert!(read.actor.is_none());
}

#[test]
fn a_token_exchange_with_keys_of_our_own() {
    let read = exchange(
        ", resources: ['https://git.example/mcp', 'urn:x:y'], requestedTokenType: jwt, \
         actorTokenFile: /run/secret, actorTokenType: 'https://types.example/robot'",
    );
    assert_eq!(shown(read.client.as_ref()), "nobody");
    assert_eq!(read.resources, ["https://git.example/mcp", "urn:x:y"]);
    assert_eq!(read.requested_token_type, Some(TokenType::Jwt));
    assert_eq!(read.subject_token_type, TokenType::AccessToken);
    let actor = read.actor.unwrap();
    assert_eq!(
        actor.token.expose_secret(),
        "f1le-s3cret",
        "one line break at the end is none of it"
    );
    assert_eq!(actor.kind.as_urn(), "https://types.example/robot");
}

#[test]
fn types_of_tokens_go_by_both_names() {
    for (text, wanted) in [
        ("access_token", TokenType::AccessToken),
        ("urn:ietf:params:oauth:token-type:access_token", TokenType::AccessToken),
        ("urn:ietf:params:oauth:token-type:id_token", TokenType::IdToken),
        ("jwt", TokenType::Jwt),
        ("urn:ietf:params:oauth:token-type:saml2", TokenType::Saml2),
        ("id-jag", TokenType::IdJag),
        ("urn:x:own", TokenType::Other("urn:x:own".into())),
    ] {
        let read = exchange(&format!(", subjectTokenType: '{text}'"));
        assert_eq!(read.subject_token_type, wanted);
        assert_eq!(TokenType::known(wanted.as_urn()).unwrap_or(wanted.clone()), wanted);
    }
}

#[test]
fn a_client_proves_itself_in_four_ways() {
    for (text, wanted) in [
        (", clientId: me", "me public"),
        (", clientId: me, clientAuthMethod: none", "me public"),
        (", clientId: me, clientSecret: a", "me basic a"),
        (", clientId: me, clientSecret: 'a${TOKEN}'", "me basic as3cret"),
        (
            ", clientId: me, clientSecretFile: /run/secret, clientAuthMethod: post",
            "me post f1le-s3cret",
        ),
        (
            ", clientId: me, clientSecretEnv: TOKEN, clientAuthMethod: client_secret_post",
            "me post s3cret",
        ),
        (
            ", clientId: '${TOKEN}', clientSecretEnv: TOKEN, clientAuthMethod: basic",
            "s3cret basic s3cret",
        ),
        (
            ", clientId: me, clientKeyFile: /run/key.pem, clientKeyAlgorithm: ES256, clientKeyId: k1",
            "me ES256 -----BEGIN PRIVATE KEY----- Some(\"k1\")",
        ),
        (
            ", clientId: me, clientKeyFile: '/${DIR:-run}/key.pem', clientKeyAlgorithm: EdDSA, \
             clientAuthMethod: private_key_jwt",
            "me EdDSA -----BEGIN PRIVATE KEY----- None",
        ),
        (
            ", clientId: me, clientKeyFile: /run/key.pem, clientKeyAlgorithm: PS256, \
             clientAssertionAudience: 'https://${DIR:-idp}/'",
            "me PS256 -----BEGIN PRIVATE KEY----- None for https://idp/",
        ),
    ] {
        assert_eq!(shown(exchange(text).client.as_ref()), wanted, "{text}");
    }
}

#[test]
fn the_other_strategies_for_tokens() {
    let text = "{type: client_credentials, clientCredentials: {tokenUrl: 'http://localhost:9/t', \
                clientId: vmcp, clientSecretEnv: TOKEN, audience: a, resources: ['https://r'], scopes: [s, s]}}";
    let OutgoingAuth::ClientCredentials(read) = strategy(text) else { panic!() };
    assert_eq!(shown(Some(&read.client)), "vmcp basic s3cret");
    assert_eq!((read.audience.as_deref(), read.scopes), (Some("a"), vec!["s".to_owned()]));
    assert_eq!(
        (read.token_url.to_string(), read.resources.len()),
        ("http://localhost:9/t".into(), 1)
    );

    let text = "{type: upstream_inject, upstreamInject: {providerName: github}}";
    let OutgoingAuth::UpstreamInject(read) = strategy(text) else { panic!() };
    assert_eq!(read.provider, "github");

    let text = "{type: header_injection, headerInjection: {headerName: X-Key, headerValueFile: /run/secret}}";
    let OutgoingAuth::HeaderInjection(read) = strategy(text) else { panic!() };
    assert_eq!((read.name.as_str(), read.value.expose_secret()), ("X-Key", "f1le-s3cret"));
}

fn xaa(text: &str) -> Xaa {
    let text = format!(
        "{{type: xaa, xaa: {{idpTokenUrl: 'https://idp/t', targetTokenUrl: 'https://as/t', \
         targetAudience: 'https://as'{text}}}}}"
    );
    match strategy(&text) {
        OutgoingAuth::Xaa(xaa) => xaa,
        other => panic!("{other:?}"),
    }
}

#[test]
fn xaa_has_a_client_at_either_end() {
    let read = xaa(
        ", idpClientId: a, idpClientSecretEnv: TOKEN, targetClientId: b, targetClientSecretFile: /run/secret, \
         targetClientAuthMethod: post, targetResource: 'https://git.example/mcp', scopes: [s], \
         subjectProviderName: okta, subjectTokenType: 'urn:ietf:params:oauth:token-type:id_token'",
    );
    assert_eq!(shown(read.idp_client.as_ref()), "a basic s3cret");
    assert_eq!(shown(read.target_client.as_ref()), "b post f1le-s3cret");
    assert_eq!(read.target_resource.as_deref(), Some("https://git.example/mcp"));
    assert_eq!((read.target_audience.as_str(), read.insecure_target), ("https://as", false));
    assert_eq!((read.scopes.len(), read.subject_provider.as_deref()), (1, Some("okta")));
    assert_eq!(read.subject_token_type, TokenType::IdToken);

    let read = xaa(", targetClientId: b, targetClientAuthMethod: none");
    assert_eq!(shown(read.idp_client.as_ref()), "nobody");
    assert_eq!(shown(read.target_client.as_ref()), "b public");
    assert_eq!(read.subject_token_type, TokenType::IdToken, "there is no other");
}

#[test]
fn only_the_target_of_xaa_may_be_plain_http() {
    let text = "{type: xaa, xaa: {idpTokenUrl: 'https://idp/t', targetTokenUrl: 'http://as/t', \
                targetAudience: 'as', insecureTargetTokenUrl: true}}";
    let OutgoingAuth::Xaa(read) = strategy(text) else { panic!() };
    assert!(read.insecure_target);
    assert_eq!(read.target_token_url.to_string(), "http://as/t");
}

#[track_caller]
fn aws(text: &str) -> AwsSts {
    match strategy(&format!("{{type: aws_sts, awsSts: {{region: eu-west-1{text}}}}}")) {
        OutgoingAuth::AwsSts(aws) => aws,
        other => panic!("{other:?}"),
    }
}

#[test]
fn aws_roles_are_mapped() {
    let read = aws(", fallbackRoleArn: 'arn:aws:iam::123456789012:role/reader'");
    assert_eq!((read.region.as_str(), read.service.as_str()), ("eu-west-1", "aws-mcp"));
    assert_eq!((read.role_claim.as_str(), read.session_name_claim.as_str()), ("groups", "sub"));
    assert_eq!(read.session_duration.as_secs(), 3600);
    assert!(read.sts_url.is_none() && read.role_mappings.is_empty());

    let read = aws(
        ", service: bedrock-agentcore, roleClaim: roles, sessionDuration: 900, sessionNameClaim: email, \
         subjectProviderName: okta, stsUrl: 'http://127.0.0.1:4566/', roleMappings: [\
         {claim: admins, roleArn: 'arn:aws-us-gov:iam::123456789012:role/team/admin', priority: -1}, \
         {claim: devs, roleArn: 'arn:aws:iam::123456789012:role/dev'}]",
    );
    assert_eq!((read.service.as_str(), read.role_claim.as_str()), ("bedrock-agentcore", "roles"));
    assert_eq!(read.session_duration.as_secs(), 900, "a number is one of seconds, as in ToolHive");
    assert_eq!(read.session_name_claim, "email");
    assert_eq!(read.sts_url.unwrap().to_string(), "http://127.0.0.1:4566/");
    let [admin, dev] = &read.role_mappings[..] else { panic!() };
    assert_eq!((admin.claim.as_deref(), admin.priority), (Some("admins"), Some(-1)));
    assert_eq!((dev.priority, dev.claim.as_deref()), (None, Some("devs")));
    assert_eq!(
        aws(", sessionDuration: 2h, fallbackRoleArn: 'arn:aws:iam::123456789012:role/r'")
            .session_duration
            .as_secs(),
        7200
    );
}

#[test]
fn an_oauth_login_needs_no_settings_and_has_some() {
    let read = oauth("{type: oauth}");
    assert!(!read.passive && read.client.is_none() && read.client_metadata_url.is_none());
    assert!(read.scopes.is_empty() && read.callback_port.is_none() && read.issuer.is_none());

    let read = oauth(
        "{type: oauth, oauth: {clientId: me, clientSecretEnv: TOKEN, scopes: a b, callbackPort: 8123, \
         issuer: 'https://as.example/t/1', passive: true}}",
    );
    assert_eq!(shown(read.client.as_ref()), "me basic s3cret");
    assert_eq!(
        (read.scopes, read.callback_port),
        (vec!["a".to_owned(), "b".to_owned()], Some(8123))
    );
    assert_eq!(read.issuer.unwrap().to_string(), "https://as.example/t/1");
    assert!(read.passive);

    let read = oauth("{type: oauth, oauth: {clientMetadataUrl: 'https://me.example/client.json'}}");
    assert_eq!(read.client_metadata_url.unwrap().to_string(), "https://me.example/client.json");
}

#[test]
fn strategies_go_by_their_names() {
    for (text, name) in [
        ("{type: unauthenticated}", "unauthenticated"),
        ("{type: oauth}", "oauth"),
        ("{type: upstream_inject, upstreamInject: {providerName: p}}", "upstream_inject"),
    ] {
        assert_eq!(strategy(text).strategy(), name);
    }
}

#[test]
fn no_secret_of_a_strategy_is_shown_by_debug() {
    let secrets = ["s3cret", "f1le", "BEGIN", "h-value", "in-text", "pass:word"];
    for text in [
        "{type: header_injection, headerInjection: {headerName: X, headerValue: h-value}}",
        "{type: token_exchange, tokenExchange: {tokenUrl: 'https://i/t?key=in-text', clientId: a, \
         clientSecretEnv: TOKEN, actorTokenFile: /run/secret}}",
        "{type: client_credentials, clientCredentials: {tokenUrl: 'https://i/t', clientId: a, \
         clientKeyFile: /run/key.pem, clientKeyAlgorithm: RS256}}",
        "{type: xaa, xaa: {idpTokenUrl: 'https://i/t', idpClientId: a, idpClientSecret: in-text, \
         targetTokenUrl: 'https://i/t', targetClientId: a, targetClientSecretFile: /run/secret, targetAudience: a}}",
        "{type: oauth, oauth: {clientId: a, clientSecret: in-text, clientAuthMethod: post}}",
    ] {
        let shown = format!("{:?}", strategy(text));
        assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
    }
    let custom =
        vmcp_config::Custom { strategy: "own".to_owned(), settings: "{\"k\":\"in-text\"}".into() };
    assert!(!format!("{:?}", OutgoingAuth::Custom(custom)).contains("in-text"));
}
