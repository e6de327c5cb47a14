//! Which tenants a word of `keys` or `sessions` is about, and who reads its answer.

use std::sync::Arc;

use anyhow::{Result, ensure};
use uitsmijter::registry::Registry;
use uitsmijter::registry::tenant::Tenant;
use uitsmijter::settings::Settings;

/// For which tenants, and for whom to read.
#[derive(clap::Args, serde::Serialize, serde::Deserialize)]
pub(crate) struct Whose {
    /// Only this tenant [default: all].
    #[arg(long)]
    pub(super) tenant: Option<String>,
    /// As JSON, for scripts.
    #[arg(long)]
    pub(super) json: bool,
}

/// The tenant of this name, or all of them, by name.
pub(super) fn tenants(settings: &Settings, declared: &Registry, whose: Option<&str>) -> Result<Vec<Arc<Tenant>>> {
    let mut tenants: Vec<Arc<Tenant>> = match whose {
        Some(name) => vec![super::tenant(declared, name)?],
        None => declared.current().tenants().cloned().collect(),
    };
    ensure!(
        !tenants.is_empty(),
        "there is no tenant below {}; set DIRECTORY as for the servers",
        settings.directory.display()
    );
    tenants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tenants)
}
