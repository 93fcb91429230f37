//! Puts the SDK's HTTP service on a listener, with streams that a tool can end early.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::server::{Era, Server};
use crate::shared::Shared;

/// How long clients are told to wait before they resume a stream.
pub(crate) const RETRY: Duration = Duration::from_millis(300);

/// Ends the response stream of one request, as a server that saves connections does.
#[derive(Clone)]
pub(crate) struct StreamEnd(Arc<parking_lot::Mutex<Option<oneshot::Sender<()>>>>);

/// A body that ends when its stream is ended.
struct Ending<B> {
    body: Option<Pin<Box<B>>>,
    end: oneshot::Receiver<()>,
}

type Mcp = StreamableHttpService<Server, LocalSessionManager>;

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>, era: Era) -> io::Result<()> {
    let origins = ["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"];
    let config = StreamableHttpServerConfig::default()
        .with_sse_retry(Some(RETRY))
        .with_allowed_origins(origins);
    let mut sessions = LocalSessionManager::default();
    sessions.session_config.sse_retry = Some(RETRY);
    let make = move || Ok(Server::new(Arc::clone(&shared), era));
    let mcp = StreamableHttpService::new(make, Arc::new(sessions), config);
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mcp = mcp.clone();
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let service = service_fn(move |request| answer(mcp.clone(), request));
            // How a connection ends is the client's affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn answer(
    mcp: Mcp,
    mut request: Request<Incoming>,
) -> Result<Response<impl Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let (sender, end) = oneshot::channel();
    let keep = StreamEnd(Arc::new(parking_lot::Mutex::new(Some(sender))));
    request.extensions_mut().insert(keep);
    let response = hyper::service::Service::call(&TowerToHyperService::new(mcp), request).await?;
    Ok(response.map(|body| Ending { body: Some(Box::pin(body)), end }))
}

// === impl StreamEnd ===

impl StreamEnd {
    pub(crate) fn end(&self) {
        if let Some(sender) = self.0.lock().take() {
            let _ = sender.send(());
        }
    }
}

// === impl Ending ===

impl<B: Body> Body for Ending<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        // An error means that nobody is left who could end it.
        if !this.end.is_terminated()
            && matches!(Pin::new(&mut this.end).poll(context), Poll::Ready(Ok(())))
        {
            this.body = None;
        }
        match &mut this.body {
            Some(body) => body.as_mut().poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.as_ref().map(|body| body.size_hint()).unwrap_or_default()
    }
}
