//! A gateway in one page: a request under our id, a long reply under the client's.
//!
//! `cargo run -p vmcp-wire --example splice`
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use vmcp_wire::sse::{Decoder, EventHead, Item, end, part};
use vmcp_wire::{Assembled, Assembler, Edits, Limits, Message, Object, Piece, RawId, WireError};

fn main() -> Result<(), WireError> {
    let limits = Limits::default();

    // What a client sent. Note the id, the number and the member that nobody defined.
    let request = br#"{"jsonrpc":"2.0","id":"call-1","method":"tools/call","x-trace":7,
        "params":{"name":"files_read","arguments":{"limit":1e3}}}"#;
    let request = Message::parse(request.to_vec().into(), &limits)?;
    let client_id = request.id().ok_or(WireError::Invalid("a call needs an id"))?;

    // Toward the backend: its own name of the tool, and an id that is unique there.
    let params = request.params().unwrap_or_default();
    let object = Object::parse(&params)?;
    let name = object.unique("name")?.ok_or(WireError::Invalid("a tool needs a name"))?;
    let mut edits = Edits::new();
    edits.replace(name.span, "\"read\"");
    let sent = request.rewrite(Some(&RawId::number(41)), Some(&edits.apply(&params)));
    println!("to the backend:\n{}\n", String::from_utf8_lossy(&sent));

    // The backend answers with an event stream, in chunks that end anywhere.
    let long = "x".repeat(100);
    let reply = format!(
        "id: 7\r\ndata: {{\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"{long}\"}}],\
         \"n\":1.0}},\"id\":41,\"jsonrpc\":\"2.0\"}}\r\n\r\n"
    );
    let mut events = Decoder::new();
    let mut assembler = Assembler::new(limits, 64, false);
    let mut out = EventHead { id: Some("s.1"), ..EventHead::default() }.begin().to_vec();
    for chunk in reply.as_bytes().chunks(50) {
        events.push(chunk.to_vec().into());
        while let Some(item) = events.next()? {
            match item {
                Item::Data(data) => {
                    if let Some(head) = assembler.push(data)? {
                        println!("a {:?} streams before all of it is there", head.kind);
                    }
                    write(&mut out, assembler.take_pieces(), &client_id);
                }
                Item::Dispatch(_) => match assembler.finish()? {
                    Assembled::Whole(message) => write(&mut out, message.pieces(), &client_id),
                    Assembled::Streamed(pieces) => write(&mut out, pieces, &client_id),
                    Assembled::Batch(_) => return Err(WireError::Invalid("no batch was sent")),
                },
            }
        }
    }
    out.extend_from_slice(&end());
    println!("to the client:\n{}", String::from_utf8_lossy(&out));
    Ok(())
}

/// Passes pieces on; where the backend's id stood, the client's goes.
fn write(out: &mut Vec<u8>, pieces: Vec<Piece>, id: &RawId) {
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => out.extend_from_slice(&part(bytes)),
            Piece::Id(_) => out.extend_from_slice(id.as_bytes()),
        }
    }
}
