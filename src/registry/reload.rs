//! Keeps the registry in step with what is declared: the files of a folder, and the resources of a cluster.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, timeout_at};

use super::document::{Document, Kind};
use super::file::Folder;
use super::{Problem, Registry, Severity, Snapshot, Tolerance};

/// Says whether a login script is well-formed, and if not, why. The engine is a floor above.
pub type CheckScript = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Changes that follow each other this closely are read together: an editor writes, renames and deletes in one go.
const SETTLE: Duration = Duration::from_millis(200);
/// Someone who never stops writing is not waited for longer than this.
const SETTLE_AT_MOST: Duration = Duration::from_secs(2);
/// Some file systems tell nothing; this is how long a change then goes unseen.
const POLL: Duration = Duration::from_secs(30);

/// Makes one snapshot of what the folder and the cluster declare, as often as one of them changes.
pub struct Loader {
    folder: Folder,
    check_script: CheckScript,
    demo: Vec<Document>,
    /// Locked while building, so that two changes do not overtake each other.
    declared: Mutex<Declared>,
}

/// What was read last, in the order of precedence: of two that contradict each other, a file wins over a resource.
#[derive(Default)]
struct Declared {
    files: Vec<Document>,
    resources: Vec<Document>,
}

impl Loader {
    /// A loader of `folder`. `demo` is what is served as long as no tenant is declared; empty for nothing.
    pub fn new(folder: Folder, check_script: CheckScript, demo: Vec<Document>) -> Self {
        Self { folder, check_script, demo, declared: Mutex::default() }
    }

    /// Reads the folder for the first time. Does I/O: not for a thread that serves requests.
    pub fn load(&self) -> (Snapshot, Vec<Problem>) {
        let mut declared = self.declared();
        declared.files = self.folder.documents();
        Snapshot::build(&self.documents(&declared), None, &*self.check_script)
    }

    /// Reads the folder again and replaces what the registry has, if anything changed. Says whether it did.
    /// Does I/O: not for a thread that serves requests.
    pub fn reload(&self, registry: &Registry) -> bool {
        let mut declared = self.declared();
        declared.files = self.folder.documents();
        self.build(declared, registry)
    }

    /// Takes what the cluster declares now, the first created first, and replaces what the registry has, if anything
    /// changed. Says whether it did. Reads scripts: not for a thread that serves requests.
    pub fn take(&self, resources: Vec<Document>, registry: &Registry) -> bool {
        let mut declared = self.declared();
        declared.resources = resources;
        self.build(declared, registry)
    }

    /// What would be declared with `resource`, too, in place of the one of the same source or as the last; and what
    /// would be wrong with it, or with others that are served now and would not be any more. Reads scripts: not for a
    /// thread that serves requests.
    pub fn rehearse(&self, resource: Document, registry: &Registry) -> (Snapshot, Vec<Problem>) {
        let source = resource.source.clone();
        let documents = {
            let declared = self.declared();
            let (files, mut resources) = (declared.files.clone(), declared.resources.clone());
            match resources.iter_mut().find(|other| other.source == source) {
                Some(other) => *other = resource,
                None => resources.push(resource),
            }
            [files, resources].concat()
        };
        let current = registry.current();
        let (snapshot, mut problems) = Snapshot::build(&documents, Some(&current), &*self.check_script);
        let lost = current.sources_without(&snapshot);
        problems.retain(|problem| problem.source == source || lost.contains(&*problem.source));
        (snapshot, problems)
    }

    /// From here on conflicts of names that `tolerance` covers are only warned of. Reads scripts: not for a thread that
    /// serves requests.
    pub fn tolerate(&self, tolerance: Tolerance, registry: &Registry) {
        let declared = self.declared();
        let documents = self.documents(&declared);
        let current = registry.current();
        let (snapshot, problems) = Snapshot::build_anew(&documents, Some(&current), &*self.check_script, tolerance);
        registry.replace(snapshot, problems);
    }

    fn build(&self, declared: MutexGuard<'_, Declared>, registry: &Registry) -> bool {
        let documents = self.documents(&declared);
        let current = registry.current();
        if current.is_of(&documents) {
            return false;
        }
        let (snapshot, problems) = Snapshot::build(&documents, Some(&current), &*self.check_script);
        let known = registry.problems();
        // Ten thousand tenants may have as many things to tell of, and mostly it is the same as before.
        if problems != *known {
            let known: HashSet<&Problem> = known.iter().collect();
            log(problems.iter().filter(|problem| !known.contains(problem)));
        }
        tracing::info!(
            tenants = snapshot.tenant_count(),
            clients = snapshot.client_count(),
            "tenants and clients were read again"
        );
        registry.replace(snapshot, problems);
        true
    }

    fn declared(&self) -> MutexGuard<'_, Declared> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn documents(&self, declared: &Declared) -> Vec<Document> {
        let mut documents = [declared.files.as_slice(), &declared.resources].concat();
        if !documents.iter().any(|document| document.kind == Some(Kind::Tenant)) {
            documents.extend_from_slice(&self.demo);
        }
        documents
    }

    fn arm(&self, changes: UnboundedSender<()>) -> notify::Result<RecommendedWatcher> {
        // The watcher reports absolute paths, and DIRECTORY is relative by default.
        let base = std::path::absolute(self.folder.path())?;
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| matters(&event, &base)) {
                // The other end is gone once the watching has ended.
                let _ = changes.send(());
            }
        })?;
        for folder in self.folder.folders() {
            let watched = watcher.watch(&folder, RecursiveMode::NonRecursive);
            if let Err(error) = watched
                && folder.exists()
            {
                return Err(error);
            }
        }
        Ok(watcher)
    }
}

/// Watches the folder for as long as the future is polled, and reloads the registry after each change.
pub async fn watch(loader: Arc<Loader>, registry: Registry) {
    let mut blind = false;
    loop {
        let (sender, mut changes) = unbounded_channel();
        let (loader, registry) = (loader.clone(), registry.clone());
        // Armed first and read second, so that nothing is missed in between; armed anew each time, because folders and
        // links may have been replaced by others of the same name.
        let reading = tokio::task::spawn_blocking(move || {
            let watcher = loader.arm(sender);
            loader.reload(&registry);
            watcher
        });
        let watcher = match reading.await {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::error!(%error, "reading tenants and clients failed");
                sleep(POLL).await;
                continue;
            }
        };
        if let Err(error) = &watcher
            && !std::mem::replace(&mut blind, true)
        {
            tracing::warn!(%error, "the folder of tenants and clients cannot be watched; it is read every {POLL:?} instead");
        }
        tokio::select! {
            () = settled(&mut changes), if watcher.is_ok() => {}
            () = sleep(POLL) => {}
        }
    }
}

async fn settled(changes: &mut UnboundedReceiver<()>) {
    if changes.recv().await.is_none() {
        return std::future::pending().await;
    }
    let end = Instant::now() + SETTLE_AT_MOST;
    while let Ok(Some(())) = timeout_at(end.min(Instant::now() + SETTLE), changes.recv()).await {}
}

/// Whether something changed in the folder, or on the way to it. Our own reading is an event too, and so is every write
/// of a store whose file lies beside the folder.
fn matters(event: &Event, base: &Path) -> bool {
    let changed = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    let near = |path: &PathBuf| path.starts_with(base) || base.starts_with(path);
    changed && (event.paths.is_empty() || event.paths.iter().any(near))
}

/// Writes problems to the log, errors louder than warnings.
pub fn log<'a>(problems: impl Iterator<Item = &'a Problem>) {
    for Problem { severity, source, entity, message, .. } in problems {
        match severity {
            Severity::Error => tracing::error!(%source, %entity, "{message}"),
            Severity::Warning => tracing::warn!(%source, %entity, "{message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange, ModifyKind};

    use super::*;

    #[test]
    fn only_changes_in_the_folder_or_on_the_way_to_it_matter() {
        let base = Path::new("/srv/Resources/Configurations");
        let created = EventKind::Create(CreateKind::Any);
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        for (kind, path, expected) in [
            (created, "/srv/Resources/Configurations/Tenants/a.yaml", true),
            (written, "/srv/Resources/Configurations/Tenants/..data", true),
            (created, "/srv/Resources", true),
            (
                EventKind::Access(AccessKind::Close(AccessMode::Write)),
                "/srv/Resources/Configurations/Clients/a.yaml",
                true,
            ),
            // our own reading
            (
                EventKind::Access(AccessKind::Open(AccessMode::Any)),
                "/srv/Resources/Configurations/Tenants/a.yaml",
                false,
            ),
            (EventKind::Access(AccessKind::Close(AccessMode::Read)), "/srv/Resources/Configurations/Tenants", false),
            // a store beside the folder
            (written, "/srv/uitsmijter.redb", false),
            (created, "/srv/Resources/Views/login.html", false),
        ] {
            assert_eq!(matters(&Event::new(kind).add_path(path.into()), base), expected, "{kind:?} {path}");
        }
    }
}
