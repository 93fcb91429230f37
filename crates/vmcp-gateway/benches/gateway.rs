//! What the gateway costs without a backend in it: finding the owner of a name, a page of a list, sealing.
//!
//! ```text
//! cargo bench -p vmcp-gateway --bench gateway
//! ```
//!
//! Times are of one machine at one moment: compare two builds side by side.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot be made has nothing to say")]

use std::hint::black_box;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use divan::Bencher;
use serde_json::json;
use tokio::runtime::Runtime;
use vmcp_auth::{Caller, OutgoingAuthRegistry};
use vmcp_backend::{BackendTarget, Call, ClientHello, Connector, Endpoint};
use vmcp_config::Config;
use vmcp_gateway::{Gateway, MultiSession, Seals};
use vmcp_net::Client;
use vmcp_testkit::{Answer, Backend, PATIENCE};
use vmcp_wire::revision::Revision;

/// Backends, and the tools of each.
const BACKENDS: usize = 20;
const TOOLS: usize = 50;

fn main() {
    divan::main();
}

/// A client of a gateway that knows many tools.
struct World {
    runtime: Runtime,
    session: Arc<MultiSession>,
    _gateway: Arc<Gateway>,
    _backends: Vec<Backend>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let (backends, gateway, session) = runtime.block_on(async {
            let (mut backends, mut targets) = (Vec::new(), Vec::new());
            for number in 0..BACKENDS {
                let mut backend = Backend::builder();
                for tool in 0..TOOLS {
                    let tool =
                        json!({"name": format!("tool_{tool}"), "inputSchema": {"type": "object"}});
                    backend = backend.tool(tool, Answer::text("done"));
                }
                let backend = backend.start().await.unwrap();
                let url = backend.url().parse::<url::Url>().unwrap().into();
                let name = format!("b{number}");
                targets
                    .push(Arc::new(BackendTarget::new(&*name, Endpoint::StreamableHttp { url })));
                backends.push(backend);
            }
            let connector = Connector::new(Client::new(), OutgoingAuthRegistry::new());
            let config = Arc::new(Config::default());
            let gateway = Gateway::start(config, targets, Arc::new(connector));
            assert!(gateway.settled(PATIENCE).await);
            let hello = ClientHello {
                revision: Revision::LATEST_HANDSHAKE,
                capabilities: Bytes::from_static(b"{}"),
                client_info: Bytes::from_static(br#"{"name":"bench","version":"0"}"#),
            };
            let session = gateway.open(hello, Caller::default(), Arc::new(|_| {})).await;
            (backends, gateway, session)
        });
        World { runtime, session, _gateway: gateway, _backends: backends }
    })
}

/// Whose a tool is, by its advertised name.
#[divan::bench]
fn owner(bencher: Bencher<'_, '_>) {
    let world = world();
    let params = br#"{"name":"b7_tool_31","arguments":{"message":"hello"}}"#;
    assert!(world.session.owner("tools/call", params).is_some());
    bencher.bench_local(|| world.session.owner("tools/call", black_box(params)));
}

/// A page of a list, from the second time on.
#[divan::bench]
fn list(bencher: Bencher<'_, '_>) {
    let world = world();
    bencher.bench_local(|| {
        let call = world.session.call(Call::new("tools/list", None));
        world.runtime.block_on(call).is_ok()
    });
}

/// What a client is given to be given back.
#[divan::bench(args = [32, 1000])]
fn seal(bencher: Bencher<'_, '_>, length: usize) {
    let (seals, text) = (Seals::new([&[7; 32]]), vec![b'x'; length]);
    bencher.bench_local(|| seals.seal(black_box(&text), b"principal"));
}

/// The same, given back.
#[divan::bench(args = [32, 1000])]
fn unseal(bencher: Bencher<'_, '_>, length: usize) {
    let seals = Seals::new([&[7; 32]]);
    let sealed = seals.seal(&vec![b'x'; length], b"principal").unwrap();
    bencher.bench_local(|| seals.open(black_box(&sealed), b"principal").unwrap());
}
