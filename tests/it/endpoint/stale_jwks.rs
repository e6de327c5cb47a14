//! `GET /.well-known/jwks.json` of a replica that has lost contact with the others: signing-keys §3.

use std::time::Duration;

use crate::harness::TestServer;

const PATH: &str = "/.well-known/jwks.json";

#[tokio::test]
async fn a_key_set_that_may_be_out_of_date_is_served_and_kept_by_no_cache() {
    let server = TestServer::start().await;
    let caching = async || server.get(PATH).await.expect(200).header("cache-control").to_owned();
    assert_eq!(caching().await, "public, max-age=3600");
    // As after SIGSTOP or without the store, for longer than the others wait for a replica.
    server.clock.advance(Duration::from_secs(121));
    assert_eq!(caching().await, "public, max-age=0");
    server.app.services.keys.follow_news().await.expect("the news");
    assert_eq!(caching().await, "public, max-age=3600");
}
