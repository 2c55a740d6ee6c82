//! Legacy archives for tests, made by the real `openssl` and `gzip`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::place::{PATH, Place, Ran, noise, run};

pub const KEY: &str = "Zm9vYmFyLWxlZ2FjeS1rZXk";
pub const GUID: &str = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd";
pub const ID: &str = "3f2b1c44-9a57-4c1e-8d20-5b7e1f6a90cd-1718020800";
pub const OLD_KEY: [&str; 2] = ["--legacy-key-file", "old"];
/// Bytes of a stored block.
pub const STORED_BYTES: usize = 60_000;

/// A program of Debian's, which has to be there.
pub fn filter(program: &str, package: &str, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH);
    let there = PATH.split(':').any(|directory| Path::new(directory).join(program).exists());
    assert!(there, "no `{program}`: install Debian's package {package}");
    run(command, input)
}

pub fn gzip(plain: &[u8]) -> Vec<u8> {
    let ran = filter("gzip", "gzip", &["-nc"], plain);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.out
}

/// What `openssl enc` makes of it, with the options that say how the key is derived.
pub fn encrypt(plain: &[u8], options: &[&str]) -> Vec<u8> {
    let pass = format!("pass:{KEY}");
    let arguments = [&["enc", "-aes256", "-pass", &pass][..], options].concat();
    let ran = filter("openssl", "openssl", &arguments, plain);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.out
}

/// What the documentation of the service says: `openssl enc -d … | gunzip`.
pub fn decrypt_by_openssl(archive: &[u8], options: &[&str]) -> Vec<u8> {
    let pass = format!("pass:{KEY}");
    let arguments = [&["enc", "-d", "-aes256", "-pass", &pass][..], options].concat();
    filter("gzip", "gzip", &["-dc"], &filter("openssl", "openssl", &arguments, archive).out).out
}

/// An archive as the service made it.
pub fn archive(plain: &[u8]) -> Vec<u8> {
    encrypt(&gzip(plain), &["-md", "md5"])
}

/// gzip in stored blocks: the same bytes whichever gzip is installed.
pub fn stored(content: &[u8]) -> Vec<u8> {
    let mut made = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let mut blocks = content.chunks(STORED_BYTES).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap();
        made.push(u8::from(blocks.peek().is_none()));
        made.extend(length.to_le_bytes());
        made.extend((!length).to_le_bytes());
        made.extend(block);
    }
    let mut crc = flate2::Crc::new();
    crc.update(content);
    made.extend(crc.sum().to_le_bytes());
    made.extend(crc.amount().to_le_bytes());
    made
}

/// The same bytes in every run, where chance would decide whether a damaged end looks like a padding. `openssl` that is told a salt does not
/// write it.
pub fn with_fixed_salt(content: &[u8]) -> Vec<u8> {
    let encrypted = encrypt(content, &["-md", "md5", "-S", "0001020304050607"]);
    match encrypted.strip_prefix(b"Salted__") {
        Some(_) => encrypted,
        None => [&b"Salted__\0\x01\x02\x03\x04\x05\x06\x07"[..], &encrypted].concat(),
    }
}

/// A dump with its proper end and rows that do not compress to nothing.
pub fn dump(rows: usize) -> Vec<u8> {
    let mut text = b"--\n-- PostgreSQL database dump\n--\n\nCOPY public.t (id, a) FROM stdin;\n".to_vec();
    for (number, row) in noise(rows * 24, 7).chunks(24).enumerate() {
        let row: String = row.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        text.extend_from_slice(format!("{number}\t{row}\n").as_bytes());
    }
    text.extend_from_slice(b"\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n");
    text
}

/// A place with an old key, a key, and a store with the parts of an archive, the first of which has that number.
pub fn with_parts(archive: &[u8], bytes: usize, first: usize) -> Place {
    let place = Place::with_key();
    secret(&place, "old", KEY);
    fs::create_dir(place.store()).unwrap();
    for (number, part) in archive.chunks(bytes).enumerate() {
        fs::write(place.store().join(format!("{ID}-{}", number + first)), part).unwrap();
    }
    place
}

pub fn secret(place: &Place, name: &str, text: &str) {
    fs::write(place.path(name), text).unwrap();
    fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
}

/// `vault legacy unpack` with the old key.
pub fn unpack(place: &Place, arguments: &[&str], input: &[u8]) -> Ran {
    run(place.command(&[&["legacy", "unpack"], &OLD_KEY[..], arguments].concat()), input)
}

pub fn import(place: &Place, arguments: &[&str], input: &[u8]) -> Ran {
    run(place.command(&[&["legacy", "import"], &OLD_KEY[..], arguments].concat()), input)
}

impl Ran {
    /// Nothing came out, and it failed so. A warning that nothing is authenticated may come before.
    pub fn refused(&self, case: &str, code: i32, error: &str) {
        assert_eq!(self.out.len(), 0, "{case}: {}", self.err);
        self.fails(case, code, error);
    }
}
