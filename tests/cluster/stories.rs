//! The definitions of the resources, and stories from `tests/it` on a real API server.

use std::fs;
use std::process::Command;

use crate::api_server::{ADMINISTRATOR, ApiServer};
use crate::chart::root;

#[tokio::test]
async fn the_definitions_of_the_chart_are_those_that_the_program_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_uitsmijter")).arg("crds").output().expect("the binary starts");
    let chart = fs::read_to_string(root().join("helm/uitsmijter/files/crds.yaml")).expect("the chart's copy");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), chart.trim(), "run make generate");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stories_of_resources_hold_on_a_real_api_server() {
    let cluster = ApiServer::start().await;
    let output = Command::new(env!("CARGO_BIN_EXE_uitsmijter")).arg("crds").output().expect("the binary starts");
    cluster.apply(&String::from_utf8(output.stdout).expect("definitions in UTF-8"));
    cluster.kubectl(&["wait", "--for", "condition=Established", "--timeout=30s", "crd", "--all"]);
    // Those of tests/it/kubernetes/resources.rs, which otherwise run against a fake API server.
    let mut stories = tokio::process::Command::new(std::env::var_os("CARGO").expect("cargo runs this test"));
    stories.args(["test", "--quiet", "--test", "it", "kubernetes::resources"]).current_dir(root());
    let output =
        stories.env("TEST_KUBECONFIG", cluster.kubeconfig(ADMINISTRATOR)).output().await.expect("cargo starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("7 passed"), "{said}");
}
