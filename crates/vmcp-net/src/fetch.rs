//! A whole response, bounded: metadata documents and token endpoints.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};

use crate::redirect::MAX_HOPS;
use crate::{Body, NetError, Pool};

/// The bounds of a [`Pool::fetch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    /// The longest body, in bytes.
    pub max_bytes: usize,
    /// How long dialling, the request and the whole response may take together.
    pub deadline: Duration,
    /// Whether redirects within the origin are followed. They are an error otherwise: who asks a token endpoint does
    /// not want to ask another one.
    pub redirects: bool,
}

// === impl Fetch ===

impl Fetch {
    /// These bounds, and no redirects.
    pub fn new(max_bytes: usize, deadline: Duration) -> Self {
        Self { max_bytes, deadline, redirects: false }
    }
}

// === impl Pool ===

impl Pool {
    /// Sends `request` and gives the whole response, whatever its status.
    ///
    /// # Cancel safety
    /// Dropping the future gives the exchange up; the server may have seen the request.
    pub async fn fetch(
        &self,
        request: Request<Bytes>,
        bounds: Fetch,
    ) -> Result<Response<Bytes>, NetError> {
        let hops = if bounds.redirects { MAX_HOPS } else { 0 };
        let exchange = async {
            let (head, body) = self.exchange(request, hops).await?.into_parts();
            Ok(Response::from_parts(head, gather(body, bounds.max_bytes).await?))
        };
        match tokio::time::timeout(bounds.deadline, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(NetError::Late(bounds.deadline)),
        }
    }
}

async fn gather(mut body: Body, max_bytes: usize) -> Result<Bytes, NetError> {
    let too_large = || NetError::BodyTooLarge(max_bytes);
    let max = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    if body.exact_len().is_some_and(|length| length > max) {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(chunk) = body.chunk().await {
        let chunk = chunk?;
        if chunk.len() > max_bytes - whole.len() {
            return Err(too_large());
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}
