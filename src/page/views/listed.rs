//! What is read from folders and buckets, and how much of it.

use std::sync::Arc;

/// The most bytes of one template; ours have less than 4 KiB.
pub(super) const LARGEST: u64 = 256 * 1024;
/// The most templates of one folder or bucket.
pub(super) const MOST: usize = 32;

/// File names, such as `login.html`, with their contents.
pub(super) type Sources = Vec<(String, Arc<str>)>;

/// One object in the listing of a bucket.
pub(super) struct Listed {
    /// The name without the path before it.
    pub(super) name: String,
    /// In bytes.
    pub(super) size: u64,
    /// Changes whenever the object does.
    pub(super) version: String,
}
