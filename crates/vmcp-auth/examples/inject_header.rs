//! Puts a credential on a request, and shows that the secret shows nowhere else.
//!
//! ```text
//! cargo run -p vmcp-auth --example inject_header
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use http::HeaderMap;
use vmcp_auth::{Identity, OutgoingAuthRegistry, OutgoingRule};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = OutgoingAuthRegistry::new();
    let rule = OutgoingRule::HeaderInjection {
        name: "Authorization".to_owned(),
        value: "Bearer secret".to_owned().into(),
    };
    let credentials = registry.resolve("example", &rule)?;
    let headers = credentials.apply(&HeaderMap::new(), Some(&Identity::local())).await?;
    println!("rule:    {rule:?}");
    println!("headers: {headers:?}");
    println!("on the wire: {} bytes", headers["authorization"].len());

    let refused = registry.resolve("example", &OutgoingRule::Named("passthrough".to_owned()));
    if let Err(error) = refused {
        println!("{error}");
    }
    Ok(())
}
