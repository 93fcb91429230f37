//! Clients of authorization servers and their secrets: what is wrong with one.

use crate::marked::strategy;
use crate::strategies_bad::{exchange, oauth};

#[test]
fn a_client_without_an_id_is_nobody() {
    for key in [
        "clientSecret: a",
        "clientSecretEnv: TOKEN",
        "clientSecretFile: /run/secret",
        "clientKeyFile: /run/key.pem",
        "clientAuthMethod: none",
        "clientKeyId: a",
        "clientAssertionAudience: a",
    ] {
        let name = key.split(':').next().unwrap();
        exchange(&format!("§{key}"), &[&format!("error: `{name}` needs `clientId`")]);
    }
    strategy(
        "type: xaa, xaa: {idpTokenUrl: 'https://i/t', targetTokenUrl: 'https://t/t', targetAudience: a, \
         §idpClientSecret: a, §targetClientSecret: b}",
        &[
            "error: `idpClientSecret` needs `idpClientId`",
            "error: `targetClientSecret` needs `targetClientId`",
        ],
    );
}

#[test]
fn some_clients_must_prove_who_they_are() {
    strategy(
        "type: xaa, xaa: {idpTokenUrl: 'https://i/t', targetTokenUrl: 'https://t/t', targetAudience: a, \
         §idpClientId: a, §targetClientId: b}",
        &[
            "error: `idpClientId` needs `idpClientSecret`, `idpClientSecretEnv` or `idpClientSecretFile` \
             (a public client says so: `idpClientAuthMethod: none`)",
            "error: `targetClientId` needs `targetClientSecret`, `targetClientSecretEnv` or \
             `targetClientSecretFile` (a public client says so: `targetClientAuthMethod: none`)",
        ],
    );
    for method in ["", ", clientAuthMethod: none"] {
        strategy(
            &format!(
                "type: client_credentials, clientCredentials: {{tokenUrl: 'https://i/t', §clientId: a{method}}}"
            ),
            &["error: `clientId` needs `clientSecret`, `clientSecretEnv` or `clientSecretFile` \
               (or a key: `clientKeyFile`; who cannot prove its identity gets no token)"],
        );
    }
}

#[test]
fn a_secret_is_given_once_and_is_there() {
    exchange(
        "clientId: a, clientSecret: b, §clientSecretEnv: TOKEN",
        &["error: `clientSecret` and `clientSecretEnv` exclude each other"],
    );
    exchange(
        "clientId: a, clientSecretEnv: TOKEN, §clientSecretFile: /run/secret",
        &["error: `clientSecretEnv` and `clientSecretFile` exclude each other"],
    );
    exchange(
        "clientId: a, clientSecretEnv: §EMPTY",
        &["error: environment variable `EMPTY` of `clientSecretEnv` is not set or empty"],
    );
    exchange("clientId: a, clientSecret: §''", &["error: `clientSecret` is empty"]);
    exchange(
        "clientId: a, clientSecretFile: §/run/none",
        &["error: cannot read the file of `clientSecretFile`: entity not found"],
    );
    exchange(
        "clientId: a, clientSecretFile: §/run/empty",
        &["error: the file of `clientSecretFile` is empty"],
    );
    exchange(
        "clientId: a, clientSecretFile: §secret",
        &["error: `clientSecretFile` must be an absolute path without `..`"],
    );
    exchange("§actorTokenType: jwt", &["error: `actorTokenType` needs `actorToken`"]);
    strategy(
        "type: header_injection, headerInjection: {headerName: X, headerValueEnv: TOKEN, §headerValueFile: /run/secret}",
        &["error: `headerValueEnv` and `headerValueFile` exclude each other"],
    );
    strategy(
        "type: header_injection, headerInjection: {headerName: X, headerValueEnv: §TWO_LINES}",
        &["error: the value of `headerValueEnv` has a line break or a control character \
           (a header is one line; look for a trailing line break in the variable)"],
    );
}

#[test]
fn what_a_client_does_not_use_is_an_error() {
    exchange(
        "clientId: a, §clientSecret: b, clientAuthMethod: none",
        &["error: `clientSecret` has no effect here (see `clientAuthMethod` in line 2)"],
    );
    exchange(
        "clientId: a, clientSecret: b, §clientKeyId: c",
        &["error: `clientKeyId` has no effect here (it goes with `clientKey`)"],
    );
    exchange(
        "clientId: a, clientSecret: b, §clientAssertionAudience: c",
        &["error: `clientAssertionAudience` has no effect here (it goes with `clientKey`)"],
    );
    exchange(
        "clientId: a, clientSecret: b, §clientKeyFile: /run/key.pem, clientKeyAlgorithm: ES256",
        &["error: `clientSecret` and `clientKeyFile` exclude each other"],
    );
    exchange(
        "clientId: a, clientAuthMethod: §post",
        &["error: this method needs `clientSecret`, `clientSecretEnv` or `clientSecretFile`"],
    );
    exchange(
        "clientId: a, clientAuthMethod: §private_key_jwt",
        &["error: this method needs `clientKey`, `clientKeyEnv` or `clientKeyFile`"],
    );
    exchange(
        "clientId: a, clientAuthMethod: §tls",
        &[
            "error: `clientAuthMethod` cannot be `tls` (known here: `basic`, `post`, `none`, `private_key_jwt`, \
           `client_secret_basic` or `client_secret_post`)",
        ],
    );
}

#[test]
fn a_key_is_one_that_can_sign() {
    exchange(
        "clientId: a, §clientKeyFile: /run/key.pem",
        &[
            "error: `clientKeyFile` needs `clientKeyAlgorithm` (`ES256`, `ES384`, `RS256`, `PS256` or `EdDSA`)",
        ],
    );
    exchange(
        "clientId: a, clientKeyFile: /run/key.pem, clientKeyAlgorithm: §HS256",
        &["error: `clientKeyAlgorithm` cannot be `HS256` (did you mean `ES256`?)"],
    );
    exchange(
        "clientId: a, clientKeyFile: §/run/secret, clientKeyAlgorithm: ES256",
        &["error: `clientKeyFile` has no private key (PEM: -----BEGIN PRIVATE KEY-----)"],
    );
    exchange(
        "clientId: a, clientKeyFile: §/run/locked.pem, clientKeyAlgorithm: ES256",
        &["error: the key of `clientKeyFile` is encrypted (vmcp cannot ask for its password)"],
    );
}

#[test]
fn an_oauth_client_is_one_client() {
    oauth(
        "clientId: a, §clientMetadataUrl: 'https://me/c.json'",
        &[
            "error: `clientId` and `clientMetadataUrl` exclude each other (the URL is the client's id)",
        ],
    );
    oauth(
        "callbackPort: §0",
        &["error: `callbackPort` must be a port from 1 to 65535, found a number"],
    );
    oauth(
        "callbackPort: §65536",
        &["error: `callbackPort` must be a port from 1 to 65535, found a number"],
    );
    oauth("passive: §maybe", &["error: `passive` must be true or false, found a string"]);
}
