//! How often the login provider is asked whether people may stay, and what counts when it does not answer.

use std::time::Duration;

/// When a person is asked after. The defaults are those of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StayPolicy {
    /// How long a yes counts while a session is used, before the next question.
    pub every: Duration,
    /// How long a yes counts while nobody answers.
    pub stale: Duration,
    /// How long an answer may take. Somebody waits for it.
    pub patience: Duration,
}

impl Default for StayPolicy {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(5 * 60),
            stale: Duration::from_secs(60 * 60),
            patience: Duration::from_secs(5),
        }
    }
}
