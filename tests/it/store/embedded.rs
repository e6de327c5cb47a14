//! What only the store in a file can do, and how it refuses what it cannot read.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uitsmijter::store::settings::StoreSettings;
use uitsmijter::store::{Backend, open};

use super::fixture::OneChange;
use crate::harness::fakes::ManualClock;

pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) async fn open_at(path: &Path, clock: &ManualClock) -> anyhow::Result<Arc<dyn Backend>> {
    let settings = StoreSettings { path: Some(path.to_owned()), redis: None };
    open(&settings, Arc::new(clock.clone())).await
}

async fn refusal(path: &Path) -> String {
    let Err(error) = open_at(path, &ManualClock::default()).await else { panic!("{} was opened", path.display()) };
    format!("{error:#}")
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let clock = ManualClock::default();

    let store = open_at(&path, &clock).await.unwrap();
    store.put("{t}a", b"one", &["{t}g".to_owned()], LONG).await.unwrap();
    store.consume("{t}a").await.unwrap();
    assert!(store.compare_and_set("{t}good", None, b"kept", &[], None).await.unwrap());
    drop(store);

    let store = open_at(&path, &clock).await.unwrap();
    assert_eq!(store.consume("{t}a").await.unwrap().unwrap(), (2, b"one".to_vec()));
    assert_eq!(store.members("{t}g").await.unwrap(), [b"one"]);
    clock.advance(LONG * 2);
    drop(store);

    let store = open_at(&path, &clock).await.unwrap();
    assert_eq!(store.get("{t}a").await.unwrap(), None);
    assert_eq!(store.get("{t}good").await.unwrap().unwrap(), b"kept");
}

#[tokio::test]
async fn an_acknowledged_change_is_in_the_file_before_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("store"), folder.path().join("copy"));
    let store = open_at(&path, &ManualClock::default()).await.unwrap();
    store.put("{t}a", b"one", &[], LONG).await.unwrap();
    // As a process would find it that starts after this one was killed.
    std::fs::copy(&path, &copy).unwrap();
    let after_a_crash = open_at(&copy, &ManualClock::default()).await.unwrap();
    assert_eq!(after_a_crash.get("{t}a").await.unwrap().unwrap(), b"one");
}

#[tokio::test]
async fn what_is_to_be_kept_for_a_minute_is_there_for_a_minute() {
    let clock = ManualClock::default();
    let memory = open(&StoreSettings::default(), Arc::new(clock.clone())).await.unwrap();
    memory.put("{t}a", b"one", &[], LONG).await.unwrap();
    memory.put("{t}b", b"two", &[], LONG + Duration::from_millis(1)).await.unwrap();
    // The clock shows whole seconds: what was put late in one may have waited a second less than it seems.
    clock.advance(LONG);
    memory.sweep().await.unwrap();
    assert_eq!(memory.get("{t}a").await.unwrap().unwrap(), b"one");
    clock.advance(Duration::from_secs(1));
    memory.sweep().await.unwrap();
    assert_eq!(memory.get("{t}a").await.unwrap(), None);
    assert_eq!(memory.get("{t}b").await.unwrap().unwrap(), b"two");
}

#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let _store = open_at(&path, &ManualClock::default()).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_that_others_could_use_is_closed_to_them_and_keeps_what_is_in_it() {
    for mode in [0o644, 0o660, 0o666, 0o640, 0o777] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let clock = ManualClock::default();
        let store = open_at(&path, &clock).await.unwrap();
        store.put("{t}a", b"one", &[], Duration::from_secs(60)).await.unwrap();
        store.close().await.unwrap();
        drop(store);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let store = open_at(&path, &clock).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{mode:o}");
        assert_eq!(store.get("{t}a").await.unwrap().unwrap(), b"one");
    }
}

#[tokio::test]
async fn a_second_opening_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let _store = open_at(&path, &ManualClock::default()).await.unwrap();
    let refusal = refusal(&path).await;
    assert!(refusal.contains("is open in another process") && refusal.contains("store"), "{refusal}");
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_named() {
    let refusal = refusal(Path::new("/does/not/exist/store")).await;
    assert!(refusal.contains("/does/not/exist/store cannot be opened: No such file"), "{refusal}");
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let text = "tenants: [cheese]\n".repeat(1000);
    std::fs::write(&path, &text).unwrap();
    let refusal = refusal(&path).await;
    assert!(refusal.contains("is no store"), "{refusal}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_file_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open_at(&path, &ManualClock::default()).await.unwrap();
    for key in 0..200 {
        store.put(&format!("{{t}}{key}"), &[7; 1000], &["{t}g".to_owned()], LONG).await.unwrap();
    }
    drop(store);

    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    for damage in 0..20 {
        std::fs::write(&path, &whole).unwrap();
        scribble(&path, whole.len() as u64 * damage / 20);
        // A spot that holds nothing may be overwritten without harm; what matters is that nothing panics or lies.
        match open_at(&path, &ManualClock::default()).await {
            Err(error) => {
                refused += 1;
                assert!(format!("{error:#}").contains("damaged"), "{error:#}");
            }
            Ok(store) => {
                for key in 0..200 {
                    assert_eq!(store.get(&format!("{{t}}{key}")).await.unwrap().unwrap(), [7; 1000]);
                }
            }
        }
    }
    assert!(refused >= 5, "only {refused} of 20 damages were seen");

    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let refusal = refusal(&path).await;
    assert!(refusal.contains("damaged"), "{refusal}");
}

fn scribble(path: &Path, offset: u64) {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut bytes = [0; 2048];
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.read_exact(&mut bytes).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.write_all(&bytes.map(|byte| byte ^ 0x5a)).unwrap();
}
