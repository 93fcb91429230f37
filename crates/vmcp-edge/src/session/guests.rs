//! Clients without a session: what is kept for callers who are the same and can do the same.
//!
//! Nothing that such a client sends names what is kept for it. The key is who calls, what the client declared and what
//! it calls itself: two programs that agree in all three are one client to the gateway and its backends. Any number of
//! their requests runs at the same time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use vmcp_auth::{Caller, Identity, IdentityKind};
use vmcp_backend::ClientHello;
use vmcp_config::Config;
use vmcp_gateway::{Gateway, MultiSession};
use vmcp_wire::Object;

use super::CLOSE;
use super::audience::{Audience, sink};
use crate::tasks::Tasks;

/// All that is kept for clients without a session.
pub(crate) struct Guests {
    idle: Duration,
    most: usize,
    most_of_one: usize,
    tasks: Tasks,
    /// Protects the map; held for a look or a change only.
    map: Mutex<HashMap<Key, Arc<Guest>>>,
}

/// Who calls, what the client can do, what it calls itself.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    kind: IdentityKind,
    issuer: Box<str>,
    subject: Box<str>,
    capabilities: Box<[u8]>,
    client_info: Box<[u8]>,
}

/// What is kept for one group of callers.
struct Guest {
    open: OnceCell<Arc<MultiSession>>,
    audience: Arc<Audience>,
    visits: AtomicUsize,
    /// When the last visit ended.
    used: Mutex<Instant>,
}

/// The use of what is kept, by one request, stream or parked call. While there is one, it is not closed.
pub(crate) struct Visit {
    guest: Arc<Guest>,
    multi: Arc<MultiSession>,
}

/// A visit that may still have to open the session.
struct Entered(Arc<Guest>);

// === impl Guests ===

impl Guests {
    pub(crate) fn new(config: &Config, tasks: Tasks) -> Self {
        let bounds = &config.session;
        Self {
            idle: bounds.stateless_idle,
            most: bounds.max_stateless,
            most_of_one: bounds.max_stateless_per_principal,
            tasks,
            map: Mutex::default(),
        }
    }

    /// What is kept for this caller and client, opened if it is not; `None` if too much is kept and all of it in use.
    ///
    /// Cancel safe: whoever asks next goes on with opening it.
    pub(crate) async fn visit(
        &self,
        gateway: &Arc<Gateway>,
        caller: Caller,
        hello: ClientHello,
    ) -> Option<Visit> {
        let entered = self.enter(Key::of(&caller, &hello))?;
        let audience = &entered.0.audience;
        let open = || async {
            // Slices of the request would keep the whole of it in memory.
            let hello = ClientHello {
                capabilities: Bytes::copy_from_slice(&hello.capabilities),
                client_info: Bytes::copy_from_slice(&hello.client_info),
                ..hello
            };
            gateway.open(hello, caller, sink(audience)).await
        };
        let multi = Arc::clone(entered.0.open.get_or_init(open).await);
        Some(entered.into_visit(multi))
    }

    fn enter(&self, key: Key) -> Option<Entered> {
        let mut map = self.map.lock();
        if let Some(guest) = map.get(&key) {
            return Some(Entered::new(guest));
        }
        // Where nobody is known, one principal is everybody.
        let known = key.kind != IdentityKind::Anonymous;
        let own = |other: &Key| known && other.is_of(&key);
        let evicted = if map.keys().filter(|other| own(other)).count() >= self.most_of_one {
            Some(evict(&mut map, own)?)
        } else if map.len() >= self.most {
            Some(evict(&mut map, |_| true)?)
        } else {
            None
        };
        let guest = Arc::new(Guest {
            open: OnceCell::new(),
            audience: Audience::new(self.tasks.clone()),
            visits: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
        });
        let entered = Entered::new(&guest);
        map.insert(key, guest);
        drop(map);
        if let Some(evicted) = evicted {
            self.end(evicted);
        }
        Some(entered)
    }

    /// How many streams this principal has open.
    pub(crate) fn streams_of(&self, identity: &Identity) -> usize {
        let map = self.map.lock();
        let own = map.iter().filter(|(key, _)| key.belongs_to(identity));
        own.map(|(_, guest)| guest.audience.len()).sum()
    }

    /// Closes what has not been used for too long.
    pub(crate) fn sweep(&self, now: Instant) {
        let late = |guest: &Guest| {
            now.saturating_duration_since(*guest.used.lock()) >= self.idle && guest.is_unused()
        };
        let ended: Vec<Arc<Guest>> =
            self.map.lock().extract_if(|_, guest| late(guest)).map(|(_, guest)| guest).collect();
        for guest in ended {
            tracing::debug!("what was kept for a client without a session was idle for too long");
            self.end(guest);
        }
    }

    fn end(&self, guest: Arc<Guest>) {
        self.tasks.run_for(CLOSE, async move {
            if let Some(multi) = guest.open.get() {
                multi.close().await;
            }
        });
    }
}

/// Takes out what nobody uses, and nobody has used for the longest time.
fn evict(map: &mut HashMap<Key, Arc<Guest>>, among: impl Fn(&Key) -> bool) -> Option<Arc<Guest>> {
    let unused = map.iter().filter(|(key, guest)| guest.is_unused() && among(key));
    let unused = unused.map(|(_, guest)| guest);
    let oldest = Arc::clone(unused.min_by_key(|guest| *guest.used.lock())?);
    map.retain(|_, guest| !Arc::ptr_eq(guest, &oldest));
    Some(oldest)
}

// === impl Key ===

impl Key {
    fn belongs_to(&self, identity: &Identity) -> bool {
        (self.kind, &*self.issuer, &*self.subject)
            == (identity.kind(), identity.issuer(), identity.subject())
    }

    /// Whether both are the same principal's.
    fn is_of(&self, other: &Self) -> bool {
        (self.kind, &self.issuer, &self.subject) == (other.kind, &other.issuer, &other.subject)
    }

    fn of(caller: &Caller, hello: &ClientHello) -> Self {
        let anonymous = Identity::anonymous();
        let identity = caller.identity.as_deref().unwrap_or(&anonymous);
        Self {
            kind: identity.kind(),
            issuer: identity.issuer().into(),
            subject: identity.subject().into(),
            capabilities: canonical(&hello.capabilities).into(),
            client_info: canonical(&hello.client_info).into(),
        }
    }
}

/// The same text for objects that differ in the order of their members and the space between them only.
pub(crate) fn canonical(raw: &[u8]) -> Vec<u8> {
    let Ok(object) = Object::parse(raw) else { return raw.trim_ascii().to_vec() };
    let mut members: BTreeMap<_, Vec<u8>> = BTreeMap::new();
    for (key, member) in object.iter() {
        // Of two members of one name both count: who knows which one is read.
        members.entry(key).or_default().extend(canonical(member.raw));
    }
    let mut out = b"{".to_vec();
    for (key, value) in members {
        out.extend_from_slice(&vmcp_wire::quote(&key));
        out.push(b':');
        out.extend(value);
        out.push(b',');
    }
    out.push(b'}');
    out
}

// === impl Guest ===

impl Guest {
    fn is_unused(&self) -> bool {
        self.visits.load(Ordering::Acquire) == 0
    }

    fn leave(&self) {
        *self.used.lock() = Instant::now();
        self.visits.fetch_sub(1, Ordering::AcqRel);
    }
}

// === impl Entered ===

impl Entered {
    /// Counted while the map is locked, so that nobody takes the guest out in between.
    fn new(guest: &Arc<Guest>) -> Self {
        guest.visits.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(guest))
    }

    fn into_visit(self, multi: Arc<MultiSession>) -> Visit {
        self.0.visits.fetch_add(1, Ordering::AcqRel);
        Visit { guest: Arc::clone(&self.0), multi }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.leave();
    }
}

// === impl Visit ===

impl Visit {
    pub(crate) fn multi(&self) -> &Arc<MultiSession> {
        &self.multi
    }

    /// Who hears what belongs to no call.
    pub(crate) fn audience(&self) -> &Arc<Audience> {
        &self.guest.audience
    }
}

impl Clone for Visit {
    fn clone(&self) -> Self {
        self.guest.visits.fetch_add(1, Ordering::AcqRel);
        Self { guest: Arc::clone(&self.guest), multi: Arc::clone(&self.multi) }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.guest.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn the_order_of_members_and_the_space_between_them_say_nothing() {
        let one = canonical(br#"{"a":{"x":1,"y":[1, 2]},"b":{}}"#);
        assert_eq!(one, canonical(br#" { "b" : {}, "a":{ "y":[1, 2] ,"x":1 } } "#));
        for other in [r#"{"a":{"x":1,"y":[2, 1]},"b":{}}"#, r#"{"a":{"x":1},"b":{}}"#, "{}", "[]"] {
            assert_ne!(one, canonical(other.as_bytes()), "{other}");
        }
    }
}
