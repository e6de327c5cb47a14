//! Facts that are written in two places agree: documents that would otherwise fall behind the code.
//!
//! `config.example.yaml` is held to the settings in `settings.rs`, discovery to the routes in `endpoint/discovery.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The texts between backticks in `text`.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The first column of every table row in `text`.
fn first_column(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
}

#[test]
fn the_readme_has_every_environment_variable_and_no_other() {
    let readme = read("README.md");
    let is_variable =
        |word: &&str| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '_' | '0'..='9'));
    let told: BTreeSet<&str> = first_column(&readme).flat_map(quoted).filter(is_variable).collect();
    let mut read: BTreeSet<&str> = uitsmijter::settings::variables().collect();
    read.insert("UITSMIJTER_CONFIG");
    let missing: Vec<_> = read.difference(&told).collect();
    let unknown: Vec<_> = told.difference(&read).collect();
    assert!(missing.is_empty(), "README.md's table of environment variables leaves out {missing:?}");
    assert!(unknown.is_empty(), "README.md's table names variables that nobody reads: {unknown:?}");
}

#[test]
fn every_target_that_the_documents_name_is_in_the_makefile() {
    let makefile = read("Makefile");
    for document in ["README.md", "CONTRIBUTING.md", "docs/architecture.md"] {
        let text = read(document);
        let commands = quoted(&text).chain(text.lines());
        for target in commands.filter_map(|command| command.trim().strip_prefix("make ")) {
            let target = target.split_whitespace().next().unwrap_or_default();
            let defined = makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            assert!(defined, "{document} says `make {target}`, which the Makefile does not know");
        }
    }
}

#[test]
fn every_decision_is_in_the_list_of_decisions() {
    let architecture = read("docs/architecture.md");
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/adr")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(architecture.contains(&name), "docs/architecture.md does not link docs/adr/{name}");
    }
}
