//! Connections that say nothing, or not enough: they end, and others are served meanwhile.

use tokio::time::{Duration, Instant, sleep};

use crate::figures::descriptors;
use crate::flood::{From, silent};
use crate::stores::besieged;
use crate::world::World;

/// What a silent client may have sent: nothing, half of HTTP/2's preface, all of it, and a request without its end.
const WORDS: [&[u8]; 4] = [
    b"",
    b"PRI * HTTP/2.0\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"GET /login HTTP/1.1\r\nHost: lo",
];

/// When the last of them must be gone: the longest deadline of the server, twice.
const GONE_WITHIN: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_leave_descriptors_for_others_and_end() {
    let world = besieged(World::on_a_file()).with_descriptors(1024);
    let replica = world.start().await;
    let rest = descriptors(&replica);
    for from in [From::One, From::Many] {
        for words in WORDS {
            let held = silent(replica.port, from, 1_100, words).await;
            assert!(replica.is_ready().await, "nobody is served beside {} connections of {words:?}", held.len());
            let begun = Instant::now();
            while descriptors(&replica) > rest + 16 {
                assert!(begun.elapsed() < GONE_WITHIN, "{} descriptors stay open", descriptors(&replica));
                assert!(replica.is_ready().await, "nobody is served beside connections of {words:?}");
                sleep(Duration::from_millis(250)).await;
            }
            println!("from {from:?}, {words:?}: {} connections, gone after {:?}", held.len(), begun.elapsed());
        }
    }
}
