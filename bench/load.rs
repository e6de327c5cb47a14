//! A small HTTP/1.1 client for `bench/run`: sends prepared requests over kept connections, one at a time on each.
//!
//! `load ADDRESS CONNECTIONS TOTAL [--rate PER_SECOND | --answers] < REQUESTS`. A request is its length in bytes, a line
//! break, and the bytes. They are sent in turn until TOTAL were answered. Prints how often each status came, one per
//! line, and how long answers took (`p50`, `p99` and `all`, in microseconds); with `--answers` the whole answers instead,
//! framed like the requests and in their order. With `--rate` each request has its moment, and its time counts from
//! there: whoever has to wait for a free connection waits for the server, too.
//!
//! It has no dependencies, so that a bare `rustc -O` builds it, and does as little as possible, so that it leaves the
//! machine to the server that is measured.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What all connections share.
struct Work {
    address: String,
    requests: Vec<Vec<u8>>,
    total: usize,
    keep_answers: bool,
    /// How far apart the requests are.
    pause: Option<Duration>,
    next: AtomicUsize,
}

/// What one connection has to tell.
#[derive(Default)]
struct Told {
    statuses: BTreeMap<String, usize>,
    answers: Vec<(usize, Vec<u8>)>,
    times: Vec<Duration>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, total, rest @ ..] = arguments.as_slice() else {
        return Err("usage: load ADDRESS CONNECTIONS TOTAL [--rate PER_SECOND | --answers] < REQUESTS".into());
    };
    let (connections, total): (usize, usize) = (connections.parse()?, total.parse()?);
    let keep_answers = rest.iter().any(|argument| argument == "--answers");
    let rate = rest.iter().skip_while(|argument| *argument != "--rate").nth(1).map(|rate| rate.parse::<f64>());
    let pause = rate.transpose()?.map(|rate| Duration::from_secs_f64(1.0 / rate));
    let (address, requests, next) = (address.clone(), read_requests()?, AtomicUsize::new(0));
    let work = Work { address, requests, total, keep_answers, pause, next };
    let begun = Instant::now();
    let told = thread::scope(|scope| {
        let running: Vec<_> = (0..connections).map(|_| scope.spawn(|| connection(&work, begun))).collect();
        running.into_iter().map(|one| one.join().map_err(|_| "a connection panicked")?).collect::<Result<Vec<Told>>>()
    })?;
    print(told, keep_answers, begun.elapsed())
}

fn read_requests() -> Result<Vec<Vec<u8>>> {
    let (mut input, mut requests, mut line) = (BufReader::new(std::io::stdin().lock()), Vec::new(), String::new());
    while input.read_line(&mut line)? > 0 {
        let mut request = vec![0; line.trim().parse()?];
        input.read_exact(&mut request)?;
        requests.push(request);
        line.clear();
    }
    Ok(requests)
}

fn connection(work: &Work, begun: Instant) -> Result<Told> {
    let mut stream = TcpStream::connect(&work.address)?;
    stream.set_nodelay(true)?;
    let (mut told, mut buffer) = (Told::default(), Vec::with_capacity(16 * 1024));
    loop {
        let number = work.next.fetch_add(1, Ordering::Relaxed);
        if number >= work.total {
            return Ok(told);
        }
        let moment = work.pause.map(|pause| begun + pause.mul_f64(number as f64));
        if let Some(early) = moment.and_then(|moment| moment.checked_duration_since(Instant::now())) {
            thread::sleep(early);
        }
        let moment = moment.unwrap_or_else(Instant::now);
        stream.write_all(&work.requests[number % work.requests.len()])?;
        buffer.clear();
        let status = read_answer(&mut stream, &mut buffer)?;
        *told.statuses.entry(status).or_default() += 1;
        told.times.push(moment.elapsed());
        if work.keep_answers {
            told.answers.push((number, buffer.clone()));
        }
    }
}

/// Reads one answer into `buffer` and gives its status.
fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<String> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(stream, buffer)?;
    };
    let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let whole = head + 4 + length.map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
    while buffer.len() < whole {
        more(stream, buffer)?;
    }
    Ok(text.get(9..12).ok_or("an answer without a status")?.to_owned())
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk)? {
        0 => Err("the server closed a connection before it had answered".into()),
        count => {
            buffer.extend_from_slice(&chunk[..count]);
            Ok(())
        }
    }
}

fn print(told: Vec<Told>, keep_answers: bool, all: Duration) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if keep_answers {
        let mut answers: Vec<_> = told.into_iter().flat_map(|told| told.answers).collect();
        answers.sort_unstable_by_key(|(number, _)| *number);
        for (_, answer) in answers {
            writeln!(out, "{}", answer.len())?;
            out.write_all(&answer)?;
        }
        return Ok(out.flush()?);
    }
    let mut times: Vec<Duration> = told.iter().flat_map(|told| told.times.iter().copied()).collect();
    times.sort_unstable();
    let mut statuses = BTreeMap::<String, usize>::new();
    for (status, count) in told.into_iter().flat_map(|told| told.statuses) {
        *statuses.entry(status).or_default() += count;
    }
    for (status, count) in statuses {
        writeln!(out, "{status} {count}")?;
    }
    for (name, percent) in [("p50", 50), ("p99", 99)] {
        let time = times.get(times.len().saturating_sub(1) * percent / 100);
        writeln!(out, "{name} {}", time.map_or(0, Duration::as_micros))?;
    }
    writeln!(out, "all {}", all.as_micros())?;
    Ok(out.flush()?)
}
