//! Which role a caller gets, and what its session is called.

use serde_json::{Map, Value};
use vmcp_config::{AwsSts, RoleMapping};

use crate::digest::digest;
use crate::{AuthFailure, Identity, KeyParts};

/// How long a session's name may be (`RoleSessionName`).
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 2..=64;

/// The rules, in the order in which they are asked.
pub(super) struct Roles {
    mappings: Vec<Mapping>,
    fallback: Option<String>,
    role_claim: String,
    name_claim: String,
}

struct Mapping {
    claim: String,
    role: String,
}

/// What STS is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Role {
    /// The role's ARN.
    pub(super) arn: String,
    /// The session's name.
    pub(super) session: String,
}

// === impl Roles ===

impl Roles {
    pub(super) fn new(settings: &AwsSts) -> Result<Self, String> {
        let mut mappings: Vec<&RoleMapping> = settings.role_mappings.iter().collect();
        // Stable: of equal priorities, the first counts.
        mappings.sort_by_key(|mapping| mapping.priority.unwrap_or(i64::MAX));
        let mappings = mappings.into_iter().map(Mapping::new).collect::<Result<Vec<_>, _>>()?;
        let fallback = settings.fallback_role_arn.clone();
        if let Some(arn) = &fallback {
            check_arn(arn)?;
        } else if mappings.is_empty() {
            return Err("neither roleMappings nor a fallbackRoleArn: there is no role".to_owned());
        }
        Ok(Self {
            mappings,
            fallback,
            role_claim: settings.role_claim.clone(),
            name_claim: settings.session_name_claim.clone(),
        })
    }

    /// Every rule, in order.
    pub(super) fn key(&self, parts: KeyParts) -> KeyParts {
        let rules = self.mappings.iter().flat_map(|mapping| [&mapping.claim, &mapping.role]);
        let parts = parts.list(rules).optional(self.fallback.as_ref());
        parts.part(&self.role_claim).part(&self.name_claim)
    }

    /// The role of this caller.
    pub(super) fn assumed_by(&self, identity: &Identity) -> Result<Role, AuthFailure> {
        let claims: Map<String, Value> = serde_json::from_str(identity.claims())
            .map_err(|_| AuthFailure::Refused("the caller's claims are no object".to_owned()))?;
        let value = claims.get(&self.role_claim);
        let fitting = self.mappings.iter().find(|mapping| mapping.fits(value));
        let arn = fitting.map(|mapping| &mapping.role).or(self.fallback.as_ref());
        let arn = arn.ok_or_else(|| {
            let claim = &self.role_claim;
            let text = format!(
                "none of roleMappings fits the caller's claim \"{claim}\", and there is no fallbackRoleArn"
            );
            AuthFailure::Refused(text)
        })?;
        Ok(Role { arn: arn.clone(), session: self.session(identity, &claims)? })
    }

    fn session(
        &self,
        identity: &Identity,
        claims: &Map<String, Value>,
    ) -> Result<String, AuthFailure> {
        let name = match claims.get(&self.name_claim) {
            Some(Value::String(name)) => name.as_str(),
            // Whoever verified the caller knows its subject, whatever became of the claims.
            _ if self.name_claim == "sub" => identity.subject(),
            _ => "",
        };
        if name.is_empty() {
            let claim = &self.name_claim;
            let text = format!("the caller has no claim \"{claim}\" to name the session after");
            return Err(AuthFailure::Refused(text));
        }
        Ok(session_name(name))
    }
}

// === impl Mapping ===

impl Mapping {
    fn new(mapping: &RoleMapping) -> Result<Self, String> {
        check_arn(&mapping.role_arn)?;
        if mapping.matcher.is_some() {
            let text = "roleMappings: `matcher` (CEL) is not supported; use `claim` with roleClaim";
            return Err(text.to_owned());
        }
        match &mapping.claim {
            Some(claim) if !claim.is_empty() => {
                Ok(Self { claim: claim.clone(), role: mapping.role_arn.clone() })
            }
            _ => Err(format!("roleMappings: no `claim` for {}", mapping.role_arn)),
        }
    }

    /// Whether the role claim is this text, or a list with it.
    fn fits(&self, value: Option<&Value>) -> bool {
        match value {
            Some(Value::String(one)) => *one == self.claim,
            Some(Value::Array(many)) => many.iter().any(|one| *one == self.claim),
            _ => false,
        }
    }
}

fn check_arn(arn: &str) -> Result<(), String> {
    let fine = arn.starts_with("arn:aws") && arn.contains(":role/") && arn.len() <= 2048;
    let fine = fine && arn.bytes().all(|byte| byte.is_ascii_graphic());
    fine.then_some(()).ok_or_else(|| format!("{arn:?} is not the ARN of a role"))
}

/// The name with what AWS does not take (anything but letters, digits and `_+=,.@-`, and more than 64 of them)
/// replaced. A changed name ends in a few digits of its SHA-256, so that two callers never share one.
fn session_name(name: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    if NAME_LENGTH.contains(&name.len()) && name.chars().all(allowed) {
        return name.to_owned();
    }
    let [first, second, third, fourth, ..] = digest(name.as_bytes());
    let suffix = format!("-{first:02x}{second:02x}{third:02x}{fourth:02x}");
    let replaced = name.chars().map(|letter| if allowed(letter) { letter } else { '-' });
    let kept: String = replaced.take(NAME_LENGTH.end() - suffix.len()).collect();
    kept + &suffix
}

#[cfg(test)]
mod tests;
