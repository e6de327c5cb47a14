//! In place of `kubernetes`, for a program that was built without it.

use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::Value;

use super::document::Document;
use super::reload::Loader;
use super::resources::{ResourceSettings, StatusSource};
use super::{Problem, Registry};

/// A connection that nobody can have.
#[derive(Clone)]
pub enum Cluster {}

impl Cluster {
    /// Says that there is none.
    pub async fn connect(_: &ResourceSettings) -> Result<Self> {
        bail!("SUPPORT_KUBERNETES_CRD is true, but this program was built without it (feature `kubernetes`)")
    }

    /// Nothing to read.
    pub async fn read(&self) -> Result<Vec<Document>> {
        match *self {}
    }

    /// Nothing to follow.
    pub async fn follow(self, _: Arc<Loader>, _: Registry) {
        match self {}
    }

    /// Nobody to tell.
    pub async fn publish(self, _: Registry, _: Arc<dyn StatusSource>) {
        match self {}
    }
}

/// Says that there are none.
pub fn definitions() -> Result<String> {
    bail!("this program was built without custom resources (feature `kubernetes`)")
}

/// Lets everything pass: what this program does not read, it does not judge.
pub fn review(_: &[u8], _: &dyn Fn(Document, &str) -> Vec<Problem>) -> Result<Value> {
    bail!("this program was built without custom resources (feature `kubernetes`)")
}
