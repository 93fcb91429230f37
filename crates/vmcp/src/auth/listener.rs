//! Where the browser comes back to: one address on this machine, for one login (RFC 8252, §7.3).
//!
//! Anything on this machine may connect, a web page in the browser included. So only a request that brings the login's
//! own `state` ends the wait; others are told that there is nothing here, and the wait goes on.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use super::page::{self, Page};
use crate::tasks;

/// The path that the browser comes back to.
const PATH: &str = "/callback";
/// How long a connection may take to say what it wants. Browsers open some that they never use.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// The longest head of a request.
const MAX_HEAD: usize = 32 * 1024;
/// Connections that are listened to at a time.
const MAX_CONNECTIONS: usize = 32;

/// The address.
pub(super) struct Listener {
    listener: TcpListener,
    redirect_uri: Url,
}

/// A browser that waits for a page.
pub(super) struct Waiting(TcpStream);

// === impl Listener ===

impl Listener {
    /// Listens on `port`, or on a free one if it is 0.
    pub(super) async fn bind(port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let redirect_uri = format!("http://{}{PATH}", listener.local_addr()?).parse()?;
        Ok(Self { listener, redirect_uri })
    }

    pub(super) fn redirect_uri(&self) -> &Url {
        &self.redirect_uri
    }

    /// Waits for the request that brings `state`; gives its URL.
    pub(super) async fn redirected(&self, state: &str) -> io::Result<(Url, Waiting)> {
        let (send, mut requests) = mpsc::channel::<(TcpStream, Option<Url>)>(MAX_CONNECTIONS);
        loop {
            let (stream, url) = tokio::select! {
                Some(request) = requests.recv() => request,
                accepted = self.listener.accept(), if send.strong_count() <= MAX_CONNECTIONS => {
                    let (stream, _) = accepted?;
                    let (send, base) = (send.clone(), self.redirect_uri.clone());
                    tasks::detach(async move {
                        if let Some(request) = read(stream, &base).await {
                            let _ = send.send(request).await;
                        }
                    });
                    continue;
                }
            };
            let waiting = Waiting(stream);
            match url.filter(|url| brings(url, state)) {
                Some(url) => return Ok((url, waiting)),
                None => tasks::detach(waiting.show(page::NOTHING)),
            }
        }
    }
}

// === impl Waiting ===

impl Waiting {
    /// Shows the page and closes the connection. A browser that has gone misses it.
    pub(super) async fn show(self, page: Page) {
        let Self(mut stream) = self;
        let write = async {
            stream.write_all(page.response().as_bytes()).await?;
            stream.shutdown().await
        };
        let _ = timeout(HEAD_DEADLINE, write).await;
    }
}

/// Reads a request's head: its URL if it is a GET of the path. `None` if nothing whole comes in time.
async fn read(mut stream: TcpStream, base: &Url) -> Option<(TcpStream, Option<Url>)> {
    let head = async {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if head.len() > MAX_HEAD || stream.read_buf(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        Some(head)
    };
    let head = timeout(HEAD_DEADLINE, head).await.ok()??;
    Some((stream, target(&head, base)))
}

fn target(head: &[u8], base: &Url) -> Option<Url> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let target = line.strip_prefix("GET ")?.split(' ').next()?;
    // Only a path: a whole URL is for proxies.
    let url = target.starts_with('/').then(|| base.join(target).ok())??;
    (url.origin() == base.origin() && url.path() == PATH).then_some(url)
}

fn brings(url: &Url, state: &str) -> bool {
    !state.is_empty() && url.query_pairs().any(|(name, value)| name == "state" && value == state)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{brings, target};

    #[test]
    fn only_the_redirect_counts() {
        let base = Url::parse("http://127.0.0.1:7000/callback").unwrap();
        let check = |line: &str, wanted: Option<&str>| {
            let found = target(format!("{line}\r\nhost: x\r\n\r\n").as_bytes(), &base);
            assert_eq!(found.as_ref().map(Url::as_str), wanted, "{line}");
        };
        check("GET /callback?a=b HTTP/1.1", Some("http://127.0.0.1:7000/callback?a=b"));
        check("GET /callback HTTP/1.1", Some("http://127.0.0.1:7000/callback"));
        for other in [
            "POST /callback?a=b HTTP/1.1",
            "GET /favicon.ico HTTP/1.1",
            "GET //evil.example/callback HTTP/1.1",
            "GET http://evil.example/callback HTTP/1.1",
            "GET",
            "",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn only_the_right_state_ends_the_wait() {
        let url = Url::parse("http://127.0.0.1/callback?state=a%20b&code=c").unwrap();
        assert!(brings(&url, "a b"));
        assert!(!brings(&url, "c"));
        assert!(!brings(&Url::parse("http://127.0.0.1/callback?state=").unwrap(), ""));
    }
}
