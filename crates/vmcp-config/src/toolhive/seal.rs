//! The section `seal`: keys, and bounds of what waits for a client's answers.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};

use super::ours::{count, size, time};
use crate::field::{Field, Fields};
use crate::model::{Seal, SealKey};
use crate::reading::Reading;
use crate::secret::{self, Found, SecretKeys};

const KEY: SecretKeys = SecretKeys { text: "key", env: "keyEnv", file: "keyFile" };
const HINT: &str = "32 random bytes in Base64 or hexadecimal: `openssl rand -base64 32`";

/// Reads the section.
pub(super) fn read(field: Field<'_>, seal: &mut Seal, cx: &mut Reading<'_>) {
    let Some(mut fields) = field.fields("`seal`", &mut cx.report) else { return };
    let given = one(&mut fields, cx);
    let is_absent = matches!(given, Found::Absent);
    if let Found::Good(key) = given {
        seal.key = Some(key);
    }
    if let Some(field) = fields.get("previous") {
        if is_absent {
            let message = "`previous` needs a `key` that is used now";
            cx.report.error(field.key_at, message).hint(HINT);
        }
        previous(field, seal, cx);
    }
    time(&mut fields, "parkedTimeout", &mut seal.parked_timeout, cx);
    time(&mut fields, "lifetime", &mut seal.lifetime, cx);
    count(&mut fields, "maxParked", &mut seal.max_parked, cx);
    count(&mut fields, "maxParkedPerPrincipal", &mut seal.max_parked_per_principal, cx);
    size(&mut fields, "maxBytes", &mut seal.max_bytes, cx);
    fields.finish(&mut cx.report);
}

fn previous(field: Field<'_>, seal: &mut Seal, cx: &mut Reading<'_>) {
    for item in field.items(&mut cx.report) {
        let Some(mut fields) = item.fields("a key of `previous`", &mut cx.report) else { continue };
        match one(&mut fields, cx) {
            Found::Absent => {
                let message = "a key of `previous` needs `key`, `keyEnv` or `keyFile`";
                cx.report.error(item.at(), message);
            }
            Found::Bad => {}
            Found::Good(key) => {
                let mut others = seal.key.iter().chain(&seal.previous);
                if others.any(|other| other.expose() == key.expose()) {
                    cx.report.error(item.at(), "this key is there twice");
                } else {
                    seal.previous.push(key);
                }
            }
        }
        fields.finish(&mut cx.report);
    }
}

fn one(fields: &mut Fields<'_>, cx: &mut Reading<'_>) -> Found<SealKey> {
    let secret = match secret::read(fields, &KEY, cx) {
        Found::Absent => return Found::Absent,
        Found::Bad => return Found::Bad,
        Found::Good(secret) => secret,
    };
    match key(&secret.value) {
        Some(key) => Found::Good(key),
        None => {
            let message = format!("`{}` is no key", secret.field.key);
            cx.report.error(secret.field.at(), message).hint(HINT);
            Found::Bad
        }
    }
}

/// 32 bytes that are not all the same, in either alphabet of Base64, padded or not, or in hexadecimal.
fn key(text: &SecretString) -> Option<SealKey> {
    let text = text.expose_secret().trim();
    let mut bytes = [0; 32];
    let is_whole = if text.len() == 64 { hex(text, &mut bytes) } else { base64(text, &mut bytes) };
    let is_key = is_whole && bytes.iter().any(|byte| *byte != bytes[0]);
    let key = is_key.then(|| SealKey::new(bytes));
    bytes.zeroize();
    key
}

fn hex(text: &str, bytes: &mut [u8; 32]) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let [high, low] = pair else { return false };
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return false };
        *byte = high << 4 | low;
    }
    true
}

fn base64(text: &str, bytes: &mut [u8; 32]) -> bool {
    let lax = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    match GeneralPurpose::new(alphabet, lax).decode(text) {
        Ok(mut decoded) => {
            let is_whole = decoded.len() == bytes.len();
            if is_whole {
                bytes.copy_from_slice(&decoded);
            }
            decoded.zeroize();
            is_whole
        }
        Err(_) => false,
    }
}
