//! As much of AWS as a test needs: an STS endpoint that swaps a user's token for temporary keys, and backends that
//! want requests signed with such keys.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::idp::ledger::Ledger;
use crate::idp::{IdentityProvider, IdpAnswer, IdpRequest, Shared};
use crate::tasks::Tasks;

mod guard;
mod signature;
mod sts;
mod time;

pub use guard::{SigV4Guard, Signed};
pub use signature::{SigV4Scope, verify_sigv4};

/// What requests to STS are called in its ledger.
const ACTION: &str = "AssumeRoleWithWebIdentity";

/// A running piece of AWS; it and its connections end when it is dropped.
pub struct Aws {
    shared: Arc<AwsShared>,
}

/// Temporary keys that were given out, and for whom.
#[derive(Clone, Debug)]
pub struct AwsSession {
    /// The access key id.
    pub key_id: String,
    /// The secret key.
    pub secret: String,
    /// What every request must carry beside the signature.
    pub token: String,
    /// The ARN of the role.
    pub role: String,
    /// The session's name.
    pub name: String,
    /// The user whose token it was.
    pub subject: String,
    expires: Instant,
}

pub(crate) struct AwsShared {
    address: SocketAddr,
    provider: Arc<Shared>,
    ledger: Ledger,
    /// Protects what it was told and what it gave out; held for look-ups.
    state: Mutex<State>,
    tasks: Tasks,
}

#[derive(Default)]
struct State {
    roles: Vec<String>,
    answer: Option<IdpAnswer>,
    lifetime: Option<Duration>,
    /// What its clock has ahead of the machine's, in seconds.
    ahead: i64,
    sessions: Vec<AwsSession>,
}

// === impl Aws ===

impl Aws {
    /// Starts an STS endpoint that trusts this provider's tokens, whomever they were made for.
    pub async fn start(provider: &IdentityProvider) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let shared = Arc::new(AwsShared {
            address: listener.local_addr()?,
            provider: Arc::clone(&provider.shared),
            ledger: Ledger::new(),
            state: Mutex::default(),
            tasks: Tasks::default(),
        });
        shared.tasks.spawn(sts::accept(listener, Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Where roles are assumed.
    pub fn sts_url(&self) -> String {
        format!("http://{}/", self.shared.address)
    }

    /// Lets this role be assumed. As long as there is none, every role may be.
    pub fn add_role(&self, arn: &str) {
        self.shared.state.lock().roles.push(arn.to_owned());
    }

    /// How long keys live that are given out from now on, whatever is asked for.
    pub fn set_lifetime(&self, lifetime: impl Into<Option<Duration>>) {
        self.shared.state.lock().lifetime = lifetime.into();
    }

    /// Sets its clock this many seconds ahead of the machine's, or behind. It is what expirations, signatures and the
    /// `Date` of its answers go by.
    pub fn set_clock(&self, ahead: i64) {
        self.shared.state.lock().ahead = ahead;
    }

    /// Another answer of STS; `None` takes it away. See [`Aws::error`] for AWS's own errors.
    pub fn on(&self, answer: impl Into<Option<IdpAnswer>>) {
        self.shared.state.lock().answer = answer.into();
    }

    /// An error as STS words it: `ExpiredTokenException`, `Throttling`, `RegionDisabledException`, ...
    pub fn error(status: u16, code: &str, message: &str) -> IdpAnswer {
        IdpAnswer::http(status, "text/xml", sts::error_document(code, message))
    }

    /// Makes all keys that were given out so far worthless, before their time.
    pub fn expire(&self) {
        let now = Instant::now();
        self.shared.state.lock().sessions.iter_mut().for_each(|session| session.expires = now);
    }

    /// The keys given out so far, in order.
    pub fn sessions(&self) -> Vec<AwsSession> {
        self.shared.state.lock().sessions.clone()
    }

    /// All requests to STS so far, in order of arrival.
    pub fn requests(&self) -> Vec<IdpRequest> {
        self.shared.ledger.requests()
    }

    /// How often a role was asked for.
    pub fn count(&self) -> usize {
        self.shared.ledger.count(ACTION)
    }

    /// Waits until a role was asked for so often.
    pub async fn wait_for(&self, count: usize) -> io::Result<()> {
        self.shared.ledger.until(ACTION, count).await
    }

    /// What makes a backend want signatures for this region and service.
    pub fn guard(&self, region: &str, service: &str) -> SigV4Guard {
        SigV4Guard::new(&self.shared, region, service)
    }
}

// === impl AwsShared ===

impl AwsShared {
    /// Seconds since 1970, by its clock.
    fn now(&self) -> u64 {
        time::now().saturating_add_signed(self.state.lock().ahead)
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // The tasks hold the shared state, which holds the tasks.
        self.shared.tasks.abort();
    }
}
