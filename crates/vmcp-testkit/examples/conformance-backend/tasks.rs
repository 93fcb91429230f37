//! Tools that go on after their call has been answered, for clients that can follow a task.

use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, CallToolResult, ClientCapabilities, CreateTaskResult, InputRequest,
};
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions};
use serde_json::{Value, json};

use crate::content::{failed, text};
use crate::input::{Look, Step, elicit, greet_schema, needs};
use crate::server::Server;

/// How long the short jobs take.
const WORK: Duration = Duration::from_millis(300);

/// How often clients are told to look.
const POLL_MS: u64 = 200;

/// What is left to do when the call is answered.
pub(crate) enum Job {
    Compute(Duration),
    Fail,
    Break,
    Confirm(String),
    TwoQuestions,
    Greet(String),
}

type Ended = Result<CallToolResult, TaskExit>;

/// The job that a call of this name asks for; `None` for any other name.
pub(crate) fn job(name: &str, look: &Look<'_>) -> Option<Result<Step<Job>, ErrorData>> {
    let done = |job| Some(Ok(Step::Done(job)));
    match name {
        "slow_compute" => {
            let seconds = look.arguments["seconds"].as_f64().unwrap_or(1.0).clamp(0.0, 300.0);
            done(Job::Compute(Duration::from_secs_f64(seconds)))
        }
        "failing_job" => done(Job::Fail),
        "protocol_error_job" => done(Job::Break),
        "confirm_delete" => {
            done(Job::Confirm(look.arguments["filename"].as_str().unwrap_or("nothing").to_owned()))
        }
        "multi_input" => done(Job::TwoQuestions),
        "test_tool_with_task" => {
            let answer = look.answers.get("user_name");
            match answer.and_then(|answer| answer["content"]["name"].as_str()) {
                Some(name) => done(Job::Greet(name.to_owned())),
                None => {
                    let request = elicit("What is your name?", &greet_schema());
                    Some(Ok(needs([("user_name", request)], None)))
                }
            }
        }
        _ => None,
    }
}

/// Starts the job as a task, or does it at once where the client cannot follow one and the job allows it.
pub(crate) async fn start(
    server: &Server,
    job: Job,
    follows_tasks: bool,
) -> Result<CallToolResponse, ErrorData> {
    if follows_tasks {
        let options = TaskOptions::new().with_poll_interval_ms(POLL_MS);
        let task = server
            .shared
            .tasks
            .spawn(options, |context| -> TaskFuture { Box::pin(work(job, context)) });
        return Ok(CallToolResponse::Task(CreateTaskResult::new(task)));
    }
    if let Job::Compute(time) = job {
        tokio::time::sleep(time).await;
        return Ok(CallToolResponse::Complete(text("computed")?));
    }
    let needed = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let needed: ClientCapabilities = serde_json::from_value(needed).unwrap_or_default();
    Err(ErrorData::missing_required_client_capability(needed))
}

async fn work(job: Job, context: TaskContext) -> Ended {
    let time = if let Job::Compute(time) = job { time } else { WORK };
    if !matches!(job, Job::Confirm(_) | Job::TwoQuestions) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = context.cancelled() => return Err(TaskExit::Cancelled),
        }
    }
    match job {
        Job::Compute(_) => Ok(text("computed")?),
        Job::Fail => Ok(failed("This job always fails.")?),
        Job::Break => Err(ErrorData::internal_error("this job breaks the protocol", None).into()),
        Job::Confirm(file) => {
            let answer = ask(&context, "confirm", "confirm", "boolean").await?;
            Ok(text(format!("{file}: {}", answer["content"]))?)
        }
        Job::TwoQuestions => {
            let first = ask(&context, "first", "name", "string");
            let second = ask(&context, "second", "name", "string");
            let (first, second) = tokio::try_join!(first, second)?;
            Ok(text(json!([first, second]).to_string())?)
        }
        Job::Greet(name) => Ok(text(format!("Hello, {name}!"))?),
    }
}

async fn ask(context: &TaskContext, key: &str, field: &str, kind: &str) -> Result<Value, TaskExit> {
    let schema =
        json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    let request = elicit("Please answer", &schema);
    let request: Result<InputRequest, _> = serde_json::from_value(request);
    let request = request.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    context.request_input(key, request).await
}
