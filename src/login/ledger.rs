//! What wrong guesses leave in the store is bounded: each tenant has a ledger of fixed size that names its counts, and who
//! is written into a full page pushes out the count with the fewest attempts.
//!
//! So a flood of invented names pushes out counts of one attempt, not that of the name which somebody really guesses at.
//! Only what fails is written down: a sign-in that succeeds leaves no count.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::store::{Record, Store, TRIES, digest};

/// How many counts a page names.
const PAGE: usize = 8;
/// The most pages of all tenants together, as long as each has the fewest.
const PAGES: usize = 8192;
/// The most and the fewest pages of one tenant for each kind of count.
const MOST: usize = 512;
const FEWEST: usize = 16;

/// One page.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Page {
    counts: Vec<Named>,
}

/// A count that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Named {
    /// The digest of its id.
    digest: String,
    /// How many attempts it holds.
    attempts: u32,
    /// When it is gone by itself.
    until: Timestamp,
}

impl Record for Page {
    const KIND: &'static str = "ledger";
}

/// The ledger of one tenant.
#[derive(Clone, Copy)]
pub struct Ledger<'s> {
    /// The tenant's part of the store.
    pub store: &'s Store,
    /// Among how many tenants the room is shared.
    pub tenants: usize,
    /// The present.
    pub now: Timestamp,
}

impl Ledger<'_> {
    /// Writes down that the record `id` of the kind `R` was stored until `until`, and removes the one that has to make
    /// room for it.
    pub(super) async fn note<R: Record>(&self, id: &str, attempts: u32, until: Timestamp) -> Result<()> {
        let named = Named { digest: digest(id), attempts, until };
        let page_id = format!("{}\n{}", R::KIND, page_of(&named.digest, self.pages()));
        for _ in 0..TRIES {
            let loaded = self.store.load::<Page>(&page_id).await?;
            let before = loaded.as_ref().map(|loaded| loaded.record.clone()).unwrap_or_default();
            let (page, out) = before.with(named.clone(), self.now);
            let until = page.counts.iter().map(|count| count.until).max();
            let mut batch = self.store.batch().replace(&page_id, loaded.as_ref(), &page, &[], until)?;
            if let Some(out) = out {
                batch = batch.remove_digest::<R>(&out.digest);
            }
            if batch.commit().await? {
                return Ok(());
            }
        }
        // Others wrote this page a hundred times meanwhile; the count is gone by itself later.
        Ok(())
    }

    /// How many pages the tenant has. A power of two, so that a new tenant seldom changes it for the others.
    fn pages(&self) -> usize {
        (PAGES / self.tenants.max(1).next_power_of_two()).clamp(FEWEST, MOST)
    }
}

fn page_of(digest: &str, pages: usize) -> usize {
    digest.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % pages
}

impl Page {
    /// The page with `new` on it, and what had to go.
    fn with(mut self, new: Named, now: Timestamp) -> (Self, Option<Named>) {
        self.counts.retain(|count| count.until > now && count.digest != new.digest);
        let coldest = |counts: &[Named]| (0..counts.len()).min_by_key(|at| (counts[*at].attempts, counts[*at].until));
        let out = (self.counts.len() >= PAGE).then(|| coldest(&self.counts)).flatten().map(|at| self.counts.remove(at));
        self.counts.push(new);
        (self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: u32, attempts: u32) -> Named {
        Named { digest: name.to_string(), attempts, until: Timestamp(i64::from(100 + name)) }
    }

    #[test]
    fn a_flood_pushes_out_its_own_and_never_the_name_that_is_guessed_at() {
        let mut page = Page::default();
        page = page.with(named(0, 9), Timestamp(1)).0;
        for stranger in 1..1000 {
            page = page.with(named(stranger, 1), Timestamp(1)).0;
        }
        assert_eq!(page.counts.len(), PAGE);
        assert!(page.counts.contains(&named(0, 9)), "{page:?}");
    }

    #[test]
    fn what_is_gone_makes_room_first_and_a_count_stands_there_once() {
        let page = (0..8).fold(Page::default(), |page, name| page.with(named(name, 1), Timestamp(1)).0);
        let (page, out) = page.with(named(3, 2), Timestamp(1));
        assert_eq!((page.counts.len(), out), (PAGE, None));
        let (page, out) = page.with(named(9, 1), Timestamp(103));
        assert_eq!((page.counts.len(), out), (5, None), "{page:?}");
        assert_eq!(page.with(named(9, 1), Timestamp(1)).0.counts.len(), 5);
    }
}
