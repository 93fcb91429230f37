//! Chunks through an assembler, to the end. The fuzz target of messages reads with it too.

use bytes::Bytes;
use vmcp_wire::{Assembled, Assembler, Head, Message, Piece, WireError};

/// What an assembler made of chunks.
#[derive(Debug)]
pub(crate) enum Outcome {
    Whole(Message),
    Batch(Vec<Result<Message, WireError>>),
    Streamed(Head, Vec<Piece>),
}

/// Pushes all chunks and ends the message; what an assembler promises about the order of things holds.
pub(crate) fn assemble(mut assembler: Assembler, chunks: Vec<Bytes>) -> Result<Outcome, WireError> {
    let mut head = None;
    let mut pieces = Vec::new();
    for chunk in chunks {
        if let Some(new) = assembler.push(chunk)? {
            assert!(head.replace(new).is_none(), "a second head");
        }
        let ready = assembler.take_pieces();
        assert!(head.is_some() || ready.is_empty(), "pieces before the head");
        pieces.extend(ready);
    }
    match (assembler.finish()?, head) {
        (Assembled::Whole(message), None) => Ok(Outcome::Whole(message)),
        (Assembled::Batch(messages), None) => Ok(Outcome::Batch(messages)),
        (Assembled::Streamed(last), Some(head)) => {
            pieces.extend(last);
            Ok(Outcome::Streamed(head, pieces))
        }
        (other, head) => panic!("{other:?} after {head:?}"),
    }
}
