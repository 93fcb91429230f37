//! As whom vmcp calls a backend.
//!
//! A rule names a strategy. [`OutgoingAuthRegistry::resolve`] looks the strategy up and validates the rule
//! once, when a backend is connected; the [`Credentials`] it gives are then applied to every single HTTP
//! request, on a clone of its headers: what the caller holds is never changed, so a failed strategy
//! leaves nothing half done and a repeated request starts clean.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use secrecy::SecretString;

use crate::Identity;

mod header_injection;
mod unauthenticated;

pub use header_injection::HeaderInjection;
pub use unauthenticated::Unauthenticated;

/// What a backend's configuration says about credentials. `Debug` shows no secret.
#[derive(Debug, Clone, Default)]
pub enum OutgoingRule {
    /// Strategy `unauthenticated`: nothing is added.
    #[default]
    Unauthenticated,
    /// Strategy `header_injection`: one fixed header.
    HeaderInjection {
        /// The header's name.
        name: String,
        /// Its value, sent as it is.
        value: SecretString,
    },
    /// A strategy by name and without settings, for strategies an embedder registers.
    Named(String),
}

/// One way to put credentials on a request.
pub trait OutgoingAuth: Send + Sync {
    /// The strategy's name in a configuration.
    fn name(&self) -> &str;

    /// Whether `rule` has all that this strategy needs. The reason given must not contain a secret.
    fn validate(&self, rule: &OutgoingRule) -> Result<(), String>;

    /// Puts the credentials on `headers`. The reason given must not contain a secret.
    fn apply(
        &self,
        rule: &OutgoingRule,
        headers: &mut HeaderMap,
        identity: Option<&Identity>,
    ) -> Result<(), String>;
}

/// The strategies that this process knows.
pub struct OutgoingAuthRegistry {
    strategies: HashMap<String, Arc<dyn OutgoingAuth>>,
}

/// A validated rule with its strategy, bound to one backend.
#[derive(Clone)]
pub struct Credentials {
    backend: Arc<str>,
    rule: OutgoingRule,
    strategy: Arc<dyn OutgoingAuth>,
}

/// Why credentials could not be had. Names the backend, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No such strategy.
    #[error("backend {backend}: auth strategy \"{strategy}\" not found (known: {known})")]
    UnknownStrategy {
        /// The backend.
        backend: Arc<str>,
        /// What was asked for.
        strategy: String,
        /// What there is.
        known: String,
    },
    /// A strategy that vmcp refuses to have.
    #[error(
        "backend {backend}: auth strategy \"passthrough\" is refused: a caller's token is issued for vmcp, \
         and MCP forbids handing it on to another server; use header_injection or unauthenticated"
    )]
    Passthrough {
        /// The backend.
        backend: Arc<str>,
    },
    /// The rule lacks something or has something wrong.
    #[error("backend {backend}: invalid config for auth strategy \"{strategy}\": {reason}")]
    InvalidRule {
        /// The backend.
        backend: Arc<str>,
        /// The strategy.
        strategy: String,
        /// What is wrong.
        reason: String,
    },
    /// The strategy failed on a request, which was not sent.
    #[error("authentication failed for backend {backend}: {reason}")]
    Failed {
        /// The backend.
        backend: Arc<str>,
        /// What went wrong.
        reason: String,
    },
}

// === impl OutgoingRule ===

impl OutgoingRule {
    /// The name of the strategy this rule asks for.
    pub fn strategy(&self) -> &str {
        match self {
            Self::Unauthenticated => unauthenticated::NAME,
            Self::HeaderInjection { .. } => header_injection::NAME,
            Self::Named(name) => name,
        }
    }
}

// === impl OutgoingAuthRegistry ===

impl OutgoingAuthRegistry {
    /// The strategies vmcp brings: `unauthenticated` and `header_injection`.
    pub fn new() -> Self {
        let mut registry = Self { strategies: HashMap::new() };
        registry.register(Arc::new(Unauthenticated));
        registry.register(Arc::new(HeaderInjection));
        registry
    }

    /// Adds a strategy, in place of one of the same name.
    pub fn register(&mut self, strategy: Arc<dyn OutgoingAuth>) {
        self.strategies.insert(strategy.name().to_owned(), strategy);
    }

    /// Looks up and validates what `rule` asks for, for the backend named `backend`.
    pub fn resolve(&self, backend: &str, rule: &OutgoingRule) -> Result<Credentials, AuthError> {
        let backend: Arc<str> = backend.into();
        let name = rule.strategy();
        if name == "passthrough" {
            return Err(AuthError::Passthrough { backend });
        }
        let Some(strategy) = self.strategies.get(name) else {
            let strategy = name.to_owned();
            return Err(AuthError::UnknownStrategy { backend, strategy, known: self.known() });
        };
        if let Err(reason) = strategy.validate(rule) {
            return Err(AuthError::InvalidRule { backend, strategy: name.to_owned(), reason });
        }
        Ok(Credentials { backend, rule: rule.clone(), strategy: Arc::clone(strategy) })
    }

    fn known(&self) -> String {
        let mut names: Vec<&str> = self.strategies.keys().map(String::as_str).collect();
        names.sort_unstable();
        names.join(", ")
    }
}

impl Default for OutgoingAuthRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OutgoingAuthRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OutgoingAuthRegistry").field(&self.known()).finish()
    }
}

// === impl Credentials ===

impl Credentials {
    /// The headers of one request, with credentials: a clone of `headers`, which is left as it is.
    ///
    /// `identity` is the caller of this request or, when there is none, the one captured at connect.
    /// What the strategy sets wins over what `headers` had under the same name.
    ///
    /// # Cancel safety
    /// Safe: nothing is kept between calls.
    pub async fn apply(
        &self,
        headers: &HeaderMap,
        identity: Option<&Identity>,
    ) -> Result<HeaderMap, AuthError> {
        let mut authenticated = headers.clone();
        match self.strategy.apply(&self.rule, &mut authenticated, identity) {
            Ok(()) => Ok(authenticated),
            Err(reason) => Err(AuthError::Failed { backend: Arc::clone(&self.backend), reason }),
        }
    }

    /// The name of the strategy in use.
    pub fn strategy(&self) -> &str {
        self.strategy.name()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("backend", &self.backend)
            .field("strategy", &self.strategy())
            .finish()
    }
}

#[cfg(test)]
mod tests;
