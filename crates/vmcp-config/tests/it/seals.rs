//! Keys, and bounds of what waits for a client's answers.

use std::time::Duration;

use vmcp_config::Config;

use crate::loads;
use crate::marked::check;

const HINT: &str = "(32 random bytes in Base64 or hexadecimal: `openssl rand -base64 32`)";

fn with(seal: &str) -> String {
    format!("backends: [{{name: git, url: 'https://git/mcp'}}]\nseal: {{{seal}}}\n")
}

fn seal(given: &str) -> Config {
    loads(&with(given)).0
}

#[test]
fn a_key_is_given_in_the_text_a_variable_or_a_file() {
    let counted: Vec<u8> = (0..32).collect();
    let url_safe = "-_-_AwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    for (given, first, last) in [
        ("keyEnv: SEAL_KEY", 0x00, 0x1f),
        ("key: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='", 0x00, 0x1f),
        ("key: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", 0x00, 0x1f),
        ("key: '${SEAL_KEY}'", 0x00, 0x1f),
        ("keyFile: /run/seal", 0x0f, 0x01),
        (&format!("key: {url_safe}"), 0xfb, 0x1f),
    ] {
        let config = seal(given);
        let key = config.seal.key.as_ref().map(|key| *key.expose()).unwrap();
        assert_eq!((key[0], key[31]), (first, last), "{given}");
        assert!(first != 0 || key[..] == counted[..], "{given}");
        // Whoever prints a configuration prints no key.
        let printed = format!("{config:?}");
        assert!(printed.contains("SealKey([REDACTED])"), "{printed}");
        assert!(!printed.contains("AAEC") && !printed.contains("[0, 1, 2"), "{printed}");
    }
}

#[test]
fn keys_that_were_used_before_are_still_taken() {
    let config = seal("keyEnv: SEAL_KEY, previous: [{keyFile: /run/seal}]");
    assert_eq!(config.seal.previous.len(), 1);
    assert_eq!(config.seal.previous[0].expose()[31], 1);
    assert!(seal("").seal.key.is_none());
}

#[test]
fn everything_that_waits_is_bounded() {
    let usual = seal("").seal;
    assert_eq!(usual.parked_timeout, Duration::from_secs(300));
    let seal = seal(
        "parkedTimeout: 90s, lifetime: 2h, maxParked: 7, maxParkedPerPrincipal: 3, maxBytes: 8KiB",
    );
    let seal = seal.seal;
    assert_eq!(seal.parked_timeout, Duration::from_secs(90));
    assert_eq!(seal.lifetime, Duration::from_secs(7200));
    assert_eq!((seal.max_parked, seal.max_parked_per_principal, seal.max_bytes), (7, 3, 8192));
    let (config, _) = loads(
        "backends: [{name: git, url: 'https://git/mcp'}]\n\
         session: {statelessIdle: 1m, maxStateless: 5, maxStatelessPerPrincipal: 2, maxListens: 4}\n\
         limits: {maxRounds: 6, maxEmptyRounds: 2}\ntimeouts: {probe: 200ms, gather: 10ms}\n",
    );
    let session = config.session;
    assert_eq!(session.stateless_idle, Duration::from_secs(60));
    assert_eq!(
        (session.max_stateless, session.max_stateless_per_principal, session.max_listens),
        (5, 2, 4)
    );
    assert_eq!((config.limits.max_rounds, config.limits.max_empty_rounds), (6, 2));
    assert_eq!(config.timeouts.probe, Duration::from_millis(200));
    assert_eq!(config.timeouts.gather, Duration::from_millis(10));
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let short = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==";
    let odd = "0g".repeat(32);
    let same = "07".repeat(32);
    for bad in [short, "secret", &odd, &same] {
        check(&with(&format!("key: §'{bad}'")), &[&format!("error: `key` is no key {HINT}")]);
    }
    check(&with("keyEnv: §TOKEN"), &[&format!("error: `keyEnv` is no key {HINT}")]);
    check(
        &with("keyEnv: SEAL_KEY, §keyFile: /run/seal"),
        &["error: `keyEnv` and `keyFile` exclude each other"],
    );
    check(
        &with("§previous: [{keyEnv: SEAL_KEY}]"),
        &[&format!("error: `previous` needs a `key` that is used now {HINT}")],
    );
    check(
        &with("keyEnv: SEAL_KEY, previous: [§{keyEnv: SEAL_KEY}, §{}]"),
        &[
            "error: this key is there twice",
            "error: a key of `previous` needs `key`, `keyEnv` or `keyFile`",
        ],
    );
    check(
        &with("§keyfile: /run/seal, maxParked: §0"),
        &[
            "error: unknown key `keyfile` in `seal` (did you mean `keyFile`?)",
            "error: `maxParked` must be a whole number above 0, found a number",
        ],
    );
}
