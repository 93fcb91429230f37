//! Puts a credential on a request, and shows that the secret shows nowhere else.
//!
//! ```text
//! cargo run -p vmcp-auth --example inject_header
//! ```
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use vmcp_auth::{
    AuthTarget, Custom, HeaderInjection, Identity, OutgoingAuth, OutgoingAuthRegistry,
    OutgoingRequest,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = OutgoingAuthRegistry::new();
    let target = AuthTarget::new("example");
    let settings = OutgoingAuth::HeaderInjection(HeaderInjection {
        name: "Authorization".to_owned(),
        value: "Bearer secret".to_owned().into(),
    });
    let credentials = registry.resolve(&target, &settings)?;

    let mut headers = HeaderMap::new();
    let request = OutgoingRequest {
        method: &Method::POST,
        uri: &Uri::from_static("https://example.com/mcp"),
        headers: &mut headers,
        body: &Bytes::from_static(b"{}"),
    };
    credentials.apply(request, Some(&Identity::local())).await?;
    println!("settings: {settings:?}");
    println!("headers:  {headers:?}");
    println!("on the wire: {} bytes", headers["authorization"].len());

    let (strategy, settings) = ("passthrough".to_owned(), "{}".into());
    let refused = registry.resolve(&target, &OutgoingAuth::Custom(Custom { strategy, settings }));
    if let Err(error) = refused {
        println!("{error}");
    }
    Ok(())
}
