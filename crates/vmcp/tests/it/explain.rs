//! `vmcp explain`, and policies that cannot be followed.

use serde_json::{Value, json};
use vmcp_testkit::{Answer, Backend};

use crate::{Bench, Run};

const POLICIES: &str = r#"
incomingAuth:
  type: anonymous
  authz:
    type: cedar
    policies:
      - permit(principal, action == Action::"call_tool", resource == Tool::"files_read");
      - |
        @id("ops deploy")
        permit(principal in THVGroup::"ops", action, resource == Tool::"files_deploy")
        when { context.arg_env == "dev" };
      - |
        permit(principal, action == Action::"call_tool", resource)
        when { resource has readOnlyHint && resource.readOnlyHint };
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig: {prefixFormat: "{workload}_"}
  tools:
    - {workload: files, filter: [read, deploy]}
"#;

async fn explained(args: &'static [&'static str]) -> Run {
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
    let backend = Backend::builder()
        .tool(tool("read"), Answer::text("x"))
        .tool(tool("deploy"), Answer::text("x"))
        .tool(tool("drop"), Answer::text("x"))
        .start()
        .await
        .unwrap();
    let bench = Bench::new();
    let text = format!("backends:\n  - {{name: files, url: \"{}\"}}{POLICIES}", backend.url());
    bench.write("vmcp.yaml", &text);
    bench.write("ops.json", r#"{"iss":"https://issuer.test","sub":"o","groups":["ops"]}"#);
    let run = tokio::task::spawn_blocking(move || {
        bench.run(&[&["-c", "vmcp.yaml", "explain"], args].concat())
    });
    run.await.unwrap()
}

#[tokio::test]
async fn a_permission_names_the_policy_and_its_line() {
    let run = explained(&["files_read"]).await.exits(0);
    let wanted = "visible      yes\ncallable     yes\nbackend      files\n\
        policy       permitted by policies[0] (vmcp.yaml:8)\n\
        credentials  unauthenticated, vmcp's own\n";
    assert_eq!(run.out, wanted);
    let args = &["files_deploy", "--as", "ops.json", "--arguments", r#"{"env":"dev"}"#, "--json"];
    let run = explained(args).await.exits(0);
    let told: Value = serde_json::from_str(&run.out).unwrap();
    let permits = told["policy"]["permits"][0].as_str().unwrap();
    assert!(permits.starts_with("policies[1] \"ops deploy\" (vmcp.yaml:"), "{permits}");
}

#[tokio::test]
async fn a_denial_is_3_and_says_why() {
    let args = &["files_deploy", "--as", "ops.json", "--arguments", r#"{"env":"prod"}"#];
    let run = explained(args).await.exits(3);
    assert!(run.out.contains("visible      yes\ncallable     no\n"), "{}", run.out);
    assert!(run.out.contains("policy       no policy permits it\n"), "{}", run.out);
    let run = explained(&["files_deploy"]).await.exits(3);
    assert!(run.out.contains("visible      no\n"), "{}", run.out);
    let run = explained(&["files_drop"]).await.exits(3);
    assert!(run.out.contains("hidden by aggregation.tools[].filter"), "{}", run.out);
    let run = explained(&["nowhere"]).await.exits(3);
    assert!(run.out.contains("no backend has it"), "{}", run.out);
    explained(&["files_read", "--arguments", "[]"]).await.exits(2);
}

#[test]
fn policies_that_cannot_be_followed_are_a_bad_configuration() {
    let bench = Bench::new();
    let check = |policies: &str, wanted: &str| {
        let text = format!(
            "backends:\n  - {{name: b, url: \"http://127.0.0.1:1/\"}}\nincomingAuth:\n  type: anonymous\n  authz:\n    type: cedar\n{policies}"
        );
        bench.write("vmcp.yaml", &text);
        let told = bench.run(&["-c", "vmcp.yaml", "validate"]).exits(64);
        assert!(told.out.contains(wanted), "{}", told.out);
        let run = bench.run(&["-c", "vmcp.yaml", "serve"]).exits(64);
        assert!(run.err.contains(wanted), "{}", run.err);
    };
    check("", "`authz` of type `cedar` needs `policies`");
    check("    policies: []\n", "`authz` of type `cedar` needs `policies`");
    check("    policies: ['permit(principal']\n", "incomingAuth.authz.policies[0]");
    check("    policies: ['permit(principal']\n", "vmcp.yaml:7:");
    let permit = "    policies: ['permit(principal, action, resource);']\n";
    check(&format!("{permit}    entitiesJson: '{{'\n"), "incomingAuth.authz.entitiesJson");
    check(&format!("{permit}    groupEntityType: A::B\n"), "`groupEntityType` must be");
    check(&format!("{permit}    groupClaim: x\n"), "unknown key `groupClaim` in `authz`");
    let upstream = format!("{permit}    primaryUpstreamProvider: x\n");
    check(&upstream, "incomingAuth.authz.primaryUpstreamProvider");
}
