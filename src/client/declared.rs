//! Clients that operators declare.

use std::sync::Arc;

use async_trait::async_trait;

use crate::issuer::{Clients, Issuer};
use crate::registry::client::Client;

/// Finds clients in the snapshot of the request.
pub struct DeclaredClients;

#[async_trait]
impl Clients for DeclaredClients {
    async fn find(&self, issuer: &Issuer, client_id: &str) -> anyhow::Result<Option<Arc<Client>>> {
        Ok(issuer.snapshot.client(&issuer.tenant.name, client_id).cloned())
    }
}
