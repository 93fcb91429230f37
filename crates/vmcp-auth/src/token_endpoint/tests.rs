//! Which URLs may be asked.

use url::Url;
use vmcp_config::SafeUrl;
use vmcp_net::{Client, PoolKey};

use super::{PlainHttp, TokenEndpoint};

fn endpoint(url: &str, plain: PlainHttp) -> Result<TokenEndpoint, String> {
    let url = SafeUrl::from(Url::parse(url).unwrap());
    TokenEndpoint::new(&Client::new(), &PoolKey::new("test"), &url, None, plain)
}

#[test]
fn asks_over_https_or_on_this_machine_only() {
    for good in [
        "https://idp.example/token",
        "https://idp.example:8443/a?tenant=b#fragment",
        "http://127.0.0.1:1/token",
        "http://127.9.9.9/token",
        "http://[::1]/token",
        "http://localhost/token",
        "http://idp.localhost/token",
    ] {
        endpoint(good, PlainHttp::Loopback).unwrap();
    }
    for bad in [
        "http://idp.example/token",
        "http://10.0.0.1/token",
        "http://localhost.example/token",
        "http://0.0.0.0/token",
        "ftp://idp.example/token",
        "data:text/plain,token",
    ] {
        assert!(endpoint(bad, PlainHttp::Loopback).is_err(), "{bad}");
    }
    endpoint("http://idp.example/token", PlainHttp::Anywhere).unwrap();
    assert!(endpoint("ftp://idp.example/token", PlainHttp::Anywhere).is_err());
}

#[test]
fn names_the_url_but_not_what_is_secret_in_it() {
    let error = endpoint("https://user:s3cr3t@idp.example/t?key=s3cr3t", PlainHttp::Loopback);
    let error = error.map(|_| ()).unwrap_err();
    assert_eq!(error, "token URL https://idp.example/t?… must not contain a user or password");
    let endpoint = endpoint("https://idp.example/t?key=s3cr3t", PlainHttp::Loopback).unwrap();
    assert!(!format!("{endpoint:?}").contains("s3cr3t"));
    assert_eq!(endpoint.uri, "https://idp.example/t?key=s3cr3t");
}
