//! A store, a key and a home of one test, and a way to run `vault` there.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub const VAULT: &str = env!("CARGO_BIN_EXE_vault");
/// What Debian's shells look in.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// A directory of its own, with `store` and `key` in it.
pub struct Place {
    pub dir: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: Vec<u8>,
    pub err: String,
}

/// Deterministic bytes that neither compress nor repeat.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    let mut noise = vec![0; bytes];
    reader.fill(&mut noise);
    noise
}

impl Place {
    /// An empty one.
    pub fn new() -> Place {
        Place { dir: TempDir::new().unwrap() }
    }

    /// One with a key.
    pub fn with_key() -> Place {
        let place = Place::new();
        place.ok(&["key", "new"], b"");
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// `vault` with these arguments, a cleared environment, and a key file that may be there or not.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.keyless(arguments);
        command.env("VAULT_KEY_FILE", self.path("key"));
        command
    }

    /// The same, and nothing that names a key.
    pub fn keyless(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(VAULT);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("VAULT_STORE", self.store())
            .current_dir(self.dir.path());
        command
    }

    /// Runs it, and expects success. What it printed comes back.
    pub fn ok(&self, arguments: &[&str], input: &[u8]) -> String {
        let ran = run(self.command(arguments), input);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
        String::from_utf8(ran.out).unwrap()
    }

    /// Packs, and returns the id.
    pub fn pack(&self, arguments: &[&str], dump: &[u8]) -> String {
        let arguments: Vec<&str> = ["pack", "-q"].iter().chain(arguments).copied().collect();
        self.ok(&arguments, dump).trim().to_owned()
    }

    /// Unpacks with the key.
    pub fn unpack(&self, backup: &str) -> Ran {
        run(self.command(&["unpack", "-q", backup]), b"")
    }

    /// The names in the store, temporary ones included.
    pub fn objects(&self) -> Vec<String> {
        names(&self.store())
    }
}

/// The names in a directory, sorted; none when there is no directory.
pub fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a command to its end. That it reads its input is not expected.
pub fn run(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran { code: output.status.code(), out: output.stdout, err: String::from_utf8(output.stderr).unwrap() }
}

impl Ran {
    /// Expects a failure: the exit code, how the first line of the error begins, and a hint after it.
    pub fn fails(&self, case: &str, code: i32, error: &str) {
        assert_eq!(self.code, Some(code), "{case}: {self:?}");
        let mut lines = self.err.lines().skip_while(|line| !line.starts_with("vault: error: "));
        let first = lines.next().unwrap_or_default();
        let expected = format!("vault: error: {error}");
        assert!(first.starts_with(&expected), "{case}: `{first}` does not begin `{expected}`\n{}", self.err);
        let hint = lines.next().unwrap_or_default();
        assert!(hint.starts_with("vault: hint: "), "{case}: no hint in\n{}", self.err);
        for line in [first, hint] {
            assert!(!line.ends_with('.'), "{case}: `{line}` ends with a full stop");
        }
        assert_eq!(lines.next(), None, "{case}: something after the hint");
    }
}

/// A place whose passphrase files hold the word they are named after.
pub fn with_passphrases() -> Place {
    let place = Place::new();
    for word in ["right", "wrong"] {
        fs::write(place.path(word), format!("{word} horse\n")).unwrap();
        fs::set_permissions(place.path(word), Permissions::from_mode(0o600)).unwrap();
    }
    place
}

/// `vault` with the passphrase file of that word.
pub fn with(place: &Place, word: &str, arguments: &[&str]) -> Command {
    let mut command = place.keyless(arguments);
    command.env("VAULT_PASSPHRASE_FILE", place.path(word));
    command
}
