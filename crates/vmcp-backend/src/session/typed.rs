//! The typed operations: answers read whole.

use vmcp_wire::Limits;

use crate::link::Link;
use crate::{
    Answer, Call, CallError, Event, Outside, Reply, Response, ResultError, Session, reply,
};

impl Session {
    /// Makes a typed call. Its errors say what was being done.
    pub(super) async fn typed<T>(
        &self,
        call: Result<Call, CallError>,
        read: impl FnOnce(bytes::Bytes) -> Result<T, ResultError>,
        doing: impl FnOnce() -> String,
    ) -> Result<T, CallError> {
        let result = async {
            let result = self.ask(call?).await?.into_result()?;
            Ok(read(result)?)
        };
        result.await.map_err(|error: CallError| error.at(self.backend()).during(doing()))
    }
}

/// Reads a reply to its end. What else the backend says goes to the sink.
pub(super) async fn whole(link: &Link, mut reply: Reply) -> Result<Answer, CallError> {
    let tell = |outside| {
        if let Some(sink) = link.sink() {
            sink(outside);
        }
    };
    while let Some(event) = reply.next().await {
        match event {
            Event::Notification(message) => tell(Outside::Notification(message)),
            Event::Request(request) => tell(Outside::Request(request)),
            Event::Paused => {}
            Event::InputRequired(asked) => return answer(link, &asked.raw),
            Event::Failed(error) => return Err(error),
            Event::Response(Response::Made(result)) => return Ok(Answer::Success(result)),
            Event::Response(Response::Whole(message)) => return answer(link, &message),
            Event::Response(Response::Parts(parts)) => {
                let bounds = &link.target().limits;
                let limits = Limits {
                    max_bytes: bounds.max_message_bytes,
                    max_depth: bounds.max_depth,
                    ..Limits::default()
                };
                return answer(link, &parts.whole(&limits).await?);
            }
        }
    }
    Err(reply::without_response(link.backend()))
}

fn answer(link: &Link, message: &vmcp_wire::Message) -> Result<Answer, CallError> {
    Answer::of(message).ok_or_else(|| reply::without_response(link.backend()))
}
