//! The life of signing keys: one set per tenant, shared by all replicas, changed only by compare-and-set.
//!
//! Which key signs, which keys are published and which may go is arithmetic on the timestamps of the set
//! ([`record`]); what to do next is a pure decision ([`rotation`]); the [`keychain`] of each replica carries it out.
//! Therefore a lost tick, a slow replica or events in an odd order cost time and never a token.
//!
//! Four rooms: [`custody`] has the private halves, [`keychain`] the sets in memory, [`replicas`] what replicas tell each
//! other, [`older`] the way in from the older layout. The rest of the server enters by [`signer_manager`], operators by
//! [`commands`].
//!
//! # Why no token outlives the publication of its key
//!
//! 1. A replica signs only what the stored record already promises to verify: `exp` is at most `now + grace` of the key,
//!    or at most its `last_expiry` ([`record::StoredKey::covers`]). Both are in the store before the token exists, so a
//!    process that is killed before it wrote anything takes no promise with it.
//! 2. A key stops signing at `retired_at`, and every replica knows that moment in advance: it is set together with
//!    `signs_from` of the successor, `announce` ahead. So everything signed expires before `retired_at + grace`, or
//!    before `last_expiry`. An operator's `rotate --now` is not known in advance; it raises `last_expiry` of the old key
//!    by [`record::LAG`], the longest that a replica in touch with the store can be behind.
//! 3. A key leaves the JWKS after both, and after [`record::SKEW`] more, which is as far as two clocks are apart.
//!
//! A replica that is cut off from the store while it serves goes on with what it knows. That is safe for a while shorter
//! than `announce` less `jwks_max_age`, most of a day by default; after that it might publish a JWKS without the
//! key that the others sign with. A frozen replica catches up before anything else when it wakes.
//!
//! `grace` is written into the key when it is made and never shrinks, so an operator who shortens it in the settings
//! shortens it for keys to come. Replicas raise `last_expiry` to what they really signed, for people to read.

pub mod commands;
pub mod custody;
pub mod foreign_keys;
pub mod hs256;
pub mod key_metrics;
pub mod key_ring;
pub mod key_store;
pub mod keychain;
pub mod listing;
pub mod older;
pub mod plan;
pub mod policy;
pub mod record;
pub mod replicas;
pub mod rotation;
pub mod set_change;
pub mod set_restore;
pub mod settings;
pub mod signer;
pub mod signer_manager;
pub mod snapshot;
pub mod tenant_map;
pub mod token_type;
pub mod verify;

pub use commands::KeyCommands;
pub use policy::{PolicyOverrides, RotationPolicy};
pub use replicas::capability::Capability;
pub use settings::{SigningSettings, TenantSigning};
pub use signer::TenantSigner;
pub use signer_manager::SignerManager;
pub use snapshot::PublishedKeys;
pub use token_type::TokenType;
pub use verify::{Expired, SignedWith, VerifyError};
