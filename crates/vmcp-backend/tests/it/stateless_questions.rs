//! Backends that ask back in their answers.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use vmcp_backend::{Asking, ClientHello, ErrorKind, Event, InputGiven, PeerRequest, Session};
use vmcp_testkit::{Answer, Backend};
use vmcp_wire::{Limits, Message};

use crate::rig::{call, child, connector, failure, hello, read, t, text, value, with_tool};
use crate::stateless::{open_as, stateless_hello, target};

fn able() -> ClientHello {
    let capabilities =
        Bytes::from_static(br#"{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{}}"#);
    ClientHello { capabilities, ..hello() }
}

async fn asked(answer: Answer) -> (Backend, Session) {
    let backend = with_tool(answer).stateless().start().await.unwrap();
    let session = open_as(&connector(), &target(&backend), able()).await;
    (backend, session)
}

fn message(value: &Value) -> Message {
    Message::parse(value.to_string().into(), &Limits::default()).unwrap()
}

fn success(result: &Value) -> Message {
    message(&json!({"jsonrpc": "2.0", "id": 9, "result": result}))
}

fn refusal() -> Message {
    let error = json!({"code": -1, "message": "not now"});
    message(&json!({"jsonrpc": "2.0", "id": 9, "error": error}))
}

/// The next thing, which must be a question.
async fn question(reply: &mut vmcp_backend::Reply) -> PeerRequest {
    loop {
        match reply.next().await {
            Some(Event::Request(request)) => return request,
            Some(Event::Notification(_)) => {}
            other => panic!("no question but {other:?}"),
        }
    }
}

#[tokio::test]
async fn questions_are_asked_at_once_and_the_call_is_made_again() {
    let answer = Answer::text("done").progress(1, None, None).asks([
        ("who", "elicitation/create", json!({"message": "who?", "requestedSchema": {"n": 1.0}})),
        ("what", "sampling/createMessage", json!({"messages": []})),
        ("where", "roots/list", json!({})),
    ]);
    let (backend, session) = asked(answer).await;
    let params = json!({"name": "t", "arguments": {"a": 1.50}, "_meta": {"progressToken": "p"}});
    let mut reply = session.forward(call(&params)).await.unwrap();
    let mut questions = Vec::new();
    for _ in 0..3 {
        questions.push(question(&mut reply).await);
    }
    let methods: Vec<_> = questions.iter().map(|one| one.method().to_owned()).collect();
    assert_eq!(methods, ["elicitation/create", "sampling/createMessage", "roots/list"]);
    assert!(questions[0].message.bytes().ends_with(br#""requestedSchema":{"n":1.0}}}"#));
    // In another order than they were asked.
    for (question, at) in questions.into_iter().rev().zip([2, 1, 0]) {
        question.answer(&success(&json!({"answer": at}))).await;
    }
    let all = read(reply, &json!(null)).await;
    assert_eq!(text(&all), "done");
    assert_eq!(backend.executions().len(), 1);
    for (key, at) in [("who", 0), ("what", 1), ("where", 2)] {
        let reply = json!({"key": key, "result": {"answer": at}});
        assert!(backend.replies().contains(&reply), "{:?}", backend.replies());
    }
    let heard = backend.heard("tools/call");
    assert_eq!(heard.len(), 2);
    let (first, second) = (heard[0].json(), heard[1].json());
    assert_ne!(first["id"], second["id"]);
    assert_eq!(second["params"]["_meta"]["progressToken"], second["id"]);
    assert_eq!(second["params"]["arguments"].to_string(), first["params"]["arguments"].to_string());
    assert!(second["params"]["requestState"].is_string());
}

#[tokio::test]
async fn rounds_follow_each_other_until_they_are_too_many() {
    let answer = Answer::text("done").ask("roots/list", "{}").again().ask("roots/list", "{}");
    let (backend, session) = asked(answer).await;
    let reply = session.forward(t()).await.unwrap();
    assert_eq!(text(&read(reply, &json!({"roots": []})).await), "done");
    assert_eq!(backend.count("tools/call"), 4);

    let endless = (0..20).fold(Answer::text("done"), |answer, _| answer.ask("roots/list", "{}"));
    let (backend, session) = asked(endless).await;
    let all = read(session.forward(t()).await.unwrap(), &json!({"roots": []})).await;
    let error = all.error.unwrap();
    assert!(matches!(&error.kind, ErrorKind::Protocol(text) if text.contains("again")), "{error}");
    assert_eq!(backend.count("tools/call"), 11);
    assert_eq!(backend.executions().len(), 1);

    let empty = (0..20).fold(Answer::text("done"), |answer, _| answer.again());
    let (backend, session) = asked(empty).await;
    assert!(failure(&session, t()).await.to_string().contains("again"));
    assert_eq!(backend.count("tools/call"), 4);
}

#[tokio::test]
async fn a_client_that_does_not_answer_cancels_or_ends_its_call() {
    let answer = Answer::text("done").ask("elicitation/create", json!({"message": "?"}));
    let (backend, session) = asked(answer).await;
    let mut reply = session.forward(t()).await.unwrap();
    question(&mut reply).await.answer(&refusal()).await;
    assert_eq!(text(&read(reply, &json!(null)).await), "done");
    assert_eq!(backend.replies()[0]["result"], json!({"action": "cancel"}));
    let mut reply = session.forward(t()).await.unwrap();
    drop(question(&mut reply).await);
    assert_eq!(text(&read(reply, &json!(null)).await), "done");

    let answer = Answer::text("done").ask("sampling/createMessage", json!({"messages": []}));
    let (backend, session) = asked(answer).await;
    let mut reply = session.forward(t()).await.unwrap();
    question(&mut reply).await.answer(&refusal()).await;
    let all = read(reply, &json!(null)).await;
    assert_eq!(all.response["error"], json!({"code": -1, "message": "not now"}));
    assert_eq!((backend.count("tools/call"), backend.executions().len()), (1, 1));
}

#[tokio::test]
async fn what_the_client_did_not_declare_is_not_asked() {
    for (declared, method, params) in [
        (json!({"roots": {}}), "elicitation/create", json!({"message": "?"})),
        (json!({"elicitation": {}}), "elicitation/create", json!({"mode": "url", "url": "u"})),
        (json!({"sampling": {}}), "sampling/createMessage", json!({"tools": []})),
        (json!({"elicitation": {}}), "roots/list", json!({})),
        (json!({"elicitation": {}}), "secrets/tell", json!({})),
    ] {
        let answer = Answer::text("done").ask(method, params);
        let backend = with_tool(answer).stateless().presumptuous().start().await.unwrap();
        let capabilities = declared.to_string().into();
        for asking in [Asking::Live, Asking::Return] {
            let hello = ClientHello { capabilities: Bytes::clone(&capabilities), ..hello() };
            let session = open_as(&connector(), &target(&backend), hello).await;
            let mut call = t();
            call.asking = asking;
            let error = failure(&session, call).await;
            assert!(error.to_string().contains("violated the client's capabilities"), "{error}");
        }
        assert_eq!(backend.count("tools/call"), 2);
    }
}

#[tokio::test]
async fn questions_by_url_have_an_id_for_clients_that_want_one() {
    let params = json!({"mode": "url", "url": "https://example.com/", "message": "?"});
    let answer = Answer::text("done").ask("elicitation/create", params);
    let (_backend, session) = asked(answer).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut reply = session.forward(t()).await.unwrap();
        let asked = question(&mut reply).await;
        let params = value(&asked.message)["params"].take();
        assert_eq!(params["url"], "https://example.com/");
        ids.push(params["elicitationId"].as_str().unwrap().to_owned());
        asked.answer(&success(&json!({"action": "accept"}))).await;
        assert_eq!(text(&read(reply, &json!(null)).await), "done");
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn whoever_can_only_be_asked_by_an_answer_gets_it() {
    let answer = Answer::text("done").ask("roots/list", "{}");
    let backend = with_tool(answer).stateless().start().await.unwrap();
    let hello = ClientHello { revision: stateless_hello().revision, ..able() };
    let session = open_as(&connector(), &target(&backend), hello).await;
    let mut first = t();
    first.asking = Asking::Return;
    let mut reply = session.forward(first.clone()).await.unwrap();
    let Some(Event::InputRequired(asked)) = reply.next().await else { panic!("{reply:?}") };
    assert!(reply.next().await.is_none());
    let requests: Value = serde_json::from_slice(&asked.requests.unwrap()).unwrap();
    let (key, request) = requests.as_object().unwrap().iter().next().unwrap();
    assert_eq!(request["method"], "roots/list");
    assert_eq!(value(&asked.raw)["result"]["resultType"], "input_required");
    let responses = json!({key.as_str(): {"roots": []}}).to_string();
    first.input =
        Some(Box::new(InputGiven { responses: Some(responses.into()), state: asked.state }));
    let reply = session.forward(first).await.unwrap();
    assert_eq!(text(&read(reply, &json!(null)).await), "done");
    assert_eq!(backend.executions().len(), 1);
}

#[tokio::test]
async fn a_call_can_be_taken_back_while_the_client_is_asked() {
    let answer = Answer::text("done").ask("roots/list", "{}");
    let (backend, session) = asked(answer).await;
    let call = t();
    let cancel = call.cancel.clone();
    let mut reply = session.forward(call).await.unwrap();
    let asked = question(&mut reply).await;
    cancel.cancel(None);
    let Some(Event::Failed(error)) = reply.next().await else { panic!("{reply:?}") };
    assert_eq!(error.kind, ErrorKind::Cancelled);
    asked.answer(&success(&json!({"roots": []}))).await;
    assert_eq!(backend.count("tools/call"), 1);
}

#[tokio::test]
async fn processes_ask_in_the_same_way() {
    let session = open_as(&connector(), &Arc::new(child(&["--stateless"])), able()).await;
    for name in ["sample", "elicit", "roots"] {
        let reply = session.forward(call(&json!({"name": name}))).await.unwrap();
        let all = read(reply, &json!({"told": name})).await;
        let told: Value = serde_json::from_str(text(&all)).unwrap();
        assert_eq!(told["result"]["told"], name);
    }
}
