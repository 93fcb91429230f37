//! Fetches a URL: `cargo run -p vmcp-net --example get -- https://example.org/`.
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use bytes::Bytes;
use vmcp_net::{Client, PoolKey};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: get URL")?;
    let pool = Client::new().pool(&PoolKey::new("example"))?;
    let response = pool.send(http::Request::get(url).body(Bytes::new())?).await?;
    println!("{}", response.status());
    let mut body = response.into_body();
    while let Some(chunk) = body.chunk().await {
        print!("{}", String::from_utf8_lossy(&chunk?));
    }
    Ok(())
}
