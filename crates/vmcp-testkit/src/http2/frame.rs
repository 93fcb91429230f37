//! Frames (RFC 9113, §4 and §6) and the few header blocks that are written (RFC 7541).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// What a client says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `SETTINGS_INITIAL_WINDOW_SIZE` of zero.
pub(super) const SHUT: [u8; 6] = [0, 4, 0, 0, 0, 0];

/// One frame.
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

// === impl Frame ===

impl Frame {
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let mut head = [0; 9];
        from.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let mut payload = vec![0; usize::try_from(length).unwrap_or(0)];
        from.read_exact(&mut payload).await?;
        Ok(Self { kind: head[3], flags: head[4], stream, payload })
    }
}

/// The bytes of one frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The headers of a response with this status, and of JSON if it is 200.
pub(super) fn headers(status: u16) -> Vec<u8> {
    if status == 200 {
        // Indexed `:status: 200`, then `content-type` (index 31) with a literal value.
        let kind = b"application/json";
        let length = u8::try_from(kind.len()).unwrap_or(0);
        return [&[0x88, 0x0f, 0x10, length], &kind[..]].concat();
    }
    // `:status` (index 8) with a literal value.
    [&[0x08, 3], status.to_string().as_bytes()].concat()
}
