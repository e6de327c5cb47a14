//! In place of buckets, in a program that was built without them (feature `s3`).

use anyhow::{Result, bail};

use super::listed::Listed;
use crate::outgoing::backends::Backends;
use crate::registry::tenant::Templates;

/// Stands in for the HTTP client.
#[derive(Clone)]
pub(super) struct Http;

impl Http {
    pub(super) fn new(_: Backends) -> Self {
        Self
    }
}

/// Does not exist without the feature.
pub(super) enum Bucket {}

impl Bucket {
    /// Errors: always.
    pub(super) fn open(_: &Templates, _: Option<&str>, _: &Http) -> Result<Self> {
        bail!("this program was built without buckets (feature `s3`)")
    }

    pub(super) async fn list(&self, _: usize) -> Result<Vec<Listed>> {
        match *self {}
    }

    pub(super) async fn get(&self, _: &str, _: u64) -> Result<Vec<u8>> {
        match *self {}
    }
}
