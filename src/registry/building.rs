//! From documents to a snapshot: each is placed in its order, and what is broken keeps its last good version.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::claims::Tolerance;
use super::document::{Document, Kind, cut};
use super::parsed::{Entity, Parsed};
use super::problem::{Problem, Severity};
use super::served::{Id, Served};
use super::snapshot::Snapshot;

impl Snapshot {
    /// Reads `documents`, which are in the order of their precedence: of two that contradict each other the first
    /// wins. What is broken keeps the version that `previous` served; what is gone, goes.
    ///
    /// `check_script` says whether a login script is well-formed, and if not, why. Gives the snapshot and everything an
    /// operator should know, in the order of the documents.
    pub fn build(
        documents: &[Document],
        previous: Option<&Snapshot>,
        check_script: &dyn Fn(&str) -> Result<(), String>,
    ) -> (Self, Vec<Problem>) {
        if let Some(changed) = previous.and_then(|previous| previous.changed(documents, check_script)) {
            let problems = changed.problems.to_vec();
            return (changed, problems);
        }
        let tolerance = previous.map(|previous| previous.tolerance.clone()).unwrap_or_default();
        Self::build_anew(documents, previous, check_script, tolerance)
    }

    /// The same, whatever stayed as it was; from here on conflicts of names that `tolerance` covers are only warned of.
    pub(super) fn build_anew(
        documents: &[Document],
        previous: Option<&Snapshot>,
        check_script: &dyn Fn(&str) -> Result<(), String>,
        tolerance: Tolerance,
    ) -> (Self, Vec<Problem>) {
        let nothing = Self::default();
        let mut building = Building::read(documents, previous.unwrap_or(&nothing), check_script);
        building.snapshot.tolerance = tolerance;
        building.place(Kind::Tenant);
        building.place(Kind::Client);
        let mut snapshot = building.finish();
        snapshot.add_login_pages();
        let problems = snapshot.problems.to_vec();
        (snapshot, problems)
    }
}

/// What becomes of conflicts that an installation was found with.
const FOR_A_WHILE: &str = "it is served as before, and will be refused by the next minor version (CLAIMS)";

/// One document, and its id where that could be read.
struct NamedDocument<'a> {
    document: &'a Document,
    parsed: Arc<Parsed>,
    id: Option<Id>,
}

impl NamedDocument<'_> {
    fn problem(&self, severity: Severity, message: String) -> Problem {
        // A name that is refused may hold anything, line breaks included.
        let entity = self.id.as_ref().map(|id| format!("{} {}", id.kind.as_str(), id.name.escape_debug()));
        let entity = entity.unwrap_or_default();
        let source = match self.parsed.broken_at.filter(|_| severity == Severity::Error) {
            Some((line, column)) => format!("{}:{}:{column}", self.document.source, self.document.line + line - 1),
            None => self.document.place(),
        };
        Problem { severity, source, entity: cut(entity), message: cut(message), awaits: false }
    }
}

/// A snapshot in the making.
struct Building<'a> {
    documents: Vec<NamedDocument<'a>>,
    previous: &'a Snapshot,
    /// What the documents name: a last good version that is named here belongs to that document alone.
    named: HashSet<Id>,
    snapshot: Snapshot,
    /// With the position of the document that each is about.
    problems: Vec<(usize, Problem)>,
}

impl<'a> Building<'a> {
    fn read(
        documents: &'a [Document],
        previous: &'a Snapshot,
        check_script: &dyn Fn(&str) -> Result<(), String>,
    ) -> Self {
        let mut building = Self {
            documents: Vec::with_capacity(documents.len()),
            previous,
            named: HashSet::new(),
            snapshot: Snapshot::default(),
            problems: Vec::new(),
        };
        for (position, document) in documents.iter().enumerate() {
            let digest = document.digest();
            let known = previous.parsed.get(&digest).or_else(|| building.snapshot.parsed.get(&digest)).cloned();
            let parsed = known.unwrap_or_else(|| Arc::new(Parsed::read(document, check_script)));
            // What is broken, too: it would be read again whenever something else changes.
            building.snapshot.parsed.insert(digest, parsed.clone());
            let id = building.name(document, &parsed);
            let entry = NamedDocument { document, parsed, id };
            for (severity, message) in &entry.parsed.findings.0 {
                building.report(position, &entry, *severity, message.clone());
            }
            building.documents.push(entry);
        }
        building
    }

    fn name(&mut self, document: &Document, parsed: &Parsed) -> Option<Id> {
        let (kind, name) = (parsed.kind?, parsed.name.clone()?);
        let mut id = Id::first(kind, name, &document.source);
        while !self.named.insert(id.clone()) {
            id.nth += 1;
        }
        Some(id)
    }

    fn report(&mut self, position: usize, entry: &NamedDocument<'_>, severity: Severity, message: String) {
        self.problems.push((position, entry.problem(severity, message)));
    }

    fn lacks_tenant(&self, entity: &Entity) -> bool {
        matches!(entity, Entity::Client(client) if self.snapshot.tenant(&client.tenant).is_none())
    }

    /// Whether the client's tenant is declared but not served.
    fn has_broken_tenant(&self, entity: &Entity) -> bool {
        let declared = |name: &str| self.named.contains(&Id::first(Kind::Tenant, name.to_owned(), ""));
        self.lacks_tenant(entity) && matches!(entity, Entity::Client(client) if declared(&client.tenant))
    }

    /// Adds what the documents declare of one kind, in their order.
    fn place(&mut self, kind: Kind) {
        let documents = std::mem::take(&mut self.documents);
        for (position, entry) in documents.iter().enumerate() {
            // A document whose name cannot be read may have declared either.
            if entry.id.as_ref().is_some_and(|id| id.kind != kind) {
                continue;
            }
            match (&entry.parsed.entity, &entry.id) {
                (Some(entity), Some(id)) => match self.add(entry.document, id, entity) {
                    Ok(tolerated) => tolerated.into_iter().for_each(|message| {
                        self.report(position, entry, Severity::Warning, format!("{message}; {FOR_A_WHILE}"));
                    }),
                    Err(mut message) => {
                        if self.has_broken_tenant(entity) {
                            message.push_str(", because that tenant is broken");
                        }
                        let problem =
                            Problem { awaits: self.lacks_tenant(entity), ..entry.problem(Severity::Error, message) };
                        self.problems.push((position, problem));
                        self.snapshot.is_contested = true;
                        self.keep_last_good(position, entry, kind);
                    }
                },
                _ if entry.parsed.findings.has_errors() => self.keep_last_good(position, entry, kind),
                _ => {}
            }
        }
        self.documents = documents;
    }

    /// Adds what is good for itself, and gives what is only warned of.
    fn add(&mut self, document: &Document, id: &Id, entity: &Entity) -> Result<Vec<String>, String> {
        let tolerated = match entity {
            Entity::Tenant(tenant) => self.snapshot.add_tenant(tenant, document)?,
            Entity::Client(client) => self.snapshot.add_client(client).map(|()| Vec::new())?,
        };
        let served = Served { source: document.source.clone(), line: document.line, entity: entity.clone() };
        self.snapshot.served.insert(id.clone(), served);
        Ok(tolerated)
    }

    /// Puts back what was served before the document at `position` broke: what has its name; where the name cannot be
    /// read or is new, what its source had declared and no document names any more.
    fn keep_last_good(&mut self, position: usize, entry: &NamedDocument<'_>, kind: Kind) {
        let previous = self.previous;
        let by_name = entry.id.as_ref().and_then(|id| previous.served.get_key_value(id));
        let mut kept: Vec<(&Id, &Served)> = by_name.into_iter().collect();
        if kept.is_empty() {
            let document = entry.document;
            let orphaned = |(id, served): &(&Id, &Served)| {
                id.kind == kind
                    && Path::new(&served.source).starts_with(&document.source)
                    && !self.named.contains(*id)
                    && (entry.id.is_none() || served.line == document.line)
            };
            kept = previous.served.iter().filter(orphaned).collect();
            kept.sort_by_key(|(_, served)| (&served.source, served.line));
        }
        for (id, served) in kept {
            if self.snapshot.served.contains_key(id) {
                continue;
            }
            let thing = format!("the last good version of {} {}", kind.as_str(), id.name);
            let document = entry.document.standing_at(&served.source, served.line);
            let message = match self.add(&document, id, &served.entity) {
                Ok(_) => format!("{thing} stays in place"),
                Err(error) => {
                    self.snapshot.is_contested = true;
                    format!("{thing} cannot stay in place either: {error}")
                }
            };
            self.report(position, entry, Severity::Warning, message);
        }
    }

    fn finish(mut self) -> Snapshot {
        self.problems.sort_by_key(|(position, _)| *position);
        self.snapshot.problems = self.problems.into_iter().map(|(_, problem)| problem).collect();
        self.snapshot.documents = self.documents.into_iter().map(|entry| entry.document.clone()).collect();
        self.snapshot
    }
}
