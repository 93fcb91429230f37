//! `AssumeRoleWithWebIdentity`: an unsigned form comes, an XML document goes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::aws::{ACTION, AwsSession, AwsShared, time};
use crate::body::ReplyBody;
use crate::idp::answer::{IdpAnswer, Outcome, OutcomeBody};
use crate::idp::ledger::IdpRequest;
use crate::idp::server;

const SPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Status, code and message of an error.
type Refusal = (u16, &'static str, String);

pub(crate) async fn accept(listener: TcpListener, shared: Arc<AwsShared>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        shared.tasks.spawn(converse(socket, Arc::clone(&shared)));
    }
}

async fn converse(socket: TcpStream, shared: Arc<AwsShared>) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(|request| serve(Arc::clone(&shared), request));
    // How a connection ends is the client's or the script's affair.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn serve(
    shared: Arc<AwsShared>,
    request: Request<Incoming>,
) -> io::Result<Response<ReplyBody>> {
    let (mut request, broken) = server::read(request).await?;
    request.grant = request.field("Action").unwrap_or(&request.path).to_owned();
    shared.ledger.record(&mut request);
    let answer = shared.state.lock().answer.clone().unwrap_or_else(IdpAnswer::usual);
    let usual = async || {
        let granted = match broken {
            Some(problem) => Err((400, "MalformedInput", problem)),
            None => assume(&shared, &request),
        };
        let outcome = match granted {
            Ok(document) => document_of(200, document),
            Err((status, code, text)) => document_of(status, error_document(code, &text)),
        };
        outcome.header("date", &time::http(shared.now()))
    };
    let response = answer.perform(&shared.tasks, usual).await?;
    shared.ledger.answered(request.seq, response.status().as_u16());
    Ok(response)
}

fn assume(shared: &AwsShared, request: &IdpRequest) -> Result<String, Refusal> {
    let invalid = |text: String| (400, "ValidationError", text);
    let need = |name: &str| {
        let value = request.field(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| invalid(format!("1 validation error detected: {name} is missing")))
    };
    if request.method != http::Method::POST {
        return Err((400, "InvalidAction", "only POST is served here".to_owned()));
    }
    if request.field("Action") != Some(ACTION) || request.field("Version") != Some("2011-06-15") {
        let text = format!("Could not find operation {:?} for version", request.field("Action"));
        return Err((400, "InvalidAction", text));
    }
    if request.header("authorization").is_some() || request.header("x-amz-date").is_some() {
        return Err((403, "SignatureDoesNotMatch", "the call is not to be signed".to_owned()));
    }
    let (role, name) = (need("RoleArn")?, need("RoleSessionName")?);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(invalid(format!(
            "Value '{name}' at 'roleSessionName' failed to satisfy constraint"
        )));
    }
    if !(20..=2048).contains(&role.len()) || !role.starts_with("arn:aws") {
        return Err(invalid(format!("{role} is invalid")));
    }
    let seconds = match request.field("DurationSeconds") {
        None => 3600,
        Some(text) => text
            .parse()
            .ok()
            .filter(|seconds| (900..=43_200).contains(seconds))
            .ok_or_else(|| {
                invalid(format!("Value '{text}' at 'durationSeconds' failed to satisfy constraint"))
            })?,
    };
    let token = need("WebIdentityToken")?;
    let jwt =
        shared.provider.verify(token, None).map_err(|reason| match reason.contains("expired") {
            true => (400, "ExpiredTokenException", format!("Token expired: {reason}")),
            false => (400, "InvalidIdentityToken", format!("Couldn't verify signature: {reason}")),
        })?;
    let roles = shared.state.lock().roles.clone();
    if !roles.is_empty() && !roles.iter().any(|one| one == role) {
        return Err((403, "AccessDenied", format!("Not authorized to perform sts:{ACTION}")));
    }
    let subject = jwt.claim("sub").unwrap_or_default().to_owned();
    Ok(shared.open(role, name, subject, Duration::from_secs(seconds)))
}

// === impl AwsShared ===

impl AwsShared {
    /// Gives keys out and describes them. Secret and token have the characters that careless encoding breaks.
    fn open(&self, role: &str, name: &str, subject: String, asked: Duration) -> String {
        let now = self.now();
        let mut state = self.state.lock();
        let number = state.sessions.len() + 1;
        let lifetime = state.lifetime.unwrap_or(asked);
        let session = AwsSession {
            key_id: format!("ASIATESTKIT{number:09}"),
            secret: format!("wJalr/XUtnFEMI+K7MDENG=={number}"),
            token: format!("FwoGZXIvYXdz//+{number}=="),
            role: role.to_owned(),
            name: name.to_owned(),
            subject,
            expires: Instant::now() + lifetime,
        };
        let document = described(&session, now + lifetime.as_secs());
        state.sessions.push(session);
        document
    }

    /// The keys of an access key id.
    pub(crate) fn session(&self, key_id: &str) -> Option<AwsSession> {
        self.state.lock().sessions.iter().find(|session| session.key_id == key_id).cloned()
    }
}

fn described(session: &AwsSession, expires: u64) -> String {
    let AwsSession { key_id, secret, token, role, name, subject, .. } = session;
    let expires = time::extended(expires);
    let arn = role.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/");
    let subject = escape(subject);
    format!(
        r#"<{ACTION}Response xmlns="{SPACE}">
  <{ACTION}Result>
    <SubjectFromWebIdentityToken>{subject}</SubjectFromWebIdentityToken>
    <Audience>vmcp</Audience>
    <AssumedRoleUser>
      <Arn>{arn}/{name}</Arn>
      <AssumedRoleId>AROATESTKIT:{name}</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <SessionToken>{token}</SessionToken>
      <SecretAccessKey>{secret}</SecretAccessKey>
      <Expiration>{expires}</Expiration>
      <AccessKeyId>{key_id}</AccessKeyId>
    </Credentials>
    <Provider>testkit</Provider>
  </{ACTION}Result>
  <ResponseMetadata>
    <RequestId>ad4156e9-bce1-11e2-82e6-6b6efEXAMPLE</RequestId>
  </ResponseMetadata>
</{ACTION}Response>
"#
    )
}

/// An error as STS words it.
pub(crate) fn error_document(code: &str, message: &str) -> String {
    let message = escape(message);
    format!(
        r#"<ErrorResponse xmlns="{SPACE}">
  <Error>
    <Type>Sender</Type>
    <Code>{code}</Code>
    <Message>{message}</Message>
  </Error>
  <RequestId>4f4e1f0c-bce1-11e2-82e6-6b6efEXAMPLE</RequestId>
</ErrorResponse>
"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn document_of(status: u16, document: String) -> Outcome {
    let mut outcome = Outcome::empty(status).header("content-type", "text/xml");
    outcome.body = OutcomeBody::Bytes(document.into());
    outcome
}
