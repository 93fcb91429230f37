//! The fake AWS: what STS gives and refuses, and what a backend behind it turns away.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::json;
use vmcp_testkit::{Answer, Aws, Backend, IdentityProvider, IdpAnswer, RawClient};

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn asks(token: &str) -> Fields<'_> {
    vec![
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", ROLE),
        ("RoleSessionName", "alice@example.com"),
        ("WebIdentityToken", token),
        ("DurationSeconds", "900"),
    ]
}

fn with<'a>(mut fields: Fields<'a>, name: &'a str, value: &'a str) -> Fields<'a> {
    fields.retain(|(other, _)| *other != name);
    fields.extend((!value.is_empty()).then_some((name, value)));
    fields
}

async fn post(
    aws: &Aws,
    headers: &[(&str, &str)],
    fields: &Fields<'_>,
) -> io::Result<(u16, String)> {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escape(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let headers = [&[FORM], headers].concat();
    let client = RawClient::new(&aws.sts_url())?;
    let mut reply = client.send(Method::POST, &headers, Bytes::from(body)).await?;
    let text = String::from_utf8_lossy(&reply.bytes().await?).into_owned();
    Ok((reply.status.as_u16(), text))
}

#[tokio::test]
async fn gives_keys_for_a_users_token() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    let aws = Aws::start(&idp).await?;
    let token = idp.issue("alice", json!({}))?;
    let (status, text) = post(&aws, &[], &asks(&token)).await?;
    assert_eq!(status, 200, "{text}");
    let sessions = aws.sessions();
    let session = &sessions[0];
    assert_eq!((session.role.as_str(), session.subject.as_str()), (ROLE, "alice"));
    assert_eq!(session.name, "alice@example.com");
    for part in [
        format!("<AccessKeyId>{}</AccessKeyId>", session.key_id),
        format!("<SecretAccessKey>{}</SecretAccessKey>", session.secret),
        format!("<SessionToken>{}</SessionToken>", session.token),
        "assumed-role/reader/alice@example.com</Arn>".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} in {text}");
    }
    assert_eq!(aws.count(), 1);
    assert_eq!(aws.requests()[0].field("RoleArn"), Some(ROLE));
    Ok(())
}

#[tokio::test]
async fn refuses_what_aws_refuses() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    let stranger = IdentityProvider::start().await?;
    let aws = Aws::start(&idp).await?;
    aws.add_role(ROLE);
    let token = idp.issue("alice", json!({}))?;
    let expired = idp.issue("alice", json!({"exp": 1_000}))?;
    let foreign = stranger.issue("alice", json!({}))?;
    let long = "n".repeat(65);
    let cases = [
        ("WebIdentityToken", expired.as_str(), 400, "ExpiredTokenException"),
        ("WebIdentityToken", &foreign, 400, "InvalidIdentityToken"),
        ("WebIdentityToken", "", 400, "ValidationError"),
        ("RoleArn", "arn:aws:iam::123456789012:role/admin", 403, "AccessDenied"),
        ("RoleArn", "reader", 400, "ValidationError"),
        ("RoleSessionName", "a b", 400, "ValidationError"),
        ("RoleSessionName", "a", 400, "ValidationError"),
        ("RoleSessionName", &long, 400, "ValidationError"),
        ("DurationSeconds", "899", 400, "ValidationError"),
        ("Version", "2011-06-16", 400, "InvalidAction"),
        ("Action", "AssumeRole", 400, "InvalidAction"),
    ];
    for (name, value, status, code) in cases {
        let (answered, text) = post(&aws, &[], &with(asks(&token), name, value)).await?;
        assert_eq!(answered, status, "{name}={value}: {text}");
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{name}={value}: {text}");
    }
    let signed = [("authorization", "AWS4-HMAC-SHA256 x"), ("x-amz-date", "x")];
    assert_eq!(post(&aws, &signed, &asks(&token)).await?.0, 403);
    aws.on(Aws::error(400, "Throttling", "Rate exceeded").wait(Duration::ZERO));
    assert!(post(&aws, &[], &asks(&token)).await?.1.contains("<Code>Throttling</Code>"));
    aws.on(IdpAnswer::sequence([IdpAnswer::status(503), IdpAnswer::usual()]));
    assert_eq!(post(&aws, &[], &asks(&token)).await?.0, 503);
    assert_eq!(post(&aws, &[], &asks(&token)).await?.0, 200);
    assert_eq!(aws.sessions().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_backend_turns_away_what_is_not_signed() -> io::Result<()> {
    let idp = IdentityProvider::start().await?;
    let aws = Aws::start(&idp).await?;
    let guard = aws.guard("eu-west-1", "aws-mcp");
    let tool = json!({"name": "look", "inputSchema": {"type": "object"}});
    let backend = Backend::builder().tool(tool, Answer::text("x")).signed(&guard).start().await?;
    let client = RawClient::new(&backend.url())?;
    let reply = client.request("initialize", "{}").await?;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.header("x-amzn-errortype"), Some("MissingAuthenticationTokenException"));
    client.set_header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=AKIA/20150830/eu-west-1/aws-mcp/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, Signature=00",
    );
    client.set_header("x-amz-date", "20150830T123600Z");
    let reply = client.request("initialize", "{}").await?;
    assert_eq!(reply.header("x-amzn-errortype"), Some("UnrecognizedClientException"));
    assert_eq!(guard.refused().len(), 2);
    assert!(guard.signed().is_empty());
    assert_eq!(backend.sessions().len(), 0);
    Ok(())
}
