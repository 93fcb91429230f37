//! Many users behind one service: each is somebody else to the backend, and costs one token exchange.
//!
//! ```text
//! cargo run -p vmcp-backend --example many_users
//! ```
//!
//! A service that serves many users has their tokens, which were issued for the service and must not be handed on. So
//! it exchanges them (RFC 8693) for tokens of the backend's, one for each user, and uses each for all calls of its
//! user until it expires. Backend and issuer are peers of the testkit on loopback, so this runs as it is.
#![expect(clippy::print_stdout, reason = "an example shows what it got")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;
use vmcp_auth::{
    Caller, CredentialScope, Identity, OutgoingAuth, OutgoingAuthRegistry, TokenExchange, TokenType,
};
use vmcp_backend::{BackendTarget, CallContext, ClientHello, Connector, Endpoint, Session};
use vmcp_config::SafeUrl;
use vmcp_net::Client;
use vmcp_testkit::{Answer, Backend, BearerGuard, IdentityProvider};

const USERS: [&str; 5] = ["ann", "bob", "cem", "dag", "eva"];
const CALLS: usize = 20;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    // The world outside: an issuer, and a backend that takes its tokens for the audience `tickets` only.
    let issuer = IdentityProvider::start().await?;
    let guard = BearerGuard::new(&issuer).audience("tickets");
    let tool = json!({"name": "mine", "inputSchema": {"type": "object"}});
    let backend =
        Backend::builder().tool(tool, Answer::text("yours")).bearer(&guard).start().await?;

    // The service: one connector, one target.
    let connector = Arc::new(Connector::new(Client::new(), OutgoingAuthRegistry::new()));
    let target = Arc::new(target(&backend.url(), &issuer.token_url())?);
    // Nothing that this backend says to one user may be shown to another, its list of tools included.
    assert_eq!(connector.scope(&target)?, CredentialScope::PerCaller);

    let mut users = JoinSet::new();
    for name in USERS {
        let caller = caller(&issuer, name)?;
        let (connector, target) = (Arc::clone(&connector), Arc::clone(&target));
        users.spawn(async move { serve(&connector, &target, caller).await });
    }
    let sessions: Outcome<Vec<Session>> = users.join_all().await.into_iter().collect();

    // A token may also come with a single call, on whatever session: the call's own caller wins.
    let zoe = caller(&issuer, "zoe")?;
    if let Some(session) = sessions?.first() {
        session.with(CallContext::of(zoe)).call_tool("mine", None, None).await?;
    }

    let mut calls = BTreeMap::<String, usize>::new();
    for subject in guard.subjects("tools/call") {
        *calls.entry(subject).or_default() += 1;
    }
    println!("the backend saw {calls:?}");
    println!("the issuer exchanged {} tokens", issuer.count("token_exchange"));
    Ok(())
}

/// One user's session, used for many calls.
async fn serve(
    connector: &Connector,
    target: &Arc<BackendTarget>,
    caller: Caller,
) -> Outcome<Session> {
    let hello = ClientHello::new("many_users", "0.1.0");
    let (session, list) = connector.connect(target, caller, hello, None).await?;
    assert_eq!(list.tools.len(), 1);
    for _ in 0..CALLS {
        session.call_tool("mine", None, None).await?;
    }
    Ok(session)
}

/// What the service knows of a user who came with a token; it has checked it.
fn caller(issuer: &IdentityProvider, name: &str) -> Outcome<Caller> {
    let token = issuer.issue(name, json!({}))?;
    let identity = Identity::verified(issuer.issuer(), name, "{}");
    Ok(identity.with_token(token.into(), TokenType::AccessToken).into())
}

fn target(backend: &str, token_url: &str) -> Outcome<BackendTarget> {
    let url = |text: &str| text.parse::<url::Url>().map(SafeUrl::from);
    let mut target = BackendTarget::new("tickets", Endpoint::StreamableHttp { url: url(backend)? });
    target.auth = OutgoingAuth::TokenExchange(TokenExchange {
        token_url: url(token_url)?,
        client: None,
        audience: Some("tickets".to_owned()),
        resources: Vec::new(),
        scopes: Vec::new(),
        subject_token_type: TokenType::AccessToken,
        requested_token_type: None,
        subject_provider: None,
        actor: None,
    });
    Ok(target)
}
