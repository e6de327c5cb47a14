//! What the chart renders, as a real API server sees it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::api_server::{ApiServer, NAMESPACE};

/// The version of the API server; helm would ask a cluster.
fn version() -> &'static str {
    let required = include_str!("go.mod").split_whitespace().skip_while(|word| *word != "k8s.io/kubernetes").nth(1);
    required.and_then(|version| version.strip_prefix('v')).expect("go.mod requires k8s.io/kubernetes")
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a folder, in their order.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = root().join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// What `helm template` makes of the chart with these values, its custom resource definitions included.
pub(crate) fn rendered(values: &Path) -> String {
    let helm = root().join("target/chart/bin/helm");
    let mut command = Command::new(&helm);
    command.args(["template", "login", "helm/uitsmijter", "--include-crds", "--namespace", NAMESPACE]);
    let output = command.args(["--kube-version", version(), "--values"]).arg(values).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; run tests/chart/install.sh", helm.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("manifests in UTF-8")
}

/// The definitions of other software: Traefik, the Prometheus operator, and the Gateway API.
pub(crate) fn define_what_others_bring(cluster: &ApiServer) {
    for file in files("target/chart/definitions") {
        // Some are too long for the annotation of a client-side apply.
        cluster.kubectl(&["apply", "--server-side", "--filename", &file.display().to_string()]);
    }
    // The API group of Traefik 2, for `traefik.apiVersion`.
    let middlewares = root().join("target/chart/definitions/traefik.io_middlewares.yaml");
    let middlewares = fs::read_to_string(middlewares).expect("Traefik's definition");
    cluster.apply(&middlewares.replace("traefik.io", "traefik.containo.us"));
    cluster.kubectl(&["wait", "--for", "condition=Established", "--timeout=30s", "crd", "--all"]);
}

#[tokio::test]
async fn an_api_server_accepts_what_the_chart_renders_for_all_values() {
    let cluster = ApiServer::start().await;
    define_what_others_bring(&cluster);
    for values in files("tests/chart/values") {
        let manifests = rendered(&values);
        let output = cluster
            .try_kubectl(&["apply", "--dry-run=server", "--validate=strict", "--filename", "-"], Some(&manifests));
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {shown}", values.display());
        assert!(!shown.contains("Warning"), "{}: {shown}", values.display());
    }
    let wrong =
        rendered(&root().join("tests/chart/values/defaults.yaml")).replace("maxUnavailable: 0", "maxUnavailible: 0");
    let output =
        cluster.try_kubectl(&["apply", "--dry-run=server", "--validate=strict", "--filename", "-"], Some(&wrong));
    assert!(!output.status.success(), "a wrong name was taken");
}
