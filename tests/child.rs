//! Programs that fail in every way, and what vault says and leaves behind.
//!
//! Method: real shells, real signals. A process that must be gone is looked for in `/proc`. What a signal does to vault itself is
//! tried on a process of its own, `signalled_run`, because a second signal ends it.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vault::base::failure::FailureClass;
use vault::cli::child::{ChildError, Children, Consumer, Producer};
use vault::cli::control::{Patience, RunControl};
use vault::cli::signals::Signals;
use vault::cli::watched::Watched;
use vault::pipeline::port::{Control, ProducerEnd, Stop, Unwatched};

fn sh(script: &str) -> Vec<OsString> {
    ["sh", "-c", script].map(OsString::from).to_vec()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn control(producer: Option<Producer>, timeout: Option<u64>, stall_timeout: Option<u64>) -> Arc<RunControl> {
    let patience = Patience { timeout: timeout.map(ms), stall_timeout: stall_timeout.map(ms) };
    Arc::new(RunControl::new(patience, Arc::default(), producer))
}

/// A producer under control: what it wrote before its output ended or a read failed, that failure, and the control.
fn produce(script: &str, timeout: Option<u64>, stall: Option<u64>) -> (Vec<u8>, Option<String>, Arc<RunControl>) {
    let (producer, output) = Producer::spawn(&sh(script), &Children::default()).unwrap();
    let control = control(Some(producer), timeout, stall);
    let mut bytes = Vec::new();
    let failure = Watched::new(output, Arc::clone(&control)).read_to_end(&mut bytes).err();
    (bytes, failure.map(|failure| failure.to_string()), control)
}

/// Whether a process is gone, or dead and only not yet reaped by whoever inherited it.
fn gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Ok(stat) => stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'),
        Err(_) => true,
    }
}

/// Waits for a process to be gone, not longer than a second.
fn goes(pid: &str) -> bool {
    (0..100).any(|_| {
        sleep(ms(10));
        gone(pid)
    })
}

// The producer.

#[test]
fn a_producer_that_ends_well_is_believed() {
    let (bytes, failure, control) = produce("echo hello", Some(60_000), Some(60_000));
    assert_eq!((bytes.as_slice(), failure), (&b"hello\n"[..], None));
    assert_eq!(control.end_of_input(), Ok(ProducerEnd::Succeeded));
    assert_eq!(control.end_of_input(), Ok(ProducerEnd::Succeeded), "asked again");
}

#[test]
fn a_producer_that_fails_after_its_output_is_not() {
    for (script, expected) in [
        ("echo hello; exit 7", "`sh` exited with status 7"),
        ("echo hello; kill -KILL $$", "`sh` was killed by signal 9 (KILL)"),
        ("echo hello; kill -PIPE $$", "`sh` was killed by signal 13 (PIPE)"),
        ("echo hello; exec 1>&-; sleep 0.2; exit 1", "`sh` exited with status 1"),
    ] {
        let (bytes, failure, control) = produce(script, None, None);
        assert_eq!((bytes.as_slice(), failure), (&b"hello\n"[..], None), "{script}");
        assert_eq!(control.end_of_input().unwrap_err().0, expected, "{script}");
        assert_eq!(control.end_of_input().unwrap_err().0, expected, "{script}: asked again");
        assert_eq!(control.stop(), None, "{script}");
    }
}

#[test]
fn a_producer_that_was_killed_did_not_succeed() {
    let (_, _, control) = produce("exit 0", None, None);
    control.kill_producer();
    assert_eq!(control.end_of_input().unwrap_err().0, "the producer was killed");
}

#[test]
fn a_missing_program_is_named() {
    let missing = [OsString::from("/nowhere/pg_dumpall")];
    let error = Producer::spawn(&missing, &Children::default()).map(drop).unwrap_err();
    assert!(matches!(error, ChildError::NotFound { .. }));
    assert_eq!(error.class(), FailureClass::Source);
    let expected = "cannot run `/nowhere/pg_dumpall`: there is no such program";
    assert_eq!(error.to_string(), expected);
    let error = Consumer::spawn(&missing, &Children::default(), Arc::new(Unwatched)).map(drop);
    assert_eq!(error.unwrap_err().to_string(), expected);

    let directory = [OsString::from("/")];
    let error = Producer::spawn(&directory, &Children::default()).map(drop).unwrap_err();
    assert!(matches!(error, ChildError::NotStarted { .. }), "{error}");
    let error = Producer::spawn(&[], &Children::default()).map(drop).unwrap_err();
    assert_eq!(error.class(), FailureClass::Usage);
}

/// Not a test: a run whose own input holds something.
#[test]
#[ignore = "is given an input by another test"]
fn run_with_an_input() {
    let (bytes, _, _) = produce("readlink /proc/self/fd/0; wc -c", None, None);
    assert_eq!(bytes, b"/dev/null\n0\n");
}

#[test]
fn a_producer_does_not_read_the_input_of_vault() {
    let mut run = Command::new(std::env::current_exe().unwrap());
    run.args(["--ignored", "--exact", "run_with_an_input"]);
    let mut run = run.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"not for the child").unwrap();
    assert!(run.wait().unwrap().success());
}

#[test]
fn a_producer_has_a_large_pipe_and_a_group_of_its_own() {
    let (bytes, _, control) = produce("ps -o pgid= -p $$; echo $$", None, None);
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], lines[1], "process group");
    control.end_of_input().unwrap();

    let (producer, output) = Producer::spawn(&sh("exit 0"), &Children::default()).unwrap();
    let pipe = output.as_fd().try_clone_to_owned().unwrap();
    let _watched = Watched::new(output, Arc::clone(&control));
    assert_eq!(rustix::pipe::fcntl_getpipe_size(&pipe).unwrap(), 1 << 20);
    let deadline = Instant::now() + ms(5000);
    while !producer.try_wait().unwrap() {
        assert!(Instant::now() < deadline, "it does not end");
        sleep(ms(5));
    }
}

#[test]
fn a_grandchild_that_holds_the_pipe_is_ended_by_the_stall_timeout() {
    let begun = Instant::now();
    let (bytes, failure, control) = produce("sleep 1000 & echo $!; exit 0", None, Some(300));
    let pid = String::from_utf8(bytes).unwrap();
    assert_eq!(failure.unwrap(), "no byte came for 0.3 s");
    assert_eq!(control.stop(), Some(Stop::Stalled(ms(300))));
    assert!(begun.elapsed() < ms(2000));
    assert!(!gone(&pid));
    control.end_of_input().unwrap_err();
    assert!(goes(&pid), "the grandchild lives");
    assert_eq!(control.stop(), Some(Stop::Stalled(ms(300))), "the reason stays");
}

#[test]
fn a_grandchild_dies_when_a_run_just_ends() {
    let (bytes, _, control) = produce("sleep 1000 & echo $!; exit 0", None, Some(200));
    drop(control);
    assert!(goes(&String::from_utf8(bytes).unwrap()), "the grandchild lives");
}

#[test]
fn a_child_that_ignores_sigterm_is_killed_and_one_that_heeds_it_may_clean_up() {
    let directory = TempDir::new().unwrap();
    let mark = directory.path().join("mark");
    let script =
        format!("trap 'echo cleaned > {}; exit 0' TERM; echo ready; while :; do sleep 0.05; done", mark.display());
    let begun = Instant::now();
    let (producer, output) = Producer::spawn(&sh(&script), &Children::default()).unwrap();
    BufReader::new(output).read_line(&mut String::new()).unwrap();
    producer.kill_group();
    assert_eq!(fs::read_to_string(&mark).unwrap(), "cleaned\n");
    assert!(begun.elapsed() < ms(1500), "the grace period was waited for in vain");

    let begun = Instant::now();
    let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let (producer, output) = Producer::spawn(&sh(script), &Children::default()).unwrap();
    BufReader::new(output).read_line(&mut String::new()).unwrap();
    let pid = producer.id().to_string();
    producer.kill_group();
    assert!(gone(&pid), "it lives");
    assert!(begun.elapsed() >= ms(1900), "it had no time to end itself");
    assert!(begun.elapsed() < ms(4000));
}

#[test]
fn a_grandchild_has_the_grace_period_too() {
    let directory = TempDir::new().unwrap();
    let mark = directory.path().join("mark");
    // The shell ends at once; what it started needs a moment.
    let script = format!(
        "(trap 'sleep 0.3; echo cleaned > {}; exit 0' TERM; echo ready; while :; do sleep 0.05; done) & wait",
        mark.display()
    );
    let (producer, output) = Producer::spawn(&sh(&script), &Children::default()).unwrap();
    BufReader::new(output).read_line(&mut String::new()).unwrap();
    let begun = Instant::now();
    producer.kill_group();
    assert_eq!(fs::read_to_string(&mark).unwrap_or_default(), "cleaned\n");
    // Nor is an orphan waited for that is dead and that nobody has reaped yet.
    assert!(begun.elapsed() < ms(1500));
}

#[test]
fn what_a_producer_that_ended_well_left_in_the_background_stays() {
    let (bytes, failure, control) = produce("sleep 1000 > /dev/null & echo $!", None, None);
    assert_eq!(failure, None);
    control.end_of_input().unwrap();
    drop(control);
    let pid = String::from_utf8(bytes).unwrap();
    assert!(!goes(&pid), "a stranger was killed");
    assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success());
}

#[test]
fn a_child_that_asks_the_terminal_is_reported() {
    // The system sends this signal to a background process that reads the terminal.
    let expected = "`sh` waits for the terminal, which it cannot have: give it its password in a file";
    let (_, failure, control) = produce("kill -TTIN $$; echo never", Some(20_000), None);
    assert_eq!(failure.as_deref(), Some(expected));
    assert_eq!(control.stop(), None);
    let begun = Instant::now();
    control.kill_producer();
    assert!(begun.elapsed() < ms(1500), "a stopped process did not hear SIGTERM");

    let control = self::control(None, Some(20_000), None);
    let mut consumer = Consumer::spawn(&sh("kill -TTIN $$; cat"), &Children::default(), control).unwrap();
    let failure = consumer.write_all(&vec![0; 8 << 20]).unwrap_err();
    assert_eq!(failure.to_string(), expected);
    assert_eq!(consumer.kill().unwrap().to_string(), expected);
}

// The control.

#[test]
fn a_run_that_takes_too_long_is_stopped() {
    let (_, failure, control) = produce("while :; do echo x; sleep 0.01; done", Some(300), None);
    assert_eq!(failure.unwrap(), "the run took longer than its 0.3 s");
    assert_eq!(control.stop(), Some(Stop::Timeout(ms(300))));
}

#[test]
fn a_producer_that_never_exits_after_its_output_is_stopped() {
    let (_, failure, control) = produce("exec 1>&-; sleep 1000", None, Some(300));
    assert_eq!(failure, None);
    let error = control.end_of_input().unwrap_err();
    assert_eq!(error.0, "no byte came for 0.3 s");
    assert_eq!(control.stop(), Some(Stop::Stalled(ms(300))));
}

#[test]
fn a_slow_store_is_not_a_silent_source() {
    let (producer, output) = Producer::spawn(&sh("echo one; echo two"), &Children::default()).unwrap();
    let control = control(Some(producer), None, Some(200));
    let mut source = Watched::new(output, Arc::clone(&control));
    let mut first = [0; 4];
    source.read_exact(&mut first).unwrap();
    sleep(ms(500));
    assert_eq!(control.stop(), None);
    source.read_to_end(&mut Vec::new()).unwrap();
    sleep(ms(500));
    control.end_of_input().unwrap();
}

#[test]
fn silence_counts_from_the_last_byte() {
    let (bytes, failure, control) = produce("for i in 1 2 3 4 5 6; do echo x; sleep 0.15; done", None, Some(400));
    assert_eq!((bytes.len(), failure), (12, None));
    control.end_of_input().unwrap();
}

// The consumer.

/// A consumer that notes what it saw in a file: `psql` in small.
fn noting(mark: &Path) -> Vec<OsString> {
    sh(&format!("cat > {0}.part && mv {0}.part {0}", mark.display()))
}

#[test]
fn a_consumer_is_fed_and_sees_the_end() {
    let directory = TempDir::new().unwrap();
    let mark = directory.path().join("mark");
    let mut consumer = Consumer::spawn(&noting(&mark), &Children::default(), Arc::new(Unwatched)).unwrap();
    let bytes = vec![7; 5 << 20];
    consumer.write_all(&bytes).unwrap();
    consumer.finish().unwrap();
    assert!(fs::read(&mark).unwrap() == bytes);
}

#[test]
fn a_consumer_that_is_killed_or_dropped_sees_no_end() {
    for dropped in [false, true] {
        let directory = TempDir::new().unwrap();
        let mark = directory.path().join("mark");
        let mut consumer = Consumer::spawn(&noting(&mark), &Children::default(), Arc::new(Unwatched)).unwrap();
        consumer.write_all(b"half a dump").unwrap();
        let group = consumer.id().to_string();
        while fs::read(mark.with_extension("part")).unwrap_or_default().is_empty() {
            sleep(ms(5));
        }
        if dropped {
            drop(consumer);
        } else {
            assert!(consumer.kill().is_none());
        }
        sleep(ms(100));
        assert!(gone(&group));
        assert!(!mark.exists(), "half a dump was taken for a whole one");
    }
}

#[test]
fn a_consumer_that_dies_is_the_reason() {
    for (script, expected) in [
        ("read x; exit 3", Some("`sh` exited with status 3")),
        ("read x; kill -TERM $$", Some("`sh` was killed by signal 15 (TERM)")),
        ("read x; exit 0", None),
    ] {
        let mut consumer = Consumer::spawn(&sh(script), &Children::default(), Arc::new(Unwatched)).unwrap();
        let failure = consumer.write_all(&vec![b'\n'; 8 << 20]).unwrap_err();
        assert_eq!(failure.kind(), std::io::ErrorKind::BrokenPipe, "{script}");
        let reason = consumer.kill().map(|reason| reason.to_string());
        assert_eq!(reason.as_deref(), expected, "{script}");
    }
    let consumer = Consumer::spawn(&sh("cat; exit 9"), &Children::default(), Arc::new(Unwatched)).unwrap();
    assert_eq!(consumer.finish().unwrap_err().to_string(), "`sh` exited with status 9");
}

#[test]
fn a_consumer_that_does_not_read_is_left_when_the_run_stops() {
    let control = control(None, Some(300), None);
    let mut consumer = Consumer::spawn(&sh("sleep 1000"), &Children::default(), control).unwrap();
    let begun = Instant::now();
    let failure = consumer.write_all(&vec![0; 8 << 20]).unwrap_err();
    assert_eq!(failure.to_string(), "the run was told to stop");
    assert!(begun.elapsed() < ms(1500));
}

#[test]
fn a_run_that_is_told_to_stop_at_the_last_moment_does_not_close_the_input() {
    let directory = TempDir::new().unwrap();
    let mark = directory.path().join("mark");
    let control = control(None, Some(200), None);
    let mut consumer = Consumer::spawn(&noting(&mark), &Children::default(), control).unwrap();
    consumer.write_all(b"a dump").unwrap();
    sleep(ms(300));
    let error = consumer.finish().unwrap_err();
    assert!(matches!(error, ChildError::Stopped { .. }), "{error}");
    sleep(ms(100));
    assert!(!mark.exists());

    // And one that takes for ever over what it has read is not waited for.
    let control = self::control(None, Some(200), None);
    let script = sh("cat > /dev/null; sleep 1000");
    let consumer = Consumer::spawn(&script, &Children::default(), control).unwrap();
    let error = consumer.finish().unwrap_err();
    assert!(matches!(error, ChildError::Stopped { .. }), "{error}");
}

// Signals.

/// Not a test: a run with a producer and a consumer that the tests below send signals to. It cleans up slowly.
#[test]
#[ignore = "is sent signals by other tests"]
fn signalled_run() {
    let children = Children::default();
    let signals = Signals::install(&children).unwrap();
    let (producer, output) = Producer::spawn(&sh("sleep 1000"), &children).unwrap();
    let group = producer.id();
    let control = Arc::new(RunControl::new(Patience::default(), signals, Some(producer)));
    let mark = std::env::var_os("VAULT_TEST_MARK").expect("VAULT_TEST_MARK");
    let mut consumer = Consumer::spawn(&noting(Path::new(&mark)), &children, Arc::clone(&control) as _).unwrap();
    consumer.write_all(b"half a dump").unwrap();
    eprintln!("ready {} {group} {}", std::process::id(), consumer.id());
    let mut source = Watched::new(output, Arc::clone(&control));
    let failure = source.read(&mut [0; 10]).unwrap_err();
    eprintln!("stopped {:?} {failure}", control.stop().unwrap());
    if std::env::var_os("VAULT_TEST_SLOW").is_some() {
        sleep(ms(20_000));
    }
    control.kill_producer();
    drop(consumer);
    std::process::exit(42);
}

/// Starts `signalled_run`, sends signals, and returns its exit code, what it said, and the groups it left.
fn signalled(signals: &[&str], ignore: &str) -> (Option<i32>, String, Vec<String>) {
    let directory = TempDir::new().unwrap();
    let mark = directory.path().join("mark");
    // Whoever runs the tests may ignore signals: `nohup` does, and a shell's `&`.
    let script = format!(
        "{ignore} exec env {} \"$0\" --ignored --exact signalled_run --nocapture",
        if ignore.is_empty() { "--default-signal=HUP,INT,QUIT,TERM" } else { "" }
    );
    let mut run = Command::new("sh");
    run.args(["-c", &script]);
    run.arg(std::env::current_exe().unwrap()).env("VAULT_TEST_MARK", &mark);
    if ignore.is_empty() && signals.len() > 1 {
        run.env("VAULT_TEST_SLOW", "yes");
    }
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    let ready = lines.find(|line| line.starts_with("ready")).unwrap();
    let ids: Vec<String> = ready.split(' ').skip(1).map(String::from).collect();
    let mut said = String::new();
    for (i, signal) in signals.iter().enumerate() {
        let sent = Command::new("kill").args(["-s", signal, &ids[0]]).status().unwrap();
        assert!(sent.success());
        if !ignore.is_empty() && i == 0 {
            sleep(ms(300));
            assert!(!gone(&ids[0]), "{signal} was not ignored");
        } else if said.is_empty() {
            said = lines.find(|line| line.starts_with("stopped")).unwrap_or_default();
        }
    }
    let status = run.wait().unwrap();
    assert_eq!(status.signal(), None);
    sleep(ms(100));
    assert!(!mark.exists(), "the consumer saw the end of half a dump");
    (status.code(), said, ids[1..].to_vec())
}

#[test]
fn the_first_signal_stops_the_run_and_the_second_leaves_at_once() {
    for (signals, code, expected) in [
        (&["INT"][..], 42, "stopped Interrupted interrupted"),
        (&["TERM"], 42, "stopped Terminated terminated"),
        (&["HUP"], 42, "stopped Terminated terminated"),
        (&["QUIT"], 42, "stopped Terminated terminated"),
        (&["INT", "INT"], 130, "stopped Interrupted interrupted"),
        (&["INT", "TERM"], 143, "stopped Interrupted interrupted"),
    ] {
        let (status, said, groups) = signalled(signals, "");
        assert_eq!((status, said.as_str()), (Some(code), expected), "{signals:?}");
        assert_eq!(groups.len(), 2);
        for group in groups {
            assert!(goes(&group), "{signals:?} left {group}");
        }
    }
}

#[test]
fn a_signal_that_was_ignored_from_the_start_stays_ignored() {
    let (status, said, _) = signalled(&["HUP", "TERM"], "trap '' HUP;");
    assert_eq!((status, said.as_str()), (Some(42), "stopped Terminated terminated"));
}
