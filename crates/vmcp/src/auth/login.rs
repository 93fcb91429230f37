//! `vmcp auth login`: the user's browser there and back, then a handshake to see that it was worth it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::timeout;
use url::Url;
use vmcp_auth::{
    AuthContext, Caller, Interaction, Login, LoginRequest, OutgoingAuthRegistry, login,
};
use vmcp_backend::{ClientHello, Connector};
use vmcp_wire::revision::Revision;

use super::listener::{Listener, Waiting};
use super::{Subject, about, browser, listed, page};
use crate::cli::LoginArgs;
use crate::exit::Failure;
use crate::say;

/// How long a user may take in the browser.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The browser that came back and wants to be shown something.
type Browser = Arc<Mutex<Option<Waiting>>>;

/// Logs in.
pub(super) async fn run(
    context: AuthContext,
    subject: &Subject,
    args: &LoginArgs,
) -> Result<ExitCode, Failure> {
    let port = args.port.or(subject.settings.callback_port).unwrap_or(0);
    let listener = Listener::bind(port).await.with_context(|| {
        format!("cannot listen on 127.0.0.1:{port}, where the browser is to come back to")
    })?;
    let browser = Browser::default();
    let interaction = interaction(listener, !args.no_browser, &browser);
    let scopes: Vec<String> =
        args.scope.iter().flat_map(|list| list.split_whitespace()).map(str::to_owned).collect();
    let request = LoginRequest {
        target: &subject.target,
        settings: &subject.settings,
        interaction: &interaction,
        challenge: None,
        scopes: &scopes,
    };
    let outcome = login(&context, request).await;
    let waiting = browser.lock().take();
    if let Some(waiting) = waiting {
        let page = if outcome.is_ok() { page::DONE } else { page::FAILED };
        waiting.show(page).await;
    }
    let gained = outcome.with_context(|| format!("cannot log in to {}", subject.name()))?;
    say::out(&told(subject, &gained));
    match verify(context, subject).await {
        Ok(server) => {
            say::out(&format!("  it answers: {server}"));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say::err(&format!(
                "error: the login is kept, but the backend does not take it: {error:#}"
            ));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Shows the URL, opens the browser if wanted, and waits for it to come back.
fn interaction(listener: Listener, opens: bool, browser: &Browser) -> Interaction {
    let redirect_uri = listener.redirect_uri().clone();
    let (listener, browser) = (Arc::new(listener), Arc::clone(browser));
    Interaction::new(redirect_uri, move |url: Url| {
        let (listener, browser) = (Arc::clone(&listener), Arc::clone(&browser));
        async move {
            let opened = opens && browser::open(&url);
            let lead = if opened { "Log in in the browser. If none opened" } else { "To log in" };
            say::err(&format!("{lead}, go to\n\n  {url}\n"));
            let state = url.query_pairs().find(|(name, _)| name == "state");
            let state = state.map(|(_, value)| value.into_owned()).unwrap_or_default();
            match timeout(PATIENCE, listener.redirected(&state)).await {
                Ok(Ok((answer, waiting))) => {
                    *browser.lock() = Some(waiting);
                    Ok(answer)
                }
                Ok(Err(error)) => Err(format!("the browser cannot come back: {error}")),
                Err(_) => Err(format!("nobody came back within {}", about(PATIENCE))),
            }
        }
    })
}

fn told(subject: &Subject, gained: &Login) -> String {
    let holds = match gained.lifetime {
        Some(time) => about(time),
        None => "as long as its issuer likes".to_owned(),
    };
    let renewed = if gained.renewable { ", then it is renewed" } else { ", then log in again" };
    format!(
        "logged in to {}\n  issuer: {}\n  scopes: {}\n  the token holds {holds}{renewed}",
        subject.name(),
        gained.issuer,
        listed(&gained.scopes),
    )
}

/// Shakes hands with the backend; gives its name.
async fn verify(context: AuthContext, subject: &Subject) -> anyhow::Result<String> {
    let client = context.http.clone();
    let connector = Connector::new(client, OutgoingAuthRegistry::with_context(context));
    let info = format!(r#"{{"name":"vmcp-cli","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
    let hello = ClientHello {
        revision: Revision::LATEST_HANDSHAKE,
        capabilities: Bytes::from_static(b"{}"),
        client_info: Bytes::from(info),
    };
    let session = connector.open(&subject.backend, Caller::default(), hello, None).await?;
    let server: Value = serde_json::from_slice(&session.hello().server_info).unwrap_or_default();
    session.close().await;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text = |name: &str| -> String {
        server[name].as_str().unwrap_or_default().chars().take(100).map(plain).collect()
    };
    Ok(format!("{} {}", text("name"), text("version")).trim().to_owned())
}
