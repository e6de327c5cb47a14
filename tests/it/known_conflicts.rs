//! Conflicts of names that an installation had before names were claimed: what stays served, and what does not.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;
use uitsmijter::key::TenantSigning;
use uitsmijter::registry::file::Folder;
use uitsmijter::registry::reload::Loader;
use uitsmijter::registry::{Registry, Severity};
use uitsmijter::server::known_conflicts::try_to_settle;

use crate::harness::TestServer;

const LOGIN: &str = "hosts: [app.one.test]\n  interceptor: {domain: login.one.test}";
const ISSUER: &str = "hosts: [two.test]\n  issuer: https://login.one.test";

struct Installation {
    folder: TempDir,
    loader: Arc<Loader>,
    server: TestServer,
}

impl Installation {
    /// Two tenants that contradict each other, with these environment variables.
    async fn start(environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("Resources/Configurations/Tenants")).unwrap();
        let loader = Arc::new(Loader::new(Folder::below(folder.path()), Arc::new(|_| Ok(())), Vec::new()));
        let registry = Registry::new(uitsmijter::registry::Snapshot::default(), Vec::new());
        let server = TestServer::start_over(registry, environment, |_| {}).await;
        let installation = Self { folder, loader, server };
        installation.write("one", LOGIN);
        installation.write("two", ISSUER);
        installation
    }

    fn write(&self, name: &str, config: &str) {
        let text = format!("name: {name}\nconfig:\n  providers: class UserLoginProvider {{}}\n  {config}\n");
        fs::write(self.folder.path().join(format!("Resources/Configurations/Tenants/{name}.yaml")), text).unwrap();
        self.loader.reload(&self.server.app.registry);
    }

    /// What the version before did when the tenant was asked for.
    async fn make_keys(&self, tenant: &str) {
        let signing = TenantSigning { name: tenant, algorithm: None, overrides: None };
        self.server.app.services.keys.tenant(&signing).await.unwrap();
    }

    async fn settle(&self) {
        try_to_settle(&self.server.app, &self.loader).await.unwrap();
    }

    fn serves(&self, tenant: &str) -> bool {
        self.server.app.registry.current().tenant(tenant).is_some()
    }
}

#[tokio::test]
async fn what_an_installation_was_found_with_is_warned_of_and_what_comes_later_is_refused() {
    let installation = Installation::start(&[]).await;
    assert!(!installation.serves("two"), "nothing is tolerated before the store was asked");
    installation.make_keys("one").await;
    installation.make_keys("two").await;
    installation.settle().await;
    assert!(installation.serves("one") && installation.serves("two"));
    let problems = installation.server.app.registry.problems();
    assert!(problems.iter().all(|problem| problem.severity == Severity::Warning), "{problems:?}");
    let told = problems.iter().find(|problem| problem.message.contains("refused by the next minor version"));
    assert!(told.is_some_and(|problem| problem.entity == "tenant two"), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.message.contains("tenant \"one\"")), "{problems:?}");

    // A neighbour's new document, and a new claim of the same tenant, at once and after the next start.
    installation.write("three", "hosts: [three.test]\n  issuer: https://app.one.test");
    assert!(!installation.serves("three"));
    installation.make_keys("three").await;
    for _ in 0..2 {
        installation.settle().await;
        assert!(installation.serves("two") && !installation.serves("three"));
    }
    installation.write("two", "hosts: [two.test, login.one.test]");
    installation.settle().await;
    let current = installation.server.app.registry.current();
    assert_eq!(&*current.tenant_by_host("login.one.test").unwrap().name, "one");
    assert!(installation.server.app.registry.problems().iter().any(|problem| problem.severity == Severity::Error));
}

#[tokio::test]
async fn a_new_installation_and_one_that_wants_none_tolerate_nothing() {
    let new = Installation::start(&[]).await;
    new.settle().await;
    assert!(new.serves("one") && !new.serves("two"));
    new.make_keys("two").await;
    new.settle().await;
    assert!(!new.serves("two"), "what was noted at the first start stays");

    let strict = Installation::start(&[("CLAIMS", "refuse")]).await;
    strict.make_keys("two").await;
    strict.settle().await;
    assert!(!strict.serves("two"));
}
