//! Clients whose id is the URL of a document that describes them (Client ID Metadata Documents).

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::client::RawClient;
use crate::idp::Shared;
use crate::idp::client::IdpClient;

/// Fetches the document, checks it, and puts the client on file.
pub(crate) async fn client(shared: &Shared, id: &str) -> Result<IdpClient, String> {
    let given = shared.script.lock().given_documents.get(id).cloned();
    let document = match given {
        Some(document) => document,
        None => {
            fetch(id).await.map_err(|reason| format!("no client document at {id}: {reason}"))?
        }
    };
    if document["client_id"] != id {
        return Err(format!("the client document at {id} is that of {}", document["client_id"]));
    }
    // No secret can be shared through a public document.
    let method = document["token_endpoint_auth_method"].as_str().unwrap_or("none");
    if method != "none" || document.get("client_secret").is_some() {
        return Err(format!("a client with a document may not use {method}"));
    }
    let redirects = strings(&document["redirect_uris"]).ok_or("redirect_uris is missing")?;
    let mut client = IdpClient::public(id);
    client.redirects = redirects;
    client.grants = strings(&document["grant_types"]);
    shared.script.lock().set_client(client.clone());
    Ok(client)
}

async fn fetch(url: &str) -> Result<Value, String> {
    if !url.starts_with("http://") {
        return Err(
            "only plain HTTP is fetched here; see IdentityProvider::set_client_document".to_owned()
        );
    }
    let client = RawClient::new(url).map_err(|error| error.to_string())?;
    let accept = [("accept", "application/json")];
    let reply = client.send(Method::GET, &accept, Bytes::new()).await;
    let mut reply = reply.map_err(|error| error.to_string())?;
    if reply.status != 200 {
        return Err(format!("status {}", reply.status));
    }
    let body = reply.bytes().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}

/// A list of strings; `None` where there is none.
pub(crate) fn strings(value: &Value) -> Option<Vec<String>> {
    let text = |item: &Value| item.as_str().map(str::to_owned);
    value.as_array()?.iter().map(text).collect()
}
