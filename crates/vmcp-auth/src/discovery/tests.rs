//! What is read, what is refused, and where documents are looked for.

use serde_json::{Value, json};
use url::Url;

use super::{
    AuthorizationServer, DocumentError, MAX_DOCUMENT_BYTES, ProtectedResource, UrlProblem, url,
};

fn url_of(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn resource(document: &Value) -> Result<ProtectedResource, DocumentError> {
    ProtectedResource::parse(document.to_string().as_bytes())
}

fn server(document: &Value) -> Result<AuthorizationServer, DocumentError> {
    AuthorizationServer::parse(document.to_string().as_bytes())
}

fn least() -> Value {
    json!({
        "issuer": "https://as.example",
        "authorization_endpoint": "https://as.example/a",
        "token_endpoint": "https://as.example/t",
    })
}

/// The least document of an authorization server with one member more, or instead.
fn with(member: &str, value: Value) -> Value {
    let mut document = least();
    document[member] = value;
    document
}

fn check_refused<T: std::fmt::Debug>(read: Result<T, DocumentError>, expected: &str) {
    let error = read.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn keeps_identifiers_as_they_came() {
    let document = json!({
        "resource": "HTTPS://mcp.example:443",
        "authorization_servers": ["https://as.example/", "https://b.example"],
        "x": {"y": [1]},
    });
    let read = resource(&document).unwrap();
    assert_eq!(read.resource, "HTTPS://mcp.example:443");
    assert_eq!(read.authorization_servers, ["https://as.example/", "https://b.example"]);
    assert_eq!(read.scopes_supported, None);
    let read = server(&with("issuer", json!("https://AS.example/"))).unwrap();
    assert!(read.is_of("https://AS.example/"));
    for other in ["https://as.example/", "https://AS.example", "https://AS.example:443/"] {
        assert!(!read.is_of(other), "{other}");
    }
}

#[test]
fn refuses_resources_that_cannot_be_used() {
    let servers = json!(["https://as.example"]);
    check_refused(resource(&json!({"authorization_servers": servers})), "resource");
    check_refused(resource(&json!({"resource": "https://a.example"})), "authorization_servers");
    check_refused(
        resource(&json!({"resource": "https://a.example", "authorization_servers": []})),
        "names no server",
    );
    check_refused(
        resource(&json!({"resource": "https://a.example#x", "authorization_servers": servers})),
        "fragment",
    );
    check_refused(
        resource(&json!({"resource": "http://a.example", "authorization_servers": servers})),
        "must be https",
    );
    check_refused(ProtectedResource::parse(b"<html></html>"), "not a metadata document");
    check_refused(
        ProtectedResource::parse(br#"["https://a.example",["https://as.example"],null]"#),
        "no object",
    );
    check_refused(
        ProtectedResource::parse(
            b"{\"x\":\"\xff\",\"resource\":\"https://a.example\",\"authorization_servers\":[\"https://b.example\"]}",
        ),
        "utf-8",
    );
    check_refused(
        ProtectedResource::parse(
            br#"{"resource":"https://a.example","resource":"https://b.example"}"#,
        ),
        "duplicate",
    );
}

#[test]
fn refuses_servers_that_cannot_be_used() {
    assert!(server(&least()).is_ok());
    check_refused(server(&with("token_endpoint", Value::Null)), "\"token_endpoint\" is missing");
    check_refused(server(&with("issuer", json!("https://as.example/?a=b"))), "query");
    check_refused(server(&with("issuer", json!(5))), "not a metadata document");
    for (text, problem) in [
        ("http://as.example/t", "must be https"),
        ("ftp://as.example/t", "not an absolute URL"),
        ("/t", "not an absolute URL"),
        ("javascript:alert(1)", "not an absolute URL"),
        ("https://user:pass@as.example/t", "user or password"),
        ("https://as.example/t#x", "fragment"),
    ] {
        for member in ["token_endpoint", "authorization_endpoint", "registration_endpoint"] {
            check_refused(server(&with(member, json!(text))), problem);
        }
    }
    check_refused(server(&with("response_types_supported", json!(["token"]))), "\"code\"");
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(MAX_DOCUMENT_BYTES));
    check_refused(AuthorizationServer::parse(long.as_bytes()), "longer than");
    let deep = format!("{{\"x\":{}", "[".repeat(100_000));
    check_refused(AuthorizationServer::parse(deep.as_bytes()), "not a metadata document");
}

#[test]
fn what_a_parser_would_mend_is_refused() {
    for bad in [
        "https://a.example/\u{1b}[2J",
        "https://a.exa\nmple",
        " https://a.example",
        "https://a.example/b c",
        "https://\u{fc}.example",
    ] {
        assert_eq!(url(bad), Err(UrlProblem::NotAUrl), "{bad:?}");
    }
    for (scope, fine) in
        [("a:b/c", true), ("", false), ("a b", false), ("a\"", false), ("\u{1b}", false)]
    {
        assert_eq!(super::is_scope(scope), fine, "{scope:?}");
    }
}

#[test]
fn plain_http_is_for_this_machine_only() {
    for fine in
        ["http://localhost:1/a", "http://127.0.0.9/", "http://[::1]:8/", "http://a.localhost/"]
    {
        assert!(url(fine).is_ok(), "{fine}");
    }
    for bad in [
        "http://localhost.example/",
        "http://10.0.0.1/",
        "http://127.example/",
        "http://notlocalhost/",
    ] {
        assert_eq!(url(bad), Err(UrlProblem::Insecure), "{bad}");
    }
}

#[test]
fn reads_what_a_server_can_do() {
    let read = server(&least()).unwrap();
    assert!(!read.has_pkce() && !read.client_id_metadata_document_supported);
    assert!(!read.authorization_response_iss_parameter_supported);
    assert!(
        !server(&with("code_challenge_methods_supported", json!(["plain"]))).unwrap().has_pkce()
    );
    assert!(
        server(&with("code_challenge_methods_supported", json!(["plain", "S256"])))
            .unwrap()
            .has_pkce()
    );
    let read = server(&with("scopes_supported", json!(["a", "offline_access"]))).unwrap();
    assert!(read.offers_scope("offline_access") && !read.offers_scope("b"));
}

#[test]
fn looks_for_resources_where_the_specification_says() {
    let check = |server: &str, wanted: &[&str]| {
        let places: Vec<String> =
            ProtectedResource::well_known(&url_of(server)).iter().map(Url::to_string).collect();
        assert_eq!(places, wanted, "{server}");
    };
    let root = "https://h.example/.well-known/oauth-protected-resource";
    check("https://h.example", &[root]);
    check("https://h.example/", &[root]);
    check("https://h.example/public/mcp#f", &[&format!("{root}/public/mcp"), root]);
    check("https://h.example/mcp/", &[&format!("{root}/mcp/"), &format!("{root}/mcp"), root]);
    check("https://h.example/mcp?a=b", &[&format!("{root}/mcp?a=b"), root]);
}

#[test]
fn looks_for_servers_where_the_specification_says() {
    let check = |issuer: &str, wanted: &[&str]| {
        let places: Vec<String> =
            AuthorizationServer::well_known(issuer).unwrap().iter().map(Url::to_string).collect();
        assert_eq!(places, wanted, "{issuer}");
    };
    let root = [
        "https://a.example/.well-known/oauth-authorization-server",
        "https://a.example/.well-known/openid-configuration",
    ];
    check("https://a.example", &root);
    check("https://a.example/", &root);
    let tenant = [
        "https://a.example/.well-known/oauth-authorization-server/tenant1",
        "https://a.example/.well-known/openid-configuration/tenant1",
        "https://a.example/tenant1/.well-known/openid-configuration",
    ];
    check("https://a.example/tenant1", &tenant);
    check("https://a.example/tenant1/", &tenant);
    assert_eq!(AuthorizationServer::well_known("http://a.example"), Err(UrlProblem::Insecure));
}

#[test]
fn a_resource_covers_what_is_below_it() {
    let check = |resource: &str, server: &str, wanted: bool| {
        let document = ProtectedResource {
            resource: resource.to_owned(),
            authorization_servers: Vec::new(),
            scopes_supported: None,
        };
        assert_eq!(document.covers(&url_of(server)), wanted, "{resource} and {server}");
    };
    check("https://h.example/mcp", "https://h.example/mcp", true);
    check("https://H.example:443/mcp/", "https://h.example/mcp", true);
    check("https://h.example", "https://h.example/mcp", true);
    check("https://h.example/a", "https://h.example/a/mcp", true);
    check("https://h.example/mc", "https://h.example/mcp", false);
    check("https://h.example/mcp/x", "https://h.example/mcp", false);
    check("https://evil.example/mcp", "https://h.example/mcp", false);
    check("https://h.example:8443/mcp", "https://h.example/mcp", false);
    check("https://h.example.evil.example/mcp", "https://h.example/mcp", false);
    check("http://localhost/mcp", "https://localhost/mcp", false);
    check("https://h.example/mcp?t=1", "https://h.example/mcp?t=1", true);
    check("https://h.example/mcp?t=1", "https://h.example/mcp?t=2", false);
    check("https://h.example/a/../mcp", "https://h.example/mcp", true);
}

#[test]
fn undocumented_servers_have_the_default_places() {
    let read = AuthorizationServer::undocumented(&url_of("https://api.example.com/v1/mcp?x=1"));
    assert_eq!(read.issuer, "https://api.example.com");
    assert_eq!(read.token_endpoint.as_str(), "https://api.example.com/token");
    assert_eq!(read.authorization_endpoint.as_str(), "https://api.example.com/authorize");
    assert_eq!(read.registration_endpoint.unwrap().as_str(), "https://api.example.com/register");
}
