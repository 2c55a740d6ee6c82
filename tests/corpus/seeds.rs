//! Makes the seeds of the fuzz corpus: for every target what it takes, and one of each kind of thing that it refuses.

use vault::archive::part::PartSecret;
use vault::base::cutter::Cutter;
use vault::base::id::ChunkId;
use vault::base::map::{MapEntry, MapKind};
use vault::chunk::compress::BlockCompressor;
use vault::dump::{Observer, Verdict};
use vault::format::age::armor;
use vault::format::age::name::RecipientName;
use vault::format::check_record::{CheckRecord, Way};
use vault::format::frame::{padding_header, raw_frame};
use vault::format::header::Role;
use vault::format::keyfile::{key_text, pack_text};
use vault::format::manifest::{Manifest, Part};
use vault::format::map;
use vault::format::paper::{grouped, share_text};
use vault::format::record::{Block, Chunk, Extent, OwnBlock, Record, Span, Summary, Usage, encode_all};
use vault::format::section::{FrameRecord, Section, encode};
use vault::format::slot::{Slot, SlotKind};
use vault::fuzzing::{Fixture, fixture, seed_cache};
use vault::keys::age::seal;
use vault::pipeline::fetch::{PartReader, own};
use vault::pipeline::history;

/// One file of the corpus.
pub struct Seed {
    pub target: &'static str,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Every seed of every target.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (target, make) in [
        ("part_header", part_headers as fn(&mut Of)),
        ("zstd_frame", zstd_frames),
        ("zstd_block", zstd_blocks),
        ("section_directory", directories),
        ("records", records),
        ("json", json),
        ("manifest", manifests),
        ("draft", drafts),
        ("slot", slots),
        ("age_file", age_files),
        ("key_file", key_files),
        ("key_line", key_lines),
        ("check_record", check_records),
        ("paper", papers),
        ("names", names),
        ("sealed_key", sealed_keys),
        ("dump_map", maps),
        ("dump_observer", dumps),
        ("legacy_archive", legacy_archives),
        ("legacy_gzip", legacy_gzips),
        ("chunker", streams),
        ("part", parts),
        ("padding", paddings),
        ("cache_file", cache_files),
        ("cache_resealed", caches),
        ("cache_record", cache_records),
        ("sections", sections),
        ("catalogue", catalogues),
        ("index", indexes),
        ("forged_index", indexes),
        ("forged_catalogue", forged_catalogues),
        ("unpack_damaged", damages),
        ("pack_unpack", packs),
        ("prune_mark", marks),
    ] {
        let mut of = Of { target, seeds: &mut seeds };
        make(&mut of);
    }
    seeds
}

/// Collects the seeds of one target.
struct Of<'a> {
    target: &'static str,
    seeds: &'a mut Vec<Seed>,
}

impl Of<'_> {
    /// What the target takes.
    fn takes(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.push("accepted", name, bytes.into());
    }

    /// What it refuses.
    fn refuses(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.push("refused", name, bytes.into());
    }

    fn push(&mut self, expected: &str, name: &str, bytes: Vec<u8>) {
        let name = format!("{expected}-{name}");
        self.seeds.push(Seed { target: self.target, name, bytes });
    }

    /// Refused: what is taken, with other bytes at one place.
    fn refuses_with(&mut self, name: &str, sound: &[u8], at: usize, bytes: &[u8]) {
        let mut wrong = sound.to_vec();
        wrong[at..at + bytes.len()].copy_from_slice(bytes);
        self.refuses(name, wrong);
    }
}

/// A sequence of edits, as `src/fuzzing/edits.rs` reads it.
fn edits(head: &[u8], edits: &[(u8, u8, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    for (piece, operation, place, operands) in edits {
        bytes.extend([*piece, *operation]);
        bytes.extend(&place.to_le_bytes()[..3]);
        bytes.extend(*operands);
    }
    bytes
}

fn manifest_of(older: bool) -> Manifest {
    let fixture = fixture();
    let backup = if older { &fixture.older } else { &fixture.newer };
    backup.open(fixture).manifest
}

fn object(name: &str) -> &'static [u8] {
    &fixture().objects[name]
}

fn maps(of: &mut Of<'_>) {
    let entry = |kind, from, to| MapEntry::new(kind, b"TABLE", from, to);
    let encoded = |entries: &[MapEntry]| {
        let mut bytes = vec![40];
        bytes.extend_from_slice(&(1000_u64 << 16).to_le_bytes());
        entries.iter().for_each(|entry| assert!(map::encode(entry, &mut bytes)));
        bytes
    };
    let mut all: Vec<MapEntry> = (0..)
        .zip(MapKind::ALL)
        .map(|(at, kind)| match kind {
            MapKind::Link | MapKind::Version | MapKind::Stop => entry(kind, 800, 800),
            _ => entry(kind, at * 100, at * 100 + 90),
        })
        .collect();
    // The end of a map is its last record.
    let end = all.iter().position(|entry| entry.kind == MapKind::Stop).expect("it has an end");
    let stop = all.remove(end);
    all.push(stop);
    let sound = encoded(&all);
    of.takes("every-type", sound.clone());
    of.takes("unknown-type", [&sound[..13], &[77], &sound[14..]].concat());
    of.refuses_with("reserved", &sound, 15, &[1]);
    of.refuses_with("space-3", &sound, 14, &[3]);
    of.refuses_with("record-short", &sound, 9, &[41]);
    of.refuses("no-end", encoded(&all[..5]));
    of.refuses("two-ends", encoded(&[entry(MapKind::Stop, 0, 0), entry(MapKind::Stop, 0, 0)]));
    of.refuses("overlap", encoded(&[entry(MapKind::Data, 0, 10), entry(MapKind::Data, 9, 20)]));
    of.refuses("outside", encoded(&[entry(MapKind::Data, 0, 1001)]));
    of.refuses("cut-short", &sound[..sound.len() - 1]);
}

fn part_headers(of: &mut Of<'_>) {
    let manifest = manifest_of(false);
    for role in [Role::Data, Role::Catalogue, Role::Index] {
        let part = manifest.parts.iter().find(|part| part.role == role).expect("every role");
        of.takes(role.name(), &object(&manifest.id.part_name(part.index))[..256]);
    }
    let sound = &object(&manifest.id.part_name(0))[..256];
    of.refuses_with("magic", sound, 0, b"PK");
    of.refuses_with("version-2", sound, 8, &[2]);
    of.refuses_with("role-3", sound, 9, &[3]);
    of.refuses_with("segment-of-2-kib", sound, 10, &[11]);
    of.refuses_with("segment-of-2-mib", sound, 10, &[21]);
    of.refuses_with("reserved-byte", sound, 11, &[1]);
    of.refuses_with("timestamp-of-12-digits", sound, 32, &[0; 8]);
    of.refuses_with("reserved-word", sound, 44, &[1]);
    of.refuses_with("reserved-end", sound, 223, &[1]);
    of.refuses("cut-short", &sound[..255]);
    of.refuses("longer", [sound, &[0]].concat());
}

fn rows(count: usize) -> Vec<u8> {
    fixture().older.dump[..count].to_vec()
}

fn compressed(level: i32, plain: &[u8]) -> Vec<u8> {
    let mut zstd = BlockCompressor::new(level).expect("memory");
    zstd.compress(plain).expect("memory")
}

/// A frame with that descriptor and those fields, and one empty raw block.
fn frame(descriptor: u8, fields: &[u8]) -> Vec<u8> {
    [&[0x28, 0xb5, 0x2f, 0xfd, descriptor], fields, &[1, 0, 0]].concat()
}

fn zstd_frames(of: &mut Of<'_>) {
    of.takes("raw-blocks", raw_frame(&rows(300)));
    of.takes("level-1", compressed(1, &rows(3000)));
    of.takes("level-19", compressed(19, &rows(3000)));
    of.takes("run", compressed(3, &[b'x'; 70_000]));
    of.takes("size-of-1-byte", frame(0b0010_0000, &[5]));
    of.takes("size-of-2-bytes", frame(0b0110_0000, &[5, 0]));
    of.takes("size-of-4-bytes", frame(0b1010_0000, &[5, 0, 0, 0]));
    of.takes("size-of-8-bytes", frame(0b1110_0000, &[5, 0, 0, 0, 0, 0, 0, 0]));
    of.takes("window-of-2-mib", frame(0b1000_0000, &[11 << 3, 5, 0, 0, 0]));
    of.refuses("window-of-2-mib-and-an-eighth", frame(0b1000_0000, &[11 << 3 | 1, 5, 0, 0, 0]));
    of.refuses("no-size", frame(0b0000_0000, &[0]));
    of.refuses("empty", frame(0b0010_0000, &[0]));
    of.refuses("over-2-mib", frame(0b1010_0000, &[1, 0, 32, 0]));
    of.refuses("dictionary", frame(0b1010_0001, &[7, 5, 0, 0, 0]));
    of.refuses("checksum", frame(0b1010_0100, &[5, 0, 0, 0]));
    of.refuses("reserved-bit", frame(0b1010_1000, &[5, 0, 0, 0]));
    of.refuses("padding", [&padding_header(16)[..], &[0; 8]].concat());
}

fn zstd_blocks(of: &mut Of<'_>) {
    of.takes("one-byte", [0, 0, b'x']);
    of.takes("rows", [&[1, 7], rows(2000).as_slice()].concat());
    of.takes("a-mebibyte", [&[2, 63], rows(20_000).as_slice()].concat());
    of.takes("noise", [&[0, 0][..], blake3_noise(900).as_slice()].concat());
    of.refuses("empty", [0, 0]);
}

fn blake3_noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(b"noise").finalize_xof().fill(&mut bytes);
    bytes
}

fn record(section: Section, part: u32) -> FrameRecord {
    FrameRecord { section, part, stored: 100, plain: 480 }
}

fn directories(of: &mut Of<'_>) {
    let with = |holder: u8, frames: &[FrameRecord]| [&[holder], encode(frames).as_slice()].concat();
    let index = [Section::Draft, Section::Summary, Section::Blocks, Section::Recipe, Section::Spans, Section::Map];
    let catalogue = [Section::Draft, Section::Cutter, Section::OwnBlocks, Section::Chunks, Section::Usage];
    let index: Vec<FrameRecord> = (0..).zip(index).map(|(at, section)| record(section, at / 3)).collect();
    let catalogue: Vec<FrameRecord> = catalogue.map(|section| record(section, 0)).into();
    of.takes("index-in-two-parts", with(0, &index));
    of.takes("catalogue", with(1, &catalogue));
    of.refuses("sections-of-the-other", with(0, &catalogue));
    of.refuses("empty", with(0, &[]));
    of.refuses("descending", with(0, &[index[1], index[0]]));
    of.refuses("begins-in-the-third-part", with(0, &[record(Section::Draft, 2)]));
    of.refuses("skipped-part", with(0, &[record(Section::Draft, 0), record(Section::Summary, 2)]));
    of.refuses("nothing-stored", with(0, &[FrameRecord { stored: 0, ..index[0] }]));
    of.refuses("frame-over-1-mib", with(0, &[FrameRecord { plain: (1 << 20) + 1, ..index[0] }]));
    of.refuses("record-in-two-frames", with(0, &[FrameRecord { plain: 479, ..index[1] }]));
    of.refuses("unknown-section", [&[0, 7], &encode(&index)[1..]].concat());
    of.refuses("half-a-record", &with(0, &index)[..9]);
}

fn records(of: &mut Of<'_>) {
    fn with<R: Record>(kind: u8, records: &[R]) -> Vec<u8> {
        [&[kind], encode_all(records).as_slice()].concat()
    }
    let block = Block { part: 1, offset: 2, stored: 3, plain: 4 };
    let own = OwnBlock { part: 0, stored: 30, plain: 40, chunks: 2 };
    let chunk = Chunk { id: ChunkId([3; 16]), length: 64 };
    of.takes("summary", with(0, &[Summary { plain: 1, chunks: 1, ids_digest: [2; 32] }]));
    of.takes("blocks", with(1, &[block, Block { offset: 9, ..block }]));
    of.takes(
        "recipe",
        with(2, &[Extent { block: 0, offset: 0, length: 9 }, Extent { block: 1, offset: 2, length: 1 << 40 }]),
    );
    of.takes("spans", with(3, &[Span([1; 16]), Span([2; 16])]));
    of.takes("cutter", with(4, &[Cutter::DEFAULT]));
    of.takes("own-blocks", with(5, &[own]));
    of.takes("chunks", with(6, &[chunk, chunk]));
    of.takes("usage", with(7, &[Usage { live: 4, plain: 9 }]));
    of.takes("none", [1]);
    of.refuses_with("block-of-kind-1", &with(1, &[block]), 17, &[1]);
    of.refuses_with("block-reserved-byte", &with(1, &[block]), 20, &[1]);
    of.refuses("block-without-bytes", with(1, &[Block { stored: 0, ..block }]));
    of.refuses("block-over-2-mib", with(1, &[Block { plain: (2 << 20) + 1, ..block }]));
    of.refuses("empty-extent", with(2, &[Extent { block: 0, offset: 0, length: 0 }]));
    of.refuses("odd-cutter", with(4, &[Cutter { minimum: 4097, ..Cutter::DEFAULT }]));
    of.refuses("cutter-without-mask", with(4, &[Cutter { loose: 0, ..Cutter::DEFAULT }]));
    of.refuses("own-block-without-chunks", with(5, &[OwnBlock { chunks: 0, ..own }]));
    of.refuses("empty-chunk", with(6, &[Chunk { length: 0, ..chunk }]));
    of.refuses("more-live-than-there-is", with(7, &[Usage { live: 5, plain: 4 }]));
    of.refuses("half-a-record", [3; 20]);
}

fn json(of: &mut Of<'_>) {
    of.takes("every-value", r#"{"a": null, "b": [true, false, 0], "c": {"d": "\u00e9\n\"é"}, "e": {}}"#);
    of.takes("largest-integer", "9007199254740991");
    of.takes("depth-8", "[[[[[[[[1]]]]]]]]");
    of.takes("manifest", object(&fixture().older.id.manifest_name()));
    of.refuses("depth-9", "[[[[[[[[[1]]]]]]]]]");
    of.refuses("integer-of-2-to-53", "9007199254740992");
    of.refuses("fraction", "1.5");
    of.refuses("exponent", "1e2");
    of.refuses("negative", "-1");
    of.refuses("minus-zero", "-0");
    of.refuses("repeated-member", r#"{"a": 1, "a": 1}"#);
    of.refuses("repeated-member-escaped", r#"{"a": 1, "\u0061": 1}"#);
    of.refuses("byte-order-mark", "\u{feff}1");
    of.refuses("lone-surrogate", r#""\ud800""#);
    of.refuses("not-utf-8", [b'"', 0xff, b'"']);
    of.refuses("two-values", "1 2");
    of.refuses("comma-too-many", "[1,]");
}

fn slot_of_passphrase() -> Slot {
    let kind = SlotKind::Passphrase { m: 65_536, t: 3, p: 4, salt: [1; 16], commitment: [2; 32], wrapped: [3; 68] };
    Slot { id: [1, 2, 3, 4], kind }
}

fn slot_of_age() -> Slot {
    let file = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n".into();
    Slot { id: [5, 6, 7, 8], kind: SlotKind::Age { file } }
}

fn age_files(of: &mut Of<'_>) {
    let fill = |bytes: &mut [u8]| bytes.fill(5);
    let name = |text| RecipientName::parse(text).expect("a recipient");
    let hybrid = include_str!("../../testdata/age/c2sp-mlkem768x25519").trim().split_once('\n').expect("two lines").1;
    let x25519 = seal(&name("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"), b"a key", &fill);
    let x25519 = x25519.expect("seals");
    let binary = armor::decode(x25519.as_bytes()).expect("armor");
    let edited = |from: &str, to: &str| {
        let at = binary.windows(from.len()).position(|window| window == from.as_bytes()).expect("it is there");
        [&binary[..at], to.as_bytes(), &binary[at + from.len()..]].concat()
    };
    of.takes("binary", binary.clone());
    of.takes("armor", x25519.clone());
    of.takes("armor-of-another-system", format!("\r\n {}", x25519.replace('\n', "\r\n")));
    of.takes("hybrid", seal(&name(hybrid), b"", &fill).expect("seals"));
    of.takes("two-stanzas", edited("--- ", "-> x y\n\n--- "));
    of.takes("cut-in-the-payload", &binary[..binary.len() - 1]);
    of.refuses("version-2", edited("/v1", "/v2"));
    of.refuses("without-stanza", b"age-encryption.org/v1\n--- ".as_slice());
    of.refuses("two-spaces", edited("-> X25519 ", "-> X25519  "));
    of.refuses("cut-in-the-header", &binary[..100]);
    of.refuses("long-line", x25519.replacen('\n', "\nA", 2));
    of.refuses("end-of-another", x25519.replace("-----END AGE", "-----END PGP"));
}

fn manifests(of: &mut Of<'_>) {
    let first = object(&fixture().older.id.manifest_name());
    let second = object(&fixture().newer.id.manifest_name());
    let (text, mac) = (manifest_of(true), [7; 32]);
    let with_slots =
        Manifest { slots: vec![slot_of_passphrase(), slot_of_age()], generation: 2, rebuilt: true, ..text.clone() };
    of.takes("first", first);
    of.takes("with-a-base", second);
    of.takes("with-slots", Manifest::with_mac(&with_slots.encode(), &mac));
    let twice = Manifest { slots: vec![slot_of_age(), slot_of_age()], ..text.clone() };
    of.refuses("two-slots-of-one-id", Manifest::with_mac(&twice.encode(), &mac));
    let edited = |from: &str, to: &str| String::from_utf8_lossy(first).replacen(from, to, 1);
    of.refuses("version-2", edited("\"version\": 1", "\"version\": 2"));
    of.refuses("feature", edited("\"features\": []", "\"features\": [\"new\"]"));
    of.refuses("unknown-member", edited("\"epoch\"", "\"more\": 1,\n  \"epoch\""));
    of.refuses("another-time", edited("\"time\": \"2", "\"time\": \"3"));
    of.refuses("upper-case-hexadecimal", edited("\"commitment\": \"", "\"commitment\": \"A"));
    of.refuses("stored-is-not-the-sum", edited("\"stored\": ", "\"stored\": 1"));
    of.refuses("part-without-bytes", edited("\"bytes\": ", "\"bytes\": 0, \"was\": "));
    of.refuses("without-mac", &first[..first.len() - 80]);
    of.refuses("longer", [first, b"\n"].concat());
}

fn drafts(of: &mut Of<'_>) {
    of.takes("first", manifest_of(true).encode_draft());
    of.takes("with-a-base", manifest_of(false).encode_draft());
    let draft = manifest_of(true).encode_draft();
    of.refuses("generation-1", draft.replace("\"generation\": 0", "\"generation\": 1"));
    of.refuses("rebuilt", draft.replace("\"rebuilt\": false", "\"rebuilt\": true"));
    of.refuses("seq-without-prev", draft.replace("\"seq\": 1", "\"seq\": 2"));
    of.refuses("manifest", object(&fixture().older.id.manifest_name()));
}

fn slots(of: &mut Of<'_>) {
    let sound = slot_of_passphrase().encode();
    of.takes("passphrase", sound.as_str());
    of.takes("age", slot_of_age().encode());
    of.refuses("unknown-type", sound.replace("passphrase", "fido2"));
    of.refuses("4-gib", sound.replace("65536", "4194304"));
    of.refuses("no-passes", sound.replace("\"t\": 3", "\"t\": 0"));
    of.refuses("short-salt", sound.replacen("AQEB", "", 1));
    of.refuses("base64-with-spare-bits", sound.replacen("AQ==", "AR==", 1));
    of.refuses("upper-case-id", sound.replace("01020304", "0102030A"));
    of.refuses("another-order", r#"{"type": "age", "id": "05060708", "file": ""}"#);
}

fn key_bytes(epoch: u32) -> [u8; 52] {
    let mut bytes = [0x42; 52];
    bytes[16..20].copy_from_slice(&epoch.to_le_bytes());
    bytes
}

fn key_files(of: &mut Of<'_>) {
    let key = |epoch| key_text(&key_bytes(epoch)).to_string();
    let slot = format!("slot {}", slot_of_passphrase().encode());
    of.takes("one-key", format!("# vault key\n{}\n", key(1)));
    of.takes("two-epochs-and-a-slot", format!("{}\n\n{}\n{slot}\n", key(2), key(1)));
    of.takes("pack-only", format!("{}\n", pack_text(&[9; 196]).as_str()));
    of.refuses("empty", "");
    of.refuses("comment-only", "# nothing\n");
    of.refuses("one-epoch-twice", format!("{}\n{}\n", key(1), key(1)));
    of.refuses("epoch-0", key(0));
    of.refuses("key-and-pack", format!("{}\n{}\n", key(1), pack_text(&[9; 196]).as_str()));
    of.refuses("lower-case", key(1).to_lowercase());
    of.refuses("carriage-return", format!("{}\r\n", key(1)));
    of.refuses("age-file", "age-encryption.org/v1\n-> X25519\n");
    of.refuses("slot-alone", slot);
}

fn key_lines(of: &mut Of<'_>) {
    of.takes("unchanged", [&key_bytes(1)[..], &[0, 0, 0, b'V']].concat());
    of.takes("one-letter", [&key_bytes(7)[..], &[20, 0, 0, b'Q']].concat());
    of.takes("lower-case", [&key_bytes(7)[..], &[0, 0, 0, b'v']].concat());
    of.takes("line-end", [&key_bytes(7)[..], &[30, 0, 0, b'\n']].concat());
    of.refuses("epoch-0", key_bytes(0));
}

fn check_records(of: &mut Of<'_>) {
    let record = CheckRecord {
        guid: fixture().older.id.guid,
        timestamp: 1_760_000_000_000,
        epoch: 1,
        fingerprint: [7; 16],
        opened: [(Way::KeyFile, 1_760_000_000_000), (Way::Slot([0x1a; 4]), 5)].into(),
    };
    let with_mac = |body: &str| Manifest::with_mac(body, &[3; 32]);
    let body = record.encode();
    of.takes("two-ways", with_mac(&body));
    of.takes("one-way", with_mac(&CheckRecord { opened: [(Way::Slot([0; 4]), 0)].into(), ..record.clone() }.encode()));
    of.refuses("no-way", with_mac(&CheckRecord { opened: [].into(), ..record.clone() }.encode()));
    of.refuses("ten-digits", with_mac(&body.replace("1760000000000", "1760000000")));
    of.refuses("later-than-itself", with_mac(&body.replacen("\"time\": 1760", "\"time\": 1761", 1)));
    of.refuses("another-version", with_mac(&body.replace("\"version\": 1", "\"version\": 2")));
    of.refuses("another-format", with_mac(&body.replace("vault-check", "vault")));
    of.refuses("epoch-0", with_mac(&body.replace("\"epoch\": 1", "\"epoch\": 0")));
    of.refuses("white-space", with_mac(&body.replacen("  ", " ", 1)));
    of.refuses("no-mac", body);
}

fn papers(of: &mut Of<'_>) {
    let mut share = [0x42; 70];
    share[16..20].copy_from_slice(&1_u32.to_le_bytes());
    share[36..38].copy_from_slice(&[2, 1]);
    let typed = |text: &str| [&[0], text.as_bytes()].concat();
    let (key, share_line) = (key_text(&key_bytes(1)), share_text(&share));
    of.takes("typed-key", typed(&grouped(&key)));
    of.takes("typed-share", typed(&grouped(&share_line)));
    of.takes("typed-lines", typed(&format!("{}\n{}\n", *key, *share_line)));
    of.takes("typed-sheet", typed(&format!("# a sheet\n\n{}\u{2588}\n", grouped(&key).to_lowercase())));
    of.takes("typed-nothing", typed("# nothing\n"));
    // After the kind, the heading and the number of the line.
    of.refuses_with("typed-letter", &typed(&grouped(&key)), 18, b"Q");
    of.refuses("typed-short", typed(&grouped(&key)[..90]));
    of.refuses("typed-epoch-0", typed(&grouped(&key_text(&key_bytes(0)))));
    of.refuses("typed-no-text", [0, 0xff]);
    of.takes("mistyped-key", [&[1, 0], &key_bytes(7)[..], &[30, 0, 0, b'Q', 60, 0, 0, b'\n']].concat());
    of.takes("mistyped-share", [&[1, 1], &share[..], &[30, 0, 0, b' ', 90, 0, 0, b'#']].concat());
    of.refuses("mistyped-epoch-0", [&[1, 0], &key_bytes(0)[..]].concat());
    let drawn = |threshold: u8, more: u8, chosen: u16| {
        let random: Vec<u8> = (0..=255).collect();
        [&[2][..], &[5; 32], &[threshold - 2, more], &chosen.to_le_bytes(), &random].concat()
    };
    of.takes("two-of-three", drawn(2, 1, 0b101));
    of.takes("sixteen-of-sixteen", drawn(16, 0, 0xffff));
    of.refuses("two-when-three-are-needed", drawn(3, 2, 0b11));
    of.refuses("none", drawn(2, 0, 0));
}

fn names(of: &mut Of<'_>) {
    let id = fixture().older.id;
    let guid = id.guid;
    of.takes("guid", guid.to_string());
    of.takes("id", id.to_string());
    of.takes("manifest", id.manifest_name());
    of.takes("part-0", id.part_name(0));
    of.takes("part-16383", id.part_name(16_383));
    of.takes("prune-mark", format!("{guid}-prune-1760000000000.json"));
    of.takes("legacy", format!("{guid}-1718020800-3"));
    of.refuses("part-16384", id.part_name(16_384));
    of.refuses("part-00", format!("{id}-00"));
    of.refuses("part-of-2-to-32", format!("{id}-4294967296"));
    of.refuses("upper-case", id.to_string().to_uppercase());
    of.refuses("temporary", format!(".vault-{id}-0-abc.tmp"));
    of.refuses("not-a-boundary", "é".repeat(20));
    of.refuses("timestamp-of-14-digits", format!("{guid}-10000000000000.json"));
}

fn sealed_keys(of: &mut Of<'_>) {
    of.takes("genuine", [1]);
    of.takes("changed-and-changed-back", [1, 5, 3, 5, 3]);
    of.refuses("first-bit", [1, 0, 1]);
    of.refuses("ignored-bit-of-the-point", [1, 31, 0x80]);
    of.refuses("ciphertext", [1, 40, 1]);
    of.refuses("tag", [1, 79, 1]);
    of.refuses("point-0", [0; 81]);
    of.refuses("point-1", [&[0, 1], [0; 79].as_slice()].concat());
}

/// A small dump of one database, whole.
const DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nCREATE TABLE t (id int, note text DEFAULT E'it''s \\\\ --');\n\n\
COPY public.t (id, note) FROM stdin;\n1\tone\n2\t--\n\\.\n\n\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $_$ -- 'it\nSELECT 1 $_$;\n\n\
--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n";

/// gzip of one stored block.
fn stored_gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short content");
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let mut member = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1];
    member.extend(length.to_le_bytes());
    member.extend((!length).to_le_bytes());
    member.extend(content);
    member.extend(crc.sum().to_le_bytes());
    member.extend(crc.amount().to_le_bytes());
    member
}

fn legacy_gzips(of: &mut Of<'_>) {
    let member = stored_gzip(b"a dump");
    let mut deflated = Vec::new();
    let mut encoder = flate2::bufread::GzEncoder::new(DUMP.as_bytes(), flate2::Compression::default());
    std::io::Read::read_to_end(&mut encoder, &mut deflated).expect("memory");
    let header = b"\x1f\x8b\x08\x1c\0\0\0\0\0\x03\x02\0abname\0comment\0";
    let mut checked = [&header[..], &member[10..]].concat();
    let mut crc = flate2::Crc::new();
    checked[3] |= 2;
    crc.update(&checked[..header.len()]);
    checked.splice(header.len()..header.len(), (crc.sum() as u16).to_le_bytes());
    for (name, stream) in [
        ("stored", member.clone()),
        ("deflated", deflated.clone()),
        ("two-members", [&member[..], &deflated].concat()),
        ("zeros-behind", [&member[..], &[0; 40]].concat()),
        ("garbage-behind", [&member[..], b"x"].concat()),
        ("all-fields", checked.clone()),
        ("cut", deflated[..60].to_vec()),
    ] {
        of.takes(&format!("{name}-in-bytes"), [&[1, 1][..], &stream].concat());
        of.takes(&format!("{name}-whole"), [&[2, 255, 200][..], &stream].concat());
    }
    for (name, at) in [("flags", 3), ("crc", member.len() - 8), ("length", member.len() - 1), ("block", 12)] {
        let mut wrong = member.clone();
        wrong[at] ^= 1;
        of.takes(&format!("wrong-{name}"), [&[1, 7][..], &wrong].concat());
    }
    checked[20] ^= 1;
    of.takes("wrong-header", [&[1, 7][..], &checked].concat());
    of.refuses("nothing", b"".as_slice());
    of.refuses("reserved-flag", b"\x01\x07\x1f\x8b\x08\x80\0\0\0\0\0\x03".as_slice());
    of.refuses("text", b"\x01\x07--\n-- PostgreSQL database dump\n".as_slice());
}

fn legacy_archives(of: &mut Of<'_>) {
    let content = [0x5a; 300];
    for (name, digest, lengths) in [("md5-in-bytes", 0, &[1, 1][..]), ("sha256-whole", 1, &[1, 255])] {
        for length in [0_u16, 11, 12, 300] {
            let head = [&[digest], lengths, &length.to_le_bytes(), &content[..usize::from(length)]].concat();
            of.takes(&format!("{name}-{length}"), head);
        }
    }
    let head = |length: u16| [&[0, 1, 16][..], &length.to_le_bytes(), &content[..usize::from(length)]].concat();
    of.takes("a-bit-in-the-middle", edits(&head(300), &[(0, 1, 100, &[1])]));
    of.refuses("magic", edits(&head(40), &[(0, 1, 3, &[1])]));
    of.refuses("salt", edits(&head(40), &[(0, 1, 9, &[1])]));
    of.refuses("padding", edits(&head(40), &[(0, 1, 60, &[1])]));
    of.refuses("cut-between-blocks", edits(&head(40), &[(0, 6, 48, &[])]));
    of.refuses("cut-inside", edits(&head(40), &[(0, 5, 50, &[])]));
    of.refuses("empty", edits(&head(40), &[(0, 5, 0, &[])]));
}

/// `pg_dump -Fc` of two tables and a large object, one of the tables empty.
fn custom_archive() -> Vec<u8> {
    let number = |value: i32| [&[u8::from(value < 0)][..], &value.unsigned_abs().to_le_bytes()].concat();
    let text = |text: &str| [number(text.len() as i32), text.into()].concat();
    let mut archive = [&b"PGDMP\x01\x0e\0\x04\x08\x01"[..], &number(0), &number(1).repeat(7)].concat();
    archive.extend([text("db"), text("15.20"), text("15.20"), number(4)].concat());
    for (id, data) in [(7, 1), (8, 0), (9, 1), (10, 1)] {
        archive.extend([number(id), number(data), text("0").repeat(4), number(3), text("x").repeat(6)].concat());
        archive
            .extend([text("o"), text("false"), text("7"), number(-1), vec![if data > 0 { 1 } else { 3 }; 9]].concat());
    }
    archive.extend([&[1], &number(7)[..], &text("1\tone\n"), &text("2\ttwo\n"), &number(0)].concat());
    archive.extend([&[1], &number(9)[..], &number(0)].concat());
    archive.extend([&[3], &number(10)[..], &number(16_400), &text("blob"), &number(0), &number(0)].concat());
    archive
}

/// A tar archive of a file.
fn tar_archive() -> Vec<u8> {
    let mut archive = vec![0; 2560];
    archive[..4].copy_from_slice(b"file");
    archive[124..136].copy_from_slice(b"00000000007\0");
    archive[156] = b'0';
    archive[257..265].copy_from_slice(b"ustar\x0000");
    archive[512..519].copy_from_slice(b"content");
    let sum = archive[..512].iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive
}

/// An archive of mongodump of a collection.
fn mongo_archive() -> Vec<u8> {
    let document = |fields: &[u8]| [&(fields.len() as u32 + 5).to_le_bytes()[..], fields, &[0]].concat();
    let name = b"\x02db\0\x02\0\0\0a\0\x02collection\0\x02\0\0\0b\0";
    let end = [0xff; 4];
    let header = document(b"\x02version\0\x04\0\0\x000.1\0\x02server_version\0\x02\0\0\x007\0");
    let ended = document(&[&name[..], b"\x08EOF\0\x01\x12CRC\0\0\0\0\0\0\0\0\0"].concat());
    let body = document(b"\x10_id\0\x01\0\0\0");
    let prelude = [&[0x6d, 0xe2, 0x99, 0x81][..], &header, &document(name), &end].concat();
    [&prelude[..], &document(name), &body, &body, &end, &ended, &end].concat()
}

fn dumps(of: &mut Of<'_>) {
    let cluster = format!(
        "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict x\n\nCREATE ROLE a;\n\n\\unrestrict x\n\n\\connect t\n\n{DUMP}\
--\n-- PostgreSQL database cluster dump complete\n--\n\n"
    );
    for (name, lengths) in [("bytes", &[1, 1][..]), ("lines", &[3, 40, 0, 7]), ("slabs", &[1, 255])] {
        of.takes(&format!("database-in-{name}"), [lengths, DUMP.as_bytes()].concat());
        of.takes(&format!("cluster-in-{name}"), [lengths, cluster.as_bytes()].concat());
    }
    let long = format!("--\n-- PostgreSQL database dump\n--\n\n-- {}\n", "x".repeat(600));
    of.takes("long-comment", [&[2, 255, 3], long.as_bytes()].concat());
    of.takes("cut-in-a-string", [&[1, 9], &DUMP.as_bytes()[..110]].concat());
    of.takes(
        "insert",
        [
            &[1, 5][..],
            b"--\n-- PostgreSQL database dump\n--\n\nINSERT INTO t VALUES ('it''s', E'\\'', $$a$$, \"b\");\n",
        ]
        .concat(),
    );
    of.takes(
        "block-comment",
        [&[1, 5][..], b"--\n-- PostgreSQL database dump\n--\n\n/* a /* b */ -- c */ SELECT 1;\n"].concat(),
    );
    of.takes("custom", b"\x01\x03PGDMP\x01\x10".as_slice());
    of.takes("mysql", b"\x00-- MySQL dump 10.13\n-- Dump completed\n".as_slice());
    of.takes("mongo", [1, 2, 0x6d, 0xe2, 0x99, 0x81, 0, 0]);
    // Of mariadb-dump 10.11, with a trigger, a routine and an event.
    for (name, dump) in [
        ("databases", include_bytes!("../../testdata/mysql/databases.sql").as_slice()),
        ("ansi", include_bytes!("../../testdata/mysql/ansi.sql")),
    ] {
        let mut observer = Observer::new();
        observer.push(dump);
        assert_eq!(observer.finish().verdict, Verdict::Complete, "{name}");
        of.takes(&format!("mysql-{name}-whole"), [&[0], dump].concat());
        of.takes(&format!("mysql-{name}-in-pieces"), [&[3, 255, 0, 7], dump].concat());
    }
    let mut tar = vec![b'x'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    of.takes("tar", [&[1, 100], tar.as_slice()].concat());
    for (name, archive) in [("custom", custom_archive()), ("tar", tar_archive()), ("mongo", mongo_archive())] {
        let whole = |lengths: &[u8]| [lengths, &archive].concat();
        let mut observer = Observer::new();
        observer.push(&archive);
        assert_eq!(observer.finish().verdict, Verdict::Complete, "{name}");
        of.takes(&format!("{name}-whole"), whole(&[0]));
        of.takes(&format!("{name}-in-bytes"), whole(&[1, 1]));
        of.takes(&format!("{name}-in-pieces"), whole(&[3, 255, 0, 7]));
        of.takes(&format!("{name}-cut"), [&[1, 200], &archive[..archive.len() - 3]].concat());
    }
    of.refuses("raw", [1, 4, b'r', b'a', b'w']);
    of.refuses("empty", []);
}

fn streams(of: &mut Of<'_>) {
    of.takes("defaults", [&[0, 31], rows(6000).as_slice()].concat());
    of.takes("small", [&[1, 0], rows(4000).as_slice()].concat());
    of.takes("zeros", [&[1, 31][..], &[0; 600]].concat());
    of.takes("noise", [&[1, 3], blake3_noise(2000).as_slice()].concat());
    let drawn = [[2, 1, 0, 3, 0, 0, 1].as_slice(), &[0xff; 7], &[0x7f, 1, 0, 0, 0, 0, 0, 0, 0, 7]].concat();
    of.takes("odd-length", [drawn.as_slice(), &rows(1001)].concat());
    of.refuses("shorter-than-a-chunk", [&[0, 0][..], b"short"].concat());
    of.refuses("empty", [0]);
}

fn parts(of: &mut Of<'_>) {
    // Segment, part size, place, changed byte, bits, repetitions, pieces, content.
    let head = |segment: u8, place: u8, repeat: u8| vec![segment, 0, 64, 0, place, 200, 1, 0, 4, repeat, 2, 255, 100];
    of.takes("one-byte", [head(0, 1, 0), vec![b'x']].concat());
    of.takes("one-segment", [head(0, 1, 0), rows(4096)].concat());
    of.takes("a-byte-more", [head(0, 1, 0), rows(4097)].concat());
    of.takes("inner", [head(0, 0, 3), rows(4000)].concat());
    of.takes("segments-of-16-kib", [head(2, 1, 2), rows(5000)].concat());
    of.takes("1023-bytes", [head(0, 1, 0), rows(1023)].concat());
    of.refuses("too-much", [head(0, 0, 200), rows(4000)].concat());
    of.refuses("nothing", head(0, 0, 0));
}

fn paddings(of: &mut Of<'_>) {
    of.takes("8-bytes", [8, 0, 1, 3]);
    of.takes("a-page", [0, 16, 2, 1, 200]);
    of.refuses("nothing", [0, 0]);
    of.refuses("7-bytes", [7, 0, 1, 3]);
    of.refuses("another-length", [9, 0, 0, 4, 0, 7]);
    of.refuses("last-byte", [0, 1, 1, 9, 255, 0, 1]);
}

fn cache_files(of: &mut Of<'_>) {
    let sound = seed_cache();
    of.takes("sound", sound);
    of.refuses_with("version-2", &sound[..4096], 16, &[2]);
    of.refuses_with("another-binding", &sound[..4096], 64, &[1]);
    of.refuses("header-alone", &sound[..4096]);
    of.refuses("empty", []);
}

fn caches(of: &mut Of<'_>) {
    let head = |reseal| [&[reseal], [7; 16].as_slice()].concat();
    of.takes("unchanged", head(0));
    of.takes("changed-page", edits(&head(0), &[(0, 0, 5000, &[1])]));
    of.takes("resealed-page", edits(&head(1), &[(0, 0, 4096 + 32 + 16, &[9])]));
    of.takes("resealed-order", edits(&head(1), &[(0, 9, 4096, &[200, 0, 0])]));
    of.takes("resealed-length", edits(&head(1), &[(0, 2, 4096 + 28, &[255; 4])]));
    of.refuses("changed-header", edits(&head(0), &[(0, 0, 30, &[1])]));
    of.refuses("resealed-count", edits(&head(1), &[(0, 3, 24, &[255; 8])]));
    of.refuses("resealed-backups", edits(&head(1), &[(0, 2, 20, &[255; 4])]));
    of.refuses("cut", edits(&head(1), &[(0, 5, 9000, &[])]));
}

fn cache_records(of: &mut Of<'_>) {
    let manifest = manifest_of(true);
    let usage = [Usage { live: 1, plain: 2 }];
    let catalogue: Vec<Part> = manifest.parts.iter().filter(|part| part.role == Role::Catalogue).cloned().collect();
    let sound = history::encode(&manifest, Cutter::DEFAULT, &usage, &catalogue);
    of.takes("first", sound.as_slice());
    of.refuses("cut-short", &sound[..sound.len() - 1]);
    of.refuses_with("length", &sound, 0, &[255; 4]);
    of.refuses("empty", []);
}

/// The plaintext of a role of a backup of the fixture, part by part.
fn plaintext(fixture: &Fixture, role: Role) -> Vec<Vec<u8>> {
    let (store, open) = (fixture.store(), fixture.older.open(fixture));
    let secret = match role {
        Role::Catalogue => PartSecret::Catalogue(&fixture.ring.newest().pack.catalogue),
        Role::Data | Role::Index => PartSecret::Archive(&open.archive_key),
    };
    let parts = open.manifest.parts.iter().filter(|part| part.role == role);
    parts
        .map(|part| {
            let reader = PartReader::open(&store, &own(&open.manifest, part), secret).expect("the fixture is whole");
            let mut plain = Vec::new();
            let read = reader.read_from(0, &mut |bytes| {
                plain.extend_from_slice(bytes);
                Ok(())
            });
            read.expect("the fixture is whole");
            plain
        })
        .collect()
}

fn sections(of: &mut Of<'_>) {
    for (holder, role) in [(0, Role::Index), (1, Role::Catalogue)] {
        let parts = plaintext(fixture(), role);
        let length = |at: usize| parts.get(at).map_or(0, Vec::len) as u16;
        let head = [&[holder], &length(0).to_le_bytes()[..], &length(1).to_le_bytes()].concat();
        let sound = [head, parts.concat()].concat();
        of.takes(role.name(), sound.as_slice());
        of.refuses_with(&format!("{}-as-the-other", role.name()), &sound, 0, &[1 - holder]);
        of.refuses_with(&format!("{}-directory-length", role.name()), &sound, 10, &[7]);
        of.refuses(&format!("{}-cut", role.name()), &sound[..60]);
    }
    of.refuses("empty", [0]);
}

/// Sections of a catalogue: 0 draft, 1 cutter, 2 own blocks, 3 chunks, 4 usage. Head: whether the directory is spoiled, bytes for that.
fn catalogues(of: &mut Of<'_>) {
    let sound = [0, 0];
    of.takes("unchanged", sound);
    of.takes("another-id", edits(&sound, &[(3, 1, 0, &[1])]));
    of.takes("everything-live", edits(&sound, &[(4, 3, 0, &[1, 0, 0, 0, 0, 0, 0, 0])]));
    of.refuses("longer-chunk", edits(&sound, &[(3, 4, 16, &[1])]));
    of.refuses("chunk-twice", edits(&sound, &[(3, 7, 0, &[0, 0, 0])]));
    of.refuses("no-blocks", edits(&sound, &[(2, 5, 0, &[])]));
    of.refuses("block-of-another-part", edits(&sound, &[(2, 0, 0, &[200])]));
    of.refuses("usage-missing", edits(&sound, &[(4, 6, 16, &[])]));
    of.refuses("smallest-cutter", edits(&sound, &[(1, 2, 8, &[64, 0, 0, 0])]));
    of.refuses("directory-of-another-length", edits(&[1, 9], &[(0, 4, 8, &[1])]));
}

/// The same, of which a catalogue that verifies is but one.
fn forged_catalogues(of: &mut Of<'_>) {
    let sound = [0, 0];
    of.takes("unchanged", sound);
    of.refuses("another-id", edits(&sound, &[(3, 1, 0, &[1])]));
    of.refuses("chunks-exchanged", edits(&sound, &[(3, 9, 0, &[1, 0, 0])]));
    of.refuses("longer-chunk", edits(&sound, &[(3, 4, 16, &[1])]));
    of.refuses("blocks-exchanged", edits(&sound, &[(2, 9, 0, &[1, 0, 0])]));
    of.refuses("no-sections", edits(&sound, &[(0, 5, 0, &[]), (1, 5, 0, &[])]));
    of.refuses("directory-of-another-length", edits(&[1, 9], &[(0, 4, 8, &[1])]));
    let parts = manifest_of(false).part_table().count() as u32;
    let endless: Vec<(u8, u8, u32, &[u8])> = (0..2 * parts).map(|at| (4, 3, 8 * at, [255; 8].as_slice())).collect();
    of.refuses("endless-usage", edits(&sound, &endless));
}

/// Sections of an index: 0 draft, 1 summary, 2 blocks, 3 recipe, 4 spans.
fn indexes(of: &mut Of<'_>) {
    let sound = [0, 0];
    of.takes("unchanged", sound);
    of.takes("another-ids-digest", edits(&sound, &[(1, 1, 16, &[1])]));
    // The digests of spans are compared with the dump.
    let another_span = edits(&sound, &[(4, 1, 20, &[1])]);
    if of.target == "index" {
        of.takes("other-chunks", edits(&sound, &[(1, 0, 8, &[1])]));
        of.takes("another-span", another_span);
    } else {
        of.refuses("another-span", another_span);
    }
    let tool = manifest_of(false).encode_draft().find("fuzz").expect("the tool's name") as u32;
    of.refuses("draft-of-another", edits(&sound, &[(0, 1, tool, &[1])]));
    of.takes("draft-with-a-space", edits(&sound, &[(0, 10, 1, &[1, b' '])]));
    of.refuses("longer-dump", edits(&sound, &[(1, 4, 0, &[1])]));
    of.refuses("spans-missing", edits(&sound, &[(4, 6, 32, &[])]));
    of.refuses("block-longer", edits(&sound, &[(2, 4, 8, &[1])]));
    of.refuses("block-in-no-part", edits(&sound, &[(2, 2, 0, &[255; 4])]));
    of.refuses("blocks-exchanged", edits(&sound, &[(2, 9, 0, &[1, 0, 0])]));
    of.refuses("extent-twice", edits(&sound, &[(3, 7, 0, &[0, 0, 0])]));
    of.refuses("extent-without-end", edits(&sound, &[(3, 3, 8, &[255; 8])]));
    of.refuses("extent-of-no-block", edits(&sound, &[(3, 2, 0, &[255; 4])]));
    of.refuses("no-recipe", edits(&sound, &[(3, 5, 0, &[])]));
    of.refuses("directory-of-another-length", edits(&[1, 9], &[(0, 4, 24, &[1])]));
    of.refuses("directory-of-another-part", edits(&[1, 9], &[(0, 0, 20, &[1])]));
}

/// Head: which object is removed, which exchanged with the next. Pieces are the objects by name, those of the older backup first.
fn damages(of: &mut Of<'_>) {
    of.takes("untouched", [0, 0]);
    let data = manifest_of(true).parts.iter().filter(|part| part.role == Role::Data).count();
    let older = manifest_of(true).parts.len() + 1;
    for (at, name) in fixture().objects.keys().enumerate() {
        let which = if at < older { "older" } else { "newer" };
        let kind = name.rsplit(['-', '.']).next().unwrap_or(name);
        let changed = edits(&[0, 0], &[(at as u8, 1, 300, &[1])]);
        // Both backups are made of the older one's data; all else stops one of them at most.
        let expected = if at < data { "refused" } else { "accepted" };
        of.push(expected, &format!("{which}-{kind}-changed"), changed);
    }
    of.refuses("data-removed", [1, 0]);
    of.takes("index-removed", [older as u8 - 2, 0]);
    of.refuses("data-exchanged", [0, 1]);
    of.takes("catalogue-exchanged-with-index", [0, data as u8]);
    of.refuses("cut-on-a-segment", edits(&[0, 0], &[(1, 6, 8224, &[])]));
    of.refuses("emptied", edits(&[0, 0], &[(0, 5, 0, &[])]));
}

fn packs(of: &mut Of<'_>) {
    let head =
        |threads: u8, turn: u16, repeat: u8| [&[0, 33, 0, 1, threads, 1], &turn.to_le_bytes()[..], &[repeat]].concat();
    of.takes("empty", head(0, 0, 0));
    of.takes("one-byte", [head(0, 1, 0), vec![b'x']].concat());
    of.takes("rows", [head(1, 900, 0), rows(3000)].concat());
    of.takes("rows-repeated", [head(2, 900, 31), rows(2000)].concat());
    of.takes("noise", [head(1, 100, 3), blake3_noise(2500)].concat());
    of.takes("zeros", [head(1, 100, 31), vec![0; 900]].concat());
    of.takes("dump", [head(1, 0, 0), DUMP.into()].concat());
    of.refuses("dump-cut-short", [head(0, 0, 0), DUMP.as_bytes()[..80].to_vec()].concat());
}

fn marks(of: &mut Of<'_>) {
    let fixture = fixture();
    let mark = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let guid = fixture.newer.id.guid;
        format!(
            r#"{{"format": "vault-prune", "version": 1, "guid": "{guid}", "time": "2025-10-09T08:53:20.000Z", "candidates": [{}]}}"#,
            names.join(", ")
        )
    };
    let older = &fixture.older.id;
    let catalogue = manifest_of(true)
        .parts
        .iter()
        .filter(|part| part.role == Role::Catalogue)
        .map(|part| older.part_name(part.index))
        .collect::<Vec<_>>();
    of.takes("nothing-marked", mark(&[]));
    of.takes("data-part", mark(&[older.part_name(0)]));
    of.takes("catalogue-parts", mark(&catalogue));
    of.refuses("another-member", mark(&[]).replace("candidates", "names"));
    of.refuses("cut-short", mark(&[]).split_off(9));
    of.refuses("names-that-are-none", r#"{"candidates": [1]}"#);
}
