//! The user's part of a login.

use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::BoxFuture;

type Present = dyn Fn(Url) -> BoxFuture<'static, Result<Url, String>> + Send + Sync;

/// How a user gets to the authorization server and back. Whoever has one can log in; a process without one never
/// starts a login by itself.
#[derive(Clone)]
pub struct Interaction {
    redirect_uri: Url,
    present: Arc<Present>,
}

// === impl Interaction ===

impl Interaction {
    /// `present` shows a URL to the user and gives back the URL to which the authorization server sent them: that is
    /// `redirect_uri` with a query. Its error is told as it is.
    ///
    /// `redirect_uri` is HTTPS, or on a loopback address (RFC 8252, §7.3).
    pub fn new<F>(redirect_uri: Url, present: impl Fn(Url) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Url, String>> + Send + 'static,
    {
        Self { redirect_uri, present: Arc::new(move |url| Box::pin(present(url))) }
    }

    /// Where the user comes back to.
    pub fn redirect_uri(&self) -> &Url {
        &self.redirect_uri
    }

    pub(super) async fn present(&self, url: Url) -> Result<Url, String> {
        (self.present)(url).await
    }
}

impl fmt::Debug for Interaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interaction")
            .field("redirect_uri", &self.redirect_uri.as_str())
            .finish_non_exhaustive()
    }
}
