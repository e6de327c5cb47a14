//! A fixed number of places for what strangers leave behind. Who is given a place drives out what they left there before;
//! what others left goes only when it is old. So a flood fills its own places and no others, and no row is ever counted.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::record::{Loaded, Record, digest_of};
use super::typed::Store;
use crate::clock::Timestamp;

/// The places for one kind of records, in one part of the store.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    /// What they are for.
    pub name: &'static str,
    /// The number of the first one.
    pub first: u32,
    /// How many there are; at least one.
    pub number: u32,
    /// How many of them one stranger may have.
    pub share: u32,
}

/// Who wants a place, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// A keyed digest of who asks: nobody else can tell who shares places with whom.
    pub who: [u8; 32],
    /// By chance: with which of their places the search begins.
    pub begin: u32,
    /// The id of the record that takes the place.
    pub id: &'a str,
    /// Until when that record is kept.
    pub until: Timestamp,
}

/// A place that was found.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Its number, for [`Slots::release`].
    pub number: u32,
    /// The id of the record that has to go.
    pub former: Option<&'a str>,
}

/// Who has a place.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slot {
    who: String,
    since: Timestamp,
    id: String,
}

impl Record for Slot {
    const KIND: &'static str = "slot";
}

/// How many places are looked at. Not all of somebody's: each look is a journey to the store.
const LOOKED_AT: u32 = 4;
/// How long what somebody left is safe from others.
pub const SAFE: Duration = Duration::from_secs(10 * 60);
/// How often another place is looked for while others are faster.
const TRIES: usize = 5;

impl Slots {
    /// Finds a place and takes it in one step with what `fill` adds: the new record, and the removal of the former one.
    /// `false`: none is free now, and nothing has happened.
    pub async fn take<'s>(
        &self,
        store: &'s Store,
        wish: Wish<'_>,
        now: Timestamp,
        fill: impl Fn(Batch<'s>, Place<'_>) -> Result<Batch<'s>>,
    ) -> Result<bool> {
        let who = digest_of(&wish.who);
        let numbers = self.numbers_of(&wish);
        for _ in 0..TRIES {
            let found = try_join_all(
                numbers.iter().map(async |&number| anyhow::Ok((number, store.load::<Slot>(&self.id(number)).await?))),
            );
            let Some((number, slot)) = choose(found.await?, &who, now) else { return Ok(false) };
            let taken = Slot { who: who.clone(), since: now, id: wish.id.to_owned() };
            let place = Place { number, former: slot.as_ref().map(|slot| &*slot.record.id) };
            let batch = fill(store.batch(), place)?;
            if batch.replace(&self.id(number), slot.as_ref(), &taken, &[], Some(wish.until))?.commit().await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives the place `number` free for others without removing the record `id`, which somebody vouches for from here on.
    pub async fn release(&self, store: &Store, number: u32, id: &str) -> Result<()> {
        let slot = self.id(number);
        match store.load::<Slot>(&slot).await?.filter(|found| found.record.id == id) {
            // Whoever was faster took the place.
            Some(found) => store.batch().take(&slot, &found).commit().await.map(drop),
            None => Ok(()),
        }
    }

    /// The places that are looked at for `wish`: some of those that belong to who asks.
    fn numbers_of(&self, wish: &Wish<'_>) -> Vec<u32> {
        let share = self.share.clamp(1, self.number.max(1));
        let nth = |nth: u32| {
            let digest =
                aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &[&wish.who[..], &nth.to_be_bytes()].concat());
            let bytes = digest.as_ref().first_chunk().copied().unwrap_or_default();
            self.first + u32::from_be_bytes(bytes) % self.number.max(1)
        };
        let begin = wish.begin % share;
        let mut numbers: Vec<u32> = (0..LOOKED_AT.min(share)).map(|step| nth((begin + step) % share)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn id(&self, number: u32) -> String {
        format!("{}\n{number}", self.name)
    }
}

type Found = (u32, Option<Loaded<Slot>>);

/// A free place; else the oldest of one's own; else the oldest of somebody else's that is safe no longer.
fn choose(found: Vec<Found>, who: &str, now: Timestamp) -> Option<Found> {
    let preference = |(_, slot): &Found| match slot {
        None => Some((0, Timestamp(0))),
        Some(slot) if slot.record.who == who => Some((1, slot.record.since)),
        Some(slot) => (slot.record.since + SAFE <= now).then_some((2, slot.record.since)),
    };
    let rated = found.into_iter().filter_map(|found| Some((preference(&found)?, found)));
    rated.min_by_key(|(preference, _)| *preference).map(|(_, found)| found)
}
