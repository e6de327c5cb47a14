//! The clock of one installation and all its clients, which a test sets forward: libfaketime reads it from a file.
//! Libraries and server keep their own schedules, and no test sleeps.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// The present of all processes that were started with its [`Calendar::environment`]. Clones show the same time.
#[derive(Clone)]
pub(crate) struct Calendar {
    folder: Arc<TempDir>,
    /// Seconds ahead of this machine's clock.
    ahead: Arc<AtomicU64>,
}

impl Calendar {
    /// One that shows today.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let calendar = Self { folder: Arc::new(folder), ahead: Arc::default() };
        calendar.write(0);
        calendar
    }

    /// Lets time pass at once, for all processes.
    pub(crate) fn pass(&self, span: Duration) {
        self.write(self.ahead.fetch_add(span.as_secs(), Ordering::Relaxed) + span.as_secs());
    }

    /// The present.
    #[expect(clippy::disallowed_methods, reason = "the clients under test go by the clock of the machine, too")]
    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.ahead.load(Ordering::Relaxed))
    }

    /// The same in seconds since 1970.
    pub(crate) fn timestamp(&self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).expect("1970 is long ago").as_secs()
    }

    /// The environment that makes a process use this clock.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", faketime()),
            ("FAKETIME_TIMESTAMP_FILE", self.file().display().to_string()),
            // Read each time the clock is read, so that no process lags behind.
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DISABLE_SHM", "1".to_owned()),
        ]
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ahead")
    }

    /// Replaces the file in one step: a process that reads at this moment finds the old time or the new one.
    fn write(&self, ahead: u64) {
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, format!("+{ahead}\n")).expect("a file for the time");
        fs::rename(fresh, self.file()).expect("a file can be replaced");
    }
}

/// libfaketime; the variant for programs with several threads.
fn faketime() -> String {
    let places = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let libraries = places.iter().map(|place| format!("{place}/faketime/libfaketimeMT.so.1"));
    let found = libraries.into_iter().find(|library| Path::new(library).exists());
    found.unwrap_or_else(|| panic!("faketime is not installed; {}", crate::tool::INSTALL))
}
