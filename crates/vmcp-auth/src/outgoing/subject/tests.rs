//! Whose token, and through how many hands it came.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{MAX_DELEGATIONS, check_delegation, of};
use crate::{AuthFailure, Identity, TokenType};

/// Claims with a chain of so many actors.
fn delegated(times: usize) -> String {
    let chain = (0..times)
        .fold("\"sub\":\"a\"".to_owned(), |inner, _| format!("\"sub\":\"a\",\"act\":{{{inner}}}"));
    format!("{{{chain}}}")
}

fn jwt(claims: &str) -> String {
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
}

fn check(claims: &str, token: &str) -> Result<(), AuthFailure> {
    let identity = Identity::verified("https://idp", "a", claims)
        .with_token(token.to_owned().into(), TokenType::AccessToken);
    check_delegation(&identity, identity.token().unwrap())
}

#[test]
fn refuses_what_came_through_too_many_hands() {
    for times in [0, 1, MAX_DELEGATIONS] {
        assert_eq!(check(&delegated(times), "opaque"), Ok(()), "{times}");
        assert_eq!(check("{}", &jwt(&delegated(times))), Ok(()), "{times}");
    }
    let text = "the caller's token was delegated more than 10 times".to_owned();
    // Deeper than any reader goes, too.
    for times in [MAX_DELEGATIONS + 1, 100] {
        assert_eq!(check(&delegated(times), "opaque"), Err(AuthFailure::Refused(text.clone())));
        let told = jwt(&delegated(times));
        assert_eq!(check("{}", &told), Err(AuthFailure::Refused(text.clone())), "{times}");
    }
    for times in [200, 5000] {
        assert!(check(&delegated(times), "opaque").is_err(), "{times}");
        assert!(check("{}", &jwt(&delegated(times))).is_err(), "{times}");
    }
}

#[test]
fn takes_tokens_that_it_cannot_read_for_opaque_ones() {
    let signed = jwt("not json");
    for opaque in ["", "a", "a.b", "a.b.c", "a.b.c.d", "..", "a.!!!.c", &signed] {
        assert_eq!(check("{}", opaque), Ok(()), "{opaque}");
    }
    assert!(check("{}", &jwt("{\"act\":")).is_err());
    assert!(check("no claims", "a").is_err());
    // `act` that is no actor is somebody's own claim.
    assert_eq!(check("{\"act\":\"x\"}", &jwt("{\"act\":[{}]}")), Ok(()));
}

#[test]
fn finds_the_token_that_is_asked_for() {
    let identity = Identity::verified("https://idp", "a", "{}")
        .with_token("own".to_owned().into(), TokenType::AccessToken)
        .with_upstream_token("github", "theirs".to_owned().into());
    let digest = |provider| of(&identity, provider).map(|token| *token.digest());
    assert_eq!(digest(None).unwrap(), crate::digest::digest(b"own"));
    assert_eq!(digest(Some("github")).unwrap(), crate::digest::digest(b"theirs"));
    let missing = digest(Some("gitlab")).unwrap_err();
    let text = "provider \"gitlab\": upstream token not found";
    assert_eq!(missing, AuthFailure::NoToken(text.to_owned()));
    let nobody = of(&Identity::anonymous(), None).map(|_| ()).unwrap_err();
    assert_eq!(nobody, AuthFailure::NoToken("identity has no token".to_owned()));
}
