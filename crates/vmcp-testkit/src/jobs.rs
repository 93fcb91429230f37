//! Tools whose calls go on after they were answered: tasks, in either form, each of which does what the test says.
//!
//! A task runs until the test ends it. Ids are `task-1`, `task-2`, … at every backend, so that two backends have the same.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::answer::Answer;
use crate::backend::Builder;
use crate::call::Call;

const EXTENSION: &str = "io.modelcontextprotocol/tasks";
const RELATED: &str = "io.modelcontextprotocol/related-task";
/// What clients are told to wait between two looks, in milliseconds.
const POLL: u64 = 20;

/// The tasks of one backend. Clones are the same.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    /// Protects the tasks; held for look-ups.
    list: Mutex<Vec<Job>>,
    changed: watch::Sender<u64>,
}

#[derive(Clone)]
struct Job {
    id: String,
    ttl: Value,
    status: &'static str,
    result: Option<Value>,
    error: Option<Value>,
    /// Key, method, params, and the answer once there is one.
    questions: Vec<(String, String, Value, Option<Value>)>,
}

// === impl Jobs ===

impl Default for Jobs {
    fn default() -> Self {
        Self::new()
    }
}

impl Jobs {
    /// None yet.
    pub fn new() -> Self {
        let (changed, _) = watch::channel(0);
        Self(Arc::new(Shared { list: Mutex::default(), changed }))
    }

    /// A backend of 2025-11-25 with these tasks: `tasks/get`, `result`, `list`, `cancel`. `tool` is called as a task if the
    /// client asks for one; if its `execution.taskSupport` is `required`, it is refused otherwise.
    pub fn asked_for(&self, builder: Builder, tool: Value) -> Builder {
        let required = tool["execution"]["taskSupport"] == "required";
        let capabilities = json!({"tools": {"listChanged": true},
            "tasks": {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}});
        let (make, get, cancel, list, wait) =
            (self.clone(), self.clone(), self.clone(), self.clone(), self.clone());
        builder
            .capabilities(capabilities)
            .tool(tool, Answer::with(move |call| make.create(call, required)))
            .on("tasks/get", Answer::with(move |call| get.with(call, |job| job.plain().into())))
            .on("tasks/list", Answer::with(move |_| list.all()))
            .on("tasks/cancel", Answer::with(move |call| cancel.cancel(call, false)))
            .on(
                "tasks/result",
                Answer::run(move |call| {
                    let jobs = wait.clone();
                    async move { jobs.wait(call).await }
                }),
            )
    }

    /// A backend with the extension and these tasks: `tasks/get`, `update`, `cancel`. `tool` becomes a task for clients that
    /// can follow one; for others it is done at once.
    pub fn offered(&self, builder: Builder, tool: Value) -> Builder {
        let capabilities = json!({"tools": {"listChanged": true}, "extensions": {EXTENSION: {}}});
        let (make, get, update, cancel) = (self.clone(), self.clone(), self.clone(), self.clone());
        builder
            .capabilities(capabilities)
            .tool(tool, Answer::with(move |call| make.offer(call)))
            .on("tasks/get", Answer::with(move |call| get.with(call, |job| job.detailed().into())))
            .on("tasks/update", Answer::with(move |call| update.update(call)))
            .on("tasks/cancel", Answer::with(move |call| cancel.cancel(call, true)))
    }

    /// The task ends with this result of its tool.
    pub fn finish(&self, id: &str, result: Value) {
        let failed = result["isError"] == true;
        self.change(id, |job| {
            // The two forms call a tool that failed by different names; `detailed` says the other one.
            job.status = if failed { "failed" } else { "completed" };
            job.result = Some(result);
        });
    }

    /// The task ends with this JSON-RPC error.
    pub fn fail(&self, id: &str, error: Value) {
        self.change(id, |job| {
            job.status = "failed";
            job.error = Some(error);
        });
    }

    /// The task wants to know something from its client.
    pub fn ask(&self, id: &str, key: &str, method: &str, params: Value) {
        self.change(id, |job| {
            job.status = "input_required";
            job.questions.push((key.to_owned(), method.to_owned(), params, None));
        });
    }

    /// Waits until the question of this key is answered; the result that the client gave.
    pub async fn answered(&self, id: &str, key: &str) -> Value {
        self.until(|job| {
            let mut own = job.iter().filter(|job| job.id == id).flat_map(|job| &job.questions);
            own.find(|question| question.0 == key)?.3.clone()
        })
        .await
    }

    /// Waits until the task is in this state.
    pub async fn wait_status(&self, id: &str, status: &str) {
        let is = |job: &Job| job.id == id && job.status == status;
        self.until(|list| list.iter().any(is).then_some(Value::Null)).await;
    }

    /// The task object as clients that asked for it are told.
    pub fn plain(&self, id: &str) -> Value {
        let list = self.0.list.lock();
        list.iter().find(|job| job.id == id).map(Job::plain).unwrap_or_default()
    }

    /// The task object as clients that were offered it are told.
    pub fn detailed(&self, id: &str) -> Value {
        let list = self.0.list.lock();
        list.iter().find(|job| job.id == id).map(Job::detailed).unwrap_or_default()
    }

    async fn until(&self, find: impl Fn(&[Job]) -> Option<Value>) -> Value {
        let mut changed = self.0.changed.subscribe();
        let wait = async {
            loop {
                changed.borrow_and_update();
                let found = find(&self.0.list.lock());
                if let Some(found) = found {
                    return found;
                }
                // The sender lives in `self`.
                let _ = changed.changed().await;
            }
        };
        let waited = tokio::time::timeout(crate::PATIENCE, wait).await;
        waited.unwrap_or_else(|_| json!("waited in vain"))
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.0.list.lock().iter_mut().find(|job| job.id == id) {
            change(job);
        }
        self.0.changed.send_modify(|count| *count += 1);
    }

    fn start(&self, ttl: Value) -> Job {
        let mut list = self.0.list.lock();
        let id = format!("task-{}", list.len() + 1);
        let (result, error, questions) = (None, None, Vec::new());
        let job = Job { id, ttl, status: "working", result, error, questions };
        list.push(job.clone());
        drop(list);
        self.0.changed.send_modify(|count| *count += 1);
        job
    }

    fn create(&self, call: &Call, required: bool) -> Answer {
        let task = call.params()["task"].take();
        if task.is_null() {
            return match required {
                true => Answer::error(-32601, "this tool is a task only"),
                false => Answer::text("at once"),
            };
        }
        let job = self.start(task["ttl"].clone());
        Answer::result(json!({"task": job.plain()}))
    }

    fn offer(&self, call: &Call) -> Answer {
        let meta = call.params()["_meta"].take();
        let declared = &meta["io.modelcontextprotocol/clientCapabilities"]["extensions"];
        if declared.get(EXTENSION).is_none() {
            return Answer::text("at once");
        }
        let mut made = self.start(Value::Null).detailed();
        made["resultType"] = json!("task");
        Answer::result(made)
    }

    fn with(&self, call: &Call, tell: impl Fn(&Job) -> crate::Json) -> Answer {
        let id = call.params()["taskId"].take();
        let list = self.0.list.lock();
        match list.iter().find(|job| id == *job.id) {
            Some(job) => Answer::result(tell(job)),
            None => Answer::error(-32602, "the backend has no such task"),
        }
    }

    fn all(&self) -> Answer {
        let tasks: Vec<Value> = self.0.list.lock().iter().map(Job::plain).collect();
        Answer::result(json!({"tasks": tasks}))
    }

    fn cancel(&self, call: &Call, offered: bool) -> Answer {
        let id = call.params()["taskId"].as_str().unwrap_or_default().to_owned();
        let status = self.0.list.lock().iter().find(|job| job.id == id).map(|job| job.status);
        match status {
            None => return Answer::error(-32602, "the backend has no such task"),
            Some("working" | "input_required") => self.change(&id, |job| job.status = "cancelled"),
            Some(_) if offered => {}
            Some(_) => return Answer::error(-32602, "the task is over already"),
        }
        match offered {
            true => Answer::result(json!({})),
            false => Answer::result(self.plain(&id)),
        }
    }

    fn update(&self, call: &Call) -> Answer {
        let params = call.params();
        let id = params["taskId"].as_str().unwrap_or_default();
        for (key, answer) in params["inputResponses"].as_object().unwrap_or(&Map::new()) {
            self.answer(id, key, answer);
        }
        Answer::result(json!({}))
    }

    fn answer(&self, id: &str, key: &str, answer: &Value) {
        self.change(id, |job| {
            for question in job.questions.iter_mut().filter(|question| question.0 == key) {
                question.3 = Some(answer.clone());
            }
            if job.status == "input_required" && job.questions.iter().all(|one| one.3.is_some()) {
                job.status = "working";
            }
        });
    }

    /// Waits for the end of a task, and asks its client meanwhile.
    async fn wait(&self, call: Call) -> Answer {
        let id = call.params()["taskId"].as_str().unwrap_or_default().to_owned();
        let mut changed = self.0.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let job = self.0.list.lock().iter().find(|job| job.id == id).cloned();
            let Some(job) = job else {
                return Answer::error(-32602, "the backend has no such task");
            };
            if let Some(mut result) = job.result {
                result["_meta"][RELATED] = json!({"taskId": id});
                return Answer::result(result);
            }
            if let Some(error) = job.error {
                return Answer::error_object(error);
            }
            if job.status == "cancelled" {
                return Answer::error(-32603, "the task was cancelled");
            }
            let open = job.questions.into_iter().find(|question| question.3.is_none());
            match open {
                Some((key, method, mut params, _)) => {
                    params["_meta"][RELATED] = json!({"taskId": id});
                    let reply = call.ask(&method, params).await;
                    self.answer(&id, &key, &reply["result"]);
                }
                None => {
                    if changed.changed().await.is_err() {
                        return Answer::never();
                    }
                }
            }
        }
    }
}

impl Job {
    fn plain(&self) -> Value {
        json!({"taskId": self.id, "status": self.status, "createdAt": "2025-11-25T10:00:00Z",
            "lastUpdatedAt": "2025-11-25T10:00:00Z", "ttl": self.ttl, "pollInterval": POLL})
    }

    fn detailed(&self) -> Value {
        let status = if self.result.is_some() { "completed" } else { self.status };
        let mut task = json!({"taskId": self.id, "status": status,
            "createdAt": "2025-11-25T10:00:00Z", "lastUpdatedAt": "2025-11-25T10:00:00Z",
            "ttlMs": self.ttl, "pollIntervalMs": POLL});
        if let Some(result) = &self.result {
            task["result"] = result.clone();
        }
        if let Some(error) = &self.error {
            task["error"] = error.clone();
        }
        if status == "input_required" {
            let open = self.questions.iter().filter(|question| question.3.is_none());
            let open = open.map(|(key, method, params, _)| {
                (key.clone(), json!({"method": method, "params": params}))
            });
            task["inputRequests"] = Value::Object(open.collect());
        }
        task
    }
}
