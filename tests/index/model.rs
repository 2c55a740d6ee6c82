//! What a cache answers is what a map answers, whatever was merged into what.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use vault::base::id::{BackupId, ChunkId};
use vault::index::cache::{Cache, CacheError, KnownBackup, NewBackup, NewChunk, Target, rebuild};

use crate::{BINDING, KEY, Numbers, backup, backup_id, chunks};

/// Backups by id, and the place of every chunk of each.
type Model = BTreeMap<BackupId, (KnownBackup, HashMap<(ChunkId, u32), (u32, u32)>)>;

/// What the older backups say of a chunk is forgotten for good once a newer one has it too.
fn enter(model: &mut Model, new: &[NewBackup]) {
    for new in new {
        let mut places = HashMap::new();
        for chunk in &new.chunks {
            places.entry((chunk.id, chunk.length)).or_insert((chunk.block, chunk.offset));
        }
        model.insert(new.known.id, (new.known.clone(), places));
    }
    let mut newer = HashSet::new();
    for (_, places) in model.values_mut().rev() {
        places.retain(|chunk, _| newer.insert(*chunk));
    }
}

fn agrees(cache: &Cache, model: &Model, asked: &[(ChunkId, u32)]) {
    let known: Vec<_> = model.values().map(|(known, _)| known).collect();
    assert_eq!(cache.backups().iter().collect::<Vec<_>>(), known);
    let mut all = HashMap::new();
    for (backup, (_, places)) in (0u32..).zip(model.values()) {
        all.extend(places.iter().map(|(&chunk, &(block, offset))| (chunk, (backup, block, offset))));
    }
    assert_eq!(cache.chunks(), all.len() as u64);
    for chunk in asked.iter().chain(all.keys()) {
        let found = cache.find(&chunk.0, chunk.1).expect("a sound cache");
        let place = found.map(|found| (found.backup, found.block, found.offset));
        assert_eq!(place, all.get(chunk).copied());
    }
}

/// Ids of few values, some of them close together, that are not spread at all.
fn chunk() -> impl Strategy<Value = ([u8; 16], u32)> {
    (any::<u8>(), 0..3usize, 1..3u32).prop_map(|(byte, spread, length)| {
        let mut id = [0; 16];
        id[[0, 7, 15][spread]] = byte;
        (id, length)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn answers_as_a_map_does(
        rounds in proptest::collection::vec(
            proptest::collection::vec((0..6u64, proptest::collection::vec(chunk(), 0..300)), 0..3), 1..4),
        dropped in 0..6u64,
    ) {
        let (mut model, mut cache) = (Model::new(), None);
        for round in rounds {
            let ids = |chunks: Vec<_>| chunks.into_iter().map(|(id, length)| (ChunkId(id), length)).collect();
            let round: BTreeMap<u64, Vec<_>> = round.into_iter().map(|(number, chunks)| (number, ids(chunks))).collect();
            let mut new: Vec<_> = round.iter().map(|(&number, chunks)| backup(number, chunks)).collect();
            let keep = |known: &KnownBackup| known.id != backup_id(dropped);
            model.retain(|id, _| *id != backup_id(dropped));
            enter(&mut model, &new);
            let rebuilt = rebuild(cache.as_ref(), &keep, &mut new, &KEY, &BINDING, Target::Heap).expect("a cache");
            let asked: Vec<_> = round.into_values().flatten().map(|(id, length)| (id, length + 1)).collect();
            agrees(&rebuilt, &model, &asked);
            cache = Some(rebuilt);
        }
    }
}

#[test]
fn an_empty_cache_finds_nothing() {
    let cache = rebuild(None, &|_| true, &mut [], &KEY, &BINDING, Target::Heap).expect("a cache");
    agrees(&cache, &Model::new(), &chunks(&mut Numbers(1), 10));
}

#[test]
fn one_id_of_two_lengths_is_two_chunks() {
    let id = Numbers(1).id();
    let mut new = [backup(1, &[(id, 5)]), backup(2, &[(id, 6)])];
    let cache = rebuild(None, &|_| true, &mut new, &KEY, &BINDING, Target::Heap).expect("a cache");
    let of = |length| cache.find(&id, length).expect("sound").map(|found| found.backup);
    assert_eq!((of(5), of(6), of(7), cache.chunks()), (Some(0), Some(1), None, 2));
}

#[test]
fn what_no_catalogue_says_is_refused() {
    let known = |new: &mut [NewBackup]| rebuild(None, &|_| true, new, &KEY, &BINDING, Target::Heap).err();
    let id = Numbers(1).id();
    let twice = known(&mut [backup(1, &[]), backup(1, &[(id, 5)])]);
    assert!(matches!(twice, Some(CacheError::Refused { id }) if id == backup_id(1)));
    for (block, offset, length) in [(1, 0, 5), (0, 1, 5), (0, 0, 6), (0, u32::MAX, 5)] {
        let mut new = backup(1, &[(id, 5)]);
        new.chunks = vec![NewChunk { id, length, block, offset }];
        let outside = known(&mut [new]);
        assert!(matches!(outside, Some(CacheError::Refused { .. })), "{block} {offset} {length}");
    }
}
