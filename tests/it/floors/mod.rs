//! The house rules of the tree: imports point down, dependencies stay behind their fences, no drawers.
//!
//! Rust cannot forbid an upward `use` inside one crate, so this test does. `docs/architecture.md` tells the reasons.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

mod circles;
mod documents;
mod imports;
mod makers;
use imports::{first_segments, imports, without_comments};

/// On which floor a module lives. The tens are the floors; within one, a higher number stands above. Modules with the same
/// number are siblings, and siblings do not know each other.
const FLOORS: [(&str, u8); 35] = [
    // 0: words
    ("protocol", 0),
    ("clock", 0),
    ("random", 0),
    ("recent", 0),
    ("secret", 0),
    ("metrics", 0),
    ("audit", 0),
    ("logged_name", 0),
    ("telemetry", 0),
    // 1: memory
    ("store", 10),
    ("registry", 10),
    ("sealing", 11),
    // 2: machinery
    ("outgoing", 20),
    ("session", 20),
    ("key", 20),
    ("login", 21),
    // 3: decisions
    ("issuer", 30),
    ("token", 31),
    ("client", 31),
    ("sso", 32),
    ("grant", 33),
    // 4: HTTP
    ("settings", 40),
    ("log", 41),
    ("origin", 41),
    ("turned_away", 41),
    ("undeclared_proxies", 41),
    ("page", 41),
    ("document", 41),
    ("app", 42),
    ("web", 43),
    ("endpoint", 44),
    // 5: the whole
    ("server", 50),
    ("command", 51),
    ("main", 52),
    ("lib", 53),
];

/// An external crate, the paths that may name it, and why nobody else may.
const FENCES: [(&str, &[&str], &str); 8] = [
    (
        "axum",
        &["src/origin.rs", "src/page/", "src/document/", "src/app.rs", "src/web/", "src/endpoint/", "src/server/"],
        "the rules of the protocol know no HTTP",
    ),
    ("kube", &["src/registry/kubernetes/"], "everyone else knows documents, wherever they stand"),
    ("k8s_openapi", &["src/registry/kubernetes/"], "everyone else knows documents, wherever they stand"),
    ("rquickjs", &["src/login/script/"], "scripts run in one place, under its limits"),
    ("redis", &["src/store/"], "everyone else speaks to the Backend"),
    ("redb", &["src/store/"], "everyone else speaks to the Backend"),
    ("opentelemetry", &["src/telemetry/"], "everyone else writes lines and spans for tracing"),
    ("object_store", &["src/page/views/s3.rs"], "buckets are read in one place, under its limits"),
];

/// Where a feature may decide what is compiled; everywhere else the code is the same for everyone.
const FEATURES: [&str; 6] = [
    "src/store/mod.rs",
    "src/store/opening.rs",
    "src/registry/mod.rs",
    "src/settings/",
    "src/telemetry/mod.rs",
    "src/page/views/mod.rs",
];

/// Longer files hold two thoughts.
const MOST_LINES: usize = 400;

/// One source file: where it lies, and what it says.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// `["web", "form"]` for `src/web/form.rs`, `["web"]` for `src/web/mod.rs`.
    fn module(&self) -> Vec<&str> {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let inner = inner.strip_suffix(".rs").unwrap_or(inner);
        inner.strip_suffix("/mod").unwrap_or(inner).split('/').collect()
    }
}

/// All Rust below `folder`, in order.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("node_modules") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                sources.push(Source { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!sources.is_empty(), "no Rust below {folder}");
    sources
}

/// The name and number of the floor on which a module, or something in it, lives.
fn floor(path: &[&str]) -> Option<(&'static str, u8)> {
    FLOORS.iter().find(|(name, _)| path.first() == Some(name)).copied()
}

/// What is wrong with the imports of a file, one sentence each.
fn upward(source: &Source) -> Vec<String> {
    let module = source.module();
    let path = source.path.trim_start_matches("src/");
    let Some((_, own)) = floor(&module) else {
        return vec![format!("{path} is on no floor: give its module a place in FLOORS and in docs/architecture.md")];
    };
    let mut wrong = Vec::new();
    for import in imports(&source.text, &module, &|_| false) {
        let target: Vec<&str> = import.iter().map(String::as_str).collect();
        let Some((name, other)) = floor(&target) else { continue };
        match other.cmp(&own) {
            Ordering::Less => {}
            Ordering::Equal if target.first() == module.first() => {}
            Ordering::Equal => wrong.push(format!("{path} may not use crate::{name}, which is a sibling")),
            Ordering::Greater => wrong.push(format!("{path} may not use crate::{name}, which is above it")),
        }
    }
    wrong.dedup();
    wrong
}

/// What is wrong with the external crates and features that a file names.
fn over_the_fence(source: &Source) -> Vec<String> {
    let Source { path, text } = source;
    let within = |allowed: &[&str]| allowed.iter().any(|allowed| path.starts_with(allowed));
    let named = first_segments(text);
    let mut wrong: Vec<String> = FENCES
        .iter()
        .filter(|(name, allowed, _)| named.iter().any(|own| own == name) && !within(allowed))
        .map(|(name, _, why)| format!("{path} may not use {name}: {why}"))
        .collect();
    let by_feature = without_comments(text).lines().any(|line| line.contains("cfg") && line.contains("feature ="));
    if by_feature && !within(&FEATURES) {
        wrong.push(format!("{path} may not depend on a feature; only {} may", FEATURES.join(", ")));
    }
    wrong
}

/// What is wrong with the shape of a file.
fn misshapen(Source { path, text }: &Source, most_lines: Option<usize>) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//! ") {
        wrong.push(format!("{path} does not say in its first line, after //!, what it is for"));
    }
    let lines = text.lines().count();
    if let Some(most) = most_lines.filter(|most| lines > *most) {
        wrong.push(format!("{path} has {lines} lines; above {most} it is two files"));
    }
    let drawer = |part: &str| {
        let part = part.trim_end_matches(".rs");
        ["util", "utils", "helper", "helpers", "common", "misc"].contains(&part)
    };
    if path.split('/').any(drawer) {
        wrong.push(format!("{path} is a drawer: what it holds belongs on the lowest floor that has its word"));
    }
    wrong
}

fn assert_none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

#[test]
fn imports_point_down() {
    assert_none(sources("src").iter().flat_map(upward).collect());
}

#[test]
fn dependencies_stay_behind_their_fences() {
    assert_none(sources("src").iter().flat_map(over_the_fence).collect());
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_thought() {
    assert_none(sources("src").iter().flat_map(|source| misshapen(source, Some(MOST_LINES))).collect());
    assert_none(sources("tests").iter().flat_map(|source| misshapen(source, None)).collect());
}

#[test]
fn every_floor_that_is_named_has_a_module() {
    let sources = sources("src");
    for (name, _) in FLOORS {
        let lives = |source: &Source| source.module().join("::").starts_with(name);
        assert!(sources.iter().any(lives), "{name} has a floor and no file");
    }
}

#[test]
fn the_rules_see_what_breaks_them() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let first = |wrong: Vec<String>| wrong.into_iter().next().unwrap_or_default();
    let up = |path: &str, text: &str| first(upward(&source(path, text)));
    assert_eq!(
        up("src/protocol/scope.rs", "use crate::{store};"),
        "protocol/scope.rs may not use crate::store, which is above it"
    );
    assert_eq!(
        up("src/key/a.rs", "use super::super::session::x;"),
        "key/a.rs may not use crate::session, which is a sibling"
    );
    assert_eq!(up("src/page/a.rs", "use crate::web::form;"), "page/a.rs may not use crate::web, which is above it");
    assert_eq!(up("src/web/form.rs", "use super::host::Host; use crate::app::App;"), "");
    assert_eq!(
        up("src/token/a.rs", "fn f(g: crate::grant::G) {}"),
        "token/a.rs may not use crate::grant, which is above it"
    );
    assert!(up("src/attic.rs", "").starts_with("attic.rs is on no floor"));

    let fence = |path: &str, text: &str| first(over_the_fence(&source(path, text)));
    assert_eq!(
        fence("src/grant/a.rs", "use axum::Json;"),
        "src/grant/a.rs may not use axum: the rules of the protocol know no HTTP"
    );
    assert_eq!(fence("src/web/a.rs", "use axum::Json;"), "");
    assert!(fence("src/key/a.rs", "fn f() { redis::cmd() }").starts_with("src/key/a.rs may not use redis"));
    assert!(fence("src/app.rs", "#[cfg(feature = \"redis\")]").starts_with("src/app.rs may not depend on a feature"));
    assert_eq!(fence("src/app.rs", "// #[cfg(feature = \"redis\")]"), "");

    let shape = |path: &str, text: &str| first(misshapen(&source(path, text), Some(2)));
    assert!(shape("src/a.rs", "use b;").contains("first line"));
    assert!(shape("src/a.rs", "//! A.\n\n\n").contains("has 3 lines"));
    assert!(shape("src/web/util.rs", "//! A.").contains("drawer"));
}
