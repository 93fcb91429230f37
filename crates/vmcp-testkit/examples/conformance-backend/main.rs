//! The backend that the official conformance suite is pointed at, directly and through vmcp.
//!
//! Built on the official Rust SDK, so that it owes nothing to the code under test. It offers every tool, resource and
//! prompt that the suite's server scenarios ask for, serves both eras on one endpoint, and can be pinned to one.
//!
//! ```text
//! conformance-backend [--port N] [--era legacy|modern|both] [--stdio]
//! ```
//! Without `--stdio` it listens on a loopback port (0 finds a free one) and writes its URL as the first line of its
//! standard output. What it offers stands in `catalogue.json`.

#![expect(deprecated, reason = "the suite asks for logging, which the newest revision retires")]

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

use rmcp::ServiceExt;
use tokio::net::TcpListener;

mod catalogue;
mod content;
mod front;
mod input;
mod prompts;
mod resources;
mod server;
mod shared;
mod tasks;
mod tools;

use server::{Era, Server};
use shared::Shared;

/// The arguments.
struct Options {
    port: u16,
    era: Era,
    stdio: bool,
}

fn main() -> io::Result<()> {
    let options = Options::read()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: Options) -> io::Result<()> {
    let shared = Arc::new(Shared::new()?);
    if options.stdio {
        let transport = (tokio::io::stdin(), tokio::io::stdout());
        let server = Server::new(shared, options.era);
        let running = server.serve(transport).await.map_err(io::Error::other)?;
        running.waiting().await.map_err(io::Error::other)?;
        return Ok(());
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    writeln!(io::stdout(), "http://{}/mcp", listener.local_addr()?)?;
    front::serve(listener, shared, options.era).await
}

// === impl Options ===

impl Options {
    fn read() -> io::Result<Self> {
        let mut options = Self { port: 0, era: Era::Both, stdio: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default();
            match word.as_str() {
                "--port" => options.port = value().parse().map_err(io::Error::other)?,
                "--era" => options.era = Era::parse(&value())?,
                "--stdio" => options.stdio = true,
                _ => return Err(io::Error::other(format!("unknown argument {word}"))),
            }
        }
        Ok(options)
    }
}
