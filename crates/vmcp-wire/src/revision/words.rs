//! Methods, members and codes that exist in one family of revisions only.

/// The first request of a session.
pub const INITIALIZE: &str = "initialize";
/// The notification that ends the handshake.
pub const INITIALIZED: &str = "notifications/initialized";

/// What a server speaks and can do, asked without a session.
pub const DISCOVER: &str = "server/discover";
/// Asks for notifications; the response is their stream.
pub const LISTEN: &str = "subscriptions/listen";
/// The first notification of such a stream: what of it is honoured.
pub const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// `_meta` of each request: the revision it is written in. A string.
pub const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` of each request: name and version of the client. An object; it may be missing.
pub const META_CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` of each request: what the client can do. An object.
pub const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` of a request: the least level of log messages that it wants on its stream; without it, none.
pub const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// `_meta` of everything on a [`LISTEN`] stream: the id of the request that opened it, in its own JSON type.
pub const META_SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// `_meta` of a result: name and version of the server. An object.
pub const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// Member of a result: what kind of result it is. Without it, [`COMPLETE`].
pub const RESULT_TYPE: &str = "resultType";
/// A [`RESULT_TYPE`]: the request is answered.
pub const COMPLETE: &str = "complete";
/// A [`RESULT_TYPE`]: the client has to answer [`INPUT_REQUESTS`] first, and then repeat its request.
pub const INPUT_REQUIRED: &str = "input_required";
/// A [`RESULT_TYPE`] of the tasks extension: the answer comes later.
pub const TASK: &str = "task";
/// Member of an [`INPUT_REQUIRED`] result: an object of requests, each `{"method", "params"}`.
pub const INPUT_REQUESTS: &str = "inputRequests";
/// Member of the params of a repeated request: an object of results under the keys of the requests.
pub const INPUT_RESPONSES: &str = "inputResponses";
/// Member of an [`INPUT_REQUIRED`] result that the repeated request gives back unread. A string.
pub const REQUEST_STATE: &str = "requestState";
/// Member of a cacheable result: how long it is fresh, in milliseconds. An integer, at least 0.
pub const TTL_MS: &str = "ttlMs";
/// Member of a cacheable result: who may share it, [`PUBLIC`] or [`PRIVATE`].
pub const CACHE_SCOPE: &str = "cacheScope";
/// A [`CACHE_SCOPE`]: the same for everybody.
pub const PUBLIC: &str = "public";
/// A [`CACHE_SCOPE`]: for whoever asked.
pub const PRIVATE: &str = "private";
/// Member of the result of [`DISCOVER`]: the names of revisions, also of those that need a handshake.
pub const SUPPORTED_VERSIONS: &str = "supportedVersions";

/// Error code: headers and body do not say the same, or a header is missing. HTTP status 400.
pub const HEADER_MISMATCH: i64 = -32020;
/// Error code: what was asked for needs a capability that the client did not declare. HTTP status 400;
/// `data.requiredCapabilities` names it.
pub const MISSING_CAPABILITY: i64 = -32021;
/// Error code: the server does not speak that revision. HTTP status 400; `data` has `supported` and `requested`.
pub const UNSUPPORTED_VERSION: i64 = -32022;
