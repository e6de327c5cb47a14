//! No circles of files: what a file uses does not use that file, not even around corners.
//!
//! Floors keep folders apart; this keeps the files within a folder readable one after the other. A `pub use` is a second
//! name for what it names and no use of it, and what only tests use does not count.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::{Import, imports, without_comments};
use super::{Source, assert_none, sources};

/// The circles that stay: one thought in two files, each with the reason why it is not one file or two thoughts.
const ACCEPTED: [(&[&str], &str); 0] = [];

type Module = Vec<String>;

/// Which files there are, and which second names they give to what others have.
struct Tree<'s> {
    files: BTreeMap<Module, &'s Source>,
    aliases: BTreeMap<(Module, String), Import>,
}

impl<'s> Tree<'s> {
    fn of(sources: &'s [Source]) -> Self {
        let module = |source: &Source| source.module().iter().map(ToString::to_string).collect::<Module>();
        let files: BTreeMap<Module, &Source> = sources.iter().map(|source| (module(source), source)).collect();
        let mut tree = Self { files, aliases: BTreeMap::new() };
        let mut aliases = BTreeMap::new();
        for (module, source) in &tree.files {
            for import in tree.imports(&split(&source.text).0, module) {
                if let Some(name) = import.last() {
                    aliases.insert((module.clone(), name.clone()), import);
                }
            }
        }
        tree.aliases = aliases;
        tree
    }

    /// What `text` of the file `module` names, its own children without `self` included.
    fn imports(&self, text: &str, module: &Module) -> Vec<Import> {
        let is_child = |name: &str| self.files.contains_key(&[module.as_slice(), &[name.to_owned()]].concat());
        let place: Vec<&str> = module.iter().map(String::as_str).collect();
        imports(text, &place, &is_child)
    }

    /// The file that has what `path` names.
    fn file_of(&self, path: &[String]) -> Option<&Module> {
        let length = (1..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, _) = self.files.get_key_value(&path[..length])?;
        let alias = path.get(length).and_then(|name| self.aliases.get(&(module.clone(), name.clone())));
        match alias {
            Some(other) if other.as_slice() != path => self.file_of(other),
            _ => Some(module),
        }
    }

    /// The files that a file uses.
    fn uses(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let uses = self.files.iter().map(|(module, source)| {
            let imports = self.imports(&split(&source.text).1, module);
            let others = imports.iter().filter_map(|path| self.file_of(path)).filter(|other| *other != module);
            (self.files.get_key_value(module).map_or(module, |(own, _)| own), others.collect())
        });
        uses.collect()
    }

    /// Every circle: the paths of its files, in order.
    fn circles(&self) -> BTreeSet<Vec<&str>> {
        let uses = self.uses();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            uses.keys().map(|from| (*from, reached_from(from, &uses))).collect();
        let circle = |from: &Module| -> Vec<&str> {
            let there_and_back = |to: &&&Module| reached[**to].contains(from);
            let circle = reached[from].iter().filter(there_and_back).map(|to| self.files[*to].path.as_str());
            circle.collect()
        };
        uses.keys().map(|from| circle(from)).filter(|circle| circle.len() > 1).collect()
    }
}

fn reached_from<'m>(from: &Module, uses: &BTreeMap<&'m Module, BTreeSet<&'m Module>>) -> BTreeSet<&'m Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = uses[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&uses[module]);
        }
    }
    reached
}

/// The `pub use` of a text, and everything else but its tests.
fn split(text: &str) -> (String, String) {
    let text = without_comments(text);
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let (mut public, mut rest) = (String::new(), String::new());
    let mut in_public = false;
    for statement in text.split_inclusive(';') {
        let begins = statement.trim_start().lines().last().unwrap_or_default();
        in_public |= begins.starts_with("pub use ") || (begins.starts_with("pub(") && begins.contains(") use "));
        if in_public {
            public.push_str(statement)
        } else {
            rest.push_str(statement)
        }
        in_public = false;
    }
    (public, rest)
}

/// What is wrong with the circles of `sources`, one sentence each.
fn wrong(sources: &[Source], accepted: &[(&[&str], &str)]) -> Vec<String> {
    let tree = Tree::of(sources);
    let circles = tree.circles();
    let is_accepted = |circle: &Vec<&str>| accepted.iter().any(|(files, _)| circle.as_slice() == *files);
    let new = circles.iter().filter(|circle| !is_accepted(circle));
    let gone = accepted.iter().filter(|(files, _)| !circles.contains(*files));
    let new = new.map(|circle| {
        format!("{} use each other in a circle: a part of one belongs into a file below them", circle.join(", "))
    });
    new.chain(gone.map(|(files, _)| format!("{} are no circle any more: take them off the list", files.join(", "))))
        .collect()
}

#[test]
fn files_do_not_use_each_other_in_circles() {
    assert_none(wrong(&sources("src"), &ACCEPTED));
}

#[test]
fn a_circle_is_found_around_corners_and_behind_second_names() {
    let source = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let found = |files: &[(&str, &str)]| {
        let sources: Vec<Source> = files.iter().map(|(path, text)| source(path, text)).collect();
        wrong(&sources, &[])
    };
    let (a, b, c) = ("src/key/a.rs", "src/key/b.rs", "src/key/c.rs");
    let circle = vec![format!("{a}, {b} use each other in a circle: a part of one belongs into a file below them")];
    assert_eq!(found(&[(a, "use super::b::B;"), (b, "fn f() { crate::key::a::g() }")]), circle);
    assert_eq!(found(&[(a, "use super::b::B;"), (b, "use super::c::C;"), (c, "use super::a::A;")]).len(), 1);
    let front = "mod a;\nmod b;\npub use a::A;\npub(crate) use b::{B, B2};";
    assert_eq!(found(&[("src/key/mod.rs", front), (a, "use super::B;"), (b, "use super::A;")]), circle);
    assert_eq!(
        found(&[("src/key/mod.rs", "mod a;\nfn f() { a::g() }\nconst N: u8 = 1;"), (a, "use super::N;")]).len(),
        1
    );
    assert!(found(&[("src/key/mod.rs", front), (a, "use super::B;"), (b, "fn f() {}")]).is_empty());
    assert!(found(&[(a, "use super::b::B;"), (b, "#[cfg(test)]\nmod tests {\n use crate::key::a::A; }")]).is_empty());
    let both: &[&str] = &[a, b];
    let alone = [source(a, ""), source(b, "use super::a::A;")];
    assert_eq!(wrong(&alone, &[(both, "why")]), [format!("{a}, {b} are no circle any more: take them off the list")]);
}
