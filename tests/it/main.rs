//! The server's tests, one module per subject.

mod login_script;
mod password;
