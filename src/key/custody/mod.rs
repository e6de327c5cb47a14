//! Private halves: how they are made, sealed for the store, and opened to sign.

pub mod generate;
pub mod private_key;
pub mod seal;
