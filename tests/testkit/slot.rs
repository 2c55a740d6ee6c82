//! Passphrase and age slots (spec/keys.md, "Slots").

use vault::base::failure::FailureClass::{Damaged, Limit, Unsupported, WrongKey};
use vault::base::id::Guid;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::passphrase::{Cost, Root};
use vault::format::slot::{Slot, SlotKind};

use super::List;
use super::build::{Kit, Stage, master};
use super::container::Opener;
use super::index::replace;
use super::key::line;
use crate::common::world::GUID;

pub fn vectors(list: &mut List) {
    slots(list);
    slot_members(list);
}

const CHEAP: Cost = Cost { m: 8, t: 1, p: 1 };
const PHRASE: &[u8] = b"correct horse";

fn slot_for(phrase: &[u8], scope: Scope, line: &[u8; 52], id: u8) -> Slot {
    let salt = [id; 16];
    let wrapped = Root::derive(phrase, &salt, CHEAP).expect("cheap").wrap(scope, CHEAP, salt, line);
    Slot {
        id: [0, 0, 0, id],
        kind: SlotKind::Passphrase {
            m: CHEAP.m,
            t: CHEAP.t,
            p: CHEAP.p,
            salt,
            commitment: wrapped.commitment,
            wrapped: wrapped.sealed,
        },
    }
}

/// The slot of the vectors' key under a passphrase.
pub fn slot(phrase: &[u8], id: u8) -> Slot {
    let MasterKey { scope, secret } = master(1);
    slot_for(phrase, scope, &line(scope, secret.expose()).try_into().expect("52 bytes"), id)
}

/// Opens the backup with a passphrase.
pub fn phrase(kit: &mut Kit, phrase: &[u8]) {
    kit.opener = Some(Opener::Passphrase(phrase.to_vec()));
}

fn one(kit: &mut Kit, change: impl Fn(&mut [u8; 32], &mut [u8; 68])) {
    let mut slot = slot(PHRASE, 1);
    if let SlotKind::Passphrase { commitment, wrapped, .. } = &mut slot.kind {
        change(commitment, wrapped);
    }
    kit.slots = vec![slot];
    phrase(kit, PHRASE);
}

fn slots(list: &mut List) {
    list.refused("passphrase", WrongKey, "another passphrase", &|kit| {
        one(kit, |_, _| {});
        phrase(kit, b"correct horsf")
    });
    list.refused(
        "passphrase-two-line-ends",
        WrongKey,
        "two line ends after the passphrase, of which one belongs to it",
        &|kit| {
            one(kit, |_, _| {});
            phrase(kit, b"correct horse\n\n")
        },
    );
    list.refused("no-slot", WrongKey, "a passphrase for a backup without slots", &|kit| phrase(kit, PHRASE));
    list.refused("only-age", WrongKey, "a passphrase for a backup with an age slot only", &|kit| {
        kit.slots = vec![Slot { id: [1; 4], kind: SlotKind::Age { file: "age".into() } }];
        phrase(kit, PHRASE)
    });
    list.refused("slot-commitment", WrongKey, "a bit of the commitment of a slot is another", &|kit| {
        one(kit, |commitment, _| commitment[31] ^= 1)
    });
    list.refused("slot-wrapped", Damaged, "a bit of the wrapped key is another", &|kit| {
        one(kit, |_, wrapped| wrapped[0] ^= 1)
    });
    list.refused("slot-tag", Damaged, "a bit of the tag of the wrapped key is another", &|kit| {
        one(kit, |_, wrapped| wrapped[67] ^= 1)
    });
    let damaged = |id| {
        let mut slot = slot(PHRASE, id);
        if let SlotKind::Passphrase { wrapped, .. } = &mut slot.kind {
            wrapped[40] ^= 1;
        }
        slot
    };
    list.legal("slot-after-damaged", "a damaged slot stands before one that opens", &|kit| {
        kit.slots = vec![damaged(1), slot(PHRASE, 2)];
        phrase(kit, PHRASE)
    });
    list.refused("slot-damaged-first", Damaged, "a damaged slot, and another person's", &|kit| {
        kit.slots = vec![damaged(1), slot(b"battery staple", 2)];
        phrase(kit, PHRASE)
    });
    list.refused("slot-damaged-last", Damaged, "another person's slot, and a damaged one", &|kit| {
        kit.slots = vec![slot(b"battery staple", 2), damaged(1)];
        phrase(kit, PHRASE)
    });
    list.refused(
        "slot-two-passphrases",
        WrongKey,
        "the wrapped key opens under a second passphrase, whose commitment does not agree",
        &|kit| {
            // What a partitioning oracle would be made of: the commitment is that of one passphrase, the wrapped key that of another.
            let other = slot(b"battery staple", 1);
            let SlotKind::Passphrase { wrapped: theirs, .. } = other.kind else { unreachable!("made above") };
            one(kit, |_, wrapped| *wrapped = theirs);
            phrase(kit, b"battery staple")
        },
    );
    let scopes = [("guid", Scope { guid: Guid([7; 16]), epoch: 1 }), ("epoch", Scope { guid: GUID, epoch: 2 })];
    for (what, scope) in scopes {
        let theirs: [u8; 52] = line(scope, master(1).secret.expose()).try_into().expect("52 bytes");
        let names =
            if what == "guid" { ["slot-of-guid", "slot-holds-guid"] } else { ["slot-of-epoch", "slot-holds-epoch"] };
        list.refused(names[0], WrongKey, "a slot copied from a backup of another guid or epoch", &|kit| {
            kit.slots = vec![slot_for(PHRASE, scope, &theirs, 1)];
            phrase(kit, PHRASE)
        });
        list.refused(names[1], Damaged, "a slot of this guid and epoch that holds a key of another", &|kit| {
            kit.slots = vec![slot_for(PHRASE, master(1).scope, &theirs, 1)];
            phrase(kit, PHRASE)
        });
    }
    list.refused("slot-holds-another-key", WrongKey, "a slot that holds another key of the guid and epoch", &|kit| {
        let theirs: [u8; 52] = line(master(1).scope, &[7; 32]).try_into().expect("52 bytes");
        kit.slots = vec![slot_for(PHRASE, master(1).scope, &theirs, 1)];
        phrase(kit, PHRASE)
    });
    list.refused("slots-17", Limit, "17 slots", &|kit| kit.slots = (0..17).map(|id| slot(PHRASE, id)).collect());
    list.refused("slot-ids", Damaged, "two slots have one id", &|kit| {
        kit.slots = vec![slot(PHRASE, 1), slot(PHRASE, 1)]
    });
    list.refused("slot-age-over", Limit, "an age slot of 64 KiB + 1 byte", &|kit| {
        kit.slots = vec![Slot { id: [1; 4], kind: SlotKind::Age { file: "a".repeat((64 << 10) + 1) } }];
    });
    list.refused("slot-age-control", Damaged, "an age slot with a carriage return", &|kit| {
        kit.slots = vec![Slot { id: [1; 4], kind: SlotKind::Age { file: "age\r\n".into() } }];
    });
}

/// Replaces text of a slot in the manifest, under the MAC.
fn slot_text(kit: &mut Kit, from: &'static str, to: &'static str) {
    one(kit, |_, _| {});
    kit.at(move |stage| {
        if let Stage::Text(text) = stage {
            replace(text, from, to);
        }
    });
}

fn slot_members(list: &mut List) {
    let demands = [
        ("argon2-1-tib", "1 TiB of memory", "\"m\": 8,", "\"m\": 1073741824,"),
        ("argon2-over-32-bits", "2^32 KiB of memory", "\"m\": 8,", "\"m\": 4294967296,"),
        ("argon2-m-over", "2 GiB + 1 KiB of memory", "\"m\": 8,", "\"m\": 2097153,"),
        ("argon2-m-under", "less than 8 KiB of memory", "\"m\": 8,", "\"m\": 7,"),
        ("argon2-m-under-lanes", "8 KiB of memory for two lanes", "\"p\": 1,", "\"p\": 2,"),
        ("argon2-cost", "512 MiB, five times", "\"m\": 8, \"t\": 1,", "\"m\": 524288, \"t\": 5,"),
        ("argon2-cost-wraps", "m·t is 2^65", "\"m\": 8, \"t\": 1,", "\"m\": 32768, \"t\": 9007199254740991,"),
        ("argon2-t-0", "no pass", "\"t\": 1,", "\"t\": 0,"),
        ("argon2-p-0", "no lane", "\"p\": 1,", "\"p\": 0,"),
        ("argon2-p-5", "five lanes", "\"m\": 8, \"t\": 1, \"p\": 1,", "\"m\": 64, \"t\": 1, \"p\": 5,"),
    ];
    for (name, comment, from, to) in demands {
        list.refused(name, Limit, comment, &move |kit| slot_text(kit, from, to));
        // The key file needs no slot, and the manifest is refused all the same.
    }
    list.refused(
        "argon2-with-key-file",
        Limit,
        "a slot that demands 1 TiB, beside a key file that opens the backup",
        &|kit| {
            slot_text(kit, "\"m\": 8,", "\"m\": 1073741824,");
            kit.opener = None;
        },
    );
    list.refused("slot-type", Unsupported, "a slot of a type that is not known", &|kit| {
        slot_text(kit, "\"passphrase\"", "\"tpm\"")
    });
    list.refused("slot-member", Damaged, "a member of a slot that is not known", &|kit| {
        slot_text(kit, "\"p\": 1,", "\"p\": 1, \"x\": 1,")
    });
    list.refused("slot-order", Damaged, "two members of a slot stand in the other order", &|kit| {
        slot_text(kit, "\"m\": 8, \"t\": 1,", "\"t\": 1, \"m\": 8,")
    });
    list.refused("slot-id", Damaged, "a slot id in upper case", &|kit| slot_text(kit, "\"00000001\"", "\"0000000A\""));
    list.refused("slot-salt", Damaged, "a salt whose spare bits are not zero", &|kit| {
        slot_text(kit, "AQ==\"", "AR==\"")
    });
    list.refused("slot-salt-short", Damaged, "a salt of 15 bytes", &|kit| slot_text(kit, "AQEBAQ==\"", "AQEB\""));
}
