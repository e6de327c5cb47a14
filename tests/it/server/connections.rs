//! Connections that do nothing end, and however many there are, probes are answered.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::program::Program;

/// Longer than any deadline of these tests, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const REQUEST: &[u8] = b"GET /versions HTTP/1.1\r\nHost: login.acme.example\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Waits for the end of the connection; answers how long that took, and what came before.
async fn end(stream: &mut TcpStream) -> (Duration, Vec<u8>) {
    let (began, mut came) = (Instant::now(), Vec::new());
    let read = timeout(PATIENCE, stream.read_to_end(&mut came)).await;
    assert!(read.is_ok(), "the connection is still there");
    (began.elapsed(), came)
}

/// Sends a request, and reads until its answer is complete.
async fn answered(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).await.expect("the server reads");
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let read = timeout(PATIENCE, stream.read_buf(&mut answer)).await.expect("an answer").expect("bytes");
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn who_says_nothing_or_half_a_word_is_let_go() {
    let program = Program::with_connections("{first_byte: 1s, idle: 60s}");
    let mut silent = program.connect().await;
    let mut half = program.connect().await;
    half.write_all(&PREFACE[..14]).await.expect("the server reads");
    for stream in [&mut silent, &mut half] {
        let (took, came) = end(stream).await;
        assert!(took < Duration::from_secs(15), "{took:?}");
        assert!(came.is_empty(), "{came:?}");
    }
}

#[tokio::test]
async fn a_connection_of_http2_without_a_stream_ends_although_it_answers_pings() {
    let program = Program::with_connections("{first_byte: 10s, idle: 1s}");
    let mut stream = program.connect().await;
    // An empty SETTINGS frame.
    stream.write_all(&[PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat()).await.expect("the server reads");
    let (began, mut pings) = (Instant::now(), 0);
    let talk = async {
        let mut head = [0; 9];
        while stream.read_exact(&mut head).await.is_ok() {
            let mut body = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
            if head[3] == 6 && head[4] == 0 {
                pings += 1;
                let answer = [&[0, 0, 8, 6, 1, 0, 0, 0, 0][..], &body].concat();
                drop(stream.write_all(&answer).await);
            }
        }
    };
    timeout(PATIENCE, talk).await.expect("the connection ends");
    assert!(pings >= 1, "nobody asked whether we are still there");
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_connection_waits_for_the_next_request_as_long_as_the_operator_says() {
    let program = Program::with_connections("{first_byte: 1s, idle: 3s}");
    let mut stream = program.connect().await;
    for _ in 0..2 {
        assert!(answered(&mut stream).await.starts_with("HTTP/1.1 200"), "an answer");
    }
    let (took, came) = end(&mut stream).await;
    assert!(took >= Duration::from_millis(2500) && came.is_empty(), "{took:?} {came:?}");
}

#[tokio::test]
async fn the_ceiling_leaves_room_for_probes_and_an_address_has_its_own() {
    let program = Program::with_connections("{most: 8, per_address: 3}");
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut own = program.connect().await;
        answered(&mut own).await;
        held.push(own);
    }
    end(&mut program.connect().await).await;
    // Another address, and a proxy that the operator trusts, for whose people there is no such limit.
    let mut other = program.connect_from([127, 0, 0, 2]).await;
    answered(&mut other).await;
    for _ in 0..4 {
        let mut proxy = program.connect_from([127, 9, 9, 9]).await;
        answered(&mut proxy).await;
        held.push(proxy);
    }
    end(&mut program.connect_from([127, 9, 9, 9]).await).await;
    let health = reqwest::Client::builder().no_proxy().build().expect("a client");
    let health = health.get(format!("http://127.0.0.1:{}/health", program.metrics)).send().await.expect("an answer");
    assert_eq!(health.status(), 200);
    // Who leaves makes room.
    held.truncate(3);
    let mut again = program.connect_from([127, 9, 9, 9]).await;
    for _ in 0..100 {
        if timeout(Duration::from_millis(50), again.read_u8()).await.is_err() {
            break;
        }
        again = program.connect_from([127, 9, 9, 9]).await;
    }
    answered(&mut again).await;
}
