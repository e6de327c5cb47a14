//! The real binary and a collector that accepts, refuses or hangs; meanwhile a person signs in.

use std::time::Duration;

use tokio::time::Instant;

use crate::collector::{Collector, Mood, attribute};
use crate::configuration;
use crate::server::{Server, http_client};

const OUTAGE: &str = "the collector does not take telemetry";

async fn server(collector: &Collector, more: &[(&str, &str)]) -> Server {
    let mut environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone())];
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let documents = [configuration::tenant(), configuration::service("service")];
    Server::start_with(&documents, &environment).await
}

/// Some tokens; returns the longest time that one took.
async fn tokens(server: &Server, count: usize) -> Duration {
    let http = http_client();
    let mut longest = Duration::ZERO;
    for _ in 0..count {
        let begun = Instant::now();
        let form =
            [("grant_type", "client_credentials"), ("client_id", "service"), ("client_secret", configuration::SECRET)];
        let answer = http.post(format!("{}/token", server.issuer())).form(&form).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        longest = longest.max(begun.elapsed());
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_gathered_is_sent_when_the_server_stops() {
    let collector = Collector::start(Mood::Takes).await;
    // Long enough that nothing is sent before.
    let named = [
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "600000"),
        ("OTEL_SERVICE_NAME", "front-door"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=trial"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=open-sesame"),
    ];
    let mut server = server(&collector, &named).await;
    tokens(&server, 3).await;
    assert_eq!(collector.arrived().calls, 0);
    let stopping = Instant::now();
    server.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(4), "{:?}", stopping.elapsed());
    let arrived = collector.arrived();
    let issued = arrived.spans.iter().filter(|span| span.name == "POST /token");
    assert_eq!(issued.clone().count(), 3);
    assert!(issued.clone().all(|span| attribute(&span.attributes, "uitsmijter.tenant") == "interop"));
    assert!(!arrived.lines.is_empty());
    for expected in ["service.name=front-door", "deployment.environment.name=trial"] {
        assert!(arrived.resources.iter().any(|told| told == expected), "{:?}", arrived.resources);
    }
    assert!(arrived.headers.iter().all(|headers| headers["x-collector-key"] == "open-sesame"));
    assert!(!server.log().contains("open-sesame"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_or_hangs_changes_nothing_for_requests_and_is_complained_of_once() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let collector = Collector::start(mood).await;
        // Small and often, so that the queue overflows and many batches fail.
        let eager = [
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "16"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "4"),
        ];
        let mut server = server(&collector, &eager).await;
        let longest = tokens(&server, 200).await;
        println!("{mood:?}: 200 tokens, the longest took {longest:?}");
        assert!(longest < Duration::from_secs(2), "{mood:?}: {longest:?}");
        // A hanging collector is given up after ten seconds.
        for _ in 0..300 {
            if server.log().matches(OUTAGE).count() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let before = server.log().lines().count();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let log = server.log();
        assert_eq!(log.matches(OUTAGE).count(), 2, "once for traces, once for logs: {log}");
        assert_eq!(log.lines().count(), before, "an idle server goes on logging: {log}");
        if mood == Mood::Refuses {
            collector.becomes(Mood::Takes);
            tokens(&server, 5).await;
            collector.wait("what came after the outage", |arrived| !arrived.spans.is_empty()).await;
            assert!(server.log().contains("the collector takes telemetry again"), "{}", server.log());
        }
        let stopping = Instant::now();
        server.stop().await;
        println!("{mood:?}: stopped within {:?}", stopping.elapsed());
        assert!(stopping.elapsed() < Duration::from_secs(5), "{mood:?}: {:?}", stopping.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_not_told_of_its_own_deliveries() {
    let collector = Collector::start(Mood::Takes).await;
    let eager = [("OTEL_BSP_SCHEDULE_DELAY", "20"), ("OTEL_BLRP_SCHEDULE_DELAY", "20"), ("LOG_LEVEL", "trace")];
    let server = server(&collector, &eager).await;
    tokens(&server, 5).await;
    collector
        .wait("the tokens", |arrived| arrived.spans.iter().filter(|span| span.name == "POST /token").count() == 5)
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = collector.arrived().calls;
    tokio::time::sleep(Duration::from_secs(3)).await;
    // The ticks of a server that does nothing else may log a line or two.
    let more = collector.arrived().calls - before;
    assert!(more < 20, "{more} deliveries from an idle server");
}
