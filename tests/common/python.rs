//! Runs the independent reader: `spec/decode.py`, under the Python that `make test` installs.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A Python command for a script of this repository.
pub fn command(script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".venv/bin/python");
    assert!(
        python.exists(),
        "{} is not there: `make test` makes it, with the modules of .ci/requirements.txt",
        python.display()
    );
    let mut command = Command::new(python);
    command.arg(root.join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Writes the objects of a store into a directory.
#[allow(dead_code, reason = "each test program uses its part of this")]
pub fn lay_out(store: &Path, objects: &BTreeMap<String, Vec<u8>>) {
    std::fs::create_dir_all(store).expect("a directory");
    for (name, bytes) in objects {
        std::fs::write(store.join(name), bytes).expect("an object");
    }
}

/// Writes a file that only its owner reads: git does not keep that mode.
#[allow(dead_code, reason = "each test program uses its part of this")]
pub fn write_secret(path: &Path, text: &[u8]) {
    std::fs::write(path, text).expect("a secret file");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("its mode");
}
