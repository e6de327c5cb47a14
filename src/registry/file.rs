//! Reads a folder of YAML: each document in it, or why it cannot be read.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::document::{Document, Kind};
use super::{Problem, Severity};

/// Nobody declares a larger file by hand; reading it would only cost memory.
const LARGEST: u64 = 8 * 1024 * 1024;

/// Of one file: tens of thousands of them in one would hold up what other files change.
const MOST_DOCUMENTS: usize = 20_000;

/// `<DIRECTORY>/Resources/Configurations` with its folders `Tenants` and `Clients`.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder below `directory`. It need not exist.
    pub fn below(directory: &Path) -> Self {
        Self(directory.join("Resources").join("Configurations"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All documents, sorted by path; a file or folder that cannot be read is one document that says why.
    pub fn documents(&self) -> Vec<Document> {
        let mut documents = Vec::new();
        for (name, kind) in [("Tenants", Kind::Tenant), ("Clients", Kind::Client)] {
            let folder = self.0.join(name);
            match files(&folder) {
                Ok(files) => files.iter().for_each(|file| read(file, kind, &mut documents)),
                Err(error) => documents.push(Document::unreadable(
                    &shown(&folder),
                    Some(kind),
                    format!("the folder cannot be read ({error}); check its permissions"),
                )),
            }
        }
        documents
    }

    /// Files that were meant for one of the two folders and lie beside them, where they are not read.
    pub fn misplaced(&self) -> Vec<Problem> {
        let mut files: Vec<PathBuf> = entries(&self.0).unwrap_or_default();
        files.retain(|file| is_yaml(file) && !file.is_dir());
        files.sort_unstable();
        let message = "it is not read here; move it to the folder Tenants or Clients beside it";
        let problem = |file: PathBuf| Problem {
            severity: Severity::Warning,
            source: shown(&file),
            entity: String::new(),
            message: message.into(),
            awaits: false,
        };
        files.into_iter().map(problem).collect()
    }

    /// The folders whose changes matter: the two with their sub-folders, and those on the way to them.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.0.ancestors().take(3).map(Path::to_path_buf).collect();
        for name in ["Tenants", "Clients"] {
            let folder = self.0.join(name);
            folders.extend(entries(&folder).unwrap_or_default().into_iter().filter(|entry| entry.is_dir()));
            folders.push(folder);
        }
        folders
    }
}

/// The YAML files of a folder and of its sub-folders, one level deep. A folder that is not there has none.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in entries(folder)? {
        if entry.is_dir() {
            files.extend(entries(&entry)?.into_iter().filter(|inner| !inner.is_dir()));
        } else {
            files.push(entry);
        }
    }
    files.retain(|file| is_yaml(file));
    files.sort_unstable();
    Ok(files)
}

fn is_yaml(file: &Path) -> bool {
    file.extension().is_some_and(|name| name.eq_ignore_ascii_case("yaml") || name.eq_ignore_ascii_case("yml"))
}

/// What is in a folder, except what is hidden: `..data` and its like are how a ConfigMap swaps its files at once.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let reading = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        reading => reading?,
    };
    let mut entries = Vec::new();
    for entry in reading {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    Ok(entries)
}

fn read(file: &Path, kind: Kind, documents: &mut Vec<Document>) {
    match text(file) {
        Ok(text) => {
            let mut found = Document::split(&shown(file), Some(kind), &text);
            if found.len() > MOST_DOCUMENTS {
                let reason = format!("it has more than {MOST_DOCUMENTS} documents; spread them over several files");
                found = vec![Document::unreadable(&shown(file), Some(kind), reason)];
            }
            documents.append(&mut found);
        }
        // Deleted since the folder was listed; a link that leads nowhere is another matter.
        Err(_) if fs::symlink_metadata(file).is_err() => {}
        Err(reason) => documents.push(Document::unreadable(&shown(file), Some(kind), reason)),
    }
}

fn text(file: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("the file cannot be read ({error}); check its permissions");
    let metadata = fs::metadata(file).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("it is not a file".into());
    }
    if metadata.len() > LARGEST {
        return Err(format!("it is larger than {} MiB; spread its documents over several files", LARGEST >> 20));
    }
    let bytes = fs::read(file).map_err(unreadable)?;
    String::from_utf8(bytes)
        .map_err(|error| format!("byte {} is not UTF-8; save the file in UTF-8", error.utf8_error().valid_up_to()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
