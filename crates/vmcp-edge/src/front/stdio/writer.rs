//! The only writer of the output: one line after the other.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;

/// What goes out.
pub(in crate::front) enum Line {
    /// A complete message.
    Whole(Bytes),
    /// A long message: the parts of one line, and what to say if they break off.
    Long(mpsc::Receiver<Part>),
}

/// A part of a long message.
pub(in crate::front) enum Part {
    Bytes(Bytes),
    /// The message is complete.
    End,
}

/// Writes until nobody can send any more.
pub(super) async fn run(
    mut lines: mpsc::Receiver<Line>,
    output: impl AsyncWrite + Send + Unpin,
) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    while let Some(line) = lines.recv().await {
        match line {
            Line::Whole(message) => write_line(&mut output, &message).await?,
            Line::Long(parts) => write_long(&mut output, parts).await?,
        }
        // Several lines that wait go out together.
        if lines.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}

/// A message from a backend may be spread over several lines; between tokens a line break is only space.
async fn write_line(output: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    write_flat(output, message).await?;
    output.write_all(b"\n").await
}

async fn write_flat(output: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    let mut pieces = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    if let Some(first) = pieces.next() {
        output.write_all(first).await?;
    }
    for piece in pieces {
        output.write_all(b" ").await?;
        output.write_all(piece).await?;
    }
    Ok(())
}

/// A line that breaks off is closed, so that the next one can be read; the call's own failure follows as
/// a line of its own.
async fn write_long(
    output: &mut (impl AsyncWrite + Unpin),
    mut parts: mpsc::Receiver<Part>,
) -> io::Result<()> {
    while let Some(Part::Bytes(bytes)) = parts.recv().await {
        write_flat(output, &bytes).await?;
    }
    output.write_all(b"\n").await
}
