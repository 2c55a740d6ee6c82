//! Who can do what: the table of spec/threat-model.md, each cell tried; and the host that packs and cannot read.

mod common;
#[path = "who_can/holders.rs"]
mod holders;
#[path = "who_can/host.rs"]
mod host;
#[path = "who_can/recipient.rs"]
mod recipient;
#[path = "who_can/scene.rs"]
mod scene;
#[path = "who_can/store.rs"]
mod store;

use common::world::*;
use scene::{DAY, Scene, pack_as, pack_only};
use vault::pipeline::known::CachePlace;
use vault::store::memory::MemoryStore;

#[test]
fn a_pack_only_host_and_the_full_holder_take_turns() {
    let holder = ring("mk");
    let host = pack_only(&holder);
    let directory = tempfile::tempdir().expect("a directory");
    let run = |turns: bool| {
        let (outside, store) = (Outside::new("turns"), MemoryStore::new());
        let place = CachePlace::File(directory.path().join(turns.to_string()));
        let mut days = Vec::new();
        for day in 0..8_u64 {
            let mut dump = rows(5, 3000);
            dump.extend(rows(100 + day, 60));
            // On the fifth day the cache is lost, and on the sixth there is none.
            match day {
                4 => std::fs::remove_file(directory.path().join(turns.to_string())).expect("a cache"),
                _ => outside.later(DAY),
            }
            let keys = if turns && day % 3 != 1 { &host.keys } else { &holder.newest().pack };
            let place = if day == 5 { &CachePlace::None } else { &place };
            let packed = pack_as(&outside, &store, keys, &dump, place).expect("packs");
            assert_eq!(outside.warnings(), [""; 0], "day {day}");
            days.push((packed, dump));
        }
        for (packed, dump) in &days {
            let back = unpack_bytes(&outside, &store, &holder, &packed.manifest.id).expect("unpacks");
            assert!(back == *dump, "{}", packed.manifest.id);
        }
        days.iter()
            .map(|(packed, _)| (packed.new, packed.manifest.bases.len(), packed.manifest.seq))
            .collect::<Vec<_>>()
    };
    let (alone, in_turns) = (run(false), run(true));
    assert_eq!(alone, in_turns, "what is new, what is used and how it is counted does not depend on who packs");
    assert!(in_turns[1..].iter().all(|(new, _, _)| *new < in_turns[0].0 / 20), "{in_turns:?}");
}

type Try = fn(&Scene);

/// The table as the page has it, and how each cell is tried.
const TABLE: [(&str, [(&str, Try); 5]); 5] = [
    (
        "the store",
        [
            ("no", store::reads_nothing),
            ("no", store::forges_nothing),
            ("no", store::changes_nothing_unseen),
            ("**yes**", store::deletes_and_rolls_back),
            ("no", store::tests_no_guess),
        ],
    ),
    (
        "a pack-only host",
        [
            ("only what it is packing", host::reads_nothing),
            ("**of its epoch, with any time**", host::forges_with_any_time),
            ("no", host::changes_nothing_unseen),
            ("with the store's rights", store::host_deletes_with_rights),
            ("**yes**", |scene| host::guess_is_tested_with(scene, &scene.host.keys)),
        ],
    ),
    (
        "the holder of one AK",
        [
            ("**that one**", holders::one_ak_reads_its_own_parts),
            ("no", holders::one_ak_forges_nothing),
            ("**that one**", holders::one_ak_changes_its_backup),
            ("no", store::one_ak_gives_no_rights),
            ("no", holders::one_ak_tests_no_guess),
        ],
    ),
    (
        "the holder of MK",
        [
            ("**all of the epoch**", holders::mk_reads_all),
            ("**yes**", holders::mk_forges),
            ("**yes**", holders::mk_changes),
            ("with the store's rights", store::mk_deletes_with_rights),
            ("**yes**", |scene| host::guess_is_tested_with(scene, &scene.holder.newest().pack)),
        ],
    ),
    (
        "who knows an age recipient",
        [
            ("no", recipient::reads_nothing),
            (
                "only one that opens through the age slot, and shows another fingerprint",
                recipient::forges_another_fingerprint,
            ),
            ("no", recipient::changes_nothing_unseen),
            ("no", store::recipient_gives_no_rights),
            ("no", recipient::tests_no_guess),
        ],
    ),
];

#[test]
fn every_cell_of_the_table_is_so() {
    let page = include_str!("../spec/threat-model.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| |"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), TABLE.len(), "rows of the page");
    let scene = Scene::new();
    let mut tried = 0;
    for (row, (who, cells)) in rows.iter().zip(&TABLE) {
        assert_eq!(row.len(), 6, "{row:?}");
        assert_eq!(row[0], *who);
        for (said, (cell, attempt)) in row[1..].iter().zip(cells) {
            assert_eq!(said, cell, "{who}");
            attempt(&scene);
            tried += 1;
        }
    }
    assert_eq!(tried, 25);
}
