//! Scripts that never end, never answer or take everything: they cost their own login, and nobody else's.

use std::sync::atomic::Ordering;

use super::*;

/// Built-in functions that the engine cannot interrupt.
const HEAVY: &str = "const big = Array.from({ length: 60000 }, (_, i) => (i * 7919) % 60013);
                     for (let i = 0; i < 4; i++) big.slice().sort(); commit(true)";

async fn stops(source: &str) -> ScriptError {
    let began = Instant::now();
    let error = login_within(quick(), source).await.expect_err("no answer");
    assert!(began.elapsed() < Duration::from_secs(10), "{source} took {:?}", began.elapsed());
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_ends_is_a_timeout() {
    for endless in [
        "while (true) {}",
        "for (;;) { try { while (true) {} } catch { } finally { continue } }",
        "(async () => { for (;;) await null })()",
        "const again = () => setTimeout(again, 0); again()",
        "setTimeout(() => commit(true), 60000)",
        "/^(a+)+$/.test('a'.repeat(40) + 'b'); commit(true)",
        "new Promise(() => setTimeout(() => 0, 5000))",
    ] {
        let error = stops(&provider(endless)).await;
        assert!(matches!(error, ScriptError::Timeout(_)), "{endless}: {error}");
    }
    // Each promise of this chain keeps the one before.
    let chain = stops(&provider("const again = () => Promise.resolve().then(again); again()")).await;
    assert!(matches!(chain, ScriptError::Timeout(_) | ScriptError::OutOfMemory), "{chain}");
    assert!(matches!(stops("while (true) {}").await, ScriptError::Timeout(_)), "at the top level");
    let getter = "class UserLoginProvider { constructor() { commit(true) } get canLogin() { for (;;); } }";
    assert!(matches!(stops(getter).await, ScriptError::Timeout(_)), "in a getter");
    let json = "class UserLoginProvider { canLogin = true; constructor() { commit(true) }
                get userProfile() { return { toJSON() { for (;;); } } } }";
    assert!(matches!(stops(json).await, ScriptError::Timeout(_)), "in toJSON");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_after_the_limit_is_none() {
    let backend = backend::start().await;
    let late = provider(&format!("fetch('{backend}/slow/1000').finally(() => commit(true))"));
    let limits = ScriptLimits { fetch: FetchLimits::default(), ..quick() };
    assert!(matches!(login_within(limits, &late).await, Err(ScriptError::Timeout(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_only_computes_is_stopped_before_the_limit() {
    let limits = ScriptLimits { busy: Duration::from_millis(100), ..patient() };
    let began = Instant::now();
    let error = login_within(limits, &provider("while (true) {}")).await.expect_err("no answer");
    assert_eq!(error, ScriptError::Busy(Duration::from_millis(100)));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_script_that_never_commits_ends_at_once() {
    let began = Instant::now();
    for silent in ["", "fetch('http://127.0.0.1:1/').catch(() => 0)", "new Promise(() => 0)", "setTimeout(() => 0, 1)"]
    {
        assert_eq!(error_of(&provider(silent)).await, ScriptError::NeverCommitted, "{silent}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "it did not wait for the time limit");
}

#[tokio::test]
async fn memory_and_stack_have_an_end() {
    for greedy in [
        "const all = []; for (;;) all.push(new Array(1000).fill(1))",
        "let s = 'x'; for (;;) s += s",
        "new ArrayBuffer(1e9)",
        "'x'.repeat(1e9)",
        "const again = (x) => Promise.resolve([x]).then(again); for (;;) again(1)",
        "const all = []; for (;;) { try { for (;;) all.push({}) } catch { all.push(1) } }",
    ] {
        let error = login(&provider(greedy)).await.expect_err(greedy);
        let expected = matches!(&error, ScriptError::OutOfMemory | ScriptError::Busy(_))
            || matches!(&error, ScriptError::Exception(m) if m.contains("invalid") || m.contains("InternalError"));
        assert!(expected, "{greedy}: {error:?}");
    }
    for deep in [
        "const f = () => f(); f()",
        "const o = { get x() { return this.x } }; o.x",
        "JSON.parse('['.repeat(1e5))",
        "let o = {}; for (let i = 0; i < 1e5; i++) o = { o }; JSON.stringify(o)",
        "eval('('.repeat(1e5))",
    ] {
        let error = error_of(&provider(deep)).await;
        assert!(matches!(error, ScriptError::Exception(_)), "{deep}: {error:?}");
    }
    assert_eq!(identity(&provider("try { (function f() { f() })() } catch { } commit(true)")).await.username, "ada");
}

#[tokio::test]
async fn one_big_text_in_many_places_is_refused_before_it_is_copied() {
    let many = "Array.from({ length: 400 }, () => ['a', big])";
    for what in [
        format!("String(new URLSearchParams({many}))"),
        format!("fetch('https://users.example/', {{ headers: {many} }})"),
        "new URLSearchParams(big + big)".to_owned(),
        "new URL('https://users.example/' + big + big)".to_owned(),
    ] {
        let source = provider(&format!("const big = 'x'.repeat(1 << 20); {what}; commit(true);"));
        let error = error_of(&source).await;
        assert!(error.to_string().contains("more than a login script may"), "{what}: {error}");
    }
}

#[tokio::test]
async fn what_is_thrown_is_reported() {
    for (throw, message) in [
        ("throw new Error('boom')", "exception: Error: boom (line 3)"),
        ("throw 'text'", "exception: text"),
        ("throw { code: 7 }", "exception: {\"code\":7}"),
        ("throw undefined", "exception: a thrown undefined"),
        ("undeclared()", "exception: ReferenceError: undeclared is not defined (line 3)"),
        ("throw Object.assign(new Error(), { get message() { throw 1 } })", "exception: "),
        ("throw new Proxy({}, { get() { throw 1 } })", "exception: "),
    ] {
        let error = error_of(&provider(throw)).await.to_string();
        assert!(error.starts_with(message), "{throw}: {error}");
    }
    let getter = "class UserLoginProvider { constructor() { commit(true) } get canLogin() { throw new Error('no') } }";
    assert_eq!(error_of(getter).await, ScriptError::Exception("Error: no (line 1)".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_tenants_loops_do_not_hold_up_another() {
    let pool = ScriptPool::new(patient());
    let looping = Script { tenant: "loop", ..script(&provider("while (true) {}")) };
    let good = script(&provider("setTimeout(() => commit(true), 1)"));
    // More than there are threads. One after the other they would take two threads for fifteen seconds.
    let loops = (0..5).map(|_| pool.login(&looping, credentials()));
    let others = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        for _ in 0..5 {
            assert!(pool.login(&good, credentials()).await.unwrap().is_some());
        }
        began.elapsed()
    };
    let (loops, took) = tokio::join!(futures_util::future::join_all(loops), others);
    assert!(took < Duration::from_secs(12), "{took:?}");
    for outcome in loops {
        let stopped = |error: &ScriptError| {
            matches!(error, ScriptError::Busy(_) | ScriptError::Timeout(_) | ScriptError::PoolExhausted)
        };
        assert!(outcome.as_ref().is_err_and(stopped), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_many_questions_does_not_keep_a_small_one_waiting() {
    // Scripts say themselves when they got a thread: how late this test is woken on a busy machine does not matter. They
    // count and look at no clock, so that threads which get less of the processor also get less done.
    let timed = |body: &str| provider(&format!("const began = Date.now(); {body} commit({{ subject: began }})"));
    let pool = ScriptPool::new(patient());
    let computing = timed("for (let i = 0; i < 1e6; i++);");
    let busy = Script { tenant: "busy", ..script(&computing) };
    let small = script(&timed(""));
    let began = async |script: &Script<'_>| -> u64 {
        let identity = pool.login(script, credentials()).await.expect("an answer").expect("may log in");
        identity.subject.parse().expect("milliseconds")
    };
    // Both have a process already: how long one takes to start does not matter here.
    for script in [&busy, &small] {
        began(script).await;
    }
    // In this order: the small question is the last in the queue.
    let many = futures_util::future::join_all((0..16).map(|_| began(&busy)));
    let (many, one) = futures_util::future::join(many, began(&small)).await;
    let before = many.into_iter().filter(|&busy| busy < one).count();
    assert!(before <= 8, "{before} of 16 earlier questions got a thread first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_built_in_that_cannot_be_interrupted_holds_up_nobody() {
    let pool = ScriptPool::new(quick());
    let heavy = Script { tenant: "heavy", ..script(&provider(&HEAVY.replace("i < 4", "i < 40"))) };
    let good = script(&provider("commit(true)"));
    let began = Instant::now();
    let heavies = (0..3).map(|_| pool.login(&heavy, credentials()));
    let others = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        pool.login(&good, credentials()).await
    };
    let (heavies, other) = tokio::join!(futures_util::future::join_all(heavies), others);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(other.unwrap().is_some());
    for outcome in heavies {
        assert!(matches!(outcome, Err(ScriptError::Timeout(_) | ScriptError::PoolExhausted)), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_refuses_at_once() {
    let pool = ScriptPool::new(ScriptLimits { max_runs: 2, ..patient() });
    let waiting = script(&provider("setTimeout(() => commit(true), 300)"));
    let logins = (0..3).map(|_| pool.login(&waiting, credentials()));
    let outcomes = futures_util::future::join_all(logins).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 2);
    assert!(outcomes.contains(&Err(ScriptError::PoolExhausted)));
    assert!(pool.login(&waiting, credentials()).await.unwrap().is_some(), "there is room again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_that_fills_its_part_of_the_places_leaves_room_for_the_others() {
    let pool = ScriptPool::new(ScriptLimits { max_runs: 32, ..patient() });
    let slow = provider("setTimeout(() => commit(true), 300)");
    let (flooded, other) = (Script { tenant: "flooded", ..script(&slow) }, Script { tenant: "other", ..script(&slow) });
    // In this order: when the other tenant asks, the first one has asked for more than there is.
    let many = (0..29).map(|_| pool.login(&flooded, credentials())).chain([pool.login(&other, credentials())]);
    let mut outcomes = futures_util::future::join_all(many).await;
    assert!(outcomes.pop().expect("an outcome").expect("an answer").is_some(), "the other tenant's person signs in");
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 16);
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || *outcome == Err(ScriptError::PoolExhausted)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_leaves_takes_the_run_along() {
    let (backend, visits) = backend::start_counting().await;
    let pool = ScriptPool::new(ScriptLimits { max_runs: 4, ..patient() });
    let late = provider(&format!("setTimeout(() => fetch('{backend}').finally(() => commit(true)), 100)"));
    let late = script(&late);
    for _ in 0..8 {
        let gone = tokio::time::timeout(Duration::from_millis(20), pool.login(&late, credentials())).await;
        assert!(gone.is_err(), "{gone:?}");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(visits.load(Ordering::Relaxed), 0, "nobody asked any more");
    assert!(pool.login(&late, credentials()).await.unwrap().is_some(), "and all the places are free");
    assert_eq!(visits.load(Ordering::Relaxed), 1);
}
