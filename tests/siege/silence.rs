//! Connections that say nothing, or not enough: they end, and others are served meanwhile.

use tokio::time::{Duration, Instant, sleep};

use crate::figures::descriptors;
use crate::flood::{From, silent};
use crate::port::free_port;
use crate::server::http_client;
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
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Descriptors that come and go: the store, and the probes themselves.
const SLACK: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_leave_descriptors_for_probes_and_end() {
    let probes = free_port();
    let listen = format!("127.0.0.1:{probes}");
    let world = besieged(World::on_a_file()).with_descriptors(1024).with("METRICS_LISTEN", &listen);
    let replica = world.spawn();
    while !answers(probes).await {
        sleep(LOOK_EVERY).await;
    }
    let rest = descriptors(&replica);
    for (from, all) in [(From::One, &WORDS[..1]), (From::Many, &WORDS[..])] {
        for words in all {
            let held = silent(replica.port, from, 1_100, words).await;
            assert!(answers(probes).await, "no probe is answered beside {} connections of {words:?}", held.len());
            let begun = Instant::now();
            while descriptors(&replica) > rest + SLACK {
                assert!(begun.elapsed() < GONE_WITHIN, "{} descriptors stay open", descriptors(&replica));
                assert!(answers(probes).await, "no probe is answered beside connections of {words:?}");
                sleep(LOOK_EVERY).await;
            }
            let words = String::from_utf8_lossy(words);
            println!("from {from:?}, {words:?}: {} connections, gone after {:.1?}", held.len(), begun.elapsed());
        }
    }
}

/// Whether a probe is told that the server is ready.
async fn answers(port: u16) -> bool {
    let url = format!("http://127.0.0.1:{port}/health/ready");
    let answer = http_client().get(url).timeout(Duration::from_secs(5)).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}
