//! Reads the Secrets that resources name, one by one, so that the right to list them is not needed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1;
use kube::{Api, Client, Error};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::registry::secrets::Secret;

/// A Secret by namespace and name.
pub(super) type SecretName = (String, String);

/// How many are read at once.
const AT_ONCE: usize = 8;
/// How long one may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Reads Secrets. Cheap to clone.
#[derive(Clone)]
pub(super) struct SecretReader(Client);

impl SecretReader {
    pub(super) fn new(client: Client) -> Self {
        Self(client)
    }

    /// What each of them holds, or why it holds nothing; `None` where the API server does not say.
    pub(super) async fn read(self, wanted: BTreeSet<SecretName>) -> Vec<(SecretName, Option<Secret>)> {
        let asking = wanted.into_iter().map(|(namespace, name)| {
            let reader = self.clone();
            async move {
                let answer = timeout(ANSWER, reader.ask(&namespace, &name)).await;
                let secret = answer.unwrap_or_else(|_| {
                    tracing::warn!(
                        namespace,
                        name,
                        "the API server does not answer for a Secret; its last value stays"
                    );
                    None
                });
                ((namespace, name), secret)
            }
        });
        futures_util::stream::iter(asking).buffer_unordered(AT_ONCE).collect().await
    }

    async fn ask(&self, namespace: &str, name: &str) -> Option<Secret> {
        match Api::<v1::Secret>::namespaced(self.0.clone(), namespace).get_opt(name).await {
            Ok(Some(secret)) => Some(Ok(values(secret))),
            Ok(None) => Some(Err("does not exist in this namespace".to_owned())),
            Err(Error::Api(status)) if matches!(status.code, 401 | 403) => {
                Some(Err("may not be read; give the service account the right to get secrets".to_owned()))
            }
            Err(error) => {
                tracing::warn!(namespace, name, %error, "a Secret could not be read; its last value stays");
                None
            }
        }
    }
}

/// The values that are text; nothing else can be a password.
fn values(secret: v1::Secret) -> BTreeMap<String, Zeroizing<String>> {
    let text =
        |(key, value): (String, k8s_openapi::ByteString)| Some((key, Zeroizing::new(String::from_utf8(value.0).ok()?)));
    secret.data.unwrap_or_default().into_iter().filter_map(text).collect()
}
