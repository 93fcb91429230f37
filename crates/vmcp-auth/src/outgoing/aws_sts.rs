//! Strategy `aws_sts`: AWS takes the caller's token for temporary keys of a role, and each request is signed with them.
//!
//! The caller's claims choose the role and name the session, so AWS' own logs say who did what. The keys come from
//! `AssumeRoleWithWebIdentity` and are kept, like every token, for one caller with one token; each request is then
//! signed with Signature Version 4 where it stands, body included: nothing that signs is ever sent. Where our clock is too
//! wrong for that, AWS' clock is followed.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `role` | which role, and what the session is called |
//! | `exchange` | the call to STS, and what its errors mean |
//! | `xml` | its answer, read strictly |
//! | `sign` | Signature Version 4 |
//! | `time` | points in time as AWS writes them; the one place that reads the wall clock |
//!
//! Why signing is not left to `aws-sigv4`: it brings seventeen crates that nothing else here needs, and wants a newer
//! compiler every few months, for what is here 200 lines that are held against AWS' test suite and against a verifier
//! that shares no line with them. `matcher` needs an evaluator of CEL; the one there is brings two parsers and has no
//! bound on what an expression may cost, so it is refused.

use std::sync::Arc;

use http::HeaderMap;
use vmcp_config::OutgoingAuth;

use super::{
    AuthContext, AuthFailure, AuthTarget, Authenticating, Authenticator, BoxFuture,
    CredentialScope, OutgoingRequest, Receipt, Rejection, Strategy, Verdict, bearer, subject,
};
use crate::{CallerToken, Credential, HeldToken, Identity, KeyParts, TokenCache, TokenKey};

mod exchange;
mod role;
mod sign;
mod time;
mod xml;

use exchange::Sts;
use role::Roles;
use sign::Signer;

pub(super) const NAME: &str = "aws_sts";

/// What AWS answers when it is the keys that do not hold, and others may. Everything else is final: a role that may
/// not do something will not be allowed to by asking again.
const STALE_KEYS: [&str; 5] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
];

/// What AWS answers to a signature that it does not take, for its time among other reasons.
const WRONG_TIME: [&str; 4] = [
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];

/// The strategy.
pub(super) struct WebIdentity;

/// The strategy, bound to a backend.
struct Bound {
    key: KeyParts,
    tokens: TokenCache,
    roles: Roles,
    provider: Option<String>,
    sts: Arc<Sts>,
    signer: Signer,
}

// === impl WebIdentity ===

impl Strategy for WebIdentity {
    fn name(&self) -> &str {
        NAME
    }

    fn bind(
        &self,
        target: &AuthTarget,
        settings: &OutgoingAuth,
        context: &AuthContext,
    ) -> Result<Box<dyn Authenticator>, String> {
        let OutgoingAuth::AwsSts(settings) = settings else {
            return Err("a region and a role are needed".to_owned());
        };
        if target.url.is_none() {
            return Err("only requests over HTTP can be signed".to_owned());
        }
        let sts = Sts::new(target, settings, context)?;
        let roles = Roles::new(settings)?;
        let duration = settings.session_duration.as_secs().to_be_bytes();
        let key = KeyParts::new(NAME, &target.backend).part(sts.shown()).part(duration);
        Ok(Box::new(Bound {
            key: roles.key(key),
            tokens: context.tokens.clone(),
            roles,
            provider: settings.subject_provider.clone(),
            sts: Arc::new(sts),
            signer: Signer::new(&settings.region, &settings.service)?,
        }))
    }
}

// === impl Bound ===

impl Bound {
    /// Claims and rules decide about the role, so others are other keys: nobody keeps a role that a new configuration
    /// takes away.
    fn key(&self, identity: &Identity, token: &CallerToken) -> TokenKey {
        subject::key(self.key.clone().part(identity.claims()), identity, token)
    }

    fn sign(&self, request: OutgoingRequest<'_>, held: &HeldToken) -> Result<Receipt, AuthFailure> {
        let Credential::Aws(keys) = &held.credential else {
            return Err(AuthFailure::Unavailable("there are no keys to sign with".to_owned()));
        };
        self.signer.sign_now(request, keys)?;
        Ok(held.receipt)
    }

    async fn fetch(
        &self,
        key: TokenKey,
        identity: &Identity,
        token: &CallerToken,
    ) -> Result<HeldToken, AuthFailure> {
        subject::check_delegation(identity, token)?;
        let role = self.roles.assumed_by(identity)?;
        let (sts, token) = (Arc::clone(&self.sts), token.secret().clone());
        self.tokens.get(key, || async move { sts.assume(&role, &token).await }).await
    }
}

impl Authenticator for Bound {
    fn scope(&self) -> CredentialScope {
        CredentialScope::PerCaller
    }

    fn authenticate<'a>(
        &'a self,
        request: OutgoingRequest<'a>,
        identity: Option<&'a Identity>,
    ) -> Authenticating<'a> {
        // A probe goes unsigned: vmcp has no keys of its own, and a user's are not for that.
        let Some(identity) = identity else { return bearer::without() };
        let token = match subject::of(identity, self.provider.as_deref()) {
            Ok(token) => token,
            Err(failure) => return bearer::refused(failure),
        };
        let key = self.key(identity, token);
        if let Some(held) = self.tokens.held(key) {
            return Authenticating::Ready(self.sign(request, &held));
        }
        Authenticating::later(async move {
            let held = self.fetch(key, identity, token).await?;
            self.sign(request, &held)
        })
    }

    fn rejected<'a>(
        &'a self,
        rejection: Rejection<'a>,
        _identity: Option<&'a Identity>,
    ) -> BoxFuture<'a, Verdict> {
        let kind = kind(rejection.headers);
        let signed = rejection.receipt.used().is_some();
        let again = if signed && STALE_KEYS.contains(&kind) {
            self.tokens.evict(rejection.receipt);
            true
        } else {
            signed && WRONG_TIME.contains(&kind) && self.signer.follow(rejection.headers)
        };
        let verdict = if again { Verdict::Retry } else { Verdict::Final(None) };
        Box::pin(std::future::ready(verdict))
    }
}

/// What AWS calls the error. A URL may follow after a colon.
fn kind(headers: &HeaderMap) -> &str {
    let kind = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(':').next()).unwrap_or_default().trim()
}
