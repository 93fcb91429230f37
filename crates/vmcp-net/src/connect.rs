//! Dialling: DNS, TCP, proxy and TLS under one deadline.
//!
//! A proxy is dialled as the environment names it; where the request is for is then resolved by the proxy, not here. So
//! behind a proxy the addresses of names are the proxy's business: what can be seen in the URL itself is still checked.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::tls::Trust;
use crate::{Egress, NetError};

pub(crate) use tcp::Lookup;
use tcp::Tcp;

mod tcp;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Dialling<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Dials and, for `https`, secures; fails after the deadline.
#[derive(Clone)]
pub(crate) struct Connector {
    plain: Dialler,
    trust: Arc<Trust>,
    /// Made when something is secured for the first time.
    secured: Arc<OnceLock<HttpsConnector<Dialler>>>,
    deadline: Duration,
}

/// Dials TCP, directly or through a proxy.
#[derive(Clone)]
pub(crate) struct Dialler {
    tcp: Tcp,
    lookup: Lookup,
    proxies: Option<Arc<Matcher>>,
}

/// A TCP connection, and whether a proxy reads what is written to it.
pub(crate) struct Dialled {
    stream: TokioIo<TcpStream>,
    proxied: bool,
}

// === impl Connector ===

impl Connector {
    pub(crate) fn new(
        trust: Trust,
        proxies: Option<Arc<Matcher>>,
        (lookup, egress): (Lookup, Egress),
        deadline: Duration,
    ) -> Self {
        let tcp = Tcp::new(lookup.clone(), egress);
        let plain = Dialler { tcp, lookup, proxies };
        Self { plain, trust: Arc::new(trust), secured: Arc::default(), deadline }
    }

    fn dialling(&mut self, to: Uri) -> Dialling<MaybeHttpsStream<Dialled>> {
        if to.scheme_str() != Some("https") {
            let dialling = self.plain.call(to);
            return Box::pin(async move { Ok(MaybeHttpsStream::Http(dialling.await?)) });
        }
        match self.secured() {
            Ok(mut secured) => secured.call(to),
            Err(error) => Box::pin(async move { Err(error.into()) }),
        }
    }

    fn secured(&self) -> Result<HttpsConnector<Dialler>, NetError> {
        if let Some(secured) = self.secured.get() {
            return Ok(secured.clone());
        }
        let made = HttpsConnectorBuilder::new()
            .with_tls_config(self.trust.client_config()?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(self.plain.clone());
        Ok(self.secured.get_or_init(|| made).clone())
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Dialled>;
    type Error = BoxError;
    type Future = Dialling<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.plain.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let deadline = self.deadline;
        let dialling = self.dialling(to);
        Box::pin(async move {
            match tokio::time::timeout(deadline, dialling).await {
                Ok(outcome) => outcome,
                Err(_) => Err(NetError::connect_timeout(deadline).into()),
            }
        })
    }
}

// === impl Dialler ===

impl Dialler {
    fn through(&self, proxy: &Intercept, to: Uri) -> Dialling<Dialled> {
        let at = proxy.uri().clone();
        if at.scheme_str() != Some("http") {
            let scheme = at.scheme_str().unwrap_or_default().to_owned();
            let error =
                NetError::Setup(format!("proxies of scheme \"{scheme}\" are not supported"));
            return Box::pin(async move { Err(error.into()) });
        }
        if let Err(error) = self.tcp.check_unresolved(to.host().unwrap_or_default()) {
            return Box::pin(async move { Err(error.into()) });
        }
        let allowed = Egress::for_proxy(at.host().unwrap_or_default());
        let mut tcp = Tcp::new(self.lookup.clone(), allowed);
        if to.scheme_str() != Some("https") {
            // A plain request is read by the proxy itself, in absolute form.
            return Box::pin(
                async move { Ok(Dialled { stream: tcp.call(at).await?, proxied: true }) },
            );
        }
        let mut tunnel = Tunnel::new(at, tcp);
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        Box::pin(async move { Ok(Dialled { stream: tunnel.call(to).await?, proxied: false }) })
    }
}

impl Service<Uri> for Dialler {
    type Response = Dialled;
    type Error = BoxError;
    type Future = Dialling<Dialled>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        if let Some(proxy) = self.proxies.as_ref().and_then(|proxies| proxies.intercept(&to)) {
            return self.through(&proxy, to);
        }
        let dialling = self.tcp.call(to);
        Box::pin(async move { Ok(Dialled { stream: dialling.await?, proxied: false }) })
    }
}

// === impl Dialled ===

impl Connection for Dialled {
    fn connected(&self) -> Connected {
        self.stream.connected().proxy(self.proxied)
    }
}

impl Read for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Dialled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}

#[cfg(test)]
mod tests;
