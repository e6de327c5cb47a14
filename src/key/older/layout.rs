//! The older layout of Uitsmijter's keys, where it lies beside our own records in one Redis.

use anyhow::Result;
use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::key::older::adopt::{OlderKey, OlderKeys, OlderLayout};
use crate::store::Store;

const ACTIVE: &str = "uitsmijter:jwks:active";
const INDEX: &str = "uitsmijter:jwks:index";

/// Reads the older layout through the store; a store that is not shared has none.
pub struct OlderRedis(pub Store);

#[async_trait]
impl OlderKeys for OlderRedis {
    async fn read(&self) -> Result<Option<OlderLayout>> {
        let backend = self.0.backend();
        let mut layout = OlderLayout { active: backend.foreign_text(ACTIVE).await?, keys: Vec::new() };
        for (kid, score) in backend.foreign_sorted_set(INDEX).await? {
            let [private, public, metadata] = parts(&kid);
            layout.keys.push(OlderKey {
                private_pem: Zeroizing::new(backend.foreign_text(&private).await?.unwrap_or_default()),
                public_pem: backend.foreign_text(&public).await?.unwrap_or_default(),
                metadata: backend.foreign_text(&metadata).await?,
                indexed_at: Some(score),
                kid,
            });
        }
        Ok((layout.active.is_some() || !layout.keys.is_empty()).then_some(layout))
    }

    async fn remove(&self) -> Result<()> {
        let index = self.0.backend().foreign_sorted_set(INDEX).await?;
        let keys = index.iter().flat_map(|(kid, _)| parts(kid)).chain([ACTIVE.to_owned(), INDEX.to_owned()]);
        self.0.backend().remove_foreign(&keys.collect::<Vec<_>>()).await
    }
}

fn parts(kid: &str) -> [String; 3] {
    ["private", "public", "metadata"].map(|part| format!("uitsmijter:jwks:keys:{kid}:{part}"))
}
