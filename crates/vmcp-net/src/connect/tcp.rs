//! TCP to addresses that may be dialled, and to no others.
//!
//! There are two ways to an address: the host is one, or DNS gives some. Both are checked here, each time a connection
//! is made and right before it is made; what was found out for an earlier connection counts for nothing.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::{BoxError, Dialling};
use crate::egress::{self, Egress};
use crate::{AddressClass, NetError};

const TCP_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Where names lead. A function, so that what is done with its answers does not depend on whose they are.
#[derive(Clone)]
pub(crate) struct Lookup(Arc<LookupFn>);

type LookupFn = dyn Fn(Name) -> Dialling<Vec<IpAddr>> + Send + Sync;

/// Connects to allowed addresses.
#[derive(Clone)]
pub(crate) struct Tcp {
    connector: HttpConnector<Guarded>,
    egress: Arc<Egress>,
}

/// A [`Lookup`] without the addresses that may not be dialled.
#[derive(Clone)]
pub(crate) struct Guarded {
    lookup: Lookup,
    egress: Arc<Egress>,
}

// === impl Lookup ===

impl Lookup {
    pub(crate) fn new(
        lookup: impl Fn(Name) -> Dialling<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(lookup))
    }

    /// As the system says: its hosts file, its name servers.
    pub(crate) fn system() -> Self {
        Self::new(|name| {
            let mut resolver = GaiResolver::new();
            Box::pin(async move {
                std::future::poll_fn(|context| resolver.poll_ready(context)).await?;
                Ok(resolver.call(name).await?.map(|address| address.ip()).collect())
            })
        })
    }
}

// === impl Tcp ===

impl Tcp {
    pub(crate) fn new(lookup: Lookup, egress: Egress) -> Self {
        let egress = Arc::new(egress);
        let guarded = Guarded { lookup, egress: Arc::clone(&egress) };
        let mut connector = HttpConnector::new_with_resolver(guarded);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_keepalive(Some(TCP_KEEP_ALIVE));
        Self { connector, egress }
    }

    /// What can be said about a host that somebody else will resolve, a proxy: an address, in whatever spelling, must be
    /// allowed; a private name needs that private addresses are.
    pub(crate) fn check_unresolved(&self, host: &str) -> Result<(), NetError> {
        if let Some(address) = egress::address_of(host) {
            return self.check(host, address);
        }
        if egress::is_private_name(host) && !self.egress.private {
            let class = AddressClass::Private;
            return Err(NetError::Egress { host: host.to_owned(), address: None, class });
        }
        Ok(())
    }

    fn check(&self, host: &str, address: IpAddr) -> Result<(), NetError> {
        self.egress.check(address).map_err(|class| NetError::Egress {
            host: host.to_owned(),
            address: Some(address),
            class,
        })
    }
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Dialling<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context).map_err(BoxError::from)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        // The connector does not look an address up, so the resolver does not see it.
        let host = to.host().unwrap_or_default();
        let checked = egress::address_of(host).map_or(Ok(()), |address| self.check(host, address));
        let dialling = self.connector.call(to);
        Box::pin(async move {
            checked?;
            Ok(dialling.await?)
        })
    }
}

// === impl Guarded ===

impl Service<Name> for Guarded {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Looking;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Looking {
        let host = name.as_str().to_owned();
        Looking { found: (self.lookup.0)(name), egress: Arc::clone(&self.egress), host }
    }
}

/// A lookup that goes on.
pub(crate) struct Looking {
    found: Dialling<Vec<IpAddr>>,
    egress: Arc<Egress>,
    host: String,
}

impl Future for Looking {
    type Output = Result<std::vec::IntoIter<SocketAddr>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let found = ready!(self.found.as_mut().poll(context))?;
        let mut refused = None;
        let mut allowed = Vec::with_capacity(found.len());
        for address in found {
            match self.egress.check(address) {
                // The port of the URL is put in later.
                Ok(()) => allowed.push(SocketAddr::new(address, 0)),
                Err(class) => refused = refused.or(Some((address, class))),
            }
        }
        // A name may have public and private addresses; it is of use as long as one of them is.
        Poll::Ready(match refused {
            Some((address, class)) if allowed.is_empty() => {
                let host = std::mem::take(&mut self.host);
                Err(NetError::Egress { host, address: Some(address), class }.into())
            }
            _ => Ok(allowed.into_iter()),
        })
    }
}
