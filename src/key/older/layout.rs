//! The raw values of the older layout, where they lie beside our own records in one Redis.

use anyhow::Result;
use zeroize::Zeroizing;

use crate::store::Store;

const ACTIVE: &str = "uitsmijter:jwks:active";
const INDEX: &str = "uitsmijter:jwks:index";

/// The raw values of the older layout.
#[derive(Clone, Default)]
pub struct OlderLayout {
    /// The value of `uitsmijter:jwks:active`.
    pub active: Option<String>,
    /// One entry for each member of `uitsmijter:jwks:index`.
    pub keys: Vec<OlderKey>,
}

/// The raw values of one key.
#[derive(Clone)]
pub struct OlderKey {
    /// The member of the index.
    pub kid: String,
    /// Its score, in unix seconds.
    pub indexed_at: f64,
    /// PKCS#8 as PEM.
    pub private_pem: Zeroizing<String>,
    /// SPKI as PEM.
    pub public_pem: String,
    /// JSON with `createdAt` and `isActive`, if it is there.
    pub metadata: Option<String>,
}

impl OlderLayout {
    /// Reads it; `None` if there is none. It stays as it is until an operator removes it.
    pub async fn read(store: &Store) -> Result<Option<Self>> {
        let Some(foreign) = store.foreign() else { return Ok(None) };
        let mut layout = Self { active: foreign.text(ACTIVE).await?, keys: Vec::new() };
        for (kid, indexed_at) in foreign.sorted_set(INDEX).await? {
            let [private, public, metadata] = parts(&kid);
            layout.keys.push(OlderKey {
                private_pem: Zeroizing::new(foreign.text(&private).await?.unwrap_or_default()),
                public_pem: foreign.text(&public).await?.unwrap_or_default(),
                metadata: foreign.text(&metadata).await?,
                indexed_at,
                kid,
            });
        }
        Ok((layout.active.is_some() || !layout.keys.is_empty()).then_some(layout))
    }

    /// Removes it for good.
    pub async fn remove(store: &Store) -> Result<()> {
        let Some(foreign) = store.foreign() else { return Ok(()) };
        let index = foreign.sorted_set(INDEX).await?;
        let keys = index.iter().flat_map(|(kid, _)| parts(kid)).chain([ACTIVE.to_owned(), INDEX.to_owned()]);
        foreign.remove(&keys.collect::<Vec<_>>()).await
    }
}

fn parts(kid: &str) -> [String; 3] {
    ["private", "public", "metadata"].map(|part| format!("uitsmijter:jwks:keys:{kid}:{part}"))
}
