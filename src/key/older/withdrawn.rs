//! Keys of the older layout that an operator withdrew. Each tenant adopts the layout at its first use, so a key that
//! leaked has to be remembered beside the layout, for tenants that come later.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::store::{Record, Store};

#[derive(Clone, Default, Serialize, Deserialize)]
struct Withdrawn {
    kids: BTreeSet<String>,
}

impl Record for Withdrawn {
    const KIND: &'static str = "withdrawn-older-keys";
}

const ID: &str = "all";
const ATTEMPTS: usize = 100;

/// The names of all withdrawn keys.
pub async fn all(store: &Store) -> Result<BTreeSet<String>> {
    let record = store.get::<Withdrawn>(ID).await.context("the withdrawn keys of the older layout")?;
    Ok(record.unwrap_or_default().kids)
}

/// Adds one, for good.
pub async fn add(store: &Store, kid: &str) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let loaded = store.load::<Withdrawn>(ID).await.context("the withdrawn keys of the older layout")?;
        let mut record = loaded.as_ref().map(|loaded| loaded.record.clone()).unwrap_or_default();
        if !record.kids.insert(kid.to_owned()) || store.replace(ID, loaded.as_ref(), &record, &[], None).await? {
            return Ok(());
        }
    }
    bail!("the withdrawn keys of the older layout change too fast; tried {ATTEMPTS} times")
}
