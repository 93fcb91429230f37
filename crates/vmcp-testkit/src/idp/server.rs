//! From a connection to the endpoint that a request is for.

use std::io;
use std::sync::Arc;

use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::body::ReplyBody;
use crate::idp::answer::{IdpAnswer, Outcome};
use crate::idp::client::Claimed;
use crate::idp::ledger::IdpRequest;
use crate::idp::{Shared, authorize, discovery, form, register, token};

pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        shared.tasks.spawn(converse(socket, Arc::clone(&shared)));
    }
}

async fn converse(socket: TcpStream, shared: Arc<Shared>) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| serve(Arc::clone(&shared), request));
    // How a connection ends is the client's or the script's affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

/// Takes a request apart; gives also what is wrong with its form, if anything is.
pub(crate) async fn read(request: Request<Incoming>) -> io::Result<(IdpRequest, Option<String>)> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    let content = parts.headers.get("content-type").map(HeaderValue::as_bytes);
    let fields = match parts.method {
        Method::POST if content.is_some_and(|kind| kind.starts_with(b"application/json")) => {
            Ok(Vec::new())
        }
        Method::POST => form::parse(&text),
        _ => form::parse(parts.uri.query().unwrap_or_default()),
    };
    let (form, broken) = match fields {
        Ok(form) => (form, None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let claimed = Claimed::read(authorization, &form);
    let request = IdpRequest {
        seq: 0,
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        body,
        grant: String::new(),
        client: claimed.id,
        client_auth: claimed.method,
        answered: None,
        form,
    };
    Ok((request, broken))
}

/// Serves one request; an error closes the connection without a response.
async fn serve(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<ReplyBody>> {
    let (mut request, broken) = read(request).await?;
    let issuer_path = shared.script.lock().issuer_path.clone();
    let endpoint = discovery::endpoint(&request.path, &issuer_path).to_owned();
    request.grant = match (endpoint.as_str(), request.field("grant_type")) {
        ("/token", Some(grant)) => token::short(grant).to_owned(),
        _ => endpoint.clone(),
    };
    shared.ledger.record(&mut request);
    let answer = {
        let state = shared.state.lock();
        let scripted = state.answers.get(&request.grant).or_else(|| state.answers.get(&endpoint));
        scripted.cloned().unwrap_or_else(IdpAnswer::usual)
    };
    let response = answer
        .perform(&shared.tasks, async || match broken {
            Some(problem) => Outcome::error(400, "invalid_request", problem),
            None => usual(&shared, &endpoint, &request).await,
        })
        .await?;
    shared.ledger.answered(request.seq, response.status().as_u16());
    Ok(response)
}

/// What an honest provider answers.
async fn usual(shared: &Shared, endpoint: &str, request: &IdpRequest) -> Outcome {
    match (endpoint, request.method.as_str()) {
        ("/token", "POST") => token::answer(shared, request),
        ("/authorize", "GET" | "POST") => authorize::answer(shared, request).await,
        ("/register", "POST") => register::register(shared, request),
        ("/revoke", "POST") => register::revoke(shared, request),
        (discovery::OAUTH, "GET") => discovery::answer(shared, false),
        (discovery::OPENID, "GET") => discovery::answer(shared, true),
        ("/jwks", "GET") => Outcome::json(200, json!({"keys": [shared.key.jwk()]})),
        ("/token" | "/jwks" | "/authorize" | "/register" | "/revoke", _) => Outcome::empty(405),
        _ => Outcome::empty(404),
    }
}
