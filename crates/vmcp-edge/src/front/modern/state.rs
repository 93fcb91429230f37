//! `requestState`: what a client gets with a question and gives back with its answers.
//!
//! It is sealed, so a client can neither read nor change it, and bound to who asked for what with which arguments: given
//! back with anything else it does not open. Why one does not open is never told.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http::StatusCode;
use vmcp_auth::Identity;
use vmcp_config::{Config, SealKey};
use vmcp_gateway::{Seals, lasting, still_lasting};
use vmcp_wire::{Object, rpc};

use super::Lone;
use crate::respond::Rejection;
use crate::session::canonical;

const PARKED: u8 = 1;
const BACKEND: u8 = 2;

/// The name of a parked call.
pub(super) type ParkId = [u8; 16];

/// What is sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A call that waits here, and which of its questions this is about.
    Parked(ParkId, u32),
    /// The state of a backend that keeps nothing: whose it is, and a raw JSON string.
    Backend(Box<str>, Bytes),
}

/// Who asks for what with which arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Binding([u8; 32]);

/// Seals states and opens them.
pub(super) struct States {
    seals: Seals,
    /// How long the state of a backend that keeps nothing is passed on.
    lifetime: Duration,
    max_bytes: usize,
}

// === impl States ===

impl States {
    pub(super) fn new(config: &Config) -> Self {
        let seal = &config.seal;
        let keys = seal.key.iter().chain(&seal.previous).map(SealKey::expose);
        Self { seals: Seals::new(keys), lifetime: seal.lifetime, max_bytes: seal.max_bytes }
    }

    /// Seals one; `None` if it is too long for a client to carry.
    pub(super) fn seal(&self, state: &State, binding: &Binding) -> Option<String> {
        let text = match state {
            State::Parked(id, round) => [&[PARKED][..], id, &round.to_be_bytes()].concat(),
            State::Backend(backend, raw) => {
                [&[BACKEND][..], &lasting(self.lifetime, backend, raw)?].concat()
            }
        };
        self.seals.seal(&text, &binding.0).filter(|sealed| sealed.len() <= self.max_bytes)
    }

    /// Opens one; `None` whatever is wrong with it.
    pub(super) fn open(&self, sealed: &str, binding: &Binding) -> Option<State> {
        if sealed.len() > self.max_bytes {
            return None;
        }
        let text = self.seals.open(sealed, &binding.0)?;
        let (kind, rest) = text.split_first()?;
        match *kind {
            PARKED => {
                let (id, round) = rest.split_first_chunk()?;
                Some(State::Parked(*id, u32::from_be_bytes(round.try_into().ok()?)))
            }
            BACKEND => {
                let (backend, raw) = still_lasting(rest)?;
                Some(State::Backend(backend.into(), Bytes::copy_from_slice(raw)))
            }
            _ => None,
        }
    }
}

// === impl Binding ===

impl Binding {
    pub(super) fn of(identity: &Identity, lone: &Lone) -> Self {
        let params = lone.params();
        let object = Object::parse(&params).ok();
        let raw = |key| object.as_ref().and_then(|object| object.get(key)).map(|member| member.raw);
        let name = ["name", "uri"].map(|key| raw(key).map(canonical).unwrap_or_default());
        let arguments = raw("arguments").map(canonical).unwrap_or_default();
        let parts = [
            identity.kind().as_str().as_bytes(),
            identity.issuer().as_bytes(),
            identity.subject().as_bytes(),
            lone.method().as_bytes(),
            &name[0],
            &name[1],
            &arguments,
        ];
        let mut digest = Context::new(&SHA256);
        for part in parts {
            digest.update(&part.len().to_be_bytes());
            digest.update(part);
        }
        let mut binding = [0; 32];
        binding.copy_from_slice(digest.finish().as_ref());
        Self(binding)
    }
}

/// The state is not one that was given to this caller for this request, or it is too late, or it was answered. The
/// call that it was given for may have run to any point.
pub(super) fn not_open() -> Rejection {
    Rejection::new(StatusCode::OK, "the request state is not valid, or not any more")
        .with_code(rpc::INVALID_PARAMS)
        .with_data(&br#"{"reason":"request_state","executed":"unknown"}"#[..])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use vmcp_config::{Config, SealKey};

    use super::{Binding, State, States};

    fn config(change: impl FnOnce(&mut Config)) -> Config {
        let mut config = Config::default();
        config.seal.key = Some(SealKey::new([7; 32]));
        change(&mut config);
        config
    }

    fn state() -> State {
        State::Backend("b".into(), Bytes::from_static(b"\"x\""))
    }

    #[test]
    fn another_process_with_the_same_key_opens_it() {
        let binding = Binding([1; 32]);
        let (one, other) = (States::new(&config(|_| {})), States::new(&config(|_| {})));
        for state in [state(), State::Parked([3; 16], 9)] {
            let sealed = one.seal(&state, &binding).unwrap();
            assert_eq!(other.open(&sealed, &binding), Some(state));
            assert_eq!(other.open(&sealed, &Binding([2; 32])), None);
        }
    }

    #[test]
    fn it_has_an_end_and_a_length() {
        let binding = Binding([1; 32]);
        let late = States::new(&config(|config| config.seal.lifetime = Duration::ZERO));
        let sealed = late.seal(&state(), &binding).unwrap();
        assert_eq!(late.open(&sealed, &binding), None);
        let short = States::new(&config(|config| config.seal.max_bytes = 16));
        assert_eq!(short.seal(&state(), &binding), None);
    }
}
