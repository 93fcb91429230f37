//! What a token endpoint answers (RFC 6749 §5, RFC 8693 §2.2), read strictly.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Number;

use crate::AuthFailure;

/// A token, as the issuer gave it. `Debug` does not show it.
#[derive(Debug)]
pub struct TokenResponse {
    /// The token.
    pub access_token: SecretString,
    /// How it is used.
    pub token_type: String,
    /// What it is (RFC 8693 §3).
    pub issued_token_type: Option<String>,
    /// How long it holds; `None` if the issuer does not say.
    pub lifetime: Option<Duration>,
    /// What to get the next one with.
    pub refresh_token: Option<SecretString>,
    /// What it is good for, if that is not what was asked for.
    pub scope: Option<String>,
}

/// Why there is no token. Contains no secret: texts of the issuer are cut, cleaned, and rid of what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenError {
    /// The issuer says no.
    Refused {
        /// The endpoint.
        endpoint: String,
        /// `error`, such as `invalid_grant`, or the status without one.
        code: String,
        /// `error_description`.
        description: Option<String>,
    },
    /// The issuer cannot be reached, is late, or answers what is no token.
    Unavailable(String),
}

/// The members that are read. A member that is there twice is an error, as one of the wrong type is.
#[derive(Deserialize)]
struct Members {
    access_token: Option<SecretString>,
    token_type: Option<String>,
    issued_token_type: Option<String>,
    expires_in: Option<Number>,
    refresh_token: Option<SecretString>,
    scope: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// The longest lifetime that is believed: ten years of seconds.
const MAX_LIFETIME: u64 = 10 * 366 * 24 * 60 * 60;
/// Characters of an `error` that are kept.
const MAX_CODE: usize = 64;
/// Characters of an `error_description` that are kept.
const MAX_DESCRIPTION: usize = 256;
/// A longer word of a description is no word, but perhaps a token that the issuer repeats.
const MAX_WORD: usize = 48;

/// Reads an answer.
fn read(
    status: StatusCode,
    content_type: Option<&[u8]>,
    body: &[u8],
) -> Result<TokenResponse, TokenError> {
    let json = content_type.is_some_and(is_json);
    // serde_json would take an array for the members in their order.
    let text =
        std::str::from_utf8(body).ok().filter(|text| text.trim_ascii_start().starts_with('{'));
    let members = text.filter(|_| json).and_then(|text| serde_json::from_str::<Members>(text).ok());
    if status != StatusCode::OK {
        return Err(failure(status, members));
    }
    let garbage = |why: String| TokenError::Unavailable(format!("answered {why}"));
    let Some(members) = members else {
        let why = if json { "what is no token response" } else { "something else than JSON" };
        return Err(garbage(why.to_owned()));
    };
    match members {
        // Some answer 200 whatever happens.
        Members { error: Some(code), access_token: None, error_description, .. } => {
            Err(refused(&code, error_description.as_deref()))
        }
        Members { error: Some(_), .. } => {
            Err(garbage("with a token and an error at once".to_owned()))
        }
        members => members.token().map_err(garbage),
    }
}

/// Whether a media type is JSON (RFC 8259 §11, RFC 6839 §3.1).
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == b"application/json" || essence.ends_with(b"+json")
}

/// What an answer with another status than 200 means.
fn failure(status: StatusCode, members: Option<Members>) -> TokenError {
    let (code, description) =
        members.map(|members| (members.error, members.error_description)).unwrap_or_default();
    let later = ["server_error", "temporarily_unavailable", "slow_down"];
    let says_no = status.is_client_error()
        && status != StatusCode::TOO_MANY_REQUESTS
        && status != StatusCode::REQUEST_TIMEOUT;
    match code {
        Some(code) if says_no && !later.contains(&code.as_str()) => {
            refused(&code, description.as_deref())
        }
        None if matches!(
            status,
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) =>
        {
            refused(&format!("HTTP {}", status.as_u16()), None)
        }
        code => {
            let code = code.map(|code| format!(" ({})", clean(&code, MAX_CODE)));
            let text = format!("answered HTTP {}{}", status.as_u16(), code.unwrap_or_default());
            TokenError::Unavailable(text)
        }
    }
}

fn refused(code: &str, description: Option<&str>) -> TokenError {
    TokenError::Refused {
        endpoint: String::new(),
        code: clean(code, MAX_CODE),
        description: description.map(|text| clean(text, MAX_DESCRIPTION * 4)),
    }
}

/// Text of a stranger for a log: printable ASCII, no quotes and backslashes (RFC 6749 §5.2), and not too long.
fn clean(text: &str, max: usize) -> String {
    let allowed = |c: char| (c == ' ' || c.is_ascii_graphic()) && c != '"' && c != '\\';
    let clean = |c| if allowed(c) { c } else { '?' };
    text.chars().take(max).map(clean).collect()
}

// === impl Members ===

impl Members {
    fn token(self) -> Result<TokenResponse, String> {
        let lifetime = self.expires_in.as_ref().map(lifetime).transpose()?;
        Ok(TokenResponse {
            access_token: self.access_token.ok_or("without access_token")?,
            token_type: self.token_type.ok_or("without token_type")?,
            issued_token_type: self.issued_token_type,
            lifetime,
            refresh_token: self.refresh_token,
            scope: self.scope,
        })
    }
}

/// A number of whole seconds, however it is spelled.
fn lifetime(number: &Number) -> Result<Duration, String> {
    let seconds = number
        .as_u64()
        .map(Duration::from_secs)
        .or_else(|| number.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()));
    seconds
        .filter(|seconds| seconds.as_secs() <= MAX_LIFETIME)
        .map(|seconds| Duration::from_secs(seconds.as_secs()))
        .ok_or_else(|| "with an expires_in that is no lifetime".to_owned())
}

// === impl TokenResponse ===

impl TokenResponse {
    /// Reads what an issuer answered: its status, the value of `content-type`, the whole body.
    ///
    /// # Errors
    /// When the issuer refuses, or answers what is no token response. The endpoint in the error is empty.
    pub fn parse(
        status: StatusCode,
        content_type: Option<&[u8]>,
        body: &[u8],
    ) -> Result<Self, TokenError> {
        read(status, content_type, body)
    }

    /// The response, if its token is one that whoever bears it may use (RFC 6750).
    pub fn bearer(self) -> Result<Self, TokenError> {
        if self.token_type.eq_ignore_ascii_case("bearer") {
            return Ok(self);
        }
        let kind = clean(&self.token_type, MAX_CODE);
        Err(TokenError::Unavailable(format!(
            "the issuer gave a token of type \"{kind}\", not Bearer"
        )))
    }

    /// The response, if the issuer says that its token is one of `kinds` (RFC 8693 §2.2.1).
    pub fn issued_as(self, kinds: &[&str]) -> Result<Self, TokenError> {
        match self.issued_token_type.as_deref() {
            Some(kind) if kinds.contains(&kind) => Ok(self),
            Some(kind) => {
                let kind = clean(kind, MAX_DESCRIPTION);
                let wanted = kinds.join("\" or \"");
                let text =
                    format!("the issuer gave a token that is a \"{kind}\", not a \"{wanted}\"");
                Err(TokenError::Unavailable(text))
            }
            None => {
                let text = "the issuer answered without issued_token_type, which RFC 8693 demands";
                Err(TokenError::Unavailable(text.to_owned()))
            }
        }
    }
}

// === impl TokenError ===

impl TokenError {
    /// `error` of the issuer's answer.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Unavailable(_) => None,
        }
    }

    /// The same, about this endpoint.
    pub(super) fn of(self, shown: &str) -> Self {
        match self {
            Self::Refused { code, description, .. } => {
                Self::Refused { endpoint: shown.to_owned(), code, description }
            }
            Self::Unavailable(text) => Self::Unavailable(format!("token endpoint {shown}: {text}")),
        }
    }

    /// The same without anything secret that the request contained, and without long words.
    pub(super) fn without<'a>(self, secrets: impl Iterator<Item = &'a str>) -> Self {
        let secrets: Vec<&str> = secrets.filter(|secret| !secret.is_empty()).collect();
        let rid =
            |text: String| secrets.iter().fold(text, |text, secret| text.replace(secret, "…"));
        match self {
            Self::Refused { endpoint, code, description } => {
                let description = description.map(|text| {
                    let words = rid(text);
                    let words = words.split(' ').map(|word| match word.chars().count() {
                        ..=MAX_WORD => word,
                        _ => "…",
                    });
                    let text: Vec<&str> = words.collect();
                    text.join(" ").chars().take(MAX_DESCRIPTION).collect()
                });
                Self::Refused { endpoint, code: rid(code), description }
            }
            Self::Unavailable(text) => Self::Unavailable(rid(text)),
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { endpoint, code, description } => {
                write!(f, "token endpoint {endpoint} refuses: {code}")?;
                match description {
                    Some(description) => write!(f, " ({description})"),
                    None => Ok(()),
                }
            }
            Self::Unavailable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for TokenError {}

impl From<TokenError> for AuthFailure {
    fn from(error: TokenError) -> Self {
        let text = error.to_string();
        match error {
            TokenError::Refused { .. } => Self::Refused(text),
            TokenError::Unavailable(_) => Self::Unavailable(text),
        }
    }
}

#[cfg(test)]
mod tests;
