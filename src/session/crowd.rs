//! How many sessions one person has: counted now and then, so that an ordinary sign-in counts nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::recent::Recent;

/// For how many people this replica remembers when to count again.
const REMEMBERED: usize = 10_000;

/// When to count whose sessions.
pub struct Crowds {
    /// How many sessions a person may have.
    pub most: usize,
    people: Recent<String, Arc<Person>>,
}

#[derive(Default)]
struct Person {
    /// Sign-ins here since their sessions were counted.
    since: AtomicUsize,
    /// After how many to count again; 0 before the first time.
    due: AtomicUsize,
}

/// Of the places that are left, other replicas may fill as many as this one.
const REPLICAS: usize = 4;

impl Crowds {
    /// At most `most` sessions per person, at least one.
    pub fn of_at_most(most: usize) -> Self {
        Self { most: most.max(1), people: Recent::keeping(REMEMBERED) }
    }

    /// Notes a sign-in of `subject` at `tenant`; answers whether their sessions have to be counted now.
    pub fn is_count_due(&self, tenant: &str, subject: &str) -> bool {
        let person = self.person(tenant, subject);
        let due = match person.due.load(Ordering::Relaxed) {
            0 => self.most / REPLICAS,
            due => due,
        };
        person.since.fetch_add(1, Ordering::Relaxed) + 1 >= due.max(1)
    }

    /// Notes that they have so many.
    pub fn counted(&self, tenant: &str, subject: &str, sessions: usize) {
        let person = self.person(tenant, subject);
        person.since.store(0, Ordering::Relaxed);
        person.due.store((self.most.saturating_sub(sessions) / REPLICAS).max(1), Ordering::Relaxed);
    }

    /// Neither has a line break.
    fn person(&self, tenant: &str, subject: &str) -> Arc<Person> {
        self.people.get_or_default(format!("{tenant}\n{subject}"))
    }
}
