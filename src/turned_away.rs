//! Requests refused because of their host: each such host is logged, not each request.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::audit::typed;
use crate::clock::Timestamp;

/// After how long a host is logged again.
const REPEAT_AFTER: Duration = Duration::from_secs(60 * 60);
/// The most lines in that time, however many hosts strangers invent.
const MAX_LINES: usize = 100;

/// The hosts that were logged lately. Cheap to clone.
#[derive(Clone, Default)]
pub struct TurnedAway(Arc<Mutex<LoggedHosts>>);

#[derive(Default)]
struct LoggedHosts {
    since: Timestamp,
    lines: HashSet<(&'static str, String)>,
}

impl TurnedAway {
    /// Logs the refusal, unless the host was logged a moment ago. `host` is untrusted.
    pub fn tell(&self, now: Timestamp, description: &'static str, host: &str) {
        let host = typed(host);
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(logged.since) >= REPEAT_AFTER {
            *logged = LoggedHosts { since: now, lines: HashSet::new() };
        }
        if logged.lines.len() < MAX_LINES && logged.lines.insert((description, host.clone())) {
            tracing::info!(description, host, "request refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_LINES, TurnedAway};
    use crate::clock::Timestamp;

    #[test]
    fn strangers_cannot_fill_the_memory_and_are_forgotten_after_an_hour() {
        let (turned_away, lines) = (TurnedAway::default(), |logged: &TurnedAway| logged.0.lock().unwrap().lines.len());
        (0..MAX_LINES * 3).for_each(|n| turned_away.tell(Timestamp(10_000), "no", &format!("{n}.example")));
        assert_eq!(lines(&turned_away), MAX_LINES);
        turned_away.tell(Timestamp(13_600), "no", "new.example");
        assert_eq!(lines(&turned_away), 1);
    }
}
