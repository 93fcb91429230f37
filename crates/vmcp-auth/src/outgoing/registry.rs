//! Strategies by name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use vmcp_config::OutgoingAuth;

use super::aws_sts::WebIdentity;
use super::client_credentials::Service;
use super::header_injection::Injection;
use super::oauth::Logins;
use super::token_exchange::Exchange;
use super::unauthenticated::Nothing;
use super::upstream_inject::Upstream;
use super::xaa::CrossApp;
use super::{AuthContext, AuthError, AuthTarget, Credentials, Strategy};

/// The strategies that this process knows.
pub struct OutgoingAuthRegistry {
    strategies: BTreeMap<String, Arc<dyn Strategy>>,
    context: AuthContext,
}

/// Why a strategy was not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// A configuration could not name it.
    #[error("a strategy needs a name")]
    NoName,
    /// Whoever named it would not know which of the two they get.
    #[error("strategy \"{0}\" is already registered")]
    Duplicate(String),
    /// vmcp refuses to have it.
    #[error("a strategy \"passthrough\" is refused: MCP forbids handing a caller's token on")]
    Passthrough,
}

/// The name that no strategy may have.
const PASSTHROUGH: &str = "passthrough";

// === impl OutgoingAuthRegistry ===

impl OutgoingAuthRegistry {
    /// The strategies vmcp brings, in a context of their own.
    pub fn new() -> Self {
        Self::with_context(AuthContext::default())
    }

    /// The strategies vmcp brings.
    pub fn with_context(context: AuthContext) -> Self {
        let built_in: [Arc<dyn Strategy>; _] = [
            Arc::new(Nothing),
            Arc::new(Injection),
            Arc::new(Exchange),
            Arc::new(Service),
            Arc::new(Upstream),
            Arc::new(CrossApp),
            Arc::new(WebIdentity),
            Arc::new(Logins),
        ];
        let strategies =
            built_in.into_iter().map(|strategy| (strategy.name().to_owned(), strategy)).collect();
        Self { strategies, context }
    }

    /// Adds a strategy.
    pub fn register(&mut self, strategy: Arc<dyn Strategy>) -> Result<(), RegisterError> {
        let name = strategy.name().to_owned();
        if name.is_empty() {
            return Err(RegisterError::NoName);
        }
        if name == PASSTHROUGH {
            return Err(RegisterError::Passthrough);
        }
        if self.strategies.contains_key(&name) {
            return Err(RegisterError::Duplicate(name));
        }
        self.strategies.insert(name, strategy);
        Ok(())
    }

    /// Looks up what `settings` ask for and binds it to `target`. Dials nothing.
    pub fn resolve(
        &self,
        target: &AuthTarget,
        settings: &OutgoingAuth,
    ) -> Result<Credentials, AuthError> {
        let backend = Arc::clone(&target.backend);
        let name = settings.strategy();
        if name == PASSTHROUGH {
            return Err(AuthError::Passthrough { backend });
        }
        let strategy = name.to_owned();
        let Some(found) = self.strategies.get(name) else {
            return Err(AuthError::UnknownStrategy { backend, strategy, known: self.known() });
        };
        match found.bind(target, settings, &self.context) {
            Ok(bound) => Ok(Credentials::new(backend, strategy, bound)),
            Err(reason) => Err(AuthError::InvalidSettings { backend, strategy, reason }),
        }
    }

    /// What the strategies share.
    pub fn context(&self) -> &AuthContext {
        &self.context
    }

    fn known(&self) -> String {
        let names: Vec<&str> = self.strategies.keys().map(String::as_str).collect();
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
