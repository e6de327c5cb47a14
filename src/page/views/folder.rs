//! Templates in `Resources/Views/<slug>/`, one folder per tenant.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::listed::{LARGEST, MOST, Sources};

/// The folders by name, which is a tenant's slug. Without a folder of all views there are none.
///
/// Errors: the folder of all views exists and cannot be read.
pub(super) fn all(base: &Path) -> Result<Vec<(String, PathBuf)>> {
    if !base.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(base).with_context(|| format!("{} cannot be read", base.display()))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir());
    Ok(paths.filter_map(|path| Some((path.file_name()?.to_str()?.to_owned(), path.clone()))).collect())
}

/// File name and source of every template, in the order of their names.
///
/// Errors: one of them cannot be read, is too big, or there are too many.
pub(super) fn read(folder: &Path) -> Result<Sources> {
    let mut templates = Sources::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".html")) else {
            continue;
        };
        let size = fs::metadata(&path).with_context(|| path.display().to_string())?.len();
        ensure!(size <= LARGEST, "{} is bigger than {LARGEST} bytes", path.display());
        ensure!(templates.len() < MOST, "there are more than {MOST} templates");
        let source = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        templates.push((name.to_owned(), source.into()));
    }
    templates.sort();
    Ok(templates)
}

/// A tenant's name as a folder: lower case, and a hyphen for everything but letters and digits.
pub(super) fn slug(name: &str) -> String {
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
