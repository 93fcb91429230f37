//! One complete JSON-RPC message: its bytes, and where its envelope members stand.

use std::ops::Range;

use bytes::Bytes;

use crate::envelope::{Envelope, Slot};
use crate::splice::splice;
use crate::{Limits, Piece, RawId, WireError, text};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A method with an id: an answer is due.
    Request,
    /// A method without an id.
    Notification,
    /// An answer with a `result`.
    Success,
    /// An answer with an `error`.
    Failure,
}

/// One complete, fully validated JSON-RPC message.
///
/// Cheap to clone: the bytes are shared.
#[derive(Debug, Clone)]
pub struct Message {
    bytes: Bytes,
    kind: Kind,
    id: Option<RawId>,
    /// The id's value, null included.
    id_span: Option<Range<usize>>,
    /// The value of `method`, `result` or `error`, whichever makes this message what it is.
    main: Range<usize>,
    params: Option<Range<usize>>,
    /// The method, when its spelling in the message is not its text.
    decoded_method: Option<Box<str>>,
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// When it is not JSON, crosses a limit, or is not one JSON-RPC 2.0 message: members of the
    /// envelope that are missing, doubled, of a wrong type, or (on requests) also there in another
    /// letter case.
    pub fn parse(bytes: Bytes, limits: &Limits) -> Result<Self, WireError> {
        if bytes.len() > limits.max_bytes {
            return Err(WireError::TooLarge { limit: limits.max_bytes as u64 });
        }
        let mut envelope = Envelope::new(limits.max_depth);
        envelope.read(&bytes)?;
        Self::from_envelope(bytes, &envelope)
    }

    /// Takes bytes that `envelope` has read, all of them.
    pub(crate) fn from_envelope(bytes: Bytes, envelope: &Envelope) -> Result<Self, WireError> {
        let kind = envelope.finish()?;
        let main = match kind {
            Kind::Request | Kind::Notification => Slot::Method,
            Kind::Success => Slot::Result,
            Kind::Failure => Slot::Error,
        };
        let mut message = Self {
            kind,
            id: envelope.id().cloned(),
            id_span: envelope.span(Slot::Id),
            main: envelope.span(main).unwrap_or_default(),
            params: envelope.span(Slot::Params),
            decoded_method: None,
            bytes,
        };
        if main == Slot::Method {
            message.check_method()?;
        }
        Ok(message)
    }

    fn check_method(&mut self) -> Result<(), WireError> {
        let token = &self.bytes[self.main.clone()];
        let method = text::decode(token).filter(|method| !method.is_empty());
        let method = method.ok_or(WireError::Invalid("a method must be a name"))?;
        if method.len() + 2 != token.len() {
            self.decoded_method = Some(method.into());
        }
        Ok(())
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its id. None on notifications, and on error responses whose id is null or missing.
    #[must_use]
    pub fn id(&self) -> Option<RawId> {
        self.id.clone()
    }

    /// Its method, decoded; empty for responses.
    #[must_use]
    pub fn method(&self) -> &str {
        match (self.kind, &self.decoded_method) {
            (Kind::Success | Kind::Failure, _) => "",
            (_, Some(method)) => method,
            (_, None) => {
                let inner = &self.bytes[self.main.start + 1..self.main.end - 1];
                std::str::from_utf8(inner).unwrap_or_default()
            }
        }
    }

    /// The raw `params` of a request or notification, sharing memory with the message.
    #[must_use]
    pub fn params(&self) -> Option<Bytes> {
        match self.kind {
            Kind::Request | Kind::Notification => {
                self.params.clone().map(|span| self.bytes.slice(span))
            }
            Kind::Success | Kind::Failure => None,
        }
    }

    /// The raw `result`, sharing memory with the message.
    #[must_use]
    pub fn result(&self) -> Option<Bytes> {
        (self.kind == Kind::Success).then(|| self.bytes.slice(self.main.clone()))
    }

    /// The raw `error`, sharing memory with the message.
    #[must_use]
    pub fn error(&self) -> Option<Bytes> {
        (self.kind == Kind::Failure).then(|| self.bytes.slice(self.main.clone()))
    }

    /// The whole message.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The message under another id; every other byte stays.
    ///
    /// An error response gets the id even when it had none. A notification comes back as it is.
    #[must_use]
    pub fn with_id(&self, id: &RawId) -> Bytes {
        self.rewrite(Some(id), None)
    }

    /// The message with other params; every other byte stays. A response comes back as it is.
    #[must_use]
    pub fn with_params(&self, params: &[u8]) -> Bytes {
        self.rewrite(None, Some(params))
    }

    /// [`Self::with_id`] and [`Self::with_params`] in one copy.
    #[must_use]
    pub fn rewrite(&self, id: Option<&RawId>, params: Option<&[u8]>) -> Bytes {
        let id = id.filter(|id| self.kind != Kind::Notification && self.id.as_ref() != Some(*id));
        let id = id.map(|id| self.put(&self.id_span, b",\"id\":", id.as_bytes()));
        let params = params.filter(|_| matches!(self.kind, Kind::Request | Kind::Notification));
        let params = params.map(|params| self.put(&self.params, b",\"params\":", params));
        match (&id, &params) {
            (None, None) => self.bytes.clone(),
            (Some(edit), None) | (None, Some(edit)) => splice(&self.bytes, &[edit.of()]),
            (Some(id), Some(params)) if id.span.start < params.span.start => {
                splice(&self.bytes, &[id.of(), params.of()])
            }
            (Some(id), Some(params)) => splice(&self.bytes, &[params.of(), id.of()]),
        }
    }

    /// The message cut at its id, without a copy: the same form as a streamed message.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        match (&self.id, &self.id_span) {
            (Some(id), Some(span)) => vec![
                Piece::Bytes(self.bytes.slice(..span.start)),
                Piece::Id(id.clone()),
                Piece::Bytes(self.bytes.slice(span.end..)),
            ],
            _ => vec![Piece::Bytes(self.bytes.clone())],
        }
    }

    /// Puts a value in its place, or with its key behind the main member.
    fn put<'a>(&self, span: &Option<Range<usize>>, key: &[u8], value: &'a [u8]) -> Put<'a> {
        match span {
            Some(span) => Put { span: span.clone(), with: value.into() },
            None => Put { span: self.main.end..self.main.end, with: [key, value].concat().into() },
        }
    }
}

/// One replacement.
struct Put<'a> {
    span: Range<usize>,
    with: std::borrow::Cow<'a, [u8]>,
}

impl Put<'_> {
    fn of(&self) -> (Range<usize>, &[u8]) {
        (self.span.clone(), &self.with)
    }
}
