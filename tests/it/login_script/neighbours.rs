//! One tenant's scripts cannot hurt the others: whatever they do, it costs their own tenant its turn.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// Built-in functions and functions of ours that take longer than a script may compute, and cannot be interrupted.
const STUCK: [&str; 7] = [
    "for (;;) 'a'.repeat(4e6).indexOf('a'.repeat(2e6) + 'b')",
    "const big = 'a'.repeat(1 << 22); for (;;) hmac('sha512', big, big)",
    "/^(a|a)*$/.test('a'.repeat(60) + 'b'); for (;;) /(x+x+)+y/.test('x'.repeat(1e4))",
    "let n = 3n; for (;;) n = n ** 9n % (1n << 400000n)",
    "const text = JSON.stringify(Array.from({ length: 2e5 }, (_, i) => i)); for (;;) JSON.parse(text)",
    "const big = Array.from({ length: 1e5 }, (_, i) => (i * 7919) % 100003); for (;;) big.slice().sort()",
    "const again = () => Promise.all(Array.from({ length: 1e4 }, () => null)).then(again); again()",
];

fn was_stopped(error: &ScriptError) -> bool {
    error.is_out_of_time() || *error == ScriptError::OutOfMemory
}

fn of<'a>(tenant: &'a str, source: &str) -> Script<'a> {
    Script { tenant, ..script(source) }
}

/// The program under a name of its own, by which a test finds the processes of its pool among those of other tests.
struct Program {
    path: PathBuf,
    _folder: TempDir,
}

impl Program {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("uitsmijter");
        std::os::unix::fs::symlink(PROGRAM, &path).expect("a link");
        Self { path, _folder: folder }
    }

    fn processes(&self) -> Vec<u32> {
        let ids = fs::read_dir("/proc").expect("Linux").flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let own = |id: &u32| {
            let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
            line.split('\0').next() == self.path.to_str()
        };
        ids.filter(own).collect()
    }

    fn resident(&self) -> u64 {
        self.processes().into_iter().map(resident).sum()
    }
}

fn resident(id: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
    let pages = |at: usize| statm.split(' ').nth(at).and_then(|pages| pages.trim().parse::<u64>().ok()).unwrap_or(0);
    pages(1).saturating_sub(pages(2)) * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_hostile_tenants_leave_the_logins_of_others_alone() {
    let pool =
        ScriptPool::new(ScriptLimits { timeout: Duration::from_secs(4), busy: Duration::from_secs(1), ..patient() });
    let good = provider("commit({ subject: 'u-1' })");
    let good = of("good", &good);
    let names: Vec<String> = (0..10).map(|number| format!("hostile-{number}")).collect();
    let attack = futures_util::future::join_all(names.iter().enumerate().map(|(number, name)| {
        let (pool, source) = (pool.clone(), provider(STUCK[number % STUCK.len()]));
        async move {
            let began = Instant::now();
            let mut stopped = 0;
            while began.elapsed() < Duration::from_secs(6) {
                let outcome = pool.login(&of(name, &source), credentials()).await;
                stopped += usize::from(outcome.is_err_and(|error| was_stopped(&error)));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            stopped
        }
    }));
    let others = async {
        // Until the hostile ones are known.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut slow = 0;
        for _ in 0..100 {
            let began = Instant::now();
            let outcome = pool.login(&good, credentials()).await;
            assert!(outcome.as_ref().is_ok_and(Option::is_some), "{outcome:?}");
            slow += usize::from(began.elapsed() > Duration::from_millis(200));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slow
    };
    let (stopped, slow) = tokio::join!(attack, others);
    assert!(stopped.iter().all(|times| *times > 0), "each was stopped at least once: {stopped:?}");
    assert!(slow <= 5, "{slow} of 100 logins of another tenant had to wait");
    // And afterwards everything is as it was, without a restart.
    assert!(pool.login(&good, credentials()).await.is_ok_and(|identity| identity.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_whose_scripts_have_to_be_stopped_pauses_each_time_for_longer() {
    let pool = ScriptPool::new(ScriptLimits { busy: Duration::from_millis(200), ..patient() });
    let (endless, fine) = (provider("while (true) {}"), provider("commit(true)"));
    let mut pauses = Vec::new();
    for _ in 0..2 {
        let outcome = pool.login(&of("endless", &endless), credentials()).await;
        assert!(outcome.as_ref().is_err_and(was_stopped), "{outcome:?}");
        let Err(ScriptError::Paused(left)) = pool.login(&of("endless", &fine), credentials()).await else {
            panic!("its next script waits");
        };
        pauses.push(left);
        let other = pool.login(&of("other", &fine), credentials()).await;
        assert!(other.is_ok(), "nobody else's does: {other:?}");
        tokio::time::sleep(left + Duration::from_millis(20)).await;
    }
    assert!(pauses[1] > pauses[0] + Duration::from_millis(500), "{pauses:?}");
    let again = pool.login(&of("endless", &fine), credentials()).await;
    assert!(again.is_ok(), "and then it runs again: {again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_wait_hold_no_more_memory_than_all_scripts_may_have() {
    let own = Program::new();
    let (program, timeout) = (own.path.clone(), Duration::from_secs(5));
    let pool = ScriptPool::new(ScriptLimits { memory: 160 << 20, timeout, program, ..patient() });
    let greedy = provider(
        "this.kept = []; for (let i = 0; i < 13; i++) this.kept.push('x'.repeat(1 << 19) + i);
         setTimeout(() => commit(true), 3000)",
    );
    let logins = async {
        let greedy = of("greedy", &greedy);
        let many = (0..100).map(|_| pool.login(&greedy, credentials()));
        futures_util::future::join_all(many).await
    };
    let good = provider("commit(true)");
    let watched = async {
        let mut most = 0;
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            most = most.max(own.resident());
            assert!(pool.login(&of("other", &good), credentials()).await.is_ok(), "another tenant signs in meanwhile");
        }
        most
    };
    let (outcomes, most) = tokio::join!(logins, watched);
    assert!(most < 170 << 20, "{} MiB", most >> 20);
    assert!(outcomes.contains(&Err(ScriptError::PoolExhausted)), "some had to wait for too long");
    assert!(outcomes.iter().any(Result::is_ok), "and some had their turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_tenants_that_wait_with_much_memory_make_room_for_one_that_has_nothing() {
    let pool = ScriptPool::new(ScriptLimits { memory: 160 << 20, ..patient() });
    let greedy = provider(
        "this.kept = []; for (let i = 0; i < 13; i++) this.kept.push('x'.repeat(1 << 19) + i);
         setTimeout(() => commit(true), 15000)",
    );
    let names: Vec<String> = (0..10).map(|number| format!("greedy-{number}")).collect();
    let scripts: Vec<Script<'_>> = names.iter().map(|name| of(name, &greedy)).collect();
    let attack = futures_util::future::join_all(scripts.iter().map(|script| pool.login(script, credentials())));
    let good = provider("commit(true)");
    let good = of("other", &good);
    let others = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let began = Instant::now();
            assert!(pool.login(&good, credentials()).await.is_ok_and(|identity| identity.is_some()));
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        }
    };
    tokio::select! {
        _ = attack => panic!("nobody waited any more"),
        () = others => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_that_wait_hold_no_more_memory_than_all_scripts_may_have() {
    let backend = backend::start().await;
    let limits = ScriptLimits { memory: 160 << 20, ..patient() };
    let pool = ScriptPool::new(limits);
    let source = provider(&format!(
        "Promise.allSettled(Array.from({{ length: 40 }}, () => fetch('{backend}/large'))).then((all) => {{
             const refused = all.filter((one) => one.status === 'rejected');
             this.userProfile = {{ refused: refused.length, why: String(refused[0]?.reason.message) }}; commit(true); }})"
    ));
    let mut profiles = Vec::new();
    // On a busy machine responses may come so slowly that few of them wait at a time.
    for _ in 0..10 {
        let identity = pool.login(&of("egg", &source), credentials()).await.expect("an answer").expect("a person");
        let refused = identity.profile["refused"].as_u64().expect("a number");
        assert!(refused < 40, "{:?}", identity.profile);
        profiles.push(identity.profile);
        if refused > 5 {
            break;
        }
    }
    let last = profiles.last().expect("a login");
    assert!(last["refused"].as_u64() > Some(5), "{profiles:?}");
    assert!(last["why"].as_str().is_some_and(|why| why.contains("too many responses")), "{profiles:?}");
    // What was held is free again.
    let one = provider(&format!("fetch('{backend}/large').then(() => commit(true))"));
    assert!(pool.login(&of("egg", &one), credentials()).await.is_ok_and(|identity| identity.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashes_are_compared_within_the_memory_of_all_and_bigger_ones_are_refused() {
    let own = Program::new();
    let pool = ScriptPool::new(ScriptLimits { memory: 160 << 20, program: own.path.clone(), ..patient() });
    let hash = "$argon2id$v=19$m=49152,t=1,p=1$c2FsdHNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A";
    let source = provider(&format!("this.canLogin = argon2Verify('x', '{hash}') === false; commit(true)"));
    let script = of("egg", &source);
    let most = async {
        let mut most = 0;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            most = most.max(own.resident());
        }
        most
    };
    let logins = futures_util::future::join_all((0..8).map(|_| pool.login(&script, credentials())));
    let (outcomes, most): (Vec<_>, u64) = tokio::join!(logins, most);
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(Option::is_some)), "{outcomes:?}");
    assert!(most < 130 << 20, "{} MiB: not more than one at a time fits", most >> 20);
    let big = hash.replace("m=49152", "m=1048576");
    let error = pool.login(&of("egg", &provider(&format!("argon2Verify('x', '{big}')"))), credentials()).await;
    assert!(error.as_ref().is_err_and(|error| error.to_string().contains("too much for a login script")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_is_told_no_secrets_but_those_of_its_question_and_ends_with_its_server() {
    let own = Program::new();
    let pool = ScriptPool::new(ScriptLimits { program: own.path.clone(), ..patient() });
    let slow = provider("setTimeout(() => commit(true), 500)");
    let script = of("egg", &slow);
    let looked = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let found = own.processes();
        assert!(!found.is_empty());
        for id in &found {
            let environment = fs::read(format!("/proc/{id}/environ")).expect("its environment");
            let line = fs::read_to_string(format!("/proc/{id}/cmdline")).expect("its arguments");
            assert!(environment.is_empty() && line.ends_with("script-worker\0") && !line.contains(PASSWORD), "{line}");
            let limits = fs::read_to_string(format!("/proc/{id}/limits")).expect("its limits");
            let space = limits.lines().find(|line| line.starts_with("Max address space")).expect("a limit");
            assert!(!space.contains("unlimited"), "{space}");
        }
        found
    };
    let (outcome, found) = tokio::join!(pool.login(&script, credentials()), looked);
    assert!(outcome.is_ok_and(|identity| identity.is_some()));
    drop(pool);
    for _ in 0..100 {
        if own.processes().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("processes outlive their pool: {found:?}");
}
