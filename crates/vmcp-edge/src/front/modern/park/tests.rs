//! The bounds of one principal, where principals are known.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use vmcp_auth::{Caller, Identity, OutgoingAuthRegistry};
use vmcp_backend::{BackendTarget, Cancel, Connector, Endpoint};
use vmcp_config::{Config, SafeUrl};
use vmcp_gateway::Gateway;
use vmcp_net::Client;
use vmcp_testkit::{Answer, Backend};
use vmcp_wire::{Limits, Message};

use super::super::claim::claim_line;
use super::super::{Answer as Answered, Begun, Hall, Lone, Request, Said, begin};
use crate::tasks::Tasks;

/// A hall in front of a backend that asks while its call runs.
async fn hall(change: impl FnOnce(&mut Config)) -> (Arc<Hall>, Backend) {
    let question = json!({"message": "name?", "requestedSchema": {"type": "object"}});
    let tool = json!({"name": "t", "inputSchema": {"type": "object"}});
    let answer = Answer::text("done").ask("elicitation/create", question);
    let backend = Backend::builder().tool(tool, answer).start().await.unwrap();
    let mut config = Config::default();
    change(&mut config);
    let config = Arc::new(config);
    let url = SafeUrl::from(url::Url::parse(&backend.url()).unwrap());
    let target = Arc::new(BackendTarget::new("b", Endpoint::StreamableHttp { url }));
    let connector = Arc::new(Connector::new(Client::new(), OutgoingAuthRegistry::new()));
    let gateway = Gateway::start(Arc::clone(&config), vec![target], connector);
    assert!(gateway.settled(vmcp_testkit::PATIENCE).await);
    (Arc::new(Hall::new(config, gateway, Tasks::default())), backend)
}

fn lone(method: &str, params: Value) -> Box<Lone> {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    });
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let message = Message::parse(message.to_string().into(), &Limits::default()).unwrap();
    claim_line(&message).ok().flatten().unwrap()
}

fn person(subject: &str) -> Caller {
    Caller::from(Identity::verified("https://issuer.example", subject.to_owned(), "{}"))
}

async fn made(hall: &Arc<Hall>, caller: Caller, params: Value) -> (StatusCode, Value) {
    let lone = lone("tools/call", params);
    let visit = hall.visit(caller.clone(), &lone).await.ok().unwrap();
    let request = Request {
        hall: Arc::clone(hall),
        visit,
        caller,
        trace: None,
        lone,
        cancel: Cancel::new(),
        meter: None,
        place: None,
    };
    let (status, bytes) = match begin(request).await {
        Ok(Begun::Call(mut run)) => loop {
            match run.next().await {
                Said::End(Answered::Whole(status, bytes)) => break (status, bytes),
                Said::End(Answered::Long(_)) => panic!("a long answer"),
                Said::Notice(_) => {}
            }
        },
        Ok(Begun::Done(status, bytes)) => (status, bytes),
        Ok(Begun::Listen(_)) => panic!("a stream"),
        Err(rejection) => (rejection.status(), rejection.message()),
    };
    (status, serde_json::from_slice(&bytes).unwrap())
}

/// Makes a call that is parked, or is not for want of a place. Gives what to go on with.
async fn ask(hall: &Arc<Hall>, caller: Caller) -> Option<Value> {
    let (_, told) = made(hall, caller, json!({"name": "b_t", "arguments": {}})).await;
    if told["error"]["data"]["reason"] == "busy" {
        return None;
    }
    assert_eq!(told["result"]["resultType"], "input_required", "{told}");
    Some(told["result"].clone())
}

async fn answer(hall: &Arc<Hall>, caller: Caller, asked: &Value) -> Value {
    let key = asked["inputRequests"].as_object().unwrap().keys().next().unwrap();
    let responses = json!({key: {"action": "accept", "content": {}}});
    let params = json!({"name": "b_t", "arguments": {}, "inputResponses": responses,
        "requestState": asked["requestState"]});
    made(hall, caller, params).await.1
}

#[tokio::test]
async fn parked_calls_of_one_principal_leave_room_for_another() {
    let (hall, _backend) = hall(|config| config.seal.max_parked_per_principal = 2).await;
    let first = ask(&hall, person("alice")).await.unwrap();
    assert!(ask(&hall, person("alice")).await.is_some());
    assert!(ask(&hall, person("alice")).await.is_none(), "one too many");
    let other = ask(&hall, person("bob")).await.unwrap();
    // What one was given is of no use to the other.
    let told = answer(&hall, person("bob"), &first).await;
    assert_eq!(told["error"]["code"], -32602, "{told}");
    assert!(ask(&hall, person("alice")).await.is_none(), "it is still parked");
    for (who, asked) in [("alice", &first), ("bob", &other)] {
        let told = answer(&hall, person(who), asked).await;
        assert_eq!(told["result"]["content"][0]["text"], "done", "{told}");
    }
    assert!(ask(&hall, person("alice")).await.is_some(), "there is a place again");
}

#[tokio::test]
async fn where_nobody_is_known_the_bound_of_all_counts() {
    let (hall, _backend) = hall(|config| {
        config.seal.max_parked_per_principal = 1;
        config.seal.max_parked = 3;
    })
    .await;
    let nobody = || Caller::from(Identity::anonymous());
    for _ in 0..3 {
        assert!(ask(&hall, nobody()).await.is_some());
    }
    assert!(ask(&hall, nobody()).await.is_none());
    assert!(ask(&hall, person("alice")).await.is_none(), "all places are taken");
}

#[tokio::test]
async fn streams_are_bounded_by_principal_too() {
    let (hall, _backend) = hall(|config| config.session.max_listens = 1).await;
    let listen = async |caller: Caller| {
        let lone =
            lone("subscriptions/listen", json!({"notifications": {"toolsListChanged": true}}));
        let visit = hall.visit(caller.clone(), &lone).await.ok().unwrap();
        let (trace, meter, place) = (None, None, None);
        let (hall, cancel) = (Arc::clone(&hall), Cancel::new());
        begin(Request { hall, visit, caller, trace, lone, cancel, meter, place }).await
    };
    let first = listen(person("alice")).await;
    assert!(matches!(first, Ok(Begun::Listen(_))));
    let refused = listen(person("alice")).await.err().unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(listen(person("bob")).await.is_ok());
    drop(first);
    assert!(listen(person("alice")).await.is_ok());
}
