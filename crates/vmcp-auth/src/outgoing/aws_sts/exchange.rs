//! The call to STS: `AssumeRoleWithWebIdentity`, an unsigned form for which an XML document comes back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, Uri};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use vmcp_config::{AwsSts, SafeUrl};
use vmcp_net::{Fetch, Pool};

use super::role::Role;
use super::time::{self, Seconds};
use super::xml::Leaves;
use crate::outgoing::{AuthContext, AuthTarget};
use crate::{AuthFailure, AwsKeys, Credential, Fetched, Form, TokenCache, discovery, wall_clock};

/// The longest answer that is read, in bytes; a real one has two thousand.
const MAX_ANSWER: usize = 64 * 1024;
/// How long sessions may last.
const SESSION: std::ops::RangeInclusive<u64> = 900..=43_200;
/// The wait before the one further try after an answer that says that a later one may succeed.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest part of a message of STS that is passed on.
const MESSAGE: usize = 200;

/// Errors that AWS calls passing.
const PASSING: [&str; 7] = [
    "IDPCommunicationError",
    "InternalFailure",
    "RequestThrottled",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Domains of AWS' partitions, by what their regions begin with.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
];

/// The endpoint of STS, as one backend's callers ask it.
pub(super) struct Sts {
    shown: String,
    uri: Uri,
    pool: Pool,
    duration: Duration,
}

/// Why there are no keys, and whether another try may help.
struct Refusal {
    failure: AuthFailure,
    passing: bool,
}

// === impl Sts ===

impl Sts {
    pub(super) fn new(
        target: &AuthTarget,
        settings: &AwsSts,
        context: &AuthContext,
    ) -> Result<Self, String> {
        if !SESSION.contains(&settings.session_duration.as_secs()) {
            return Err("sessionDuration must be from 15m to 12h".to_owned());
        }
        let url = match &settings.sts_url {
            Some(url) => url.clone(),
            None => regional(&settings.region)?,
        };
        let shown = url.to_string();
        let parsed = url.as_url();
        if parsed.scheme() != "https" && !discovery::is_loopback(parsed) {
            return Err(format!("stsUrl {shown} must be https (http only on this machine)"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(format!("stsUrl {shown} must not contain a user or password"));
        }
        let uri =
            parsed.as_str().parse().map_err(|_| format!("stsUrl {shown} cannot be dialled"))?;
        let pool =
            context.http.pool(&target.configured(&url)).map_err(|error| error.to_string())?;
        Ok(Self { shown, uri, pool, duration: settings.session_duration })
    }

    /// The endpoint, for keys and logs.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Keys of this role for whoever the token stands for.
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up; STS may have seen it, which costs nothing.
    pub(super) async fn assume(
        &self,
        role: &Role,
        token: &SecretString,
    ) -> Result<Fetched, AuthFailure> {
        let refusal = match self.ask(role, token).await {
            Ok(fetched) => return Ok(fetched),
            Err(refusal) => refusal,
        };
        if !refusal.passing {
            return Err(refusal.failure);
        }
        tokio::time::sleep(PAUSE).await;
        self.ask(role, token).await.map_err(|refusal| refusal.failure)
    }

    async fn ask(&self, role: &Role, token: &SecretString) -> Result<Fetched, Refusal> {
        let form = Form::default()
            .with("Action", "AssumeRoleWithWebIdentity")
            .with("Version", "2011-06-15")
            .with("RoleArn", role.arn.as_str())
            .with("RoleSessionName", role.session.as_str())
            .with("DurationSeconds", self.duration.as_secs().to_string())
            .with_secret("WebIdentityToken", token.clone());
        let mut request = Request::new(form.encode());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/xml"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let bounds = Fetch::new(MAX_ANSWER, TokenCache::DEADLINE);
        let answer = self
            .pool
            .fetch(request, bounds)
            .await
            .map_err(|error| self.unavailable(&format!("cannot be asked: {error}"), false))?;
        let outcome = self.read(&answer, token);
        if let Err(refusal) = &outcome {
            let (role, error) = (&role.arn, &refusal.failure);
            tracing::debug!(endpoint = %self.shown, role, %error, "no keys");
        }
        outcome
    }

    fn read(&self, answer: &Response<Bytes>, token: &SecretString) -> Result<Fetched, Refusal> {
        let status = answer.status();
        let document = std::str::from_utf8(answer.body()).map_err(|_| "it is not UTF-8");
        let document = document.and_then(Leaves::read);
        if !status.is_success() {
            let document = document.ok();
            let said = |name| document.as_ref()?.text(&["ErrorResponse", "Error", name]);
            return Err(match said("Code") {
                Some(code) => self.refused(code, said("Message").unwrap_or_default(), token),
                None => {
                    let passing = status.is_server_error() || status == 429;
                    self.unavailable(&format!("answered {status}"), passing)
                }
            });
        }
        // By STS' own clock, if it says what that is: ours may be wrong.
        let now = time::parse_date(answer.headers()).unwrap_or_else(wall_clock::seconds);
        let keys = document.and_then(|document| keys(&document, now, self.duration));
        keys.map_err(|problem| {
            self.unavailable(&format!("answered what cannot be used: {problem}"), false)
        })
    }

    /// STS says no, in words of its own.
    fn refused(&self, code: &str, message: &str, token: &SecretString) -> Refusal {
        let mut text = format!("STS at {} refused: {}", self.shown, printable(code));
        if !message.is_empty() && !message.contains(token.expose_secret()) {
            text = format!("{text}: {}", printable(message));
        }
        if PASSING.contains(&code) {
            return Refusal { failure: AuthFailure::Unavailable(text), passing: true };
        }
        Refusal { failure: AuthFailure::Refused(text), passing: false }
    }

    fn unavailable(&self, what: &str, passing: bool) -> Refusal {
        let text = format!("STS at {} {what}", self.shown);
        Refusal { failure: AuthFailure::Unavailable(text), passing }
    }
}

/// The endpoint of a region.
fn regional(region: &str) -> Result<SafeUrl, String> {
    let domain = DOMAINS.iter().find(|(start, _)| region.starts_with(start));
    let domain = domain.map_or("amazonaws.com", |(_, domain)| domain);
    let url = Url::parse(&format!("https://sts.{region}.{domain}/"));
    url.map(SafeUrl::from).map_err(|_| format!("{region:?} is no region"))
}

/// The keys in an answer, checked, with the time they hold.
fn keys(document: &Leaves, now: Seconds, asked: Duration) -> Result<Fetched, &'static str> {
    const CALL: &str = "AssumeRoleWithWebIdentity";
    let (response, result) = (format!("{CALL}Response"), format!("{CALL}Result"));
    let text = |name| {
        let text = document.text(&[&response, &result, "Credentials", name]);
        text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()))
    };
    let id = text("AccessKeyId").ok_or("there is no AccessKeyId")?;
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("the AccessKeyId is not one");
    }
    let secret = text("SecretAccessKey").ok_or("there is no SecretAccessKey")?;
    let token = text("SessionToken").ok_or("there is no SessionToken")?;
    let expires = text("Expiration").ok_or("there is no Expiration")?;
    let expires = time::parse(expires).ok_or("the Expiration is no time")?;
    // A wrong clock must not make keys look as if they held longer than was asked for.
    let lifetime = Duration::from_secs(expires.saturating_sub(now)).min(asked);
    let keys = AwsKeys {
        access_key_id: id.to_owned(),
        secret_access_key: SecretString::from(secret),
        session_token: SecretString::from(token),
    };
    Ok(Fetched { credential: Credential::Aws(Arc::new(keys)), lifetime: Some(lifetime) })
}

/// A text of somebody else's that is safe to log.
fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(MESSAGE)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::regional;

    #[test]
    fn each_partition_has_its_domain() {
        for (region, url) in [
            ("us-east-1", "https://sts.us-east-1.amazonaws.com/"),
            ("us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com/"),
            ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"),
            ("us-iso-east-1", "https://sts.us-iso-east-1.c2s.ic.gov/"),
            ("us-isob-east-1", "https://sts.us-isob-east-1.sc2s.sgov.gov/"),
        ] {
            assert_eq!(regional(region).map(|url| url.to_string()), Ok(url.to_owned()));
        }
    }
}
