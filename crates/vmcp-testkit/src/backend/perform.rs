//! Carries an answer out: as one HTTP response, or message by message on a stream.

use std::future::pending;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tokio::sync::mpsc;

use crate::answer::{Answer, End, Step};
use crate::backend::http::QUEUE;
use crate::backend::stream::{Outlet, Stream};
use crate::backend::{Shared, rpc, stateless};
use crate::body::ReplyBody;
use crate::call::Call;
use crate::json::Json;
use crate::record::Watch;

/// How much of a huge text is made at a time.
const CHUNK: usize = 64 * 1024;

/// How an answer is to be dressed.
pub(crate) struct Reply {
    /// Answers as event streams even where one JSON body would do.
    pub(crate) streams: bool,
    /// The id of the session that this answer opens.
    pub(crate) session_header: Option<String>,
}

// === impl Reply ===

impl Reply {
    pub(crate) fn plain() -> Self {
        Self { streams: false, session_header: None }
    }
}

/// Whether the answer is the HTTP response itself rather than something said on a channel.
pub(crate) fn is_http(answer: &Answer) -> bool {
    !answer.needs_stream() && matches!(answer.end, End::Http { .. })
}

/// Answers an HTTP request; an error closes the connection without a response.
pub(crate) async fn reply(
    shared: Arc<Shared>,
    answer: Answer,
    mut call: Call,
    mut watch: Watch,
    reply: Reply,
) -> io::Result<Response<ReplyBody>> {
    let http = matches!(answer.end, End::Never | End::Hangup | End::Http { .. } | End::Usual);
    let session = call.session.clone();
    let mut response = match session {
        Some(session) if answer.needs_stream() || (reply.streams && !http) => {
            let (sender, pieces) = mpsc::channel(QUEUE);
            let stream = shared.stream(&session, false, Outlet { sender, budget: answer.cut });
            call.stream = Some(Arc::clone(&stream));
            shared.tasks.spawn(async move {
                stream.prime().await;
                run(answer, call).await;
            });
            event_stream(ReplyBody::channel(pieces, Some(watch)))
        }
        _ => {
            let response = whole(&shared, answer, &call).await?;
            watch.disarm();
            response
        }
    };
    if let Some(id) = reply.session_header
        && let Ok(id) = HeaderValue::from_str(&id)
    {
        response.headers_mut().insert("mcp-session-id", id);
    }
    Ok(response)
}

/// One HTTP response.
async fn whole(shared: &Shared, answer: Answer, call: &Call) -> io::Result<Response<ReplyBody>> {
    note(&answer, call);
    for step in &answer.steps {
        take(step, call).await;
    }
    let id = call.id().unwrap_or_else(|| "null".to_owned());
    let mut status = 200;
    let body = match answer.end {
        End::Never => pending().await,
        End::Hangup => return Err(io::ErrorKind::ConnectionReset.into()),
        End::Http { status, headers, body } => {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            return response(status, &headers, cut(shared, body, answer.cut));
        }
        End::Huge(bytes) => return Ok(huge(shared, &id, bytes, answer.cut)),
        end => {
            status = call.stateless.as_ref().map_or(200, |_| stateless::status(&end));
            message(end, &id, call).unwrap_or_default()
        }
    };
    response(status, &[("content-type", "application/json")], cut(shared, body, answer.cut))
}

/// The message that an end is, if it is one.
fn message(end: End, id: &str, call: &Call) -> Option<Bytes> {
    let dressed = |result: &Json| match &call.stateless {
        Some(terms) => terms.dressed(&call.method, result),
        None => result.clone(),
    };
    match end {
        End::Result(result) | End::Twice(result) => Some(rpc::success(id, &dressed(&result))),
        End::Error(error) => Some(rpc::failure(id, &error)),
        End::WithId(other, result) => Some(rpc::success(&other.text(), &dressed(&result))),
        End::Data(data) => Some(data),
        _ => None,
    }
}

/// Carries an answer out on the call's stream.
pub(crate) async fn run(mut answer: Answer, call: Call) {
    note(&answer, &call);
    let Some(stream) = call.stream.clone() else { return };
    loop {
        for step in &answer.steps {
            take(step, &call).await;
        }
        match answer.end {
            End::Run(run) => {
                answer = tokio::select! {
                    answer = run(call.clone()) => answer.resolve(&call),
                    question = stateless::question(&call) => question,
                };
            }
            end => return finish(end, &call, &stream).await,
        }
    }
}

async fn finish(end: End, call: &Call, stream: &Stream) {
    let id = call.id().unwrap_or_else(|| "null".to_owned());
    match end {
        // Somebody must hold the stream, or it would end.
        End::Never => return stream.gone().await,
        End::Hangup | End::Http { .. } => return stream.break_off().await,
        End::Huge(bytes) => {
            let (before, after) = rpc::around_text(&id);
            stream.begin().await;
            stream.raw([b"data: ", &before[..]].concat().into()).await;
            for size in sizes(bytes) {
                stream.raw(filler(size)).await;
            }
            stream.raw([&after[..], b"\n\n"].concat().into()).await;
        }
        end => {
            let twice = matches!(end, End::Twice(_));
            if let Some(message) = message(end, &id, call) {
                stream.message(message.clone()).await;
                if twice {
                    stream.message(message).await;
                }
            }
        }
    }
    stream.finish().await;
}

/// What a tool answers in MCP, it answers because it ran.
fn note(answer: &Answer, call: &Call) {
    let refused = call.stateless.is_some() && stateless::status(&answer.end) != 200;
    if !refused && !matches!(answer.end, End::Http { .. }) {
        execute(call);
    }
}

fn execute(call: &Call) {
    if call.method == "tools/call"
        && call.stateless.as_ref().is_none_or(|terms| terms.is_first())
        && let Some(session) = &call.session
    {
        session.execute(call.params());
    }
}

async fn take(step: &Step, call: &Call) {
    match step {
        Step::Wait(time) => tokio::time::sleep(*time).await,
        Step::Pass(gate) => gate.pass().await,
        Step::Notify(method, params) => call.notify(method, params.clone()).await,
        Step::Progress(progress, total, message) => {
            call.progress(progress.clone(), total.clone(), message.as_deref()).await;
        }
        Step::Ask(round) => {
            for (_, method, params) in round {
                call.ask(method, params.clone()).await;
            }
        }
        Step::Again => {}
        Step::Raw(bytes) => {
            if let Some(stream) = &call.stream {
                stream.raw(bytes.clone()).await;
            }
        }
        Step::Flood(bytes, times) => {
            if let Some(stream) = &call.stream {
                stream.flood(bytes, *times).await;
            }
        }
        Step::Execute => execute(call),
        Step::Close(retry) => call.close_stream(*retry).await,
    }
}

/// A JSON body whose text is made while it is sent.
fn huge(shared: &Shared, id: &str, bytes: u64, budget: Option<usize>) -> Response<ReplyBody> {
    let (sender, pieces) = mpsc::channel(QUEUE);
    let (before, after) = rpc::around_text(id);
    shared.tasks.spawn(async move {
        let mut left = budget.unwrap_or(usize::MAX);
        let middle = sizes(bytes).map(filler);
        for mut piece in std::iter::once(before).chain(middle).chain([after]) {
            piece.truncate(left);
            left -= piece.len();
            if sender.send(Ok(piece)).await.is_err() {
                return;
            }
            if left == 0 {
                let _ = sender.send(Err(io::ErrorKind::ConnectionReset.into())).await;
                return;
            }
        }
    });
    let mut response = Response::new(ReplyBody::channel(pieces, None));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// The sizes of the chunks of so many bytes.
fn sizes(bytes: u64) -> impl Iterator<Item = usize> {
    let chunk = CHUNK as u64;
    let rest = usize::try_from(bytes % chunk).unwrap_or(0);
    (0..bytes / chunk).map(|_| CHUNK).chain((rest > 0).then_some(rest))
}

fn filler(size: usize) -> Bytes {
    static FILLER: [u8; CHUNK] = [b'x'; CHUNK];
    Bytes::from_static(&FILLER[..size])
}

/// The body, or its beginning and a broken connection.
fn cut(shared: &Shared, body: Bytes, budget: Option<usize>) -> ReplyBody {
    let Some(budget) = budget else { return ReplyBody::Full(body) };
    let (sender, pieces) = mpsc::channel(QUEUE);
    shared.tasks.spawn(async move {
        let _ = sender.send(Ok(body.slice(..budget.min(body.len())))).await;
        let _ = sender.send(Err(io::ErrorKind::ConnectionReset.into())).await;
    });
    ReplyBody::channel(pieces, None)
}

pub(crate) fn event_stream(body: ReplyBody) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-cache"));
    response
}

pub(crate) fn response(
    status: u16,
    headers: &[(&str, &str)],
    body: ReplyBody,
) -> io::Result<Response<ReplyBody>> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(io::Error::other)?;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        let value = HeaderValue::from_str(value).map_err(io::Error::other)?;
        response.headers_mut().append(name, value);
    }
    Ok(response)
}
