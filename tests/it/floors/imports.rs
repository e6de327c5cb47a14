//! Reads Rust just well enough to say which of our modules a file names: no more than names, braces and `::`.

/// A path that a file names: its segments from the crate's root, without `crate` itself.
pub(super) type Import = Vec<String>;

/// Every path in `text` that begins with `crate`, `super`, `self`, our own name or that of a child of the file, wherever
/// it stands. Groups and `super::super` are resolved; `module` is the file's own place, like `["web", "form"]`. Comments
/// and strings do not count.
pub(super) fn imports(text: &str, module: &[&str], is_child: &dyn Fn(&str) -> bool) -> Vec<Import> {
    let tokens = tokens(&without_text(text));
    let mut reader = Reader { tokens: &tokens, at: 0, found: Vec::new() };
    let mut place: Vec<String> = module.iter().map(ToString::to_string).collect();
    // The depth at which each `mod name {` inside the file was opened.
    let (mut depth, mut opened) = (0_usize, Vec::new());
    while let Some(token) = reader.peek(0) {
        match token {
            "mod" if reader.peek(2) == Some("{") => {
                place.push(reader.peek(1).unwrap_or_default().to_owned());
                depth += 1;
                opened.push(depth);
                reader.at += 3;
            }
            "{" => (depth, reader.at) = (depth + 1, reader.at + 1),
            "}" => {
                if opened.last() == Some(&depth) {
                    opened.pop();
                    place.pop();
                }
                (depth, reader.at) = (depth.saturating_sub(1), reader.at + 1);
            }
            "crate" | "super" | "self" | "uitsmijter" if reader.begins_a_path() => reader.path(&place),
            name if is_child(name) && reader.begins_a_path() => {
                reader.tree(module.iter().map(ToString::to_string).collect())
            }
            _ => reader.at += 1,
        }
    }
    reader.found
}

/// Every external crate, or other first segment of a path, that `text` names.
pub(super) fn first_segments(text: &str) -> Vec<String> {
    let tokens = tokens(&without_text(text));
    let starts = |at: usize| at == 0 || !matches!(tokens[at - 1].as_str(), "::" | ".");
    let used = |at: usize| tokens.get(at + 1).is_some_and(|next| next == "::") || (at > 0 && tokens[at - 1] == "use");
    (0..tokens.len()).filter(|&at| starts(at) && used(at)).map(|at| tokens[at].clone()).collect()
}

struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
    found: Vec<Import>,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<&str> {
        self.tokens.get(self.at + ahead).map(String::as_str)
    }

    fn begins_a_path(&self) -> bool {
        self.peek(1) == Some("::") && (self.at == 0 || self.tokens[self.at - 1] != "::")
    }

    /// Reads `crate::..`, `self::..` or `super::super::..` from here on.
    fn path(&mut self, place: &[String]) {
        let mut base = match self.peek(0) {
            Some("self" | "super") => place.to_vec(),
            _ => Vec::new(),
        };
        while let Some(word @ ("crate" | "super" | "self" | "uitsmijter")) = self.peek(0) {
            if word == "super" {
                base.pop();
            }
            self.at += 1;
            if self.peek(0) != Some("::") {
                break;
            }
            self.at += 1;
        }
        self.tree(base);
    }

    /// Reads what may stand after `::` in a `use`: a name, names with `::`, a group, a star.
    fn tree(&mut self, mut path: Import) {
        if self.peek(0) == Some("{") {
            self.at += 1;
            while let Some(token) = self.peek(0) {
                match token {
                    "}" => {
                        self.at += 1;
                        break;
                    }
                    "," => self.at += 1,
                    "as" => self.at += 2,
                    _ => self.tree(path.clone()),
                }
            }
            return;
        }
        match self.peek(0) {
            Some("self" | "*") | None => {}
            Some("super") => drop(path.pop()),
            Some(word) => path.push(word.to_owned()),
        }
        self.at += 1;
        if self.peek(0) == Some("::") {
            self.at += 1;
            return self.tree(path);
        }
        self.found.push(path);
    }
}

/// `text` without comments, strings and characters.
fn without_text(text: &str) -> String {
    let text = without_comments(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['"', '\'']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = literal(rest, &out).unwrap_or(1);
        out.push(' ');
        rest = &rest[skipped..];
    }
    out + rest
}

/// How long the string or character is that `rest` begins with; nothing for a lifetime.
fn literal(rest: &str, before: &str) -> Option<usize> {
    let hashes = before.len() - before.trim_end_matches('#').len();
    let raw = before.trim_end_matches('#').ends_with('r');
    if rest.starts_with('"') && raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(1 + rest[1..].find(&end)? + end.len());
    }
    let quote = rest.chars().next()?;
    let mut escaped = false;
    for (at, found) in rest.char_indices().skip(1) {
        match found {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if found == quote => return Some(at + 1),
            // `'a` is a lifetime unless a quote follows its one character.
            _ if quote == '\'' && !rest[at + found.len_utf8()..].starts_with('\'') => return None,
            _ => {}
        }
    }
    None
}

/// `text` without comments; strings keep what they say.
pub(super) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            let kept = if rest.starts_with('/') { 1 } else { literal(rest, &out).unwrap_or(1) };
            out.push_str(&rest[..kept]);
            kept
        };
        rest = &rest[skipped..];
    }
    out + rest
}

/// Names, `::`, and the other marks one by one.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_alphanumeric() || character == '_' {
            let mut word = String::from(character);
            while let Some(next) = characters.next_if(|next| next.is_alphanumeric() || *next == '_') {
                word.push(next);
            }
            tokens.push(word);
        } else if character == ':' && characters.next_if_eq(&':').is_some() {
            tokens.push("::".to_owned());
        } else if !character.is_whitespace() {
            tokens.push(character.to_string());
        }
    }
    tokens
}

fn paths(text: &str, module: &[&str]) -> Vec<String> {
    imports(text, module, &|_| false).iter().map(|path| path.join("::")).collect()
}

#[test]
fn groups_are_taken_apart() {
    let text = "use crate::{store, clock::{Clock, Timestamp as Time}, key::*};\nuse crate::web::{self, form::Form};";
    let expected = ["store", "clock::Clock", "clock::Timestamp", "key", "web", "web::form::Form"];
    assert_eq!(paths(text, &["grant"]), expected);
}

#[test]
fn super_is_counted_from_where_it_stands() {
    assert_eq!(paths("use super::super::store::Store;", &["web", "form"]), ["store::Store"]);
    assert_eq!(paths("use super::{a, super::b};", &["web", "form"]), ["web::a", "b"]);
    assert_eq!(
        paths("mod tests { use super::*; use super::super::look; }", &["web", "page"]),
        ["web::page", "web::look"]
    );
    assert_eq!(paths("mod a { fn b() { c } } use super::d;", &["web", "page"]), ["web::d"]);
    assert_eq!(paths("use self::b::C;", &["web", "page"]), ["web::page::b::C"]);
}

#[test]
fn paths_count_wherever_they_stand() {
    let text = "fn f(x: &crate::store::Store) -> Result<(), crate::grant::E> { uitsmijter::key::go() }";
    assert_eq!(paths(text, &["token"]), ["store::Store", "grant::E", "key::go"]);
    assert_eq!(paths("pub(crate) fn f() {} pub(in crate::login) fn g() {}", &["token"]), ["login"]);
}

#[test]
fn what_is_said_does_not_count() {
    let text = r####"
        // use crate::a;
        /// [`crate::b`] /* */
        const X: &str = "use crate::c; \" // crate::d::e";
        const Y: &str = r##"crate::f::g " "##;
        fn f<'a>(x: &'a str) -> char { '"' }
        /* use crate::h; */ use crate::i;
    "####;
    assert_eq!(paths(text, &["token"]), ["i"]);
}

#[test]
fn first_segments_are_those_of_external_crates_too() {
    let text = "use axum;\nuse redis::Client; fn f() { self.redis.url; http::get(); store::redis::x() }";
    assert_eq!(first_segments(text), ["axum", "redis", "http", "store"]);
}
