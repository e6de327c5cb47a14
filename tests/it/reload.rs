//! The folder of tenants and clients, on a real file system: what is read, and which changes are noticed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use uitsmijter::registry::document::Document;
use uitsmijter::registry::file::Folder;
use uitsmijter::registry::reload::{Loader, watch};
use uitsmijter::registry::{Registry, Severity, demo};

fn tenant(name: &str) -> String {
    format!("name: {name}\nconfig:\n  hosts: [{name}.example]\n  providers: class UserLoginProvider {{}}\n")
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        fs::create_dir_all(place.path("Tenants")).unwrap();
        fs::create_dir_all(place.path("Clients")).unwrap();
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join("Resources/Configurations").join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(path), text).unwrap();
    }

    fn loader(&self, demo: Vec<Document>) -> Arc<Loader> {
        Arc::new(Loader::new(Folder::below(self.0.path()), Arc::new(|_| Ok(())), demo))
    }
}

fn names(registry: &Registry) -> Vec<String> {
    registry.current().tenants().map(|tenant| tenant.name.to_string()).collect()
}

#[test]
fn files_are_read_in_order_with_one_level_of_folders_and_without_what_is_hidden() {
    let place = Place::new();
    fs::create_dir_all(place.path("Tenants/b/deeper")).unwrap();
    fs::create_dir_all(place.path("Tenants/..2024")).unwrap();
    for path in
        ["c.yaml", "a.yml", "b/x.YAML", "b/deeper/no1.yaml", ".no2.yaml", "no3.txt", "no4.yaml~", "..2024/no5.yaml"]
    {
        let name = Path::new(path).file_stem().unwrap().to_str().unwrap().trim_start_matches('.').to_owned();
        place.write(&format!("Tenants/{path}"), tenant(&name));
    }
    let (snapshot, problems) = place.loader(Vec::new()).load();
    assert_eq!(problems, []);
    assert_eq!(snapshot.tenants().map(|tenant| &*tenant.name).collect::<Vec<_>>(), ["a", "x", "c"]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_and_hides_no_other() {
    let place = Place::new();
    place.write("Tenants/good.yaml", tenant("good"));
    place.write("Tenants/latin.yaml", b"name: caf\xe9\n");
    place.write("Tenants/large.yaml", vec![b'#'; 10 * 1024 * 1024]);
    place.write("Tenants/nul.yaml", b"name: a\0b\nconfig: {}\n");
    place.write("Tenants/empty.yaml", "# nothing yet\n---\n");
    symlink("nowhere.yaml", place.path("Tenants/dangling.yaml")).unwrap();
    let (snapshot, problems) = place.loader(Vec::new()).load();
    let about = |file: &str| problems.iter().find(|problem| problem.source.contains(file)).map(|p| p.message.clone());
    assert!(about("latin").unwrap().contains("byte 9 is not UTF-8"));
    assert!(about("large").unwrap().contains("larger than 8 MiB"));
    assert!(about("dangling").unwrap().contains("cannot be read"));
    assert!(about("nul").is_some());
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.severity == Severity::Error));
    assert_eq!(snapshot.tenant_count(), 1);
}

#[test]
fn a_reload_replaces_only_what_changed() {
    let place = Place::new();
    place.write("Tenants/one.yaml", tenant("one"));
    let loader = place.loader(Vec::new());
    let (snapshot, problems) = loader.load();
    let registry = Registry::new(snapshot, problems);
    let before = registry.current();
    assert!(!loader.reload(&registry));
    assert!(Arc::ptr_eq(&before, &registry.current()));

    place.write("Tenants/two.yaml", tenant("two"));
    let mut version = registry.subscribe();
    assert!(loader.reload(&registry));
    assert!(version.has_changed().unwrap());
    version.mark_unchanged();
    assert_eq!(names(&registry), ["one", "two"]);
    assert!(Arc::ptr_eq(before.tenant("one").unwrap(), registry.current().tenant("one").unwrap()));
    assert_eq!(before.tenant_count(), 1, "a request keeps what it took");

    place.write("Tenants/two.yaml", "name: two\nconfig: [");
    assert!(loader.reload(&registry));
    assert_eq!(names(&registry), ["one", "two"]);
    assert_eq!(registry.problems().len(), 2);
    fs::remove_file(place.path("Tenants/two.yaml")).unwrap();
    assert!(loader.reload(&registry));
    assert_eq!(names(&registry), ["one"]);
    assert!(registry.problems().is_empty());
}

#[test]
fn the_demo_leaves_when_the_first_tenant_comes() {
    let place = Place::new();
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlcyBvaw$Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm8";
    let loader = place.loader(demo::documents(hash, "http://localhost:8080"));
    let (snapshot, problems) = loader.load();
    assert_eq!(problems, []);
    let registry = Registry::new(snapshot, problems);
    assert_eq!(names(&registry), ["demo"]);
    // A broken first tenant was nevertheless intended: no demo beside it.
    place.write("Tenants/one.yaml", "name: [");
    loader.reload(&registry);
    assert!(names(&registry).is_empty());
    place.write("Tenants/one.yaml", tenant("one"));
    loader.reload(&registry);
    assert_eq!(names(&registry), ["one"]);
}

#[test]
fn a_folder_without_permission_deletes_nothing() {
    let place = Place::new();
    place.write("Tenants/one.yaml", tenant("one"));
    let loader = place.loader(Vec::new());
    let (snapshot, problems) = loader.load();
    let registry = Registry::new(snapshot, problems);
    fs::set_permissions(place.path("Tenants"), fs::Permissions::from_mode(0o000)).unwrap();
    let is_locked_out = fs::read_dir(place.path("Tenants")).is_err();
    loader.reload(&registry);
    fs::set_permissions(place.path("Tenants"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(names(&registry), ["one"]);
    // The superuser can read everything.
    assert_eq!(!registry.problems().is_empty(), is_locked_out);
}

/// Waits until the registry has these tenants; far shorter than the polling interval, so that only the watcher can be
/// the reason.
async fn expect_names(registry: &Registry, expected: &[&str]) {
    let mut version = registry.subscribe();
    let waiting = async {
        while names(registry) != expected {
            version.changed().await.unwrap();
        }
    };
    if tokio::time::timeout(Duration::from_secs(10), waiting).await.is_err() {
        panic!("expected {expected:?}, found {:?}", names(registry));
    }
}

#[tokio::test]
async fn every_way_of_changing_a_file_is_noticed() {
    let place = Place::new();
    let loader = place.loader(Vec::new());
    let registry = Registry::new(Default::default(), Vec::new());
    let watching = tokio::spawn(watch(loader, registry.clone()));

    place.write("Tenants/one.yaml", tenant("one"));
    expect_names(&registry, &["one"]).await;
    // what an editor does
    place.write("Tenants/.one.yaml.swp", tenant("two"));
    fs::rename(place.path("Tenants/.one.yaml.swp"), place.path("Tenants/one.yaml")).unwrap();
    expect_names(&registry, &["two"]).await;
    fs::create_dir(place.path("Tenants/more")).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    place.write("Tenants/more/three.yaml", tenant("three"));
    expect_names(&registry, &["three", "two"]).await;
    place.write("Tenants/more/three.yaml", tenant("four"));
    expect_names(&registry, &["four", "two"]).await;
    fs::remove_dir_all(place.path("Tenants/more")).unwrap();
    expect_names(&registry, &["two"]).await;
    // the whole folder replaced by another
    fs::create_dir(place.path("Other")).unwrap();
    place.write("Other/five.yaml", tenant("five"));
    fs::rename(place.path("Tenants"), place.path("Gone")).unwrap();
    fs::rename(place.path("Other"), place.path("Tenants")).unwrap();
    expect_names(&registry, &["five"]).await;
    place.write("Tenants/six.yaml", tenant("six"));
    expect_names(&registry, &["five", "six"]).await;
    watching.abort();
}

#[tokio::test]
async fn a_folder_that_is_made_later_is_noticed() {
    let place = Place(TempDir::new().unwrap());
    let registry = Registry::new(Default::default(), Vec::new());
    let watching = tokio::spawn(watch(place.loader(Vec::new()), registry.clone()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    fs::create_dir_all(place.path("Tenants")).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    place.write("Tenants/one.yaml", tenant("one"));
    expect_names(&registry, &["one"]).await;
    watching.abort();
}

#[tokio::test]
async fn a_folder_below_a_relative_directory_is_watched_too() {
    let place = Place::new();
    let current = std::env::current_dir().unwrap();
    let up: PathBuf = current.components().skip(1).map(|_| "..").collect();
    let relative = Path::new(".").join(up).join(place.0.path().strip_prefix("/").unwrap());
    let loader = Arc::new(Loader::new(Folder::below(&relative), Arc::new(|_| Ok(())), Vec::new()));
    let registry = Registry::new(Default::default(), Vec::new());
    let watching = tokio::spawn(watch(loader, registry.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    place.write("Tenants/one.yaml", tenant("one"));
    expect_names(&registry, &["one"]).await;
    watching.abort();
}

#[tokio::test]
async fn the_swap_of_a_config_map_is_noticed() {
    let place = Place::new();
    let version = |version: &str, name: &str| {
        fs::create_dir(place.path(&format!("Tenants/{version}"))).unwrap();
        place.write(&format!("Tenants/{version}/tenant.yaml"), tenant(name));
    };
    version("..2024_01", "one");
    symlink("..2024_01", place.path("Tenants/..data")).unwrap();
    symlink("..data/tenant.yaml", place.path("Tenants/tenant.yaml")).unwrap();
    let registry = Registry::new(Default::default(), Vec::new());
    let watching = tokio::spawn(watch(place.loader(Vec::new()), registry.clone()));
    expect_names(&registry, &["one"]).await;
    for (number, name) in [("..2024_02", "two"), ("..2024_03", "three")] {
        version(number, name);
        symlink(number, place.path("Tenants/..data_tmp")).unwrap();
        fs::rename(place.path("Tenants/..data_tmp"), place.path("Tenants/..data")).unwrap();
        expect_names(&registry, &[name]).await;
    }
    watching.abort();
}

#[tokio::test]
async fn watching_alone_and_a_store_beside_the_folder_replace_nothing() {
    let place = Place::new();
    place.write("Tenants/one.yaml", "name: [");
    let registry = Registry::new(Default::default(), Vec::new());
    let watching = tokio::spawn(watch(place.loader(Vec::new()), registry.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut version = registry.subscribe();
    version.mark_unchanged();
    for number in 0..10 {
        fs::write(place.0.path().join("uitsmijter.redb"), [number]).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!version.has_changed().unwrap());
    watching.abort();
}
