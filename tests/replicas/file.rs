//! One process after the other on one file.

use crate::replica::INTEROP;
use crate::world::World;

const TAKEN_OVER: &str = "the store was not closed the last time";

#[tokio::test]
async fn a_server_that_was_told_to_stop_has_closed_its_file_and_one_that_was_killed_lost_nothing() {
    // The sentence that must not be logged is the one that the program would log.
    assert!(include_str!("../../src/store/redb/mod.rs").contains(TAKEN_OVER));
    let world = World::on_a_file();
    let first = world.start().await;
    let (kids, token) = (first.kids(INTEROP).await, first.token(INTEROP).await);
    first.stop().await;

    let second = world.start().await;
    assert!(!second.log().contains(TAKEN_OVER), "{}", second.log());
    assert_eq!(second.kids(INTEROP).await, kids);
    assert!(second.believes(INTEROP, &token).await);
    let revoked = second.token(INTEROP).await;
    second.post(INTEROP, "/revoke", &[("token", &revoked)]).await;
    assert!(!second.believes(INTEROP, &revoked).await);
    second.kill();

    let third = world.start().await;
    assert_eq!(third.kids(INTEROP).await, kids);
    assert!(third.believes(INTEROP, &token).await);
    assert!(!third.believes(INTEROP, &revoked).await, "what was acknowledged just before is not known");
    third.stop().await;
    assert_eq!(world.keys(None).await.len(), kids.len(), "a command reads the file in between");
    let fourth = world.start().await;
    assert!(!fourth.log().contains(TAKEN_OVER), "a command closes the file, too: {}", fourth.log());
}
