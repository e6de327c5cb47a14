//! The contents of a tenant's bucket: one listing shows what changed, and only that is fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::listed::{LARGEST, Listed, MOST, Sources};
use super::s3::Bucket;

/// The most objects below the path: those of one listing.
const MOST_OBJECTS: usize = 1000;

/// The templates of one bucket as of one reading, by name.
pub(super) struct Contents(BTreeMap<String, Object>);

struct Object {
    version: String,
    source: Arc<str>,
}

impl Contents {
    /// Reads a bucket again; `None` when nothing changed since `before`, which costs one request.
    ///
    /// Errors: it cannot be read, or one of its templates is too big or no text, or there are too many.
    pub(super) async fn read(bucket: &Bucket, before: Option<&Self>) -> Result<Option<Self>> {
        let mut listed = bucket.list(MOST_OBJECTS).await?;
        listed.retain(|object| object.name.ends_with(".html"));
        ensure!(listed.len() <= MOST, "there are more than {MOST} templates");
        if let Some(big) = listed.iter().find(|object| object.size > LARGEST) {
            anyhow::bail!("{} is bigger than {LARGEST} bytes", big.name);
        }
        let known = |object: &Listed| {
            let known = before.and_then(|before| before.0.get(&object.name));
            known.filter(|known| known.version == object.version).map(|known| known.source.clone())
        };
        let as_many = before.is_some_and(|before| before.0.len() == listed.len());
        if as_many && listed.iter().all(|object| known(object).is_some()) {
            return Ok(None);
        }
        let mut contents = BTreeMap::new();
        for object in listed {
            let source = match known(&object) {
                Some(source) => source,
                None => {
                    let bytes = bucket.get(&object.name, LARGEST).await.with_context(|| object.name.clone())?;
                    String::from_utf8(bytes).ok().with_context(|| format!("{} is not UTF-8", object.name))?.into()
                }
            };
            contents.insert(object.name, Object { version: object.version, source });
        }
        Ok(Some(Self(contents)))
    }

    /// Names and texts, in the order of the names.
    pub(super) fn sources(&self) -> Sources {
        self.0.iter().map(|(name, object)| (name.clone(), object.source.clone())).collect()
    }
}
