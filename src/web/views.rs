//! Tenants' own templates: `Resources/Views/<slug>/*.html`, read again when they change.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;

use super::pages::Pages;
use crate::registry::tenant::Tenant;
use crate::store::digest_of;

/// The most that one template may have; ours have less than 4 KiB.
const LARGEST: u64 = 256 * 1024;
/// The most templates that one tenant may have.
const MOST: usize = 100;

/// The pages of every tenant. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub struct Views {
    folder: PathBuf,
    default: Pages,
    own: Arc<ArcSwap<HashMap<String, Arc<View>>>>,
}

/// What one folder had when it was read.
struct View {
    digest: String,
    pages: Pages,
}

impl Views {
    /// The views below `directory`, which is the base of all resources; nothing is read yet.
    pub fn below(directory: &Path, default: Pages) -> Self {
        Self { folder: directory.join("Resources/Views"), default, own: Arc::default() }
    }

    /// The pages of `tenant`: its own, or the default ones.
    pub fn of(&self, tenant: &Tenant) -> Pages {
        self.own.load().get(&slug(&tenant.name)).map_or_else(|| self.default.clone(), |view| view.pages.clone())
    }

    /// Reads every folder again that changed. A template that is broken is left out, and a folder that cannot be read
    /// stays as it was. Does I/O: not for a thread that serves requests.
    ///
    /// Errors: the folder of all views is there and cannot be read.
    pub fn reload(&self) -> Result<()> {
        let before = self.own.load_full();
        let mut after = HashMap::new();
        for (slug, folder) in folders(&self.folder)? {
            let known = before.get(&slug);
            match read(&folder) {
                Ok(templates) => {
                    let digest = digest_of(&serde_json::to_vec(&templates)?);
                    let view = match known.filter(|view| view.digest == digest) {
                        Some(view) => view.clone(),
                        None => {
                            tracing::info!(view = slug, templates = templates.len(), "a tenant's templates were read");
                            let pages = self.default.with_templates(templates.into_iter().collect())?;
                            Arc::new(View { digest, pages })
                        }
                    };
                    after.insert(slug, view);
                }
                Err(error) => {
                    let cause = format!("{error:#}");
                    tracing::warn!(view = slug, cause, "a tenant's templates cannot be read; they stay as they were");
                    after.extend(known.map(|view| (slug, view.clone())));
                }
            }
        }
        self.own.store(Arc::new(after));
        Ok(())
    }
}

/// The folders with their names, which are tenants' slugs.
fn folders(base: &Path) -> Result<Vec<(String, PathBuf)>> {
    if !base.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(base).with_context(|| format!("{} cannot be read", base.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir());
    Ok(paths.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path.clone()))).collect())
}

/// File name and source of every template, in the order of their names.
fn read(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut templates = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".html")) else {
            continue;
        };
        let size = fs::metadata(&path).with_context(|| path.display().to_string())?.len();
        anyhow::ensure!(size <= LARGEST, "{} is bigger than {LARGEST} bytes", path.display());
        anyhow::ensure!(templates.len() < MOST, "there are more than {MOST} templates");
        let source = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        templates.push((name.to_owned(), source));
    }
    templates.sort();
    Ok(templates)
}

/// A tenant's name as a folder: lower case, and a hyphen for everything but letters and digits.
fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_name_becomes_a_folder() {
        assert_eq!(slug("acme"), "acme");
        assert_eq!(slug("Prod/Acme.Shop_2"), "prod-acme-shop-2");
        assert_eq!(slug("../../etc"), "etc");
    }
}
