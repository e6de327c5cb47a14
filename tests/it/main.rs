//! One binary of tests; the list of its modules.

mod key;
