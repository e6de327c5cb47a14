//! An operator's own sentences, in `Resources/Translations/<language>.json`: for all tenants, and in place of the
//! program's, key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::listed::LARGEST;
use crate::page::locale::{Locale, Translations, Words, places};

/// What was found: the sentences that can be shown, and what is left out, by file and reason.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) words: Words,
    pub(super) broken: Vec<(String, String)>,
}

/// Reads all files; where there is no folder there is nothing.
pub(super) fn read(folder: &Path, known: &Translations) -> Found {
    let mut found = Found::default();
    for locale in Locale::ALL {
        let path = folder.join(format!("{}.json", locale.tag()));
        if !path.exists() {
            continue;
        }
        let mut leave_out = |reason| found.broken.push((path.display().to_string(), reason));
        match sentences(&path) {
            Ok(mut sentences) => {
                sentences.retain(|key, sentence| check(known, key, sentence).map_err(&mut leave_out).is_ok());
                found.words.insert(locale, sentences);
            }
            Err(error) => leave_out(format!("{error:#}")),
        }
    }
    found
}

fn sentences(path: &Path) -> Result<BTreeMap<String, String>> {
    let size = fs::metadata(path)?.len();
    ensure!(size <= LARGEST, "it is bigger than {LARGEST} bytes");
    serde_json::from_slice(&fs::read(path)?).context("it must be an object of keys and sentences")
}

/// A sentence may leave out places of ours, but may not name others.
fn check(known: &Translations, key: &str, sentence: &str) -> Result<(), String> {
    let english = known.get(Locale::English, key).ok_or_else(|| format!("there is no key {key:?}"))?;
    let named: BTreeSet<&str> = places(english).collect();
    match places(sentence).find(|place| !named.contains(place)) {
        Some(place) => Err(format!("{key}: nothing is put in place of {{{place}}}")),
        None => Ok(()),
    }
}
