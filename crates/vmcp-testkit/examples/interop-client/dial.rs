//! Connects the SDK with a server: over the pipes of a process, or over HTTP.
//!
//! The SDK's HTTP client that needs no other HTTP library speaks to Unix sockets. So each of its connections is carried
//! on to the server's TCP port, byte by byte, and ends when either side ends.

use std::io;
use std::process::Stdio;

use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::UnixSocketHttpClient;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The SDK's transport over HTTP.
pub(crate) type Http = StreamableHttpClientTransport<UnixSocketHttpClient>;

/// The pipes of a process, which ends with the child that is returned.
#[expect(clippy::disallowed_methods, reason = "the server under test is a child of its own")]
pub(crate) fn process(command: &str) -> io::Result<(Child, (ChildStdout, ChildStdin))> {
    let mut words = command.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    match (child.stdout.take(), child.stdin.take()) {
        (Some(output), Some(input)) => Ok((child, (output, input))),
        _ => Err(io::Error::other("no pipes")),
    }
}

/// HTTP to the authority of this URL.
pub(crate) fn http(url: &str) -> io::Result<Http> {
    // With a whole URL the SDK would ask as one asks a proxy, which few servers understand.
    let (address, place) = url.trim_start_matches("http://").split_once('/').unwrap_or_default();
    let config = StreamableHttpClientTransportConfig::with_uri(format!("/{place}"));
    let address = address.to_owned();
    let path = std::env::temp_dir().join(format!("interop-client-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    let client = UnixSocketHttpClient::new(&path.to_string_lossy(), url);
    let transport = Http::with_client(client, config);
    tokio::spawn(async move {
        while let Ok((inner, _)) = listener.accept().await {
            let address = address.clone();
            tokio::spawn(async move {
                if let Ok(outer) = TcpStream::connect(address).await {
                    carry(inner, outer).await;
                }
            });
        }
        let _ = std::fs::remove_file(path);
    });
    Ok(transport)
}

/// Until one of both ends its side: a client that goes has taken its request back.
async fn carry(mut inner: UnixStream, mut outer: TcpStream) {
    let _ = outer.set_nodelay(true);
    let (mut from_inner, mut to_inner) = inner.split();
    let (mut from_outer, mut to_outer) = outer.split();
    let _ = tokio::select! {
        done = tokio::io::copy(&mut from_inner, &mut to_outer) => done,
        done = tokio::io::copy(&mut from_outer, &mut to_inner) => done,
    };
}
