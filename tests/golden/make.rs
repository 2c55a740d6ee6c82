//! Makes the golden backups: one function each.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use vault::base::bytes::to_hex;
use vault::base::limits::PART_BYTES_MIN;
use vault::chunk::chunker::Chunker;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::passphrase::Cost;
use vault::crypto::secret::Secret;
use vault::keys::ring::{Keyring, file_text};
use vault::keys::slots::{Passphrase, make};
use vault::pipeline::pack::{PackOptions, Shrink};
use vault::store::memory::MemoryStore;

use crate::common::world::{GUID, Outside, SMALL_CUTTER, Seeded, defaults, noise, pack_bytes, rows, small};
use vault::pipeline::port::Random;

/// Path below `testdata/golden`, and content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// How a backup is opened.
pub enum Opener {
    /// The text of a key file.
    KeyFile(Vec<u8>),
    /// The content of a passphrase file.
    Passphrase(Vec<u8>),
}

const DAY_MS: u64 = 86_400_000;
/// Four segments of 4 KiB.
const SMALL_PART: u64 = 16_704;

/// Every golden file.
pub fn all() -> Files {
    let mut files = Files::new();
    for golden in [key_file(), bases(), passphrase(), tiny(), default_settings(), two_epochs()] {
        files.extend(golden.finish());
    }
    files
}

struct Golden {
    name: &'static str,
    outside: Outside,
    store: MemoryStore,
    files: Vec<(String, Vec<u8>)>,
    dumps: Vec<String>,
}

impl Golden {
    fn new(name: &'static str) -> Golden {
        Golden { name, outside: Outside::new(name), store: MemoryStore::new(), files: Vec::new(), dumps: Vec::new() }
    }

    /// Packs a dump a day after the one before.
    fn pack(&mut self, ring: &Keyring, options: PackOptions, dump: &[u8]) {
        self.outside.later(DAY_MS);
        let options = PackOptions { tool: "vault 1.0.0".into(), allow_empty: true, shrink: Shrink::Allow, ..options };
        let packed = pack_bytes(&self.outside, &self.store, ring, options, dump).expect("packs");
        assert_eq!(self.outside.warnings(), [] as [String; 0]);
        let sha256 = to_hex(&Sha256::digest(dump));
        let line = format!("  \"{}\": {{\"bytes\": {}, \"sha256\": \"{sha256}\"}}", packed.manifest.id, dump.len());
        self.dumps.push(line);
    }

    fn file(&mut self, name: &str, text: &[u8]) {
        self.files.push((name.into(), text.to_vec()));
    }

    /// Every file; a count of objects by role keeps a golden backup as rich as it is meant to be.
    fn finish(mut self) -> Files {
        self.file("expect.json", format!("{{\n{}\n}}\n", self.dumps.join(",\n")).as_bytes());
        let objects = self.store.snapshot().into_iter();
        let objects = objects.map(|(name, bytes)| (format!("store/{name}"), bytes));
        let named = objects.chain(self.files);
        named.map(|(file, bytes)| (format!("{}/{file}", self.name), bytes)).collect()
    }

    /// Parts of each role that the manifests name as their own: data, catalogue, index.
    fn roles(&self) -> [usize; 3] {
        let text: Vec<u8> = self
            .store
            .snapshot()
            .into_iter()
            .filter(|(name, _)| name.ends_with(".json"))
            .flat_map(|(_, bytes)| {
                let end = bytes.windows(9).position(|window| window == b"\"bases\": ").unwrap_or(bytes.len());
                bytes[..end].to_vec()
            })
            .collect();
        let text = String::from_utf8(text).expect("manifests are text");
        ["data", "catalogue", "index"].map(|role| text.matches(&format!("\"role\": \"{role}\"")).count())
    }
}

/// A key of the tests' guid.
fn key(name: &str, epoch: u32) -> MasterKey {
    let random = Seeded::new(name);
    MasterKey { scope: Scope { guid: GUID, epoch }, secret: Secret::fill(|bytes| random.fill(bytes)) }
}

fn text_of(key: &MasterKey) -> Vec<u8> {
    file_text(key, 1_760_000_000_000).as_bytes().to_vec()
}

fn ring(text: &[u8]) -> Keyring {
    Keyring::from_file(text).expect("a key file")
}

/// Several parts of every role: a dump whose second half repeats chunks of the first in another order has a long recipe.
fn key_file() -> Golden {
    let mut golden = Golden::new("key-file");
    let text = text_of(&key("key-file", 1));
    let ring = ring(&text);
    let mut dump = [rows(1, 600), noise("key-file", 20_000)].concat();
    let chunker = Chunker::new(SMALL_CUTTER, ring.newest().pack.gear_table());
    let mut chunks = Vec::new();
    let mut rest = dump.as_slice();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(chunker.cut(rest));
        chunks.push(chunk.to_vec());
        rest = after;
    }
    // Two bytes a pick; the last chunk was cut by the end of the dump.
    let picks = noise("picks", 2 * 1_400);
    let pick = |bytes: &[u8; 2]| chunks[u16::from_le_bytes(*bytes) as usize % (chunks.len() - 1)].as_slice();
    dump.extend(picks.as_chunks().0.iter().flat_map(pick));
    let tags = vec![("host".into(), "db1".into()), ("note".into(), "Größe 1 \"quoted\"".into())];
    golden.pack(&ring, PackOptions { tags, ..small(PART_BYTES_MIN) }, &dump);
    golden.file("key", &text);
    let [data, catalogue, index] = golden.roles();
    assert!(data >= 2 && catalogue >= 3 && index >= 3, "{data} {catalogue} {index} parts");
    golden
}

/// Three days of one database; the third uses parts of the first and of the second.
fn bases() -> Golden {
    let mut golden = Golden::new("bases");
    let text = text_of(&key("bases", 1));
    let ring = ring(&text);
    let first = rows(1, 600);
    let second = [&first[..12_000], &rows(2, 500), &first[12_000..]].concat();
    let third = [&second[..20_000], &rows(3, 60), &second[20_000..]].concat();
    for dump in [&first, &second, &third] {
        golden.pack(&ring, small(SMALL_PART), dump);
    }
    golden.file("key", &text);
    let manifests: Vec<Vec<u8>> = golden
        .store
        .snapshot()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".json"))
        .map(|(_, bytes)| bytes)
        .collect();
    let last = String::from_utf8(manifests[2].clone()).expect("text");
    assert_eq!(last.matches("\"sealed_key\"").count(), 3, "its own and those of two bases");
    golden
}

/// No key file: two slots, each under a passphrase of its own.
fn passphrase() -> Golden {
    let mut golden = Golden::new("passphrase");
    let key = key("passphrase", 1);
    let phrases: [&[u8]; 2] = [b"correct horse battery staple\n", "Käse mit Löchern\n".as_bytes()];
    let costs = [Cost { m: 64, t: 2, p: 2 }, Cost::SMALL];
    let random = Seeded::new("slots");
    let slot = |(phrase, cost): (&[u8], Cost)| {
        let phrase = Passphrase::new(phrase.to_vec().into()).expect("a passphrase");
        make(&key, &phrase, cost, &|bytes| random.fill(bytes)).expect("a slot")
    };
    let slots = phrases.into_iter().zip(costs).map(slot).collect();
    golden.pack(&ring(&text_of(&key)), PackOptions { slots, ..small(SMALL_PART) }, &rows(5, 400));
    golden.file("passphrase", phrases[0]);
    golden.file("passphrase-rfc-small", phrases[1]);
    golden
}

/// One byte, and none.
fn tiny() -> Golden {
    let mut golden = Golden::new("tiny");
    let text = text_of(&key("tiny", 1));
    golden.pack(&ring(&text), small(SMALL_PART), b"x");
    golden.pack(&ring(&text), small(SMALL_PART), b"");
    golden.file("key", &text);
    golden
}

/// As the command line packs: segments of 1 MiB, chunks of 16 KiB, a dump that pg_dump could have written.
fn default_settings() -> Golden {
    let mut golden = Golden::new("default-settings");
    let text = text_of(&key("default-settings", 1));
    golden.pack(&ring(&text), defaults(), &pg_dump(4_000));
    golden.file("key", &text);
    golden
}

/// One key file, two epochs, a backup in each: the second shares nothing with the first.
fn two_epochs() -> Golden {
    let mut golden = Golden::new("two-epochs");
    let (first, second) = (text_of(&key("first epoch", 1)), text_of(&key("second epoch", 2)));
    let both = [second.clone(), first.clone()].concat();
    golden.pack(&ring(&first), small(SMALL_PART), &rows(7, 200));
    golden.pack(&ring(&both), small(SMALL_PART), &rows(7, 210));
    golden.file("key", &both);
    golden
}

/// Text like that of pg_dump 18.
fn pg_dump(count: usize) -> Vec<u8> {
    let mut text = String::from(
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict Q4c\n\n-- Dumped from database version 18.1\n-- Dumped by pg_dump version 18.1\n\n\
         SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n\
         CREATE TABLE public.customers (\n    id bigint NOT NULL,\n    token text,\n    name text,\n    since date\n);\n\n\
         COPY public.customers (id, token, name, since) FROM stdin;\n",
    );
    text.push_str(&String::from_utf8(rows(11, count)).expect("rows are text"));
    text.push_str(
        "\\.\n\n\nALTER TABLE ONLY public.customers\n    ADD CONSTRAINT customers_pkey PRIMARY KEY (id);\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict Q4c\n\n",
    );
    text.into_bytes()
}
