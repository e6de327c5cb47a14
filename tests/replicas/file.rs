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

#[tokio::test]
async fn commands_reach_the_server_that_has_the_file_for_itself() {
    let world = World::on_a_file();
    let server = world.start().await;
    let (kids, token) = (server.kids(INTEROP).await, server.token(INTEROP).await);
    assert_eq!(world.keys(None).await.len(), kids.len(), "listed by the server");
    let said = world.run(&["keys", "rotate", "--now", "--tenant", "interop"]).await;
    assert!(said.contains("interop: RS256 key "), "{said}");
    let said = world.run(&["sessions", "list", "--json"]).await;
    assert_eq!(said.trim(), "[]");
    let said = world.run(&["sessions", "end", "--all"]).await;
    assert!(said.contains("interop: ended 0 sessions"), "{said}");
    let refused = world.try_run(&["sessions", "end"]).await;
    assert_eq!(refused.status.code(), Some(2), "whose?");
    assert!(server.believes(INTEROP, &token).await, "a client that acts for itself has no session");
    server.stop().await;
    assert_eq!(world.keys(None).await.len(), kids.len() + 1, "the command opens the file when nobody has it");
}
