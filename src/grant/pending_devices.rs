//! The places of devices that wait for their people: anybody can begin such a request, so there is a fixed number of them.

use anyhow::Result;

use crate::clock::Timestamp;
use crate::issuer::Issuer;
use crate::login::network;
use crate::registry::client::Client;
use crate::store::slots::{Place, Slots, Wish};
use crate::store::{Batch, Store};

/// How many places there are for all tenants together, and how many a tenant has at most and at least.
const PLACES: usize = 8192;
const MOST: usize = 4096;
const LEAST: usize = 64;
/// How many of them one address may have.
const OF_AN_ADDRESS: u32 = 32;

const NAME: &str = "devices";

/// The places that one client may have, from one address.
pub(super) struct Places {
    slots: Slots,
    who: [u8; 32],
}

impl Places {
    /// Those of this request. A client with a secret is no stranger, and many devices may come through it: it may have all
    /// places of its tenant.
    pub(super) async fn of(issuer: &Issuer, client: &Client) -> Result<Self> {
        let number = (PLACES / issuer.snapshot.tenant_count().max(1)).clamp(LEAST, MOST);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let (share, asker) = match issuer.caller {
            _ if !client.is_public() => (number, format!("client\n{}", client.ident)),
            Some(address) => (OF_AN_ADDRESS, format!("address\n{}", network::of(address))),
            // As if everybody came from an address of their own.
            None => (OF_AN_ADDRESS, issuer.services.random.identifier()),
        };
        let who = [issuer.tenant.name.as_bytes(), &[0], asker.as_bytes()].concat();
        let who = issuer.services.sealing.digest(b"device", &who).await?;
        Ok(Self { slots: Slots { name: NAME, first: 0, number, share }, who })
    }

    /// Takes a place for what is called `id`, in one step with what `fill` adds; `false` if there is none.
    pub(super) async fn take<'i>(
        &self,
        issuer: &'i Issuer,
        id: &str,
        until: Timestamp,
        fill: impl Fn(Batch<'i>, Place<'_>) -> Result<Batch<'i>>,
    ) -> Result<bool> {
        let mut begin = [0; 4];
        issuer.services.random.fill(&mut begin);
        let wish = Wish { who: self.who, begin: u32::from_be_bytes(begin), id, until };
        let store: &'i Store = &issuer.store;
        self.slots.take(store, wish, issuer.now(), fill).await
    }
}

/// A person is looking at what is called `id`: its place is for others now, and it stays.
pub(super) async fn vouch(issuer: &Issuer, place: u32, id: &str) -> Result<()> {
    let slots = Slots { name: NAME, first: 0, number: 1, share: 1 };
    slots.release(&issuer.store, place, id).await
}

/// What the two records of a pending device are called in their place.
pub(super) fn names(device: &str, user_code: &str) -> String {
    format!("{device} {user_code}")
}

/// The ids of the two records.
pub(super) fn named(id: &str) -> Option<(&str, &str)> {
    id.split_once(' ')
}
