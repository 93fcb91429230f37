//! A browser without a face: follows redirects over loopback, as a user's browser does during a login.

use std::io;

use bytes::Bytes;
use http::Method;

use crate::client::RawClient;

/// How many redirects are followed.
const HOPS: usize = 10;

/// Opens a URL and follows redirects to their end; gives each URL that was opened, the last one's status and body.
///
/// Only plain HTTP; nothing is resolved but loopback names. A redirect to a port where nobody listens is an error.
pub async fn browse(url: &str) -> io::Result<(Vec<String>, u16, Bytes)> {
    let mut opened = vec![url.to_owned()];
    loop {
        let url = opened.last().map(String::as_str).unwrap_or_default();
        if !url.starts_with("http://") {
            return Err(io::Error::other(format!("cannot open {url:?}")));
        }
        let mut reply = RawClient::new(url)?.send(Method::GET, &[], Bytes::new()).await?;
        let body = reply.bytes().await?;
        let next = reply.status.is_redirection().then(|| reply.header("location")).flatten();
        let Some(next) = next.map(str::to_owned) else {
            return Ok((opened, reply.status.as_u16(), body));
        };
        if opened.len() > HOPS {
            return Err(io::Error::other(format!("too many redirects: {opened:?}")));
        }
        opened.push(next);
    }
}
