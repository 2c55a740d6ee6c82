//! Age slots (spec/age.md; spec/keys.md, "age").

use vault::base::failure::FailureClass::{Damaged, Unsupported, WrongKey};
use vault::base::id::Guid;
use vault::crypto::age::FileKey;
use vault::format::age::name::RecipientName;
use vault::format::age::{Stanza, armor, encode_maced, join, to_base64};
use vault::format::slot::{Slot, SlotKind};
use vault::pipeline::port::Random;

use super::List;
use super::build::{Kit, master};
use super::container::Opener;
use super::key::{key_text, pack_line};
use crate::common::world::{GUID, Seeded};

/// The pairs of C2SP's specification.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
const HYBRID: &str = include_str!("../../testdata/age/c2sp-mlkem768x25519");

pub fn vectors(list: &mut List) {
    legal(list);
    contents(list);
    stanzas(list);
    files(list);
}

/// How a file is built.
struct File {
    plain: Vec<u8>,
    hybrid: bool,
    stanzas: fn(&mut Vec<Stanza>),
    bytes: fn(&mut Vec<u8>),
    text: fn(&mut String),
}

impl File {
    fn of(plain: impl Into<Vec<u8>>) -> File {
        File { plain: plain.into(), hybrid: false, stanzas: |_| {}, bytes: |_| {}, text: |_| {} }
    }

    /// One that holds the key of the vectors.
    fn ours() -> File {
        File::of(key_text(GUID, 1, master(1).secret.expose()))
    }

    fn build(&self) -> String {
        let random = Seeded::new("age slot");
        let fill = |bytes: &mut [u8]| random.fill(bytes);
        let file_key = FileKey::random(&fill);
        let name = if self.hybrid { HYBRID.trim().split_once('\n').expect("two lines").1 } else { RECIPIENT };
        let (kind, share, body) = match RecipientName::parse(name).expect("a recipient") {
            RecipientName::X25519(key) => {
                let (share, body) = file_key.wrap_x25519(&key, &fill).expect("wraps");
                ("X25519", share.to_vec(), body.to_vec())
            }
            RecipientName::Hybrid(key) => {
                let (share, body) = file_key.wrap_hybrid(key.as_slice(), &fill).expect("wraps");
                ("mlkem768x25519", share, body)
            }
        };
        let mut stanzas = vec![Stanza { arguments: vec![kind.into(), to_base64(&share)], body }];
        (self.stanzas)(&mut stanzas);
        let maced = encode_maced(&stanzas);
        let nonce = [9; 16];
        let mut bytes = join(&maced, &file_key.mac(&maced), &nonce, &file_key.seal(&nonce, &self.plain));
        (self.bytes)(&mut bytes);
        let mut text = armor::encode(&bytes);
        (self.text)(&mut text);
        text
    }
}

fn put(kit: &mut Kit, files: &[File]) {
    let slot = |(id, file): (u8, &File)| Slot { id: [0, 0, 0, id], kind: SlotKind::Age { file: file.build() } };
    kit.slots = (1..).zip(files).map(slot).collect();
    kit.opener =
        Some(Opener::Identity(format!("# both\n{IDENTITY}\n{}\n", HYBRID.lines().next().expect("a line")).into()));
}

fn legal(list: &mut List) {
    list.legal("age-x25519", "an age slot for an X25519 recipient", &|kit| put(kit, &[File::ours()]));
    list.legal("age-hybrid", "an age slot for a hybrid recipient", &|kit| {
        put(kit, &[File { hybrid: true, ..File::ours() }])
    });
    list.legal("age-grease", "an age slot with stanzas of unknown types", &|kit| {
        let stanzas = |stanzas: &mut Vec<Stanza>| {
            let grease = |body: usize| Stanza { arguments: vec!["~grease".into(), "!".into()], body: vec![1; body] };
            stanzas.insert(0, grease(48));
            stanzas.push(grease(0));
        };
        put(kit, &[File { stanzas, ..File::ours() }])
    });
    list.legal("age-second-slot", "the first age slot is another person's", &|kit| {
        let stanzas = |stanzas: &mut Vec<Stanza>| stanzas[0].body[0] ^= 1;
        put(kit, &[File { stanzas, ..File::ours() }, File::ours()])
    });
    list.legal("age-armor-space", "empty lines and spaces around the armor", &|kit| {
        put(kit, &[File { text: |text| *text = format!("\n  \n{text}\n "), ..File::ours() }])
    });
    let damaged = || File { bytes: |bytes| *bytes.last_mut().expect("a byte") ^= 1, ..File::ours() };
    list.legal("age-after-damaged", "a damaged age slot stands before one that opens", &|kit| {
        put(kit, &[damaged(), File::ours()])
    });
    list.legal("age-after-foreign", "an age slot of another epoch stands before one that opens", &|kit| {
        let theirs = key_text(GUID, 2, master(1).secret.expose());
        put(kit, &[File::of(theirs), File::ours()])
    });
    list.refused("age-damaged-first", Damaged, "a damaged age slot, and another person's", &|kit| {
        let stanzas = |stanzas: &mut Vec<Stanza>| stanzas[0].body[0] ^= 1;
        put(kit, &[damaged(), File { stanzas, ..File::ours() }])
    });
    list.refused("age-another-identity", WrongKey, "the age slot is another person's", &|kit| {
        put(kit, &[File { stanzas: |stanzas| stanzas[0].body[31] ^= 1, ..File::ours() }])
    });
    list.refused("age-no-slot", WrongKey, "an identity for a backup without slots", &|kit| put(kit, &[]));
}

fn contents(list: &mut List) {
    let held = |guid, epoch, key: &[u8; 32]| File::of(key_text(guid, epoch, key));
    list.refused("age-of-guid", Damaged, "an age slot copied from a backup of another guid", &|kit| {
        put(kit, &[held(Guid([7; 16]), 1, master(1).secret.expose())])
    });
    list.refused("age-of-epoch", Damaged, "an age slot copied from a backup of another epoch", &|kit| {
        put(kit, &[held(GUID, 2, master(1).secret.expose())])
    });
    list.refused("age-another-key", WrongKey, "an age slot with another key of the guid and epoch", &|kit| {
        put(kit, &[held(GUID, 1, &[7; 32])])
    });
    let ours = || key_text(GUID, 1, master(1).secret.expose());
    list.refused("age-comment", Damaged, "a comment before the key line in an age slot", &|kit| {
        put(kit, &[File::of(format!("# key\n{}", ours()))])
    });
    list.refused("age-no-line-end", Damaged, "the key line in an age slot lacks its end", &|kit| {
        put(kit, &[File::of(ours().trim_end())])
    });
    list.refused("age-two-line-ends", Damaged, "the key line in an age slot has two ends", &|kit| {
        put(kit, &[File::of(ours() + "\n")])
    });
    list.refused("age-two-keys", Damaged, "two key lines in an age slot", &|kit| {
        put(kit, &[File::of(ours() + &key_text(GUID, 2, &[7; 32]))])
    });
    list.refused("age-pack-line", Damaged, "a pack line in an age slot", &|kit| put(kit, &[File::of(pack_line())]));
    list.refused("age-empty", Damaged, "an age slot that holds nothing", &|kit| put(kit, &[File::of("")]));
}

fn stanzas(list: &mut List) {
    let mut refused = |name, comment, hybrid, stanzas: fn(&mut Vec<Stanza>)| {
        list.refused(name, Damaged, comment, &|kit| put(kit, &[File { stanzas, hybrid, ..File::ours() }]));
    };
    refused("age-low-order", "the share is a point of low order", false, |stanzas| {
        stanzas[0].arguments[1] = to_base64(&[0; 32])
    });
    refused("age-hybrid-low-order", "the X25519 half of the share is a point of low order", true, |stanzas| {
        let share = vault::format::age::from_base64(stanzas[0].arguments[1].as_bytes()).expect("base64");
        stanzas[0].arguments[1] = to_base64(&[&share[..1088], &[0; 32]].concat())
    });
    refused("age-share-spare-bits", "the share is base64 whose spare bits are not zero", false, |stanzas| {
        // 32 bytes leave two bits: of four letters that decode to the same, one is canonical.
        let share = &mut stanzas[0].arguments[1];
        let last = share.pop().expect("a letter");
        let next = char::from(last as u8 + 1);
        share.push(next);
    });
    refused("age-share-padding", "the share is base64 with padding", false, |stanzas| {
        stanzas[0].arguments[1].push('=')
    });
    refused("age-share-short", "the share has 31 bytes", false, |stanzas| {
        stanzas[0].arguments[1] = to_base64(&[9; 31])
    });
    refused("age-body-long", "the body has 40 bytes", false, |stanzas| stanzas[0].body.extend([0; 8]));
    refused("age-argument", "the stanza has a third argument", false, |stanzas| {
        stanzas[0].arguments.push("more".into())
    });
    refused("age-scrypt-beside", "a passphrase of age's beside a recipient", false, |stanzas| {
        let arguments = vec!["scrypt".into(), to_base64(&[1; 16]), "10".into()];
        stanzas.push(Stanza { arguments, body: vec![1; 32] })
    });
}

fn files(list: &mut List) {
    let mut refused = |name, comment, bytes: fn(&mut Vec<u8>)| {
        list.refused(name, Damaged, comment, &|kit| put(kit, &[File { bytes, ..File::ours() }]));
    };
    refused("age-mac", "a stanza was added after the MAC was made", |bytes| {
        let end = b"age-encryption.org/v1\n".len();
        bytes.splice(end..end, *b"-> x\n\n");
    });
    refused("age-payload", "a bit of the payload is another", |bytes| *bytes.last_mut().expect("a byte") ^= 1);
    refused("age-payload-cut", "the payload lacks its last byte", |bytes| bytes.truncate(bytes.len() - 1));
    refused("age-payload-more", "a byte stands after the payload", |bytes| bytes.push(0));
    list.refused("age-version", Unsupported, "an age file of version 2", &|kit| {
        put(kit, &[File { bytes: |bytes| bytes[20] = b'2', ..File::ours() }])
    });
    let mut refused = |name, comment, text: fn(&mut String)| {
        list.refused(name, Damaged, comment, &|kit| put(kit, &[File { text, ..File::ours() }]));
    };
    refused("age-armor-none", "a binary file's first line where armor should be", |text| {
        *text = "age-encryption.org/v1\n".into()
    });
    refused("age-armor-line", "a line of the armor has 65 characters", |text| {
        let end = text.match_indices('\n').nth(1).expect("two lines").0;
        text.remove(end);
        text.insert(end + 1, '\n');
    });
    refused("age-armor-after", "text after the armor", |text| text.push_str("age\n"));
}
