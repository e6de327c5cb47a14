//! Moving in from the older layout of Uitsmijter's keys in Redis, one set for the whole server.
//!
//! The layout is `uitsmijter:jwks:active` (a kid), `uitsmijter:jwks:index` (a sorted set, scored by unix seconds) and
//! `uitsmijter:jwks:keys:<kid>:{private,public,metadata}` (PKCS#8 PEM, SPKI PEM, JSON). Adopted keys keep their names,
//! which are plain dates. The active one signs on until it is due; the others go on verifying for as long as the policy
//! keeps a retired key.
//!
//! Nothing else depends on this room: once nobody moves in any more, it goes, with the call in `first_use.rs`, the
//! words `import` and `withdraw` of the command, and `store::Foreign`.

pub mod adopt;
pub mod import;
pub mod layout;
pub mod withdrawn;
