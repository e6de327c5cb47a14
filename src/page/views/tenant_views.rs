//! The pages of every tenant, composed of what was read from folders, buckets and translations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::Result;
use arc_swap::ArcSwap;

use super::folder::{self, slug};
use super::listed::Sources;
use super::translations;
use crate::metrics::{Metrics, OfTenant};
use crate::page::locale::Translations;
use crate::page::pages::{Owner, Pages};
use crate::registry::tenant::Tenant;
use crate::registry::{Problem, Severity};

/// The pages of every tenant. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub struct Views(Arc<ViewState>);

struct ViewState {
    folder: PathBuf,
    translations: PathBuf,
    default: Pages,
    metrics: Metrics,
    /// What was read. Locked while pages are composed of it, and never by a request.
    read: Mutex<Read>,
    /// The pages of folders, by slug.
    folders: ArcSwap<HashMap<String, Pages>>,
    /// The pages of tenants whose bucket was read, by the tenant's full name.
    buckets: RwLock<HashMap<Arc<str>, Pages>>,
}

#[derive(Default)]
struct Read {
    sentences: translations::Found,
    /// What each folder had when it was read, by slug.
    folders: HashMap<String, Sources>,
    buckets: HashMap<Arc<str>, ReadBucket>,
}

/// A tenant with a bucket, and the templates of its last reading.
struct ReadBucket {
    tenant: Arc<Tenant>,
    templates: Option<Sources>,
}

impl Views {
    /// The views below `directory`, which is the base of all resources; nothing is read yet.
    pub fn below(directory: &Path, default: Pages, metrics: Metrics) -> Self {
        Self(Arc::new(ViewState {
            folder: directory.join("Resources/Views"),
            translations: directory.join("Resources/Translations"),
            default,
            metrics,
            read: Mutex::default(),
            folders: ArcSwap::default(),
            buckets: RwLock::default(),
        }))
    }

    /// The pages of `tenant`: file by file from its bucket, else from its folder, else the default ones.
    pub fn of(&self, tenant: &Tenant) -> Pages {
        if tenant.templates.is_some()
            && let Some(pages) = self.0.buckets.read().unwrap_or_else(PoisonError::into_inner).get(&tenant.name)
        {
            return pages.clone();
        }
        let folders = self.0.folders.load();
        // Most installations have no folder at all, and need no slug.
        let own = if folders.is_empty() { None } else { folders.get(&slug(&tenant.name)) };
        own.unwrap_or(&self.0.default).clone()
    }

    /// Reads the folders that changed. A template that is broken is left out, and a folder that cannot be read
    /// stays as it was. Does I/O: not for a thread that serves requests.
    ///
    /// Errors: the folder of all views exists and cannot be read.
    pub fn reload(&self) -> Result<()> {
        self.reload_sentences()?;
        let found = folder::all(&self.0.folder)?;
        let mut read = self.lock();
        let mut before = std::mem::take(&mut read.folders);
        let shown = self.0.folders.load();
        let mut after = HashMap::new();
        let mut changed = Vec::new();
        for (slug, path) in found {
            let known = before.remove(&slug);
            match folder::read(&path) {
                Ok(templates) => {
                    let pages = match shown.get(&slug).filter(|_| known.as_ref() == Some(&templates)) {
                        Some(pages) => pages.clone(),
                        None => {
                            tracing::info!(view = slug, templates = templates.len(), "a tenant's templates were read");
                            changed.push(slug.clone());
                            self.compose(&slug, [&templates])?
                        }
                    };
                    read.folders.insert(slug.clone(), templates);
                    after.insert(slug, pages);
                }
                Err(error) => {
                    let cause = format!("{error:#}");
                    tracing::warn!(view = slug, cause, "a tenant's templates cannot be read; they stay as they were");
                    after.extend(shown.get(&slug).map(|pages| (slug.clone(), pages.clone())));
                    read.folders.extend(known.map(|known| (slug, known)));
                }
            }
        }
        changed.extend(before.into_keys());
        self.0.folders.store(Arc::new(after));
        self.show_again(&read, &changed)
    }

    /// Reads the operator's own sentences again. What is broken is left out.
    fn reload_sentences(&self) -> Result<()> {
        let found = translations::read(&self.0.translations, &Translations::embedded()?);
        let mut read = self.lock();
        if found != read.sentences {
            for (file, reason) in &found.broken {
                tracing::warn!(file, reason, "a translation is left out");
            }
            self.0.default.speak(&found.words)?;
            tracing::info!(languages = found.words.len(), "translations were read");
            read.sentences = found;
        }
        Ok(())
    }

    /// From here on these tenants have buckets, and no others. What was read for a tenant that stays is shown
    /// until something else is read, even if its settings changed.
    pub(super) fn expect(&self, tenants: &[Arc<Tenant>]) {
        let mut read = self.lock();
        let mut before = std::mem::take(&mut read.buckets);
        for tenant in tenants {
            let templates = before.remove(&tenant.name).and_then(|bucket| bucket.templates);
            read.buckets.insert(tenant.name.clone(), ReadBucket { tenant: tenant.clone(), templates });
        }
        let mut shown = self.0.buckets.write().unwrap_or_else(PoisonError::into_inner);
        before.into_keys().for_each(|gone| drop(shown.remove(&gone)));
    }

    /// Shows the templates of a tenant's bucket, unless the tenant changed meanwhile. Takes a moment: not for
    /// a thread that serves requests.
    pub(super) fn put(&self, tenant: &Arc<Tenant>, templates: Sources) -> Result<()> {
        let mut read = self.lock();
        let expected = read.buckets.get_mut(&tenant.name).filter(|bucket| Arc::ptr_eq(&bucket.tenant, tenant));
        let Some(bucket) = expected else { return Ok(()) };
        bucket.templates = Some(templates);
        self.show(&read, &tenant.name)
    }

    /// Draws the pages of tenants with buckets again whose folders changed.
    fn show_again(&self, read: &Read, slugs: &[String]) -> Result<()> {
        if slugs.is_empty() {
            return Ok(());
        }
        let concerned = read.buckets.keys().filter(|name| slugs.contains(&slug(name)));
        concerned.into_iter().try_for_each(|name| self.show(read, name))
    }

    /// Composes the pages of a tenant whose bucket was read.
    fn show(&self, read: &Read, name: &Arc<str>) -> Result<()> {
        let Some(own) = read.buckets.get(name).and_then(|bucket| bucket.templates.as_ref()) else { return Ok(()) };
        let folder = read.folders.get(&slug(name));
        let pages = self.compose(name, folder.into_iter().chain([own]))?;
        self.0.buckets.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), pages);
        Ok(())
    }

    /// The default pages under these templates; the last ones win. What is broken is logged and counted.
    fn compose<'a>(&self, owner: &str, templates: impl IntoIterator<Item = &'a Sources>) -> Result<Pages> {
        let failures = self.0.metrics.template_failures.get_or_create_owned(&OfTenant::named(owner));
        let templates = templates.into_iter().flatten().map(|(name, source)| (name.as_str(), &**source));
        let owner = Owner { name: owner.into(), failures };
        let (pages, broken) = self.0.default.with_templates(owner.clone(), templates)?;
        for (template, reason) in broken {
            owner.failures.inc();
            tracing::warn!(view = &*owner.name, template, reason, "a template is broken and left out");
        }
        Ok(pages)
    }

    /// Counts a failure of an owner's templates.
    pub(super) fn count_failure(&self, owner: &str) {
        self.0.metrics.template_failures.get_or_create(&OfTenant::named(owner)).inc();
    }

    fn lock(&self) -> MutexGuard<'_, Read> {
        self.0.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wrong with templates in folders and translations below `directory`, for `uitsmijter check`. Does I/O.
pub fn problems(directory: &Path) -> Result<Vec<Problem>> {
    let default = Pages::new()?;
    let warning = |source: String, message| {
        let (severity, entity) = (Severity::Warning, String::new());
        Problem { severity, source, entity, message, awaits: false }
    };
    let sentences = translations::read(&directory.join("Resources/Translations"), &Translations::embedded()?);
    let mut problems: Vec<Problem> = sentences
        .broken
        .into_iter()
        .map(|(file, reason)| warning(file, format!("the translation is left out: {reason}")))
        .collect();
    for (_, path) in folder::all(&directory.join("Resources/Views"))? {
        let source = path.display().to_string();
        match folder::read(&path) {
            Ok(templates) => {
                let templates = templates.iter().map(|(name, source)| (name.as_str(), &**source));
                let (_, broken) = default.with_templates(Owner::default(), templates)?;
                problems.extend(broken.into_iter().map(|(name, reason)| {
                    let message = format!("the template is broken, the default one is shown: {reason}");
                    warning(format!("{source}/{name}"), message)
                }));
            }
            Err(error) => problems.push(warning(source, format!("the default pages are shown: {error:#}"))),
        }
    }
    problems.sort_by(|one, other| one.source.cmp(&other.source));
    Ok(problems)
}
