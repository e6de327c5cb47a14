//! What documents say of the tree is true: the files that they name exist, and the table of specifications leads to files
//! that cite them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::assert_none;

/// The documents that name files, besides the decisions.
const DOCUMENTS: [&str; 5] = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "src/lib.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between backticks in a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The files and folders that `text` names: in backticks, or anywhere if they begin with `src/` or `tests/`.
fn files(text: &str) -> BTreeSet<&str> {
    let is_path = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    // A `mod.rs` alone is any of them.
    let in_backticks = text.lines().flat_map(quoted).filter(|name| *name != "mod.rs").filter(move |name| {
        [".rs", "/"].iter().any(|end| name.ends_with(end)) && !name.starts_with('/') && is_path(name)
    });
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c)));
    let words = words.map(|word| word.trim_end_matches(['.', '-']));
    in_backticks.chain(words.filter(|word| word.starts_with("src/") || word.starts_with("tests/"))).collect()
}

/// The files that `text` names and nobody can open.
fn missing(document: &str, text: &str) -> Vec<String> {
    let exists = |name: &str| ["", "src", "tests/it"].iter().any(|base| root().join(base).join(name).exists());
    let missing = files(text).into_iter().filter(|name| !exists(name));
    missing.map(|name| format!("{document} names `{name}`, which does not exist")).collect()
}

/// What is wrong with a row of the table in `src/lib.rs`, where `read` gives the text of a file.
fn wrong_in_row(row: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut cells = row.trim_matches('|').split(" | ");
    let specification = cells.next().unwrap_or_default().trim();
    let is_number = |word: &&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let numbers: Vec<&str> = specification.split([' ', ',']).filter(is_number).collect();
    let cites = |text: &str, number: &str| text.contains(&format!("RFC {number}"));
    let (mut wrong, mut texts) = (Vec::new(), Vec::new());
    for path in cells.flat_map(quoted) {
        match read(path) {
            None => wrong.push(format!("{specification}: {path} does not exist")),
            Some(text) if !numbers.is_empty() && !numbers.iter().any(|number| cites(&text, number)) => {
                wrong.push(format!("{specification}: {path} does not cite it"));
            }
            Some(text) => texts.push(text),
        }
    }
    let uncited = numbers.iter().filter(|number| !texts.iter().any(|text| cites(text, number)));
    wrong.extend(uncited.map(|number| format!("{specification}: no file of the row cites RFC {number}")));
    wrong
}

#[test]
fn every_file_that_the_documents_name_exists() {
    let decisions = fs::read_dir(root().join("docs/adr")).unwrap();
    let decisions = decisions.map(|entry| format!("docs/adr/{}", entry.unwrap().file_name().display()));
    let documents = decisions.chain(DOCUMENTS.map(str::to_owned));
    assert_none(documents.flat_map(|document| missing(&document, &read(&document))).collect());
}

#[test]
fn every_specification_leads_to_files_that_cite_it() {
    let text = read("src/lib.rs");
    let rows: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("//! | ")).skip(2).collect();
    assert!(rows.len() > 20, "the table of specifications: {rows:?}");
    let read = |path: &str| fs::read_to_string(root().join("src").join(path)).ok();
    assert_none(rows.iter().flat_map(|row| wrong_in_row(row, &read)).collect());
    for number in ["6749", "7636", "8628", "8693", "8707", "9068", "9207"] {
        assert!(rows.iter().any(|row| row.contains(&format!("RFC {number}"))), "RFC {number} has no row");
    }
}

#[test]
fn a_document_that_is_wrong_is_found() {
    assert_eq!(missing("a.md", "see `src/nobody.rs`, `nobody/` and `app.rs`").len(), 2);
    assert_eq!(missing("a.md", "in src/nobody.rs."), ["a.md names `src/nobody.rs`, which does not exist"]);
    assert!(missing("a.md", "in src/app.rs, tests/it/floors/ and `token/`; `/token/`").is_empty());

    let read = |path: &str| (path == "a.rs").then(|| "//! RFC 1234 §5.".to_owned());
    let row = |row: &str| wrong_in_row(row, &read);
    assert!(row("RFC 1234 §5 things | `a.rs` | | |").is_empty());
    assert_eq!(row("RFC 1234 things | `a.rs` | `b.rs` | |"), ["RFC 1234 things: b.rs does not exist"]);
    assert_eq!(row("RFC 1234, 5678 | | `a.rs` | |"), ["RFC 1234, 5678: no file of the row cites RFC 5678"]);
    assert_eq!(row("RFC 4321 | `a.rs` | | |")[0], "RFC 4321: a.rs does not cite it");
}
