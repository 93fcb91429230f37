//! Outgoing strategies: what is wrong with one, and what is said about it.

use crate::marked::{check, strategy};

/// The findings about settings of a `token_exchange`.
#[track_caller]
pub(crate) fn exchange(marked: &str, wanted: &[&str]) {
    strategy(
        &format!("type: token_exchange, tokenExchange: {{tokenUrl: 'https://i/t', {marked}}}"),
        wanted,
    );
}

/// The findings about settings of an `oauth`.
#[track_caller]
pub(crate) fn oauth(marked: &str, wanted: &[&str]) {
    strategy(&format!("type: oauth, oauth: {{{marked}}}"), wanted);
}

/// The findings about settings of an `aws_sts`.
#[track_caller]
fn aws(marked: &str, wanted: &[&str]) {
    strategy(&format!("type: aws_sts, awsSts: {{region: us-east-1, {marked}}}"), wanted);
}

#[test]
fn two_types_are_refused_with_what_to_use_instead() {
    strategy(
        "type: §obo, obo: {tokenUrl: 'https://i/t', anything: 1}",
        &["error: `obo` needs an enterprise feature of ToolHive \
           (`token_exchange` trades the caller's token as well)"],
    );
    strategy(
        "type: §passthrough, passthrough: {}",
        &[
            "error: `passthrough` is refused: a caller's token is issued for vmcp, and MCP forbids handing it on \
           (`token_exchange` trades it for one that is issued for the backend)",
        ],
    );
    strategy(
        "type: §token-exchange",
        &["error: `type` cannot be `token-exchange` (did you mean `token_exchange`?)"],
    );
}

#[test]
fn every_block_has_its_required_keys() {
    for (marked, message) in [
        ("type: token_exchange, tokenExchange: §{}", "`tokenExchange` needs `tokenUrl`"),
        ("type: upstream_inject, upstreamInject: §{}", "`upstreamInject` needs `providerName`"),
        ("type: upstream_inject, upstreamInject: {providerName: §' '}", "`providerName` is empty"),
    ] {
        strategy(marked, &[&format!("error: {message}")]);
    }
    for (word, block) in [
        ("token_exchange", "tokenExchange"),
        ("client_credentials", "clientCredentials"),
        ("upstream_inject", "upstreamInject"),
        ("aws_sts", "awsSts"),
        ("xaa", "xaa"),
    ] {
        check(
            &format!(
                "backends: [{{name: git, url: 'https://git/mcp'}}]\noutgoingAuth: {{default: §{{type: {word}}}}}\n"
            ),
            &[&format!("error: a strategy of this type needs `{block}`")],
        );
    }
    strategy(
        "type: client_credentials, clientCredentials: §§{}",
        &[
            "error: `clientCredentials` needs `tokenUrl`",
            "error: `clientCredentials` needs `clientId`",
        ],
    );
    strategy(
        "type: xaa, xaa: §§§{}",
        &[
            "error: `xaa` needs `idpTokenUrl`",
            "error: `xaa` needs `targetTokenUrl`",
            "error: `xaa` needs `targetAudience`",
        ],
    );
    strategy(
        "type: aws_sts, awsSts: §§{}",
        &[
            "error: `awsSts` needs `region`",
            "error: `awsSts` needs `fallbackRoleArn` or `roleMappings` (the role that vmcp takes on for a caller)",
        ],
    );
}

#[test]
fn unknown_settings_get_the_nearest_known_one() {
    exchange(
        "§tokenURI: x",
        &["error: unknown key `tokenURI` in `tokenExchange` (did you mean `tokenUrl`?)"],
    );
    exchange(
        "§resource: x",
        &["error: unknown key `resource` in `tokenExchange` (did you mean `resources`?)"],
    );
    aws(
        "fallbackRoleArn: 'arn:aws:iam::123456789012:role/r', §roleMapping: []",
        &["error: unknown key `roleMapping` in `awsSts` (did you mean `roleMappings`?)"],
    );
}

#[test]
fn secrets_are_sent_to_https_only() {
    let message = |key: &str| {
        format!(
            "error: `{key}` must start with https:// \
             (secrets are sent there; http:// is for loopback addresses only)"
        )
    };
    strategy(
        "type: token_exchange, tokenExchange: {tokenUrl: §'http://i/t'}",
        &[&message("tokenUrl")],
    );
    strategy(
        "type: client_credentials, clientCredentials: {tokenUrl: §'http://10.0.0.1/t', clientId: a, clientSecret: b}",
        &[&message("tokenUrl")],
    );
    strategy(
        "type: xaa, xaa: {idpTokenUrl: §'http://i/t', targetTokenUrl: §'http://localhost.evil/t', targetAudience: a}",
        &[&message("idpTokenUrl"), &message("targetTokenUrl")],
    );
    // The way out of it is for the target.
    strategy(
        "type: xaa, xaa: {idpTokenUrl: §'http://i/t', targetTokenUrl: 'http://t/t', targetAudience: a, \
         insecureTargetTokenUrl: true}",
        &[&message("idpTokenUrl")],
    );
    aws(
        "fallbackRoleArn: 'arn:aws:iam::123456789012:role/r', stsUrl: §'http://sts'",
        &[&message("stsUrl")],
    );
    oauth("issuer: §'http://as'", &[&message("issuer")]);
    oauth("clientMetadataUrl: §'http://me/c.json'", &[&message("clientMetadataUrl")]);
    for fine in
        ["http://127.0.0.2:1/t", "http://[::1]/t", "http://localhost/t", "http://a.localhost/t"]
    {
        let text = format!("type: oauth, oauth: {{issuer: '{fine}'}}");
        strategy(&text, &[]);
    }
}

#[test]
fn urls_are_complete_and_hold_no_password() {
    strategy(
        "type: token_exchange, tokenExchange: {tokenUrl: §'i/t'}",
        &[
            "error: `tokenUrl` is not a URL: relative URL without a base (such as https://example.com/mcp)",
        ],
    );
    strategy(
        "type: token_exchange, tokenExchange: {tokenUrl: §'https://me:hunter2@i/t'}",
        &["error: `tokenUrl` must not hold a user or a password"],
    );
    strategy(
        "type: token_exchange, tokenExchange: {tokenUrl: '§${NO}'}",
        &[
            "error: environment variable `NO` of `tokenUrl` is not set (set it, or give a default: `${NO:-…}`)",
        ],
    );
    for text in ["'https://me/'", "'https://me'", "'https://me/c?x'"] {
        oauth(
            &format!("clientMetadataUrl: §{text}"),
            &["error: `clientMetadataUrl` needs a path and has no `?` or `#` \
               (such as https://example.com/vmcp-client.json)"],
        );
    }
    oauth("issuer: §'https://as/?a=b'", &["error: `issuer` has no `?` or `#`"]);
}

#[test]
fn scopes_resources_and_types_are_well_formed() {
    exchange(
        "scopes: [a, §'b c', §'d\"', §' ']",
        &[
            "error: `b c` is not a scope (each item of the list is one scope)",
            "error: `d\"` is not a scope",
            "error: `scopes` is empty",
        ],
    );
    exchange("scopes: §7", &["error: `scopes` must be a list, found a number"]);
    exchange("scopes: §'a \"'", &["error: `\"` is not a scope"]);
    exchange(
        "resources: [§git, 'https://x', §'https://x#y']",
        &[
            "error: `resources` needs an absolute URI without `#` (such as https://example.com/mcp)",
            "error: `resources` needs an absolute URI without `#` (such as https://example.com/mcp)",
        ],
    );
    exchange(
        "subjectTokenType: §acces_token, requestedTokenType: §'urn:ietf:params:oauth:token-type:idtoken'",
        &[
            "error: `subjectTokenType` cannot be `acces_token` (did you mean `access_token`?)",
            "error: `requestedTokenType` cannot be `urn:ietf:params:oauth:token-type:idtoken` \
             (did you mean `id_token`?)",
        ],
    );
    strategy(
        "type: xaa, xaa: {idpTokenUrl: 'https://i/t', targetTokenUrl: 'https://t/t', targetAudience: a, \
         targetResource: §git, subjectTokenType: §access_token}",
        &[
            "error: `targetResource` needs an absolute URI without `#` (such as https://example.com/mcp)",
            "error: `subjectTokenType` of `xaa` can only be `id_token` (an issuer makes the grant of an ID token)",
        ],
    );
}

#[test]
fn aws_settings_are_checked_before_aws_is_asked() {
    const ROLE: &str = "fallbackRoleArn: 'arn:aws:iam::123456789012:role/r'";
    for (key, hint) in [("region", "such as us-east-1"), ("service", "such as aws-mcp")] {
        let rest = if key == "region" { "" } else { "region: r, " };
        strategy(
            &format!("type: aws_sts, awsSts: {{{rest}{ROLE}, {key}: §'a.b/'}}"),
            &[&format!("error: `{key}` has small letters, digits and `-` only ({hint})")],
        );
    }
    for arn in [
        "reader",
        "arn:aws:iam::123456789012:user/r",
        "arn:aws:iam::12345678901:role/r",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a b",
        "arn:gcp:iam::123456789012:role/r",
    ] {
        aws(
            &format!("fallbackRoleArn: §'{arn}'"),
            &[
                "error: `fallbackRoleArn` is not the ARN of a role (such as arn:aws:iam::123456789012:role/reader)",
            ],
        );
    }
    for duration in ["899", "12h1s", "0", "1e3"] {
        aws(
            &format!("{ROLE}, sessionDuration: §{duration}"),
            &["error: `sessionDuration` must be from 15m to 12h \
               (a duration, or a number of seconds from 900 to 43200)"],
        );
    }
    aws("roleMappings: §[]", &["error: `roleMappings` is empty"]);
    aws(
        "roleMappings: [{§matcher: '\"${x}\" in claims.groups', roleArn: 'arn:aws:iam::123456789012:role/r'}]",
        &["error: `awsSts.roleMappings.matcher` is not supported yet \
           (`claim` compares the claim that `roleClaim` names)"],
    );
    aws(
        "roleMappings: [§{roleArn: 'arn:aws:iam::123456789012:role/r'}, \
         {claim: a, §matcher: 'true', roleArn: 'arn:aws:iam::123456789012:role/r'}, \
         §{claim: a}, {claim: a, roleArn: §r, priority: §1.5}]",
        &[
            "error: an entry of `roleMappings` needs `claim` (a role for everybody is `fallbackRoleArn`)",
            "error: `claim` and `matcher` exclude each other",
            "error: an entry of `roleMappings` needs `roleArn`",
            "error: `roleArn` is not the ARN of a role (such as arn:aws:iam::123456789012:role/reader)",
            "error: `priority` must be a whole number, found a number",
        ],
    );
}

/// A backend of each kind, and strategies for them.
fn two(marked: &str) -> String {
    format!(
        "backends:\n  - {{name: git, url: 'https://git/mcp', headers: {{Authorization: x}}}}\n  - {{name: time, command: uvx}}\n{marked}\n"
    )
}

#[test]
fn processes_have_no_requests_to_authenticate() {
    check(
        &two("outgoingAuth: {backends: {time: {type: §oauth}}}"),
        &[
            "error: `oauth` is for HTTP, and `time` is a process (give a process its credentials in `env`)",
        ],
    );
    check(&two("outgoingAuth: {backends: {time: {type: unauthenticated}}}"), &[]);
    check(
        &two("outgoingAuth: {default: {type: §§oauth}}"),
        &[
            "warning: `Authorization` in `headers` of `git` is replaced by this strategy (remove one of the two)",
            "warning: `oauth` is not used for `time` (it is for HTTP, and processes have their `env`)",
        ],
    );
    check(
        &two(
            "outgoingAuth: {default: {type: oauth}, backends: {git: {type: unauthenticated}, time: {type: unauthenticated}}}",
        ),
        &[],
    );
}

#[test]
fn a_strategy_that_no_caller_can_feed_is_told() {
    const OWN: &str = "every call fails; `client_credentials` gets a token of vmcp's own";
    const LISTED: &str = "its tools are listed with a token of vmcp's own, and every call fails";
    const XAA: &str =
        "idpTokenUrl: 'https://i/t', targetTokenUrl: 'https://t/t', targetAudience: a";
    let text = |incoming: &str, marked: &str| {
        format!(
            "backends: [{{name: git, url: 'https://git/mcp'}}]\n{incoming}outgoingAuth: {{default: {{type: §{marked}}}}}\n"
        )
    };
    for (marked, hint) in [
        ("token_exchange, tokenExchange: {tokenUrl: 'https://i/t'}".to_owned(), OWN),
        ("token_exchange, tokenExchange: {tokenUrl: 'https://i/t', clientId: a}".to_owned(), OWN),
        (
            "token_exchange, tokenExchange: {tokenUrl: 'https://i/t', clientId: a, clientSecret: b}".to_owned(),
            LISTED,
        ),
        (format!("xaa, xaa: {{{XAA}}}"), OWN),
        (format!("xaa, xaa: {{{XAA}, targetClientId: a, targetClientSecret: b}}"), LISTED),
        (
            "upstream_inject, upstreamInject: {providerName: p}".to_owned(),
            "every call fails; `oauth` logs in once for all",
        ),
        (
            "aws_sts, awsSts: {region: r, fallbackRoleArn: 'arn:aws:iam::123456789012:role/r'}".to_owned(),
            "every call fails: AWS gives credentials for a token of the caller only",
        ),
    ] {
        let name = marked.split(',').next().unwrap();
        for (incoming, word) in [
            ("", "anonymous"),
            ("incomingAuth: {type: anonymous}\n", "anonymous"),
            ("incomingAuth: {type: local}\n", "local"),
        ] {
            let wanted = format!(
                "warning: `{name}` needs a token of the caller, and callers that are {word} have none ({hint})"
            );
            check(&text(incoming, &marked), &[&wanted]);
        }
    }
    // Those of vmcp's own need nobody, and a default that nobody has matters to nobody.
    for own in [
        "client_credentials, clientCredentials: {tokenUrl: 'https://i/t', clientId: a, clientSecret: b}",
        "oauth",
        "header_injection, headerInjection: {headerName: X, headerValue: a}",
    ] {
        check(&text("", own).replace('§', ""), &[]);
    }
    check(
        "backends: [{name: git, url: 'https://git/mcp'}]\noutgoingAuth: {default: {type: upstream_inject, \
         upstreamInject: {providerName: p}}, backends: {git: {type: unauthenticated}}}\n",
        &[],
    );
}
