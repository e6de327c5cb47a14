//! What a script answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::session::Identity;

/// What a script answered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Who the person is; `None` if they may not log in.
    Login(Option<Identity>),
    /// What is new about the person; `None` if they may not stay.
    Validation(Option<Update>),
    /// The script does not define the class that the question is for.
    MissingClass,
}

/// What a `UserValidationProvider` says of a person who may stay; what it does not mention stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in `Identity`")]
pub struct Update {
    pub role: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub profile: Option<Map<String, Value>>,
}
