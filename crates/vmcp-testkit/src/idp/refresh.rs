//! Refresh tokens: rotation, and what happens when one is used twice (RFC 9700 §4.14.2).

use std::collections::HashMap;

use serde_json::Value;

use crate::idp::State;

/// The refresh tokens ever given out, by their text.
#[derive(Default)]
pub(crate) struct Families {
    tokens: HashMap<String, Held>,
}

#[derive(Clone)]
struct Held {
    family: u64,
    client: Option<String>,
    claims: Value,
    used: bool,
}

/// What a good refresh token stands for.
pub(crate) struct Refreshed {
    pub(crate) claims: Value,
    /// The token to use from now on.
    pub(crate) next: String,
}

// === impl State ===

impl State {
    /// A first refresh token for these claims; it begins a family.
    pub(crate) fn refresh_token(&mut self, client: Option<String>, claims: Value) -> String {
        let family = self.number();
        self.hold(Held { family, client, claims, used: false })
    }

    fn hold(&mut self, held: Held) -> String {
        let token = format!("refresh-{}", self.number());
        self.families.tokens.insert(token.clone(), held);
        token
    }

    /// Uses a refresh token; one that was used before costs its whole family.
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client: Option<&str>,
        rotates: bool,
    ) -> Result<Refreshed, String> {
        let held = self.families.tokens.get_mut(token).ok_or("no such refresh token")?;
        if held.client.as_deref() != client {
            return Err("the refresh token was given to another client".to_owned());
        }
        let claims = held.claims.clone();
        if !rotates {
            return Ok(Refreshed { claims, next: token.to_owned() });
        }
        let successor = Held { used: false, ..held.clone() };
        if std::mem::replace(&mut held.used, true) {
            self.revoke(token);
            return Err("the refresh token was used before; its family is revoked".to_owned());
        }
        Ok(Refreshed { claims, next: self.hold(successor) })
    }

    /// Whether this is a refresh token that was given to this client.
    pub(crate) fn refreshes_for(&self, token: &str, client: Option<&str>) -> bool {
        self.families.tokens.get(token).is_some_and(|held| held.client.as_deref() == client)
    }

    /// Makes a token worthless; a refresh token with its whole family.
    pub(crate) fn revoke(&mut self, token: &str) {
        match self.families.tokens.get(token).map(|held| held.family) {
            Some(family) => self.families.tokens.retain(|_, held| held.family != family),
            None => drop(self.revoked.insert(token.to_owned())),
        }
    }
}
