//! In place of `kubernetes`, for a program that was built without it.

use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::Value;

use super::document::Document;
use super::reload::Loader;
use super::resources::{ResourceSettings, StatusSource};
use super::{Problem, Registry};
use crate::metrics::Metrics;

/// A connection that cannot exist.
#[derive(Clone)]
pub struct Cluster(());

impl Cluster {
    /// Says that there is none.
    pub async fn connect(_: &ResourceSettings) -> Result<Self> {
        bail!("SUPPORT_KUBERNETES_CRD is true, but this program was built without it (feature `kubernetes`)")
    }

    /// Nothing to read.
    pub async fn read(&self) -> Result<Vec<Document>> {
        Ok(Vec::new())
    }

    /// Nothing to follow.
    pub async fn follow(self, _: Arc<Loader>, _: Registry, _: Metrics) {}

    /// Nothing to write.
    pub async fn publish(self, _: Registry, _: Arc<dyn StatusSource>) {}
}

/// Says that there are none.
pub fn definitions() -> Result<String> {
    bail!("this program was built without custom resources (feature `kubernetes`)")
}

/// Says that there is nothing to judge.
pub fn review(_: &[u8], _: &dyn Fn(Document, &str) -> Vec<Problem>) -> Result<Value> {
    bail!("this program was built without custom resources (feature `kubernetes`)")
}
