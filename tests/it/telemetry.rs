//! What a collector gets of a sign-in, and in whose trace it happens.

use axum::body::Body;
use axum::http::Request;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::runtime::Handle;
use tracing::subscriber::DefaultGuard;
use uitsmijter::outgoing::client::{self, Policy};
use uitsmijter::settings::{Log, LogFormat, LogLevel};
use uitsmijter::telemetry::{Collectors, Telemetry};
use url::Url;

use crate::harness::collector::{Arrived, Collector, Mood, attribute, hex, text};
use crate::harness::lines::{self, Lines};
use crate::harness::{Application, Browser, RelyingParty, TestServer, fixtures};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Everything of this thread is logged and exported, until it is dropped.
pub(crate) struct Traced {
    telemetry: Telemetry,
    collector: Collector,
    pub(crate) lines: Lines,
    _guard: DefaultGuard,
}

impl Traced {
    pub(crate) async fn begin(level: LogLevel) -> Self {
        let collector = Collector::start(Mood::Takes).await;
        let place = |signal: &str| Some(Url::parse(&format!("{}/v1/{signal}", collector.url)).expect("a URL"));
        let collectors = Collectors { traces: place("traces"), logs: place("logs") };
        let telemetry = Telemetry::start(&collectors, client::builder(&Policy::Operator), &Handle::current());
        let telemetry = telemetry.expect("telemetry").expect("a collector");
        lines::heed_every_thread();
        let (log, lines) = (Log { level, format: LogFormat::Ndjson }, Lines::default());
        let (dispatch, _) = uitsmijter::log::dispatch(&log, lines.clone(), false, Some(&telemetry)).expect("a log");
        Self { telemetry, collector, lines, _guard: tracing::dispatcher::set_default(&dispatch) }
    }

    /// Everything that was exported.
    pub(crate) async fn end(self) -> Arrived {
        tokio::task::spawn_blocking(|| self.telemetry.stop()).await.expect("an end");
        self.collector.arrived()
    }

    fn logged(&self) -> String {
        String::from_utf8(self.lines.0.lock().expect("no test panics while it logs").clone()).expect("UTF-8")
    }
}

async fn ask(server: &TestServer, path: &str, traceparents: &[&str]) {
    let mut request = Request::get(path);
    for traceparent in traceparents {
        request = request.header("traceparent", *traceparent);
    }
    server.send(request.body(Body::empty()).expect("a request")).await;
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let names: Vec<&String> = spans.iter().map(|span| &span.name).collect();
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name} is not among {names:?}"))
}

#[tokio::test]
async fn a_sign_in_arrives_as_spans_named_by_route_and_lines_of_the_same_trace() {
    let traced = Traced::begin(LogLevel::Debug).await;
    let server = TestServer::start().await;
    let spa = RelyingParty::new(&server, "spa");
    let code = spa.obtain_code(&[]).await;
    spa.redeem(&code).await.expect(200);
    server.get("/nowhere/at%20all?code=secret").await;
    let logged = traced.logged();
    let arrived = traced.end().await;
    let token = named(&arrived.spans, "POST /token");
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/token"),
        ("http.response.status_code", "200"),
        ("uitsmijter.tenant", "acme"),
        ("uitsmijter.client_id", "spa"),
    ] {
        assert_eq!(attribute(&token.attributes, key), value, "{key}");
    }
    assert_eq!(token.attributes.len(), 6, "only what is listed is sent: {:?}", token.attributes);
    assert_eq!(token.kind, 2, "a span of a server");
    assert!(token.parent_span_id.is_empty() && token.events.is_empty());
    assert!(token.end_time_unix_nano > token.start_time_unix_nano);
    for name in ["GET /authorize", "GET /login", "POST /login", "GET unmatched"] {
        assert_eq!(named(&arrived.spans, name).kind, 2);
    }
    let issued = arrived.lines.iter().find(|line| text(line.body.as_ref()) == "token issued").expect("an audit line");
    assert_eq!((&issued.trace_id, &issued.span_id), (&token.trace_id, &token.span_id));
    assert_eq!(attribute(&issued.attributes, "request_id"), attribute(&token.attributes, "uitsmijter.request_id"));
    assert_eq!(attribute(&issued.attributes, "path"), "/token");
    let id = format!("\"trace_id\":\"{}\"", hex(&token.trace_id));
    assert!(logged.lines().any(|line| line.contains(&id) && line.contains("token issued")), "{logged}");
    assert!(arrived.resources.contains(&"service.name=uitsmijter".to_owned()), "{:?}", arrived.resources);
    assert!(arrived.spans.iter().all(|span| span.status.as_ref().is_none_or(|status| status.code == 0)));
}

#[tokio::test]
async fn a_request_joins_the_trace_of_its_caller_if_that_names_one() {
    let traced = Traced::begin(LogLevel::Info).await;
    let server = TestServer::start().await;
    let good = format!("00-{TRACE}-{CALLER}-01");
    ask(&server, "/versions", &[&good]).await;
    let unsampled = format!("00-{}-{CALLER}-00", TRACE.replace('4', "5"));
    ask(&server, "/openapi.json", &[&unsampled]).await;
    let zeros = format!("00-{}-{CALLER}-01", "0".repeat(32));
    for bad in [vec!["garbage"], vec![&zeros], vec![&good, &good], vec!["00-4bf92f-00f0-01"], vec![]] {
        ask(&server, "/health", &bad).await;
    }
    ask(&server, "/.well-known/jwks.json", &[&good]).await;
    let arrived = traced.end().await;
    let joined = named(&arrived.spans, "GET /versions");
    assert_eq!((hex(&joined.trace_id), hex(&joined.parent_span_id)), (TRACE.to_owned(), CALLER.to_owned()));
    assert!(arrived.spans.iter().all(|span| span.name != "GET /openapi.json"), "the caller does not sample it");
    let own: Vec<&Span> = arrived.spans.iter().filter(|span| span.name == "GET /health").collect();
    assert_eq!(own.len(), 5);
    assert!(own.iter().all(|span| span.parent_span_id.is_empty() && hex(&span.trace_id) != TRACE), "{own:#?}");
    assert_eq!(arrived.spans.len(), 6, "public documents have no span as long as all is well: {:#?}", arrived.spans);
}

#[tokio::test]
async fn our_requests_to_others_carry_the_trace_and_nothing_more_of_it() {
    let traced = Traced::begin(LogLevel::Info).await;
    let application = Application::start("").await;
    let client = format!(
        "name: one\nconfig:\n  tenantname: acme\n  ident: one\n  redirect_urls: ['{}']\n  scopes: [openid]\n  \
         backchannel_logout_uri: {}\n",
        fixtures::CALLBACK,
        application.url("/bye")
    );
    let server = TestServer::start_with(&[fixtures::documents(), client].join("\n---\n"), &[]).await;
    let mut browser = Browser::new(&server);
    let one = RelyingParty::new(&server, "one");
    let code = one.obtain_code_in(&mut browser, &[]).await;
    let hint = one.redeem(&code).await.expect(200).member("id_token");
    browser.get(&format!("/logout?id_token_hint={hint}")).await.expect(200);
    application.wait_for(1).await;
    let sent = application.headers().remove(0);
    // The span ends with the task, which ends with the response.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let arrived = traced.end().await;
    let (told, logout) = (named(&arrived.spans, "backchannel_logout"), named(&arrived.spans, "GET /logout"));
    assert_eq!((&told.trace_id, &told.parent_span_id), (&logout.trace_id, &logout.span_id));
    assert_eq!(attribute(&told.attributes, "uitsmijter.client_id"), "one");
    let expected = format!("00-{}-{}-01", hex(&told.trace_id), hex(&told.span_id));
    assert_eq!(sent["traceparent"], expected.as_str());
    assert!(!sent.contains_key("tracestate") && !sent.contains_key("baggage"), "{sent:?}");
}

#[tokio::test]
async fn a_quiet_log_does_not_turn_traces_off() {
    let traced = Traced::begin(LogLevel::Error).await;
    let server = TestServer::start().await;
    server.get("/versions").await;
    let (logged, arrived) = (traced.logged(), traced.end().await);
    named(&arrived.spans, "GET /versions");
    assert!(logged.is_empty(), "{logged}");
    assert!(arrived.lines.is_empty());
}

#[tokio::test]
async fn a_fault_of_ours_is_an_error_of_the_span() {
    let traced = Traced::begin(LogLevel::Info).await;
    let (server, store) = TestServer::start_watched(&fixtures::documents()).await;
    let mut browser = Browser::new(&server);
    RelyingParty::new(&server, "spa").obtain_code_in(&mut browser, &[]).await;
    store.go_away(true);
    browser.get("/").await.expect(503);
    let arrived = traced.end().await;
    let span = named(&arrived.spans, "GET /");
    assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
    assert_eq!(attribute(&span.attributes, "http.response.status_code"), "503");
}

#[tokio::test]
async fn without_a_collector_lines_carry_the_trace_of_the_caller_and_nothing_is_passed_on() {
    let nobody = Telemetry::start(&Collectors::default(), client::builder(&Policy::Operator), &Handle::current())
        .expect("telemetry");
    assert!(nobody.is_none());
    let lines = Lines::default();
    lines::heed_every_thread();
    let log = Log { level: LogLevel::Debug, format: LogFormat::Ndjson };
    let (dispatch, _) = uitsmijter::log::dispatch(&log, lines.clone(), false, None).expect("a log");
    let guard = tracing::dispatcher::set_default(&dispatch);
    let server = TestServer::start().await;
    ask(&server, "/versions", &[&format!("00-{TRACE}-{CALLER}-01")]).await;
    ask(&server, "/openapi.json", &[]).await;
    let mut headers = axum::http::HeaderMap::new();
    uitsmijter::telemetry::pass_on(&mut headers);
    drop(guard);
    assert!(headers.is_empty(), "{headers:?}");
    let logged = String::from_utf8(lines.0.lock().expect("no test panics while it logs").clone()).expect("UTF-8");
    let line = |path: &str| logged.lines().find(|line| line.contains(path)).expect("a line").to_owned();
    assert!(line("/versions").contains(&format!("\"trace_id\":\"{TRACE}\"")), "{logged}");
    assert!(!line("/openapi.json").contains("trace_id"), "{logged}");
}
