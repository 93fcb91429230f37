//! How servers are reached that a backend, or what it named, names.
//!
//! Whoever runs vmcp chose the backend; the backend chooses these. So they are on public addresses, unless they are on
//! the backend's own host, or on that of the issuer that the configuration trusts, or in a network that the
//! configuration allows. The rule is applied to the addresses that are dialled (see [`Egress`]).

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use url::Url;
use vmcp_net::{Client, Egress, Fetch, NetError, Pool, PoolKey};

use super::error::LoginError;
use crate::discovery::{self, MAX_DOCUMENT_BYTES};
use crate::{AuthContext, AuthTarget, OAuth};

/// How long a document or an endpoint may take, dialling included.
const DEADLINE: Duration = Duration::from_secs(10);

/// The way to the servers around one backend.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    http: Client,
    target: AuthTarget,
    server: Url,
    /// Hosts that the configuration names.
    chosen: Vec<Url>,
}

// === impl Reach ===

impl Reach {
    pub(super) fn new(
        context: &AuthContext,
        target: &AuthTarget,
        settings: &OAuth,
    ) -> Result<Self, LoginError> {
        let Some(url) = &target.url else {
            let text = "only backends that are reached over HTTP have logins";
            return Err(LoginError::Unusable(text.to_owned()));
        };
        let mut server = url.as_url().clone();
        server.set_fragment(None);
        let chosen = std::iter::once(server.clone())
            .chain(settings.issuer.iter().map(|issuer| issuer.as_url().clone()))
            .collect();
        Ok(Self { http: context.http.clone(), target: target.clone(), server, chosen })
    }

    /// The backend's URL.
    pub(super) fn server(&self) -> &Url {
        &self.server
    }

    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    /// Connections to the backend itself.
    pub(super) fn backend(&self) -> Result<Pool, NetError> {
        self.pool(&self.server)
    }

    /// Connections to a server that somebody named.
    pub(super) fn pool(&self, to: &Url) -> Result<Pool, NetError> {
        self.http.pool(&self.key(to))
    }

    /// What may be dialled, and how.
    pub(super) fn key(&self, to: &Url) -> PoolKey {
        let network = &self.target.network;
        let host = to.host_str().unwrap_or_default();
        let egress = if self.chosen.iter().any(|chosen| same_machine(chosen, to)) {
            Egress::configured_for(host, network.private, &network.allow)
        } else {
            Egress { private: false, allow: network.allow.clone() }
        };
        PoolKey { egress, ..self.target.discovered() }
    }

    /// Fetches a document. Redirects are followed within its origin.
    pub(super) async fn document(&self, at: &Url) -> Result<Response<Bytes>, NetError> {
        let bounds = Fetch { redirects: true, ..Fetch::new(MAX_DOCUMENT_BYTES, DEADLINE) };
        let request = Request::get(at.as_str()).header(header::ACCEPT, "application/json");
        self.exchange(at, request, Bytes::new(), bounds).await
    }

    /// Posts JSON.
    pub(super) async fn post_json(
        &self,
        to: &Url,
        body: String,
    ) -> Result<Response<Bytes>, NetError> {
        let request = Request::post(to.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json");
        let bounds = Fetch::new(MAX_DOCUMENT_BYTES, DEADLINE);
        self.exchange(to, request, Bytes::from(body), bounds).await
    }

    async fn exchange(
        &self,
        to: &Url,
        request: http::request::Builder,
        body: Bytes,
        bounds: Fetch,
    ) -> Result<Response<Bytes>, NetError> {
        let request =
            request.body(body).map_err(|error| NetError::Setup(format!("{to}: {error}")))?;
        self.pool(to)?.fetch(request, bounds).await
    }

    /// Asks the backend something without credentials, to hear what it wants to have: its answer's head.
    ///
    /// POST first: that is what servers guard. Some answer GET only, with an event stream that is not read.
    pub(super) async fn probe(&self) -> Result<Response<()>, NetError> {
        let ping = Bytes::from_static(br#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#);
        let posted = self.ask(Request::post(self.server.as_str()), ping).await?;
        if posted.status() == StatusCode::UNAUTHORIZED {
            return Ok(posted);
        }
        let got = self.ask(Request::get(self.server.as_str()), Bytes::new()).await?;
        Ok(if got.status() == StatusCode::UNAUTHORIZED { got } else { posted })
    }

    async fn ask(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<Response<()>, NetError> {
        let request = request
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| NetError::Setup(error.to_string()))?;
        let pool = self.backend()?;
        match tokio::time::timeout(DEADLINE, pool.send(request)).await {
            Ok(response) => Ok(response?.map(drop)),
            Err(_) => Err(NetError::Late(DEADLINE)),
        }
    }
}

/// Whether both are on the same machine by their names: the same host, or two names of this machine.
fn same_machine(one: &Url, other: &Url) -> bool {
    one.host() == other.host() || discovery::is_loopback(one) && discovery::is_loopback(other)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::Reach;
    use crate::{AuthContext, AuthTarget, OAuth};

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// Whether private addresses may be dialled for a URL that somebody names.
    fn check(backend: &str, issuer: Option<&str>, cases: &[(&str, bool)]) {
        let mut target = AuthTarget::new("notes");
        target.url = Some(url(backend).into());
        target.network.allow = vec!["10.9.0.0/16".parse().unwrap()];
        let issuer = issuer.map(|issuer| url(issuer).into());
        let settings = OAuth { issuer, ..OAuth::default() };
        let reach = Reach::new(&AuthContext::default(), &target, &settings).unwrap();
        for (named, wanted) in cases {
            let egress = reach.key(&url(named)).egress;
            assert_eq!(egress.check("10.1.2.3".parse().unwrap()).is_ok(), *wanted, "{named}");
            // A network of the configuration counts for all of them.
            assert!(egress.check("10.9.2.3".parse().unwrap()).is_ok(), "{named}");
            assert!(egress.check("169.254.169.254".parse().unwrap()).is_err(), "{named}");
        }
    }

    #[test]
    fn only_hosts_of_the_configuration_may_be_private() {
        check(
            "https://mcp.internal/mcp",
            None,
            &[
                ("https://mcp.internal:8443/token", true),
                ("https://sso.internal/token", false),
                ("https://localhost/token", false),
                ("https://mcp.internal.example/token", false),
            ],
        );
        check(
            "https://mcp.internal/mcp",
            Some("https://sso.internal/realm"),
            &[("https://sso.internal/token", true), ("https://other.internal/token", false)],
        );
        // A public backend has nothing private, under its own name neither.
        check("https://mcp.example/mcp", None, &[("https://mcp.example/token", false)]);
    }

    #[test]
    fn this_machine_is_one_machine_under_all_its_names() {
        let reach = |backend: &str| {
            let mut target = AuthTarget::new("notes");
            target.url = Some(url(backend).into());
            Reach::new(&AuthContext::default(), &target, &OAuth::default()).unwrap()
        };
        let loopback = "127.0.0.1".parse().unwrap();
        let here = reach("http://localhost:1/mcp");
        assert!(here.key(&url("http://127.0.0.1:2/token")).egress.check(loopback).is_ok());
        assert!(here.key(&url("https://sso.internal/token")).egress.check(loopback).is_err());
        let elsewhere = reach("https://mcp.example/mcp");
        assert!(elsewhere.key(&url("http://127.0.0.1:2/token")).egress.check(loopback).is_err());
    }
}
