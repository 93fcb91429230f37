//! The same backend on standard input and output: one message in each line.

use std::io::{self, BufRead, BufReader, BufWriter, Write};

use anyhow::Result;

use super::answer::{Answer, Answers};

/// How much is read and written at one time.
const BUFFER: usize = 256 << 10;

/// Answers until standard input ends. Everything that was read at once is answered with one write.
pub(crate) fn run() -> Result<()> {
    let answers = Answers::new();
    let mut input = BufReader::with_capacity(BUFFER, io::stdin().lock());
    let mut output = BufWriter::with_capacity(BUFFER, io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some(Answer::Message { pieces, .. }) = answers.to(&line, 0) {
            for piece in pieces {
                output.write_all(&piece)?;
            }
            output.write_all(b"\n")?;
        }
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
    }
}
