//! Conflicts of names that an installation was found with when the register of claims came: served for a while, with a
//! warning. What they are is noted in the store once, for all replicas and all starts: nothing is added later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::app::App;
use crate::registry::reload::Loader;
use crate::registry::{Contested, Tolerance};
use crate::settings::ClaimConflicts;
use crate::store::Record;

/// There is one such record.
const ID: &str = "names";
/// How long a store that cannot be asked is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// Which conflicts are tolerated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KnownConflicts {
    #[serde(default)]
    conflicts: BTreeSet<Contested>,
}

impl Record for KnownConflicts {
    const KIND: &'static str = "known-conflicts";
}

/// Like [`try_to_settle`], until the store answers; meanwhile no conflict is tolerated.
pub(super) async fn settle(app: App, loader: Arc<Loader>) {
    while let Err(error) = try_to_settle(&app, &loader).await {
        let cause = format!("{error:#}");
        tracing::warn!(cause, "it is not known yet which conflicts of names are tolerated; none is meanwhile");
        sleep(PAUSE).await;
    }
}

/// Finds out which conflicts are tolerated, once every source of tenants has been read, and tells `loader`.
///
/// Errors: the store cannot be asked.
pub async fn try_to_settle(app: &App, loader: &Arc<Loader>) -> Result<()> {
    if app.settings.claims == ClaimConflicts::Refuse {
        return Ok(());
    }
    if let Some(noted) = app.store.get::<KnownConflicts>(ID).await? {
        return tolerate(app, loader, Tolerance::Known(Arc::new(noted.conflicts))).await;
    }
    wait_for_all_sources(app).await;
    let before = app.registry.current();
    // What has never been served is no part of the installation, and is not tolerated.
    tolerate(app, loader, Tolerance::Everything).await?;
    let mut conflicts = BTreeSet::new();
    for contested in app.registry.current().tolerated() {
        let is_new = before.tenant(&contested.tenant).is_none();
        if is_new && app.services.keys.has_keys(&contested.tenant).await? {
            conflicts.insert(contested.clone());
        }
    }
    let found = KnownConflicts { conflicts };
    app.store.replace(ID, None, &found, &[], None).await?;
    // Another replica may have been faster.
    let noted = app.store.get::<KnownConflicts>(ID).await?.unwrap_or(found);
    tolerate(app, loader, Tolerance::Known(Arc::new(noted.conflicts))).await
}

/// Resources that have not been listed yet may belong to the installation, too.
async fn wait_for_all_sources(app: &App) {
    let mut versions = app.registry.subscribe();
    while app.registry.missing().is_some() {
        drop(tokio::time::timeout(Duration::from_secs(1), versions.changed()).await);
    }
}

async fn tolerate(app: &App, loader: &Arc<Loader>, tolerance: Tolerance) -> Result<()> {
    let (loader, registry) = (loader.clone(), app.registry.clone());
    Ok(tokio::task::spawn_blocking(move || loader.tolerate(tolerance, &registry)).await?)
}
