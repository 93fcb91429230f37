//! Reads a call and its response, and writes the response under the id that the caller chose, as often as asked for.
//!
//! ```text
//! cargo run -p vmcp-wire --example read_and_answer -- 1000
//! ```

use std::error::Error;
use std::hint::black_box;

use vmcp_wire::{Limits, Message, RawId};

const CALL: &str = r#"{"jsonrpc":"2.0","id":1000001,"method":"tools/call","params":{"name":"echo","arguments":{"message":"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"}}}"#;
const RESPONSE: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"}],"isError":false}}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let times: usize = std::env::args().nth(1).map_or(Ok(1), |times| times.parse())?;
    let limits = Limits::default();
    for _ in 0..times {
        let call = Message::parse(black_box(CALL).into(), &limits)?;
        let id: RawId = call.id().ok_or("a call has an id")?;
        let response = Message::parse(black_box(RESPONSE).into(), &limits)?;
        black_box(response.with_id(&id));
    }
    Ok(())
}
