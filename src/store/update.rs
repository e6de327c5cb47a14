//! A record changed by compare-and-set, tried again while others change it.

use std::fmt;

use anyhow::Result;

use super::record::Record;
use super::typed::Store;
use crate::clock::Timestamp;

/// Attempts at one change. Each that fails means that another change got through.
pub const TRIES: usize = 100;

/// What takes the place of a record.
pub struct Replacement<R> {
    /// The record as it is from now on.
    pub record: R,
    /// Of which groups it is a member; it leaves all others.
    pub groups: Vec<String>,
    /// Until when it is kept; `None`: for good.
    pub expires_at: Option<Timestamp>,
}

impl<R> Replacement<R> {
    /// A record of no group.
    pub fn until(expires_at: Timestamp, record: R) -> Self {
        Self { record, groups: Vec::new(), expires_at: Some(expires_at) }
    }
}

impl Store {
    /// Puts what `change` makes of the record under `id` in its place, and answers whether it did: `change` may also leave
    /// it alone. It is called again whenever somebody else was faster, so it decides on what is there.
    ///
    /// Errors: [`Contended`] when others were faster every time.
    pub async fn update<R: Record>(
        &self,
        id: &str,
        mut change: impl FnMut(Option<&R>) -> Option<Replacement<R>>,
    ) -> Result<bool> {
        for _ in 0..TRIES {
            let loaded = self.load::<R>(id).await?;
            let Some(new) = change(loaded.as_ref().map(|loaded| &loaded.record)) else { return Ok(false) };
            if self.replace(id, loaded.as_ref(), &new.record, &new.groups, new.expires_at).await? {
                return Ok(true);
            }
        }
        Err(Contended::of::<R>().into())
    }
}

/// Others changed a record whenever this process tried to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contended(&'static str);

impl Contended {
    /// The error about a record of the kind `R`.
    pub fn of<R: Record>() -> Self {
        Self(R::KIND)
    }

    /// `result`, with `instead` in the place of this error.
    pub fn or<T>(instead: T, result: Result<T>) -> Result<T> {
        result.or_else(|error| if error.is::<Self>() { Ok(instead) } else { Err(error) })
    }
}

impl fmt::Display for Contended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a stored {} changes too fast; tried {TRIES} times", self.0)
    }
}

impl std::error::Error for Contended {}
