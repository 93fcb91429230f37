//! What callers may do, applied to what there is.
//!
//! A caller sees a [`Judged`] view: the shared one without what no policy permits to it. It is made once for all sessions
//! of callers who are the same to policies, and anew when what there is changes. What is not in it cannot be told from what
//! was never there: both are looked up in vain. Only policies that look at arguments are asked again at each call.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use vmcp_auth::{Decision, Identity, IdentityKind, Policy, PolicyErrors, Subject, Why};
use vmcp_config::Config;

use crate::catalogue::{Alike, Catalogue};
use crate::naming::conflict::Capability;
use crate::session::Seen;
use crate::view::View;

/// The least time between two warnings about requests that could not be decided. No setting: the log at level `debug` has
/// each of them.
const BETWEEN: Duration = Duration::from_secs(10);
/// The longest name that is repeated in the log, in characters.
const MOST_NAME: usize = 120;

/// The policies, and what was made of them for callers who are here.
pub(crate) struct Rules {
    policy: Policy,
    sights: Alike<Sight>,
    views: Alike<Judged>,
    quiet: Arc<Quiet>,
}

/// One caller, as policies see it.
pub(crate) struct Sight {
    kind: IdentityKind,
    issuer: Box<str>,
    subject: Box<str>,
    claims: Box<str>,
    pub(crate) seen_as: Arc<Subject>,
    quiet: Arc<Quiet>,
}

/// What one caller sees.
pub(crate) struct Judged {
    /// What it is a part of; held, so that nothing else can be where it is.
    base: Seen,
    sight: Arc<Sight>,
    /// The view.
    pub view: View,
}

/// Keeps the log readable whatever clients ask for.
#[derive(Default)]
struct Quiet {
    /// Protects when a warning was last written, and how many were not since.
    last: Mutex<(Option<Instant>, u64)>,
}

// === impl Rules ===

impl Rules {
    /// The policies of this configuration, if it has any.
    ///
    /// # Errors
    /// When they say nothing that could be followed.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, PolicyErrors> {
        let Some(authz) = &config.authz else { return Ok(None) };
        let policy = Policy::compile(&config.name, authz)?;
        let (sights, views) = (Alike::default(), Alike::default());
        Ok(Some(Self { policy, sights, views, quiet: Arc::default() }))
    }

    /// How policies see this caller; the same for all who are the same to them.
    pub(crate) fn sight(&self, identity: &Identity) -> Arc<Sight> {
        self.sights.find(|sight| sight.is_of(identity)).unwrap_or_else(|| {
            self.sights.keep(Arc::new(Sight {
                kind: identity.kind(),
                issuer: identity.issuer().into(),
                subject: identity.subject().into(),
                claims: identity.claims().into(),
                seen_as: self.policy.subject(identity),
                quiet: self.quiet.clone(),
            }))
        })
    }

    /// What this caller sees of a view.
    pub(crate) fn judged(
        &self,
        (config, catalogue): (&Config, &Catalogue),
        base: &Seen,
        sight: Arc<Sight>,
    ) -> Arc<Judged> {
        let is_it = |judged: &Judged| judged.is_over(base) && Arc::ptr_eq(&judged.sight, &sight);
        self.views.find(is_it).unwrap_or_else(|| {
            let ids: Vec<_> = catalogue.slots.iter().map(|slot| &slot.target.id).collect();
            let view = base.judged(&sight, &ids, config.aggregation.max_instructions);
            self.views.keep(Arc::new(Judged { base: base.kept(), sight, view }))
        })
    }
}

// === impl Sight ===

impl Sight {
    /// Whether this is how policies see this caller.
    pub(crate) fn is_of(&self, identity: &Identity) -> bool {
        self.kind == identity.kind()
            && *self.subject == *identity.subject()
            && *self.issuer == *identity.issuer()
            && *self.claims == *identity.claims()
    }

    /// Writes down why a request is denied. Tells whether it may be made.
    pub(crate) fn permits(&self, kind: Capability, name: &str, decision: Decision) -> bool {
        let why = match decision {
            Decision::Permit => return true,
            Decision::Deny(why) => why,
        };
        let name: String = name.chars().take(MOST_NAME).collect();
        let (subject, kind) = (&*self.subject, kind.as_str());
        if let Why::Error(_) | Why::Unclear(_) = why
            && let Some(untold) = self.quiet.may_warn()
        {
            tracing::warn!(subject, kind, name, %why, untold, "denied: policies could not decide");
        } else {
            tracing::debug!(subject, kind, name, %why, "denied");
        }
        false
    }
}

// === impl Judged ===

impl Judged {
    /// Whether it is made of this view.
    pub(crate) fn is_over(&self, base: &Seen) -> bool {
        std::ptr::eq::<View>(&*self.base, &**base)
    }

    /// For whom it is made.
    pub(crate) fn sight(&self) -> &Arc<Sight> {
        &self.sight
    }
}

// === impl Quiet ===

impl Quiet {
    /// Whether a warning may be written; gives how many were not since the last one.
    fn may_warn(&self) -> Option<u64> {
        let now = Instant::now();
        let mut last = self.last.lock();
        if last.0.is_some_and(|at| now.saturating_duration_since(at) < BETWEEN) {
            last.1 += 1;
            return None;
        }
        let untold = last.1;
        *last = (Some(now), 0);
        Some(untold)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::{BETWEEN, Quiet};

    #[tokio::test(start_paused = true)]
    async fn warnings_are_few_and_say_how_many_were_not_written() {
        let quiet = Quiet::default();
        assert_eq!(quiet.may_warn(), Some(0));
        assert_eq!([quiet.may_warn(), quiet.may_warn()], [None, None]);
        advance(BETWEEN).await;
        assert_eq!(quiet.may_warn(), Some(2));
    }
}
