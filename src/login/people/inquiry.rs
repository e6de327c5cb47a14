//! The question whether somebody who signed in before may stay, and its answer.

use crate::clock::Timestamp;
use crate::session::Identity;

/// A question about somebody who signed in before.
#[derive(Clone, Copy)]
pub struct Inquiry<'a> {
    /// Who it was.
    pub person: &'a Identity,
    /// The present.
    pub now: Timestamp,
    /// When somebody last said that they may stay; an answer of a moment ago will do. `None`: it will not.
    pub last_yes: Option<Timestamp>,
}

/// The answer.
#[derive(Debug)]
pub enum Verdict {
    /// The person may stay.
    Stays {
        /// Who they are now.
        person: Box<Identity>,
        /// When somebody said so.
        at: Timestamp,
    },
    /// The provider said no, or the person is off the list.
    Leaves,
    /// There is nobody to ask, and the operator does not take that for a yes.
    Unsaid,
}
