//! The bare machine: `make static` gives one binary that unpacks in a folder which holds it, the key and the store, and nothing else.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn succeed(command: &mut Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The triple of this machine, which `make static` names as its target.
fn host() -> String {
    let said = String::from_utf8(succeed(Command::new("rustc").arg("-vV")).stdout).expect("text");
    said.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

#[test]
fn unpacks_in_an_empty_chroot() {
    assert!(rustix::process::geteuid().is_root(), "chroot needs root: run `sudo make test`");
    let root = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| root.path().join(name);
    succeed(Command::new("make").arg("static").env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS"));
    let built = Path::new("target").join(host()).join("release/vault");
    std::fs::copy(&built, at("vault")).expect("the static binary");

    // Packed by the ordinary binary, restored by the static one.
    let dump: Vec<u8> =
        (0..300_000_u32).flat_map(|row| format!("{row}\tcustomer {}\n", row % 977).into_bytes()).collect();
    std::fs::write(at("dump"), &dump).expect("a dump");
    let vault = env!("CARGO_BIN_EXE_vault");
    succeed(Command::new(vault).args(["key", "new", "--key-file"]).arg(at("key")));
    let pack = Command::new(vault)
        .args(["pack", "--no-cache", "--store"])
        .arg(at("store"))
        .arg("--key-file")
        .arg(at("key"))
        .stdin(std::fs::File::open(at("dump")).expect("a dump"))
        .output();
    assert!(pack.expect("vault runs").status.success());
    std::fs::remove_file(at("dump")).expect("the dump goes");

    let mut chroot = Command::new("/usr/sbin/chroot");
    chroot.arg(root.path()).args(["/vault", "unpack", "latest", "--store", "/store", "--key-file", "/key"]).env_clear();
    let unpacked = succeed(&mut chroot);
    assert!(unpacked.stdout == dump, "{} bytes came back", unpacked.stdout.len());
    let names: Vec<_> =
        std::fs::read_dir(root.path()).expect("the folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names.len(), 3, "nothing but the binary, the key and the store: {names:?}");
}

#[test]
fn no_build_targets_one_processor() {
    // sha2 is a hundred times slower when the instructions of one processor are compiled in; what is fast is found at run time.
    for file in ["Makefile", "Cargo.toml", ".ci/run", ".ci/test", ".ci/install"] {
        let text = std::fs::read_to_string(file).expect("a file of the project");
        assert!(!text.contains("target-cpu"), "{file}");
    }
    assert!(!Path::new(".cargo/config.toml").exists());
}
