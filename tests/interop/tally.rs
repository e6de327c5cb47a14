//! Counts verifications, so that a test without failures can also tell how many tokens it covered.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

/// The counts, by verifier.
#[derive(Default)]
pub(crate) struct Tally {
    since_report: Counts,
    all: Counts,
}

#[derive(Clone, Default)]
struct Counts(BTreeMap<String, Count>);

#[derive(Clone, Copy, Default)]
struct Count {
    accepted: usize,
    expired: usize,
}

impl Tally {
    /// `who` accepted this many tokens, or got this many responses.
    pub(crate) fn accepted(&mut self, who: &str, times: usize) {
        self.each(who, |count| count.accepted += times);
    }

    /// `who` refused a token because it had expired, as it must.
    pub(crate) fn expired(&mut self, who: &str) {
        self.each(who, |count| count.expired += 1);
    }

    fn each(&mut self, who: &str, change: impl Fn(&mut Count)) {
        for counts in [&mut self.since_report, &mut self.all] {
            change(counts.0.entry(who.to_owned()).or_default());
        }
    }

    /// How many tokens `who` has accepted in all.
    pub(crate) fn accepted_by(&self, who: &str) -> usize {
        self.all.0.get(who).map_or(0, |count| count.accepted)
    }

    /// Prints the counts since the last time. A failure ends the test, so there has been none.
    pub(crate) fn report(&mut self, phase: &str) {
        println!("{phase}: {}; 0 failures", std::mem::take(&mut self.since_report));
    }

    /// The same for the whole test.
    pub(crate) fn report_all(&self) {
        println!("in all: {}; 0 failures", self.all);
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, (who, Count { accepted, expired })) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{who} {accepted}")?;
            if *expired > 0 {
                write!(f, " (and {expired} refused as expired)")?;
            }
        }
        Ok(())
    }
}
