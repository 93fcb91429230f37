//! Logs in to an MCP server from a terminal without a browser: shows the URL, and takes the address that the browser
//! ends at, which is then an error page of the browser.
//!
//! ```text
//! cargo run -p vmcp-auth --example log_in -- https://mcp.example.com/mcp
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::error::Error;
use std::io::BufRead;

use url::Url;
use vmcp_auth::{AuthContext, AuthTarget, Interaction, LoginRequest, OAuth, login};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).ok_or("usage: log_in URL")?;
    let mut target = AuthTarget::new("example");
    target.url = Some(Url::parse(&server)?.into());

    // Nobody listens there: the address is copied by hand.
    let redirect = Url::parse("http://127.0.0.1:8976/callback")?;
    let interaction = Interaction::new(redirect, |url| async move {
        println!("open: {url}\nthen paste the address that the browser ends at:");
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
        Url::parse(line.trim()).map_err(|error| error.to_string())
    });
    // The context's store remembers nothing after this process; `FileStore` does.
    let context = AuthContext::default();
    let request = LoginRequest {
        target: &target,
        settings: &OAuth::default(),
        interaction: &interaction,
        challenge: None,
        scopes: &[],
    };
    println!("{:#?}", login(&context, request).await?);
    Ok(())
}
