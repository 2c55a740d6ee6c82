//! Sealed keys and key files (spec/keys.md).

use bech32::{Bech32, Hrp};
use vault::base::failure::FailureClass::{Damaged, Limit, Unsupported, Usage, WrongKey};
use vault::base::id::Guid;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::{Fingerprint, VaultKeys};
use vault::crypto::sealed;
use vault::crypto::secret::Secret;
use vault::format::keyfile::{KeyFields, join_key};
use vault::pipeline::port::Random;

use super::List;
use super::build::{Kit, Stage, key_file, master};
use super::container::Opener;
use super::work::archive_key;
use super::{age_slot, slot};
use crate::common::world::{GUID, Seeded};

pub fn vectors(list: &mut List) {
    sealed_keys(list);
    files(list);
    slot::vectors(list);
    age_slot::vectors(list);
}

/// Seals the archive key otherwise: to these keys, for that timestamp.
fn sealed_otherwise(kit: &mut Kit, keys: VaultKeys, timestamp: u64) {
    kit.at(move |stage| {
        if let Stage::Sealed(sealed) = stage {
            let random = Seeded::new("sealed otherwise");
            let id = vault::base::id::BackupId::new(GUID, timestamp).expect("13 digits");
            let mut secret = [0; 32];
            Seeded::new("vector").fill(&mut secret);
            let key = archive_key(&secret, keys.pack.scope, id);
            **sealed = sealed::seal(&keys.pack, &id, &key, &mut |bytes| random.fill(bytes)).expect("seals");
        }
    });
}

fn sealed_keys(list: &mut List) {
    const TIME: u64 = 1_770_000_000_000;
    list.legal("sealed", "the archive key is sealed with other randomness", &|kit| {
        sealed_otherwise(kit, master(1).derive(), TIME)
    });
    list.refused("sealed-id", Damaged, "the archive key is sealed for another id", &|kit| {
        sealed_otherwise(kit, master(1).derive(), TIME + 1)
    });
    list.refused("sealed-epoch", Damaged, "the archive key is sealed for another epoch", &|kit| {
        let mut keys = master(1).derive();
        keys.pack.scope.epoch = 2;
        sealed_otherwise(kit, keys, TIME)
    });
    list.refused("sealed-guid", Damaged, "the archive key is sealed for another guid", &|kit| {
        let mut keys = master(1).derive();
        keys.pack.scope.guid = Guid([7; 16]);
        sealed_otherwise(kit, keys, TIME)
    });
    list.refused(
        "sealed-fingerprint",
        Damaged,
        "the archive key is sealed with the PSK id of another fingerprint",
        &|kit| {
            let mut keys = master(1).derive();
            keys.pack.fingerprint = Fingerprint([7; 16]);
            sealed_otherwise(kit, keys, TIME)
        },
    );
    list.refused("sealed-psk", Damaged, "the archive key is sealed with another PSK", &|kit| {
        let mut keys = master(1).derive();
        keys.pack.psk = Secret::fill(|bytes| *bytes = [7; 32]);
        sealed_otherwise(kit, keys, TIME)
    });
    list.refused("sealed-to-another", Damaged, "the archive key is sealed to another public key", &|kit| {
        let mut keys = master(1).derive();
        keys.pack.public_key = master(2).derive().pack.public_key;
        sealed_otherwise(kit, keys, TIME)
    });
    list.refused("sealed-point", Damaged, "the sealed key has a point of small order", &|kit| {
        kit.at(|stage| {
            if let Stage::Sealed(sealed) = stage {
                sealed[..32].fill(0);
            }
        });
    });
    list.refused("sealed-tag", Damaged, "a bit of the tag of the sealed key is another", &|kit| {
        kit.at(|stage| {
            if let Stage::Sealed(sealed) = stage {
                sealed[79] ^= 1;
            }
        });
    });
    list.refused("sealed-of-base", Damaged, "the sealed key of a base is not that base's", &|kit| {
        kit.rest_on_base();
        kit.base.as_mut().expect("a base").manifest.sealed_key[79] ^= 1;
    });
}

/// The bytes of a key line.
pub fn line(scope: Scope, secret: &[u8; 32]) -> Vec<u8> {
    join_key(KeyFields { guid: scope.guid, epoch: scope.epoch }, secret).to_vec()
}

fn bech32(prefix: &str, bytes: &[u8]) -> String {
    bech32::encode_upper::<Bech32>(Hrp::parse(prefix).expect("a prefix"), bytes).expect("short") + "\n"
}

/// The key line of a guid and epoch; every epoch has its own key.
fn key_line(guid: Guid, epoch: u32) -> String {
    bech32("vault-key-", &line(Scope { guid, epoch }, master(epoch).secret.expose()))
}

/// A pack line with its end.
pub fn pack_line() -> String {
    let pack = master(1).derive().pack;
    let secrets = [&pack.psk, &pack.catalogue, &pack.chunk_id, &pack.gear_seed].map(|secret| *secret.expose());
    let bytes = [&pack.scope.bytes()[..], &pack.public_key, &secrets.concat(), &pack.fingerprint.0].concat();
    bech32("vault-pack-", &bytes)
}

fn text(kit: &mut Kit, text: impl Into<Vec<u8>>) {
    kit.opener = Some(Opener::KeyFile(text.into()));
}

fn files(list: &mut List) {
    let ours = || key_line(GUID, 1);
    list.refused("lower-case", Damaged, "a key line in lower case", &|kit| text(kit, ours().to_lowercase()));
    list.refused("mixed-case", Damaged, "a key line with one letter in lower case", &|kit| {
        let at = 11 + ours()[11..].find(|c: char| c.is_ascii_uppercase()).expect("a letter");
        text(kit, ours()[..at].to_owned() + &ours()[at..=at].to_lowercase() + &ours()[at + 1..])
    });
    list.refused("checksum", Damaged, "the last character of a key line is another", &|kit| {
        let end = ours().len() - 2;
        let other = if ours().as_bytes()[end] == b'Q' { "P" } else { "Q" };
        text(kit, ours()[..end].to_owned() + other + "\n")
    });
    list.refused("bech32m", Damaged, "a key line with the checksum of Bech32m", &|kit| {
        let hrp = Hrp::parse("vault-key-").expect("a prefix");
        let key = line(Scope { guid: GUID, epoch: 1 }, master(1).secret.expose());
        text(kit, bech32::encode_upper::<bech32::Bech32m>(hrp, &key).expect("short"))
    });
    list.refused("spare-bits", Damaged, "the bits that fill up the last character are not zero", &|kit| {
        text(kit, spare_bits(&line(Scope { guid: GUID, epoch: 1 }, master(1).secret.expose())))
    });
    list.refused("short", Damaged, "a key line of 51 bytes", &|kit| text(kit, bech32("vault-key-", &[1; 51])));
    list.refused("long", Damaged, "a key line of 53 bytes", &|kit| {
        let key = line(Scope { guid: GUID, epoch: 1 }, master(1).secret.expose());
        text(kit, bech32("vault-key-", &[key.as_slice(), &[0]].concat()))
    });
    list.refused("prefix", Damaged, "a key line with another prefix", &|kit| {
        text(kit, bech32("vault-keys-", &line(Scope { guid: GUID, epoch: 1 }, master(1).secret.expose())))
    });
    list.refused("epoch-0", Damaged, "a key line of epoch 0", &|kit| text(kit, ours() + &key_line(GUID, 0)));
    list.refused("epoch-over", Damaged, "a key line of epoch 2^31", &|kit| {
        text(kit, ours() + &key_line(GUID, 1 << 31))
    });
    list.refused("epoch-twice", Damaged, "two key lines of one epoch", &|kit| text(kit, ours() + &ours()));
    list.refused("two-guids", Damaged, "key lines of two guids", &|kit| {
        text(kit, ours() + &key_line(Guid([7; 16]), 2))
    });
    list.legal("generation", "a key file whose slots were changed", &|kit| {
        text(kit, "generation 9007199254740991\n".to_owned() + &ours())
    });
    let generations = [
        ("generation-0", "a generation of 0", "generation 0\n"),
        ("generation-zeros", "a generation with a leading zero", "generation 03\n"),
        ("generation-sign", "a generation with a sign", "generation +3\n"),
        ("generation-over", "a generation of 2^53", "generation 9007199254740992\n"),
        ("generation-twice", "two generations", "generation 3\ngeneration 3\n"),
    ];
    for (name, comment, lines) in generations {
        list.refused(name, Damaged, comment, &|kit| text(kit, ours() + lines));
    }
    list.refused("both-kinds", Damaged, "a key line and a pack line", &|kit| text(kit, ours() + &pack_line()));
    list.refused("two-pack-lines", Damaged, "two pack lines", &|kit| text(kit, pack_line() + &pack_line()));
    list.refused("pack-line-checksum", Damaged, "a pack line with a wrong checksum", &|kit| {
        text(kit, pack_line().replacen("VAULT-PACK-1", "VAULT-PACK-1Q", 1))
    });
    list.refused("no-key", Damaged, "a key file of comments", &|kit| text(kit, "# nothing\n\n"));
    list.refused("empty-file", Damaged, "an empty key file", &|kit| text(kit, ""));
    list.refused("unknown-line", Damaged, "a line of another kind", &|kit| text(kit, ours() + "note to myself\n"));
    list.refused("indented", Damaged, "a comment behind a space", &|kit| text(kit, ours() + " # mine\n"));
    list.refused("carriage-return", Damaged, "lines that end in a carriage return, too", &|kit| {
        text(kit, ours().replace('\n', "\r\n"))
    });
    list.refused("not-utf-8", Damaged, "a byte of a comment is not UTF-8", &|kit| {
        text(kit, [ours().as_bytes(), b"# \xff\n"].concat())
    });
    list.refused("over-64-kib", Limit, "a key file of 64 KiB + 1 byte", &|kit| {
        let filler = "#".repeat((64 << 10) + 1 - ours().len());
        text(kit, ours() + &filler)
    });
    list.refused("epochs-65", Limit, "65 epochs", &|kit| {
        text(kit, (1..=65).map(|epoch| key_line(GUID, epoch)).collect::<String>())
    });
    list.refused("slot-line-json", Damaged, "a slot line that is not JSON", &|kit| text(kit, ours() + "slot {\n"));
    list.refused("slot-line-type", Unsupported, "a slot line of a type that is not known", &|kit| {
        text(kit, ours() + "slot {\"id\": \"00000001\", \"type\": \"tpm\"}\n")
    });
    list.refused("slot-lines-17", Limit, "17 slot lines", &|kit| {
        let slots: String =
            (0..17).map(|id| format!("slot {{\"id\": \"{id:08x}\", \"type\": \"age\", \"file\": \"\"}}\n")).collect();
        text(kit, ours() + &slots)
    });
    list.refused("age-file", Usage, "a key file that is an age file", &|kit| text(kit, "age-encryption.org/v1\n"));
    list.refused("age-file-armored", Usage, "a key file that is an armored age file", &|kit| {
        text(kit, "-----BEGIN AGE ENCRYPTED FILE-----\n")
    });
    list.refused("pack-only", WrongKey, "a pack-only key", &|kit| text(kit, pack_line()));
    list.refused("other-guid", WrongKey, "a key of another guid", &|kit| text(kit, key_line(Guid([7; 16]), 1)));
    list.refused("other-epoch", WrongKey, "a key of another epoch", &|kit| text(kit, key_file(2)));
    list.refused("other-key", WrongKey, "another key of the guid and epoch", &|kit| {
        text(kit, bech32("vault-key-", &line(Scope { guid: GUID, epoch: 1 }, &[7; 32])))
    });
}

/// A key line whose four spare bits are one, with the checksum that belongs to it.
fn spare_bits(bytes: &[u8]) -> String {
    use bech32::Fe32;
    use bech32::primitives::iter::{ByteIterExt, Fe32IterExt};
    let hrp = Hrp::parse("vault-key-").expect("a prefix");
    let mut digits: Vec<Fe32> = bytes.iter().copied().bytes_to_fes().collect();
    let last = digits.pop().expect("digits");
    digits.push(Fe32::try_from(last.to_u8() | 1).expect("five bits"));
    let text: String = digits.into_iter().with_checksum::<Bech32>(&hrp).chars().collect();
    text.to_uppercase() + "\n"
}

/// A key line with its end.
pub fn key_text(guid: Guid, epoch: u32, key: &[u8; 32]) -> String {
    bech32("vault-key-", &line(Scope { guid, epoch }, key))
}
