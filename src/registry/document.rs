//! One YAML document as it stands in its source, before it is parsed.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{Context, SHA256};

use super::problem::Severity;
use super::secrets::Secrets;

/// What a document declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the two words of this module")]
pub enum Kind {
    Tenant,
    Client,
}

impl Kind {
    /// In sentences.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Client => "client",
        }
    }
}

/// One document and where it stands. Its namespace, if it has one, is in its own `metadata`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Document(Arc<Contents>);

/// What a [`Document`] consists of.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The file or resource. A source that cannot be read is one document without text.
    pub source: String,
    /// The line on which it begins, from 1; 0 for what has no lines.
    pub line: usize,
    /// What it declares when it does not say so itself: the folder decides.
    pub kind: Option<Kind>,
    /// YAML or JSON; or why there is none.
    pub text: Result<Arc<str>, String>,
    /// The Secrets that it may name; a file has none.
    pub(super) secrets: Secrets,
    /// Computed once: ten thousand documents are compared whenever one of them changes.
    digest: OnceLock<[u8; 32]>,
}

impl Deref for Document {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.0
    }
}

impl Document {
    /// A document of `text`, which begins on `line` of its source, and the Secrets that it may name.
    pub fn new(
        source: &str,
        line: usize,
        kind: Option<Kind>,
        text: Result<Arc<str>, String>,
        secrets: Secrets,
    ) -> Self {
        Self(Arc::new(Contents { source: source.into(), line, kind, text, secrets, digest: OnceLock::new() }))
    }

    /// The documents of a file, each parsed apart so that a broken one does not hide the others.
    pub fn split(source: &str, kind: Option<Kind>, text: &str) -> Vec<Self> {
        let mut documents = Vec::new();
        let mut part = String::new();
        let mut begins = 1;
        let mut finish = |part: &mut String, line: usize| {
            let says_something = |line: &str| {
                let line = line.trim();
                !line.is_empty() && !line.starts_with(['#', '%']) && line != "..."
            };
            let text = std::mem::take(part);
            if text.lines().any(says_something) {
                documents.push(Self::new(source, line, kind, Ok(text.into()), Secrets::default()));
            }
        };
        // YAML 1.2 §9.1.4: a marker at the start of a line ends a document wherever it stands, even inside a scalar.
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').split_inclusive('\n')) {
            match line.strip_prefix("---") {
                Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => {
                    finish(&mut part, begins);
                    begins = number;
                    part.push_str("   ");
                    part.push_str(rest);
                }
                _ => part.push_str(line),
            }
        }
        finish(&mut part, begins);
        documents
    }

    /// A source that could not be read.
    pub fn unreadable(source: &str, kind: Option<Kind>, reason: String) -> Self {
        Self::new(source, 0, kind, Err(reason), Secrets::default())
    }

    /// The same, as if it stood somewhere else.
    pub(super) fn standing_at(&self, source: &str, line: usize) -> Self {
        Self(Arc::new(Contents { source: source.into(), line, ..Contents::clone(self) }))
    }

    /// Where it stands, for people.
    pub(super) fn place(&self) -> String {
        if self.line == 0 { self.source.clone() } else { format!("{}:{}", self.source, self.line) }
    }

    /// Whether the other reads the same and stands in the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let place = |document: &Self| (document.line, document.text.as_ref().err().cloned());
        Arc::ptr_eq(&self.0, &other.0)
            || (self.source == other.source && place(self) == place(other) && self.digest() == other.digest())
    }

    /// The same for documents that read the same.
    pub(super) fn digest(&self) -> [u8; 32] {
        *self.digest.get_or_init(|| {
            let mut context = Context::new(&SHA256);
            context.update(&[self.kind.map_or(0, |kind| kind as u8 + 1), u8::from(self.text.is_ok())]);
            let text = self.text.as_ref().map_or_else(String::as_bytes, |text| text.as_bytes());
            // What has no lines is told of without them.
            context.update(&[u8::from(self.line > 0)]);
            context.update(text);
            self.secrets.digest_into(&mut context);
            let mut bytes = [0; 32];
            bytes.copy_from_slice(context.finish().as_ref());
            bytes
        })
    }
}

/// What is wrong with one document.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Findings(pub(super) Vec<(Severity, String)>);

/// More than anybody reads of one document.
const MOST_FINDINGS: usize = 50;
/// Of a message, in characters; it may quote what somebody wrote at length.
const LONGEST_MESSAGE: usize = 1000;

impl Findings {
    pub(super) fn error(&mut self, message: impl Into<String>) {
        // That there is an error is never left out.
        if !self.is_full() || !self.has_errors() {
            self.0.push((Severity::Error, cut(message.into())));
        }
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        if !self.is_full() {
            self.0.push((Severity::Warning, cut(message.into())));
        }
    }

    /// Whether there are so many that no more are told.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST_FINDINGS
    }

    pub(super) fn has_errors(&self) -> bool {
        self.0.iter().any(|(severity, _)| *severity == Severity::Error)
    }
}

/// The message, or its beginning.
pub(super) fn cut(message: String) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((at, _)) => format!("{}…", &message[..at]),
        None => message,
    }
}

/// How a document is called.
pub(super) struct Title {
    /// `<namespace>/<name>`, or the name alone where there is no namespace.
    pub(super) full: String,
    pub(super) namespace: Option<String>,
}
