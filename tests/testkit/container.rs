//! The file of a vector: a header of text lines, an empty line, and one zstd frame with the objects (testdata/README.md).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use vault::base::bytes::to_hex;
use vault::base::failure::FailureClass;

/// Names and bytes of the objects of a store.
pub type Objects = BTreeMap<String, Vec<u8>>;

/// What opens a backup.
#[derive(Clone)]
pub enum Opener {
    /// The bytes of a key file.
    KeyFile(Vec<u8>),
    /// The bytes of a passphrase file.
    Passphrase(Vec<u8>),
    /// The bytes of a file with age identities.
    Identity(Vec<u8>),
}

/// A backup with one fault, and what readers have to make of it.
pub struct Vector {
    /// Name of the file, without `.vec`: the area and the fault.
    pub name: String,
    /// What the fault is in.
    pub area: String,
    /// The fault, in a sentence.
    pub comment: String,
    /// How a restore ends; `None` is success.
    pub expect: Option<FailureClass>,
    /// How a verification ends.
    pub verify: Option<FailureClass>,
    /// All plaintext that may be released before the end.
    pub released: Vec<u8>,
    /// The backup.
    pub id: String,
    /// What opens it.
    pub opener: Opener,
    /// The store.
    pub objects: Objects,
}

/// The word in the header.
pub fn word(class: Option<FailureClass>) -> &'static str {
    class.map_or("success", FailureClass::name)
}

impl Vector {
    /// The name of the entry that opens the backup, and its bytes.
    pub fn secret(&self) -> (&'static str, &[u8]) {
        match &self.opener {
            Opener::KeyFile(bytes) => ("key-file", bytes),
            Opener::Passphrase(bytes) => ("passphrase-file", bytes),
            Opener::Identity(bytes) => ("identity-file", bytes),
        }
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, secret) = self.secret();
        let header = format!(
            "area: {}\ncomment: {}\nexpect: {}\nverify: {}\nreleased: {}\nreleased-bytes: {}\nid: {}\nkey: {kind}\n\n",
            self.area,
            self.comment,
            word(self.expect),
            word(self.verify),
            to_hex(&Sha256::digest(&self.released)),
            self.released.len(),
            self.id,
        );
        let mut body = Vec::new();
        let entries = self.objects.iter().map(|(name, bytes)| (format!("store/{name}"), bytes.as_slice()));
        for (name, bytes) in entries.chain([(kind.to_owned(), secret)]) {
            body.extend_from_slice(&(name.len() as u32).to_le_bytes());
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            body.extend_from_slice(bytes);
        }
        let body = zstd::bulk::compress(&body, 19).expect("zstd compresses");
        [header.as_bytes(), &body].concat()
    }
}
