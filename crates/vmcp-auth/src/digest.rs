//! SHA-256, under one name.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256.
pub type Digest = [u8; 32];

/// The SHA-256 of `bytes`.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    finish(context)
}

/// The SHA-256 of what went in.
pub(crate) fn finish(context: Context) -> Digest {
    let mut whole = [0; 32];
    // Both are 32 bytes long.
    for (place, byte) in whole.iter_mut().zip(context.finish().as_ref()) {
        *place = *byte;
    }
    whole
}
