//! A cache of discovery documents: they change only with declarations and key algorithms, and are requested all the
//! time.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::etag;
use crate::issuer::Issuer;
use crate::protocol::error::Result;
use crate::protocol::jwk::Algorithm;
use crate::recent::Recent;
use crate::registry::Snapshot;

/// How many documents are kept per generation; one is about two kilobytes.
const KEPT: usize = 1_000;

/// The documents of this process, by issuer. Cheap to clone.
#[derive(Clone)]
pub struct KeptMetadata(Arc<Recent<Arc<str>, Composed>>);

/// A document, and what it was composed from apart from the issuer URL, which two tenants may share.
#[derive(Clone)]
struct Composed {
    tenant: Arc<str>,
    declared: Weak<Snapshot>,
    algorithms: Arc<[Algorithm]>,
    body: Bytes,
    etag: Arc<str>,
}

impl Default for KeptMetadata {
    fn default() -> Self {
        Self(Arc::new(Recent::keeping(KEPT)))
    }
}

impl KeptMetadata {
    /// The document of `issuer` for these key `algorithms`, with its entity tag. Calls `compose` only if something has
    /// changed.
    pub fn of(
        &self,
        issuer: &Issuer,
        algorithms: &[Algorithm],
        compose: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<(Bytes, Arc<str>)> {
        let is_current = |kept: &Composed| {
            // The weak reference keeps the address of the snapshot from being reused.
            std::ptr::eq(kept.declared.as_ptr(), Arc::as_ptr(&issuer.snapshot))
                && kept.tenant == issuer.tenant.name
                && *kept.algorithms == *algorithms
        };
        if let Some(kept) = self.0.get(&*issuer.url).filter(is_current) {
            return Ok((kept.body, kept.etag));
        }
        let body = Bytes::from(compose()?);
        let etag: Arc<str> = etag(&body).into();
        let declared = Arc::downgrade(&issuer.snapshot);
        let tenant = issuer.tenant.name.clone();
        let composed =
            Composed { tenant, declared, algorithms: algorithms.into(), body: body.clone(), etag: etag.clone() };
        self.0.insert(issuer.url.clone(), composed);
        Ok((body, etag))
    }
}
