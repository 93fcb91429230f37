//! Accepts connections and numbers them.

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::backend::{Shared, http};

pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let connection = shared.recorder.connection();
        shared.tasks.spawn(converse(socket, connection, Arc::clone(&shared)));
    }
}

async fn converse(socket: TcpStream, connection: u64, shared: Arc<Shared>) {
    let (keep_alive, delay) = {
        let script = shared.script.lock();
        (script.keep_alive, script.accept_delay)
    };
    if let Some(delay) = delay {
        tokio::time::sleep(delay).await;
    }
    // Without this an event that follows a response head waits for the peer's delayed acknowledgement.
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| http::serve(Arc::clone(&shared), connection, request));
    // How a connection ends is the client's or the script's affair.
    let _ = http1::Builder::new()
        .keep_alive(keep_alive)
        .serve_connection(TokioIo::new(socket), service)
        .await;
}
