//! Producers and consumers that fail, signals, and inputs that are none.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, noise, run};

fn gone(pid: &str) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
        Ok(stat) => stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'),
        Err(_) => true,
    }
}

/// Waits for something, up to ten seconds.
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Starts it with no signal ignored, whoever runs the tests: a shell's `&` ignores SIGINT, `nohup` SIGHUP.
fn start(command: Command) -> Child {
    let mut heeding = Command::new("/usr/bin/env");
    heeding.arg("--default-signal").arg(command.get_program()).args(command.get_args()).env_clear();
    heeding.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    heeding.current_dir(command.get_current_dir().unwrap());
    heeding.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_dump_that_is_not_whole_makes_no_backup() {
    let place = Place::with_key();
    place.pack(&[], b"the dump before");
    let before = place.objects();
    let commands: [(&[&str], &str); 8] = [
        (&["--", "no-such-program-anywhere"], "cannot run `no-such-program-anywhere`"),
        (&["--", "/etc/passwd"], "cannot run `/etc/passwd`"),
        (&["--", "sh", "-c", "echo some; exit 7"], "`sh` exited with status 7"),
        (&["--", "sh", "-c", "echo some; kill -9 $$"], "`sh` was killed by signal 9 (KILL)"),
        (&["--", "true"], "the dump is empty"),
        (&[], "the dump is empty"),
        (&["--timeout", "1", "--", "sh", "-c", "echo some; sleep 60"], "the run took longer than its 1 s"),
        (&["--stall-timeout", "1", "--", "sh", "-c", "echo some; sleep 60"], "no byte came for 1 s"),
    ];
    let mut tried = 0;
    for (arguments, error) in commands {
        let arguments: Vec<&str> = ["pack"].iter().chain(arguments).copied().collect();
        run(place.command(&arguments), b"").fails(&arguments.join(" "), 15, error);
        assert_eq!(place.objects(), before, "{arguments:?} left something");
        tried += 1;
    }
    let cut = b"--\n-- PostgreSQL database cluster dump\n--\n\nSET x = 1;\n";
    run(place.command(&["pack"]), cut).fails("cut short", 15, "the dump is cut short");
    assert_eq!(place.objects(), before);
    assert_eq!(tried, 8);
}

/// A pipe that stays open is no dump that goes on for ever.
#[test]
fn a_silent_pipe_ends_at_its_timeout() {
    let place = Place::with_key();
    let mut tried = 0;
    for option in ["--timeout", "--stall-timeout"] {
        let mut command = place.command(&["pack", option, "1"]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let _open = child.stdin.take();
        assert_eq!(child.wait().unwrap().code(), Some(15), "{option}");
        assert!(place.objects().is_empty());
        tried += 1;
    }
    assert_eq!(tried, 2);
}

#[test]
fn small_dumps_come_back() {
    let place = Place::with_key();
    let dumps: [&[u8]; 3] = [b"x", b"two\n", &noise(70_000, 3)];
    for dump in dumps {
        let id = place.pack(&[], dump);
        assert_eq!(place.unpack(&id).out, dump);
    }
    let id = place.pack(&["--allow-empty", "--allow-shrink"], b"");
    let empty = place.unpack(&id);
    assert_eq!((empty.code, empty.out.len()), (Some(0), 0));
    let id = place.pack(&["--", "sh", "-c", "printf made"], b"");
    assert_eq!(place.unpack(&id).out, b"made");
    assert_eq!(place.unpack("latest").out, b"made");
}

#[test]
fn a_signal_leaves_nothing_and_nobody() {
    let mut tried = 0;
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let place = Place::with_key();
        let script = format!("echo $$ > pid; cat {} ; exec sleep 60", place.path("noise").display());
        fs::write(place.path("noise"), noise(30_000_000, 4)).unwrap();
        let mut child = start(place.command(&["pack", "--part-size", "256KiB", "--", "sh", "-c", &script]));
        // In the middle: some parts are written, the dump goes on.
        wait("the first part", || place.objects().iter().any(|name| name.ends_with("-0")));
        signal(&child, number);
        let began = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());
        assert!(place.objects().is_empty(), "left behind: {:?}", place.objects());
        let pid = fs::read_to_string(place.path("pid")).unwrap();
        wait("the child's end", || gone(&pid));
        tried += 1;
    }
    assert_eq!(tried, 2);
}

#[test]
fn a_signal_kills_the_consumer_before_its_input_ends() {
    let place = Place::with_key();
    let id = place.pack(&[], &noise(4_000_000, 5));
    let mut tried = 0;
    for (number, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let script = "echo $$ > pid; sleep 60; cat > /dev/null; echo done > marker";
        let mut child = start(place.command(&["unpack", &id, "--", "sh", "-c", script]));
        wait("the consumer", || fs::read_to_string(place.path("pid")).is_ok_and(|pid| pid.ends_with('\n')));
        signal(&child, number);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let pid = fs::read_to_string(place.path("pid")).unwrap();
        wait("the consumer's end", || gone(&pid));
        assert!(!place.path("marker").exists());
        fs::remove_file(place.path("pid")).unwrap();
        tried += 1;
    }
    assert_eq!(tried, 2);
}

/// Nobody reads the pipe, and a signal still ends the run.
#[test]
fn a_full_pipe_does_not_hold_a_signal_back() {
    let place = Place::with_key();
    let id = place.pack(&[], &noise(4_000_000, 6));
    let mut command = place.command(&["unpack", &id]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    sleep(Duration::from_millis(500));
    assert!(child.try_wait().unwrap().is_none(), "it did not wait for its reader");
    signal(&child, Signal::TERM);
    wait("the end", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_consumer_has_to_read_all_and_end_well() {
    let place = Place::with_key();
    let dump = noise(4_000_000, 7);
    let id = place.pack(&[], &dump);
    let consumers: [(&[&str], &str); 6] = [
        (&["no-such-program-anywhere"], "cannot run `no-such-program-anywhere`"),
        (&["sh", "-c", "exit 3"], "`sh` exited with status 3"),
        (&["sh", "-c", "cat >/dev/null; exit 3"], "`sh` exited with status 3"),
        (&["sh", "-c", "cat >/dev/null; kill -9 $$"], "`sh` was killed by signal 9"),
        (&["sh", "-c", "head -c 1 >/dev/null"], "`sh` closed its input before the end"),
        (&["sh", "-c", "exec <&-; sleep 60"], "`sh` closed its input before the end"),
    ];
    let mut tried = 0;
    for (consumer, error) in consumers {
        let arguments: Vec<&str> = ["unpack", &id, "--"].iter().chain(consumer).copied().collect();
        run(place.command(&arguments), b"").fails(&consumer.join(" "), 15, error);
        tried += 1;
    }
    assert_eq!(tried, 6);
    let good = run(place.command(&["unpack", &id, "--", "sh", "-c", "cat > got; echo said"]), b"");
    assert_eq!((good.code, good.out.as_slice()), (Some(0), b"said\n".as_slice()), "{}", good.err);
    assert_eq!(fs::read(place.path("got")).unwrap(), dump);
}

#[test]
fn a_reader_that_goes_away_is_told_nothing() {
    let place = Place::with_key();
    let id = place.pack(&[], &noise(4_000_000, 8));
    let mut command = place.command(&["unpack", "-q", &id]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.starts_with("vault: unpacking ") && told.lines().count() == 1, "{told}");
}

#[test]
fn a_file_appears_whole_and_replaces_nothing() {
    let place = Place::with_key();
    let dump = noise(100_000, 9);
    place.pack(&[], &dump);
    place.ok(&["unpack", "latest", "-o", "out"], b"");
    assert_eq!(fs::read(place.path("out")).unwrap(), dump);
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(place.path("out")).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(place.path("out"), "mine").unwrap();
    run(place.command(&["unpack", "latest", "-o", "out"]), b"").fails("it exists", 11, "`out` exists already");
    assert_eq!(fs::read(place.path("out")).unwrap(), b"mine");
    place.ok(&["unpack", "latest", "-o", "out", "--force"], b"");
    assert_eq!(fs::read(place.path("out")).unwrap(), dump);
    let device = run(place.command(&["unpack", "latest", "-o", "/dev/null", "--force"]), b"");
    device.fails("a device", 2, "`/dev/null` is not a regular file");
    run(place.command(&["unpack", "latest", "-o", "no/where"]), b"").fails(
        "no directory",
        1,
        "cannot write `no/where`",
    );
    assert_eq!(crate::place::names(place.dir.path()), ["home", "key", "out", "store"]);
}
