//! Every pair of revisions.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend, Builder, RawClient, StatelessClient};

use crate::rig::{Rig, target, tool};

/// The revisions of clients with a session, oldest first.
pub(super) const CLIENTS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The revisions of backends, oldest first.
pub(super) const BACKENDS: [&str; 5] =
    ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
/// The one without a session.
pub(super) const STATELESS: &str = "2026-07-28";

/// All that a client can declare.
pub(super) fn everything() -> Value {
    json!({"sampling": {"tools": {}}, "elicitation": {"form": {}, "url": {}}, "roots": {}})
}

/// One backend of one revision, another one beside it, and vmcp in front.
pub(super) struct World {
    /// The revision of the backend.
    pub(super) revision: &'static str,
    pub(super) backend: Backend,
    pub(super) rig: Rig,
    /// So that no name is the backend's only because there is no other.
    _other: Backend,
}

/// One client in front of one backend.
pub(super) struct Pair<'w> {
    pub(super) client: &'static str,
    pub(super) world: &'w World,
    pub(super) session: RawClient,
}

/// One world per revision of a backend.
pub(super) async fn worlds(build: impl Fn(Builder) -> Builder) -> Vec<World> {
    let mut worlds = Vec::new();
    for revision in BACKENDS {
        worlds.push(World::new(revision, build(Backend::builder())).await);
    }
    worlds
}

// === impl World ===

impl World {
    pub(super) async fn new(revision: &'static str, builder: Builder) -> Self {
        let builder = match revision {
            STATELESS => builder.stateless(),
            revision => builder.revision(revision),
        };
        let backend = builder.start().await.unwrap();
        let other = Backend::builder()
            .tool(tool("other"), Answer::text("other"))
            .resource(json!({"uri": "other://", "name": "other"}), Answer::usual());
        let other = other.start().await.unwrap();
        let targets = vec![target("b", &backend), target("o", &other)];
        let rig = Rig::with(targets, |_| {}).await;
        Self { revision, backend, rig, _other: other }
    }

    pub(super) fn is_stateless(&self) -> bool {
        self.revision == STATELESS
    }

    /// A client of each revision with a session, each of which declares everything.
    pub(super) async fn pairs(&self) -> Vec<Pair<'_>> {
        let mut pairs = Vec::new();
        for client in CLIENTS {
            let session = self.rig.session_with(client, everything()).await;
            pairs.push(Pair { client, world: self, session });
        }
        pairs
    }

    /// A client without a session, which declares everything.
    pub(super) fn stateless(&self) -> StatelessClient {
        let client = self.rig.stateless();
        client.set_capabilities(everything());
        client
    }
}

// === impl Pair ===

impl Pair<'_> {
    /// Whether the client's revision has what came with `revision`.
    pub(super) fn knows(&self, revision: &str) -> bool {
        self.client >= revision
    }

    /// For a message of a failed check.
    pub(super) fn name(&self) -> String {
        format!("client {} and backend {}", self.client, self.world.revision)
    }

    /// The whole response to a call of a tool, as text.
    pub(super) async fn text(&self, name: &str) -> String {
        let params = json!({"name": name});
        let mut reply = self.session.request("tools/call", params).await.unwrap();
        reply.text().await.unwrap().unwrap()
    }

    /// The result of a call of a tool.
    pub(super) async fn tool(&self, name: &str) -> Value {
        self.call("tools/call", json!({"name": name})).await
    }

    /// The result of a call.
    pub(super) async fn call(&self, method: &str, params: Value) -> Value {
        let mut message = self.session.call(method, params).await.unwrap();
        assert!(message["error"].is_null(), "{}: {message}", self.name());
        message["result"].take()
    }
}
