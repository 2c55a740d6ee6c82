//! What a manifest names: its parts and its bases (spec/manifest.md).

use vault::base::failure::FailureClass::{Damaged, Limit};
use vault::format::header::Role;

use super::List;
use super::build::{Kit, Stage};

pub fn vectors(list: &mut List) {
    parts(list);
    bases(list);
}

fn parts(list: &mut List) {
    list.refused("part-bytes-272", Damaged, "a part of 272 bytes", &|kit| {
        kit.at(|stage| {
            if let Stage::Object(0, object) = stage {
                object.truncate(272)
            }
        });
    });
    list.refused("part-over-1-gib", Limit, "a part of 1 GiB + 1 byte", &|kit| {
        kit.at(|stage| {
            if let Stage::Entry(0, part) = stage {
                part.bytes = (1 << 30) + 1
            }
        });
    });
    list.refused("no-index", Damaged, "no index part", &|kit| {
        kit.at(|stage| {
            if let Stage::Manifest(manifest) = stage {
                manifest.parts.truncate(4);
                manifest.stored = manifest.parts.iter().map(|part| part.bytes).sum();
            }
        });
    });
    list.refused("no-catalogue", Damaged, "no catalogue part", &|kit| {
        kit.at(|stage| {
            if let Stage::Manifest(manifest) = stage {
                manifest.parts.drain(2..4);
                for (index, part) in (0..).zip(&mut manifest.parts) {
                    part.index = index;
                }
                manifest.stored = manifest.parts.iter().map(|part| part.bytes).sum();
            }
        });
    });
}

fn bases(list: &mut List) {
    let base = |change: fn(&mut Kit)| {
        move |kit: &mut Kit| {
            kit.rest_on_base();
            change(kit);
        }
    };
    list.refused("base-later", Damaged, "a base that is not of an earlier time", &|kit| {
        kit.rest_on(Kit { later: 86_400_001, ..Kit::earlier() });
    });
    list.refused(
        "base-guid",
        Damaged,
        "a base of another guid",
        &base(|kit| {
            let built = kit.base.as_mut().expect("a base");
            built.id.guid.0[0] ^= 1;
        }),
    );
    list.refused(
        "base-twice",
        Damaged,
        "a base stands twice",
        &base(|kit| {
            kit.at(|stage| {
                if let Stage::Manifest(manifest) = stage {
                    manifest.bases.push(manifest.bases[0].clone());
                }
            });
        }),
    );
    list.refused(
        "bases-descend",
        Damaged,
        "bases in the other order",
        &base(|kit| {
            kit.at(|stage| {
                if let Stage::Manifest(manifest) = stage {
                    let mut earlier = manifest.bases[0].clone();
                    earlier.id.timestamp -= 1;
                    manifest.bases.push(earlier);
                }
            });
        }),
    );
    list.refused(
        "base-without-catalogue",
        Damaged,
        "a base without its catalogue",
        &base(|kit| {
            let base = kit.base.as_mut().expect("a base");
            base.manifest.parts.retain(|part| part.index < 2);
        }),
    );
    list.refused(
        "base-without-data",
        Damaged,
        "a base of which no data part is used",
        &base(|kit| {
            let base = kit.base.as_mut().expect("a base");
            base.manifest.parts.remove(0);
        }),
    );
    list.refused(
        "base-with-index",
        Damaged,
        "a base with an index part",
        &base(|kit| {
            kit.at(|stage| {
                if let Stage::Manifest(manifest) = stage {
                    let mut index = manifest.bases[0].parts[2].clone();
                    index.index = 4;
                    index.role = Role::Index;
                    manifest.bases[0].parts.push(index);
                }
            });
        }),
    );
    list.refused(
        "base-parts-descend",
        Damaged,
        "the parts of a base in the other order",
        &base(|kit| {
            kit.at(|stage| {
                if let Stage::Manifest(manifest) = stage {
                    manifest.bases[0].parts.swap(1, 2);
                }
            });
        }),
    );
    list.refused(
        "bases-65",
        Limit,
        "65 bases",
        &base(|kit| {
            kit.at(|stage| {
                if let Stage::Manifest(manifest) = stage {
                    let base = manifest.bases[0].clone();
                    manifest.bases = (0..65)
                        .map(|number| {
                            let mut base = base.clone();
                            base.id.timestamp += number;
                            base
                        })
                        .collect();
                }
            });
        }),
    );
}
