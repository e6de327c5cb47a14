//! Single sign-on, as in `src/sso`.

mod administration;
mod backchannel_logout;
mod crowd;
mod leavers;
mod revoked_key;
mod taken_from_client;
mod taken_off_the_list;
mod throttle;
