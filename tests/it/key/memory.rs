//! A store in memory for tests of signing keys: it counts what it is asked for, and can be away or emptied.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use uitsmijter::protocol::error::Unavailable;
use uitsmijter::store::{Backend, Change, Foreign, Page};

/// A value, and its groups.
type Row = (Vec<u8>, Vec<String>);

#[derive(Default)]
pub(super) struct Memory {
    rows: Mutex<HashMap<String, Row>>,
    /// The texts that another program left.
    pub(super) texts: Mutex<HashMap<String, String>>,
    /// The sorted set that another program left.
    pub(super) sorted: Mutex<Vec<(String, f64)>>,
    pub(super) calls: AtomicU64,
    pub(super) away: AtomicBool,
    /// Rows whose key contains this cannot be written.
    barred: Mutex<Option<(&'static str, Barred)>>,
}

/// What comes of an attempt to write a barred row.
#[derive(Clone, Copy)]
pub(super) enum Barred {
    /// The store is away.
    Away,
    /// Another write came first.
    Lost,
}

impl Memory {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    pub(super) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(super) fn bar(&self, rows: Option<(&'static str, Barred)>) {
        *self.barred.lock().unwrap() = rows;
    }

    /// Loses every row whose key contains `part`.
    pub(super) fn lose(&self, part: &str) {
        self.rows.lock().unwrap().retain(|key, _| !key.contains(part));
    }

    pub(super) fn clear(&self) {
        self.rows.lock().unwrap().clear();
    }

    /// Changes the bytes of every row whose key contains `part`.
    pub(super) fn edit(&self, part: &str, edit: impl Fn(&str) -> String) {
        for (key, (value, _)) in self.rows.lock().unwrap().iter_mut() {
            if key.contains(part) {
                *value = edit(std::str::from_utf8(value).unwrap()).into_bytes();
            }
        }
    }

    /// The only row whose key contains `part`.
    pub(super) fn row(&self, part: &str) -> String {
        let rows = self.rows.lock().unwrap();
        let found: Vec<_> = rows.iter().filter(|(key, _)| key.contains(part)).collect();
        assert_eq!(found.len(), 1, "{part}");
        String::from_utf8(found[0].1.0.clone()).unwrap()
    }

    fn answer(&self) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.away.load(Ordering::SeqCst) {
            true => Err(anyhow!("connection refused").context(Unavailable("the store"))),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Backend for Memory {
    async fn commit(&self, changes: Arc<[Change]>) -> Result<bool> {
        self.answer()?;
        // A real store takes a network round trip; other tasks run meanwhile.
        tokio::task::yield_now().await;
        let mut rows = self.rows.lock().unwrap();
        for change in &*changes {
            let Change::Replace { expected, entry } = change else { continue };
            match *self.barred.lock().unwrap() {
                Some((part, Barred::Away)) if entry.key.contains(part) => {
                    return Err(anyhow!("connection refused").context(Unavailable("the store")));
                }
                Some((part, Barred::Lost)) if entry.key.contains(part) => return Ok(false),
                _ => {}
            }
            if rows.get(&entry.key).map(|(value, _)| value) != expected.as_ref() {
                return Ok(false);
            }
        }
        for change in &*changes {
            match change {
                Change::Put(entry) | Change::Replace { entry, .. } => {
                    rows.insert(entry.key.clone(), (entry.value.clone(), entry.groups.clone()));
                }
                Change::UseFirst(_) | Change::Require(_) => return Err(anyhow!("signing keys are not consumed")),
                Change::Remove(key) | Change::Take { key, .. } => drop(rows.remove(key)),
            }
        }
        Ok(true)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        self.answer()?;
        tokio::task::yield_now().await;
        Ok(self.rows.lock().unwrap().get(key).map(|(value, _)| value.clone()))
    }

    async fn consume(&self, _key: &str) -> Result<Option<(u64, Vec<u8>)>> {
        Err(anyhow!("signing keys are not consumed"))
    }

    async fn members(&self, group: &str) -> Result<Vec<Vec<u8>>> {
        self.answer()?;
        let rows = self.rows.lock().unwrap();
        Ok(rows
            .values()
            .filter(|(_, groups)| groups.iter().any(|name| name == group))
            .map(|row| row.0.clone())
            .collect())
    }

    async fn page(&self, _group: &str, _after: Option<&str>, _limit: usize) -> Result<Page<Vec<u8>>> {
        Err(anyhow!("signing keys are not listed page by page"))
    }

    async fn count(&self, group: &str) -> Result<usize> {
        Ok(self.members(group).await?.len())
    }

    async fn remove_group(&self, group: &str) -> Result<()> {
        self.answer()?;
        self.rows.lock().unwrap().retain(|_, (_, groups)| !groups.iter().any(|name| name == group));
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<bool> {
        self.answer()?;
        Ok(self.rows.lock().unwrap().remove(key).is_some())
    }

    async fn ping(&self) -> Result<()> {
        self.answer()
    }

    fn foreign(&self) -> Option<&dyn Foreign> {
        Some(self)
    }
}

#[async_trait]
impl Foreign for Memory {
    async fn text(&self, key: &str) -> Result<Option<String>> {
        Ok(self.texts.lock().unwrap().get(key).cloned())
    }

    async fn sorted_set(&self, _key: &str) -> Result<Vec<(String, f64)>> {
        Ok(self.sorted.lock().unwrap().clone())
    }

    async fn remove(&self, _keys: &[String]) -> Result<()> {
        self.texts.lock().unwrap().clear();
        self.sorted.lock().unwrap().clear();
        Ok(())
    }
}
