//! Headers, commitments and objects (spec/part.md).

use vault::base::failure::FailureClass::{Damaged, Missing, Unsupported};
use vault::format::header::Role;

use super::List;
use super::build::{Kit, Stage, master};
use super::segment;

pub fn vectors(list: &mut List) {
    headers(list);
    commitments(list);
    objects(list);
    segment::vectors(list);
}

/// Sets one byte of the header of a part before its key is derived: only the check of that field can refuse it.
fn set(kit: &mut Kit, part: u32, at: usize, to: u8) {
    kit.at(move |stage| match stage {
        Stage::Header(index, header) if *index == part => header[at] = to,
        _ => {}
    });
}

/// Flips one bit of the header of a part.
fn flip(kit: &mut Kit, part: u32, at: usize) {
    kit.at(move |stage| match stage {
        Stage::Header(index, header) if *index == part => header[at] ^= 1,
        _ => {}
    });
}

fn headers(list: &mut List) {
    list.refused("magic", Damaged, "the first byte of a data part is another", &|kit| flip(kit, 0, 0));
    list.refused("magic-text-mode", Damaged, "a line end of the magic was converted", &|kit| set(kit, 0, 4, 10));
    list.refused("magic-of-index", Damaged, "the magic of an index part is another", &|kit| flip(kit, 4, 7));
    list.refused("version-0", Unsupported, "a data part of version 0", &|kit| set(kit, 0, 8, 0));
    list.refused("version-2", Unsupported, "a data part of version 2", &|kit| set(kit, 0, 8, 2));
    list.refused("version-2-of-index", Unsupported, "an index part of version 2", &|kit| set(kit, 5, 8, 2));
    list.refused("role-3", Unsupported, "a role that is not known", &|kit| set(kit, 0, 9, 3));
    list.refused("role-catalogue", Damaged, "a data part says that it is a catalogue part", &|kit| set(kit, 0, 9, 1));
    list.refused("role-data", Damaged, "an index part says that it is a data part", &|kit| set(kit, 4, 9, 0));
    list.refused("segment-11", Damaged, "segments of 2 KiB", &|kit| set(kit, 0, 10, 11));
    list.refused("segment-21", Damaged, "segments of 2 MiB", &|kit| set(kit, 0, 10, 21));
    list.refused("zero-11", Damaged, "the byte after the segment size is not zero", &|kit| set(kit, 0, 11, 1));
    list.refused("index", Damaged, "the part index is not that of the name", &|kit| set(kit, 0, 12, 1));
    list.refused("index-high", Damaged, "the highest byte of the part index is not that of the name", &|kit| {
        set(kit, 0, 15, 1)
    });
    list.refused("guid", Damaged, "the guid is not that of the name", &|kit| flip(kit, 0, 31));
    list.refused("timestamp", Damaged, "the timestamp is not that of the name", &|kit| flip(kit, 0, 32));
    list.refused("timestamp-high", Damaged, "a timestamp that no id has", &|kit| set(kit, 0, 39, 0x80));
    list.refused("epoch", Damaged, "the epoch is not that of the manifest", &|kit| set(kit, 0, 40, 2));
    list.refused("zero-44", Damaged, "the bytes after the epoch are not zero", &|kit| set(kit, 0, 47, 1));
    list.refused("fingerprint", Damaged, "the fingerprint is not that of the manifest", &|kit| flip(kit, 0, 48));
    list.refused("sealed-key", Damaged, "the sealed key is not that of the manifest", &|kit| flip(kit, 0, 167));
    list.refused("zero-168", Damaged, "the first byte after the sealed key is not zero", &|kit| set(kit, 0, 168, 1));
    list.refused("zero-223", Damaged, "the last byte before the commitment is not zero", &|kit| set(kit, 0, 223, 1));
    list.unseen("zero-of-catalogue", Damaged, "a reserved byte of a catalogue part is not zero", &|kit| {
        set(kit, 2, 200, 1)
    });
    list.unseen("version-of-catalogue", Unsupported, "a catalogue part of version 2", &|kit| set(kit, 2, 8, 2));
}

fn commitments(list: &mut List) {
    list.refused("commitment-of-header", Damaged, "the header has another commitment than the manifest", &|kit| {
        let mut derived = [0; 32];
        kit.at(move |stage| match stage {
            Stage::Commitment(0, commitment) => {
                derived = **commitment;
                commitment[0] ^= 1;
            }
            Stage::Entry(0, part) => part.commitment = derived,
            _ => {}
        });
    });
    list.refused(
        "commitment-of-key",
        Damaged,
        "header and manifest have a commitment that the key does not have",
        &|kit| {
            kit.at(|stage| {
                if let Stage::Commitment(0, commitment) = stage {
                    commitment[31] ^= 1;
                }
            });
        },
    );
    list.refused("key-of-catalogue", Damaged, "a data part is sealed under the catalogue key", &|kit| {
        let key = *master(1).derive().pack.catalogue.expose();
        kit.at(move |stage| {
            if let Stage::Secret(0, secret) = stage {
                **secret = key;
            }
        });
    });
    list.unseen("key-of-archive", Damaged, "a catalogue part is sealed under another key than CK", &|kit| {
        kit.at(|stage| {
            if let Stage::Secret(2, secret) = stage {
                secret[0] ^= 1;
            }
        });
    });
    list.refused("salt", Damaged, "the salt was changed after the part was sealed", &|kit| {
        kit.at(|stage| {
            if let Stage::Object(0, object) = stage {
                object[64] ^= 1;
            }
        });
    });
    list.refused(
        "renamed",
        Damaged,
        "the object of part 1 is a copy of part 0, and the manifest agrees with it",
        &|kit| {
            let mut first = Vec::new();
            kit.at(move |stage| match stage {
                Stage::Object(0, object) => first = object.clone(),
                Stage::Object(1, object) => **object = first.clone(),
                _ => {}
            });
        },
    );
    list.refused("of-another-backup", Damaged, "part 0 is that of another backup of the guid", &|kit| {
        let other = other();
        let object = other.objects[&other.id.part_name(0)].clone();
        kit.at(move |stage| {
            if let Stage::Object(0, bytes) = stage {
                **bytes = object.clone();
            }
        });
    });
    list.refused("spliced", Damaged, "the segments of part 0 are those of another backup of the guid", &|kit| {
        let other = other();
        let object = other.objects[&other.id.part_name(0)].clone();
        kit.at(move |stage| {
            if let Stage::Object(0, bytes) = stage {
                bytes.truncate(256);
                bytes.extend_from_slice(&object[256..]);
            }
        });
    });
}

/// Another backup of the same dump.
fn other() -> super::build::Built {
    Kit { seed: "another".into(), later: 1000, ..Kit::small() }.build()
}

/// Changes the store, after the manifest was made.
fn store(kit: &mut Kit, part: u32, change: impl Fn(&mut Option<Vec<u8>>) + 'static) {
    kit.at(move |stage| {
        if let Stage::Store(objects) = stage {
            let name = objects.keys().find(|name| name.ends_with(&format!("-{part}"))).cloned().expect("a part");
            let mut object = objects.remove(&name);
            change(&mut object);
            objects.extend(object.map(|object| (name, object)));
        }
    });
}

fn objects(list: &mut List) {
    list.refused("missing-data", Missing, "a data part is not there", &|kit| store(kit, 1, |part| *part = None));
    list.refused("missing-index", Missing, "an index part is not there", &|kit| store(kit, 5, |part| *part = None));
    list.unseen("missing-catalogue", Missing, "a catalogue part is not there", &|kit| {
        store(kit, 3, |part| *part = None)
    });
    list.refused("missing-of-base", Missing, "the data part of a base is not there", &|kit| {
        kit.rest_on_base();
        kit.at(|stage| {
            if let Stage::Store(objects) = stage {
                objects.retain(|name, _| !name.ends_with("1770000000000-0"));
            }
        });
    });
    list.unseen("missing-catalogue-of-base", Missing, "a catalogue part of a base is not there", &|kit| {
        kit.rest_on_base();
        kit.at(|stage| {
            if let Stage::Store(objects) = stage {
                objects.retain(|name, _| !name.ends_with("1770000000000-2"));
            }
        });
    });
    list.refused("longer", Damaged, "a data part has a byte more than the manifest says", &|kit| {
        store(kit, 0, |part| part.iter_mut().for_each(|part| part.push(0)))
    });
    list.refused("shorter", Damaged, "a data part has a byte less than the manifest says", &|kit| {
        store(kit, 0, |part| {
            part.iter_mut().for_each(|part| {
                let _ = part.pop();
            })
        })
    });
    list.refused("empty-object", Damaged, "the object of a data part is empty", &|kit| {
        store(kit, 0, |part| part.iter_mut().for_each(Vec::clear))
    });
    list.unseen("catalogue-changed", Damaged, "a catalogue part is not the one whose SHA-256 was recorded", &|kit| {
        store(kit, 3, |part| part.iter_mut().for_each(|part| *part.last_mut().expect("bytes") ^= 1))
    });
    list.unseen("sha256", Damaged, "a data part has another SHA-256 than the manifest says", &|kit| {
        kit.at(|stage| {
            if let Stage::Entry(0, part) = stage {
                part.sha256[0] ^= 1;
            }
        });
    });
    list.refused("role-swapped", Damaged, "the manifest calls an index part a catalogue part", &|kit| {
        kit.at(|stage| {
            if let Stage::Entry(4, part) = stage {
                part.role = Role::Catalogue;
            }
        });
    });
}
