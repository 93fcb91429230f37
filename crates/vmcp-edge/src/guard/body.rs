//! The body of a request: bounded while it is read, in size, in time, and over all requests together.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use vmcp_config::Config;

use crate::respond::Rejection;

/// Up to this size a body is paid for by its request's own slot.
const FREE: usize = 64 << 10;
/// What the memory of longer bodies is counted in.
const UNIT: usize = 64 << 10;

/// Reads bodies.
pub(crate) struct Bodies {
    max_bytes: usize,
    within: std::time::Duration,
    memory: Arc<Semaphore>,
}

/// A complete body, and the memory it is charged for.
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    charge: Charge,
}

/// Memory that a body occupies, given back on drop.
#[derive(Default)]
pub(crate) struct Charge(Option<OwnedSemaphorePermit>);

// === impl Bodies ===

impl Bodies {
    pub(crate) fn new(config: &Config) -> Self {
        let units = (config.limits.max_body_memory / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            max_bytes: config.limits.max_request_bytes,
            within: config.timeouts.read_body,
            memory: Arc::new(Semaphore::new(units)),
        }
    }

    /// Reads to the end. A body that announces itself too long is refused unread.
    pub(crate) async fn read(&self, body: Incoming) -> Result<Held, Rejection> {
        if body.size_hint().lower() > self.max_bytes as u64 {
            return Err(self.too_large());
        }
        match tokio::time::timeout(self.within, self.collect(body)).await {
            Ok(read) => read,
            Err(_) => {
                Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"))
            }
        }
    }

    async fn collect(&self, mut body: Incoming) -> Result<Held, Rejection> {
        let mut charge = Charge::default();
        let Some(first) = self.chunk(&mut body).await? else {
            return Ok(Held { bytes: Bytes::new(), charge });
        };
        // The usual body is one chunk, and is then not copied.
        if body.is_end_stream() && first.len() <= FREE {
            return Ok(Held { bytes: first, charge });
        }
        let mut whole = BytesMut::with_capacity(first.len().max(UNIT.min(self.max_bytes)));
        let mut next = Some(first);
        while let Some(chunk) = next {
            let length = whole.len() + chunk.len();
            if length > self.max_bytes {
                return Err(self.too_large());
            }
            self.charge(&mut charge, length)?;
            whole.extend_from_slice(&chunk);
            next = self.chunk(&mut body).await?;
        }
        Ok(Held { bytes: whole.freeze(), charge })
    }

    /// The next piece of data. Trailers are dropped: they could only pretend to be headers.
    async fn chunk(&self, body: &mut Incoming) -> Result<Option<Bytes>, Rejection> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                Rejection::new(StatusCode::BAD_REQUEST, "the body is broken off").and_close()
            })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Charges for a body that has grown to `length`.
    fn charge(&self, charge: &mut Charge, length: usize) -> Result<(), Rejection> {
        let units = length.saturating_sub(FREE).div_ceil(UNIT);
        let held = charge.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(units.saturating_sub(held)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let permit = Arc::clone(&self.memory)
            .try_acquire_many_owned(more)
            .map_err(|_| Rejection::busy("too many long requests at once"))?;
        match &mut charge.0 {
            Some(all) => all.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }

    fn too_large(&self) -> Rejection {
        Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large").and_close()
    }
}

// === impl Held ===

impl Held {
    pub(crate) fn split(self) -> (Bytes, Charge) {
        (self.bytes, self.charge)
    }
}
