//! As whom each backend is called, of all places that say so; and whether that can work.

use crate::draft::Draft;
use crate::model::{BackendId, OAuthClient, OutgoingAuth, Transport};
use crate::nearest;
use crate::reading::Reading;
use crate::toolhive::{AuthRules, Incoming, Rule};

/// What a backend's own file says.
#[derive(Debug, Default)]
pub(crate) enum OwnAuth {
    /// Nothing.
    #[default]
    None,
    /// What holds unless somebody says otherwise.
    Usual(OutgoingAuth),
    /// A strategy.
    Given(Rule),
}

/// Chooses a strategy for one backend after the other.
pub(crate) struct Credentials {
    rules: AuthRules,
    incoming: Incoming,
    /// Backends that the default cannot be meant for.
    processes: Vec<BackendId>,
    /// Whether the default is somebody's.
    default_is_used: bool,
    /// Whether what is usual is somebody's.
    usual_is_used: bool,
}

// === impl Credentials ===

impl Credentials {
    pub(crate) fn new(rules: AuthRules, incoming: Incoming) -> Self {
        Self {
            rules,
            incoming,
            processes: Vec::new(),
            default_is_used: false,
            usual_is_used: false,
        }
    }

    /// The strategy of a backend: its own, or the default, or what is usual for it.
    pub(crate) fn choose(&mut self, draft: &mut Draft, cx: &mut Reading<'_>) -> OutgoingAuth {
        let own = std::mem::take(&mut draft.auth);
        let rule = match (self.rules.backends.remove(&draft.id), own) {
            (Some(rule), _) | (None, OwnAuth::Given(rule)) => rule,
            (None, own) => return self.general(draft, own, cx),
        };
        if is_process(draft) && !matches!(rule.auth, OutgoingAuth::Unauthenticated) {
            let message =
                format!("`{}` is for HTTP, and `{}` is a process", rule.auth.strategy(), draft.id);
            cx.report.error(rule.at, message).hint("give a process its credentials in `env`");
            return OutgoingAuth::Unauthenticated;
        }
        self.without_callers(&rule, cx);
        replaced(draft, &rule, cx);
        rule.auth
    }

    fn general(&mut self, draft: &Draft, own: OwnAuth, cx: &mut Reading<'_>) -> OutgoingAuth {
        match (&self.rules.default, own) {
            (Some(rule), _) if is_process(draft) => {
                if !matches!(rule.auth, OutgoingAuth::Unauthenticated) {
                    self.processes.push(draft.id.clone());
                }
                OutgoingAuth::Unauthenticated
            }
            (Some(rule), _) => {
                self.default_is_used = true;
                replaced(draft, rule, cx);
                rule.auth.clone()
            }
            (None, OwnAuth::Usual(auth)) => {
                self.usual_is_used = true;
                auth
            }
            (None, _) => OutgoingAuth::Unauthenticated,
        }
    }

    /// What is to be said once, about the default and about what was `assumed` instead.
    pub(crate) fn finish(self, assumed: &mut [String], cx: &mut Reading<'_>) {
        let assumed = assumed.iter_mut().find(|one| one.starts_with("outgoingAuth"));
        if let Some(assumed) = assumed.filter(|_| self.usual_is_used) {
            assumed.push_str(", or a login for an editor's entry if there is one");
        }
        let Some(rule) = &self.rules.default else { return };
        if self.default_is_used {
            self.without_callers(rule, cx);
        }
        if !self.processes.is_empty() {
            let names = nearest::all_of(self.processes.iter().map(BackendId::as_str));
            let message = format!("`{}` is not used for {names}", rule.auth.strategy());
            cx.report
                .warning(rule.at, message)
                .hint("it is for HTTP, and processes have their `env`");
        }
    }

    /// Warns of a strategy that trades a caller's token where callers have none.
    fn without_callers(&self, rule: &Rule, cx: &mut Reading<'_>) {
        let callers = match self.incoming {
            Incoming::Anonymous => "anonymous",
            Incoming::Local => "local",
            Incoming::Oidc => return,
        };
        let hint = match &rule.auth {
            OutgoingAuth::TokenExchange(exchange) => without_token(exchange.client.as_ref()),
            OutgoingAuth::Xaa(xaa) => without_token(xaa.target_client.as_ref()),
            OutgoingAuth::UpstreamInject(_) => "every call fails; `oauth` logs in once for all",
            OutgoingAuth::AwsSts(_) => {
                "every call fails: AWS gives credentials for a token of the caller only"
            }
            _ => return,
        };
        let message = format!(
            "`{}` needs a token of the caller, and callers that are {callers} have none",
            rule.auth.strategy()
        );
        cx.report.warning(rule.at, message).hint(hint);
    }
}

/// What comes of a client's exchanges when there is nothing to exchange.
fn without_token(client: Option<&OAuthClient>) -> &'static str {
    if client.is_some_and(OAuthClient::is_confidential) {
        "its tools are listed with a token of vmcp's own, and every call fails"
    } else {
        "every call fails; `client_credentials` gets a token of vmcp's own"
    }
}

fn is_process(draft: &Draft) -> bool {
    matches!(draft.transport, Some(Transport::Stdio(_)))
}

/// Warns of a header that never arrives: the strategy sets it too, and has the last word.
fn replaced(draft: &Draft, rule: &Rule, cx: &mut Reading<'_>) {
    let Some(name) = sets(&rule.auth) else { return };
    if draft.headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name)) {
        let message =
            format!("`{name}` in `headers` of `{}` is replaced by this strategy", draft.id);
        cx.report.warning(rule.at, message).hint("remove one of the two");
    }
}

/// The header that a strategy puts its credentials into.
pub(crate) fn sets(auth: &OutgoingAuth) -> Option<&str> {
    match auth {
        OutgoingAuth::Unauthenticated | OutgoingAuth::Custom(_) => None,
        OutgoingAuth::HeaderInjection(header) => Some(&header.name),
        _ => Some("Authorization"),
    }
}
