//! A caller's claims: attributes, and the groups that they name.

use cedar_policy::RestrictedExpression;
use serde_json::{Map, Value};

use super::number::number;
use super::reads::Reads;

/// Where groups are, if nothing else is said; the first of these that is there counts.
const GROUPS: [&str; 3] = ["groups", "roles", "cognito:groups"];
/// How deep values of claims are read.
const DEPTH: usize = 16;

/// The claims of a raw JSON object.
pub(super) fn read(raw: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(raw).ok()
}

/// The claims that policies look at, as attributes; those that they look at and cannot be told as attributes by name.
pub(super) fn attributes(
    claims: &Map<String, Value>,
    reads: &Reads,
) -> (Vec<(String, RestrictedExpression)>, Vec<String>) {
    let (mut attributes, mut unclear) = (Vec::new(), Vec::new());
    for (name, value) in claims {
        let key = format!("claim_{name}");
        let named = reads.claims.contains(&key);
        if value.is_null() || !(named || reads.context) {
            continue;
        }
        match expression(value, DEPTH) {
            Some(expression) => attributes.push((key, expression)),
            None => unclear.push(name.clone()),
        }
    }
    (attributes, unclear)
}

/// The groups that the caller's claims name.
pub(super) fn groups(
    claims: &Map<String, Value>,
    group_claim: Option<&str>,
    role_claim: Option<&str>,
) -> Vec<String> {
    let usual = || GROUPS.iter().map(|name| names(find(claims, name)));
    let mut groups = match group_claim {
        Some(path) => names(find(claims, path)),
        None => usual().find(|names| !names.is_empty()).unwrap_or_default(),
    };
    groups.extend(names(role_claim.and_then(|path| find(claims, path))));
    groups
}

/// The claim of this name, else the one that a path with dots leads to.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = claims.get(path) {
        return Some(found);
    }
    let (first, rest) = path.split_once('.')?;
    let mut at = claims.get(first)?;
    for name in rest.split('.') {
        at = at.get(name)?;
    }
    Some(at)
}

/// The names in a list; one that is not in a list is a name, too.
fn names(value: Option<&Value>) -> Vec<String> {
    let known = |value: &Value| value.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(known).collect(),
        Some(one) => known(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn expression(value: &Value, depth: usize) -> Option<RestrictedExpression> {
    let depth = depth.checked_sub(1)?;
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => RestrictedExpression::new_bool(*value),
        Value::Number(value) => return number(&value.to_string()),
        Value::String(value) => RestrictedExpression::new_string(value.clone()),
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| expression(item, depth)).collect();
            RestrictedExpression::new_set(items?)
        }
        Value::Object(members) => {
            let members: Option<Vec<_>> = members
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| Some((key.clone(), expression(value, depth)?)))
                .collect();
            RestrictedExpression::new_record(members?).ok()?
        }
    })
}
