//! Single sign-on, as in `src/sso`.

mod backchannel_logout;
mod revoked_key;
mod throttle;
