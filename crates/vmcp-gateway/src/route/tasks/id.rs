//! Ids of tasks as clients know them: sealed around whose task it is and the backend's own id.
//!
//! Such an id is bound to the principal it was given to, and good for a configured time; whoever has the key opens it, after
//! a restart and on another replica too. Why one does not open is never told.

use std::time::Duration;

use sha2::{Digest, Sha256};
use vmcp_auth::Identity;
use vmcp_config::{BackendId, Config, SealKey};

use crate::seal::{Seals, lasting, still_lasting};

/// What tells these texts from others that are sealed under the same key.
const DOMAIN: &[u8] = b"vmcp task";
/// How much longer a sealed text is than what is in it, at most, besides a third of that.
const OVERHEAD: usize = 256;

/// Makes ids of tasks and reads them.
pub(crate) struct TaskIds {
    seals: Seals,
    lifetime: Duration,
    /// The longest id of a backend, in bytes.
    longest: usize,
}

/// A principal, where it is compared with others only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Principal([u8; 32]);

/// A backend's task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Whose it is, by its name in the configuration.
    pub backend: Box<str>,
    /// The backend's own id.
    pub own: Box<str>,
}

// === impl TaskIds ===

impl TaskIds {
    pub(crate) fn new(config: &Config) -> Self {
        let seal = &config.seal;
        let keys = seal.key.iter().chain(&seal.previous).map(SealKey::expose);
        Self {
            seals: Seals::new(keys),
            lifetime: config.tasks.lifetime,
            longest: config.session.max_uri_bytes,
        }
    }

    /// The id under which this principal knows the task; `None` if the backend's own is too long.
    pub(crate) fn seal(&self, who: Principal, backend: &BackendId, own: &str) -> Option<Box<str>> {
        if own.len() > self.longest {
            return None;
        }
        let text = lasting(self.lifetime, backend.as_str(), own.as_bytes())?;
        self.seals.seal(&text, &who.0).map(Into::into)
    }

    /// The task that this principal means by an id; `None` whatever is wrong with it.
    pub(crate) fn open(&self, who: Principal, sealed: &str) -> Option<Known> {
        if sealed.len() > self.longest.saturating_mul(2) + OVERHEAD {
            return None;
        }
        let text = self.seals.open(sealed, &who.0)?;
        let (backend, own) = still_lasting(&text)?;
        Some(Known { backend: backend.into(), own: std::str::from_utf8(own).ok()?.into() })
    }
}

// === impl Principal ===

impl Principal {
    pub(crate) fn of(identity: &Identity) -> Self {
        let mut digest = Sha256::new();
        for part in [
            DOMAIN,
            identity.kind().as_str().as_bytes(),
            identity.issuer().as_bytes(),
            identity.subject().as_bytes(),
        ] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vmcp_auth::Identity;
    use vmcp_config::{BackendId, Config, SealKey};

    use super::{Known, Principal, TaskIds};

    fn ids(change: impl FnOnce(&mut Config)) -> TaskIds {
        let mut config = Config::default();
        config.seal.key = Some(SealKey::new([7; 32]));
        change(&mut config);
        TaskIds::new(&config)
    }

    #[test]
    fn an_id_is_for_one_principal_wherever_the_key_is() {
        let (local, anonymous) =
            (Principal::of(&Identity::local()), Principal::of(&Identity::anonymous()));
        let id = ids(|_| {}).seal(local, &BackendId::from("b"), "own").unwrap();
        let other = ids(|_| {});
        let known = Known { backend: "b".into(), own: "own".into() };
        assert_eq!(other.open(local, &id), Some(known));
        assert_eq!(other.open(anonymous, &id), None);
        assert!(!id.contains("own"));
        for at in 0..id.len() {
            let mut changed = id.to_string().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(other.open(local, &changed), None, "{at}");
        }
        let else_where = ids(|config| config.seal.key = Some(SealKey::new([8; 32])));
        assert_eq!(else_where.open(local, &id), None);
    }

    #[test]
    fn an_id_has_an_end_and_a_length() {
        let who = Principal::of(&Identity::local());
        let backend = BackendId::from("b");
        let late = ids(|config| config.tasks.lifetime = Duration::ZERO);
        let id = late.seal(who, &backend, "own").unwrap();
        assert_eq!(late.open(who, &id), None);
        let short = ids(|config| config.session.max_uri_bytes = 8);
        assert_eq!(short.seal(who, &backend, "123456789"), None);
        assert_eq!(short.open(who, &"A".repeat(9999)), None);
        let longest = short.seal(who, &backend, "12345678").unwrap();
        assert!(short.open(who, &longest).is_some());
    }
}
