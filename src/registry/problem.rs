//! What is wrong with what operators declare.

use std::fmt;

use serde::Serialize;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is served, and the operator should know something about it.
    Warning,
    /// It is not served as it was written.
    Error,
}

/// Something that an operator should put right, as a sentence that says what to write where.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file and line, or the resource.
    pub source: String,
    /// What it is about: `tenant NAME`, `client NAME`; empty where that could not be read.
    pub entity: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether it is over as soon as something else is declared that may be on its way.
    #[serde(skip)]
    pub awaits: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}: ", self.source)?;
        if !self.entity.is_empty() {
            write!(f, "{}: ", self.entity)?;
        }
        f.write_str(&self.message)
    }
}
