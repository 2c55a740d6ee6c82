//! The dedup cache: wrong bytes are an error or are never looked at, and give no wrong answer.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::base::id::{BackupId, ChunkId, Guid};
use crate::fuzzing::edits::edit;
use crate::fuzzing::input::Input;
use crate::index::cache::{Cache, Found, KnownBackup, KnownBlock, NewBackup, NewChunk, Target, rebuild};
use crate::pipeline::history::Chapter;

const KEY: [u8; 32] = [7; 32];
const BINDING: [u8; 32] = [9; 32];
/// Chunks of the cache that is damaged: five pages.
const CHUNKS: u32 = 600;
const PER_BLOCK: u32 = 64;

/// A cache as it was written, and what it answers.
struct Seed {
    bytes: Vec<u8>,
    answers: HashMap<(ChunkId, u32), Found>,
}

fn seed() -> &'static Seed {
    static SEED: OnceLock<Seed> = OnceLock::new();
    SEED.get_or_init(|| {
        let mut backups = [backup(0, 0..CHUNKS / 2), backup(1, CHUNKS / 2..CHUNKS)];
        let cache = match rebuild(None, &|_| true, &mut backups, &KEY, &BINDING, Target::Heap) {
            Ok(cache) => cache,
            Err(error) => panic!("a sound cache: {error}"),
        };
        let answer = |number: u32| cache.find(&id(number), length(number)).ok().flatten();
        let answers = (0..CHUNKS).filter_map(|number| Some(((id(number), length(number)), answer(number)?)));
        let answers: HashMap<_, _> = answers.collect();
        assert_eq!(answers.len(), CHUNKS as usize);
        Seed { answers, bytes: cache.bytes().to_vec() }
    })
}

/// A sound cache file.
pub fn seed_cache() -> &'static [u8] {
    &seed().bytes
}

fn id(number: u32) -> ChunkId {
    ChunkId(blake3::hash(&number.to_le_bytes()).as_bytes()[..16].try_into().unwrap_or_default())
}

fn length(number: u32) -> u32 {
    1 + number % 999
}

fn backup(number: u64, chunks: std::ops::Range<u32>) -> NewBackup {
    let id_of_backup = match BackupId::new(Guid([3; 16]), 1_700_000_000_000 + number) {
        Ok(id) => id,
        Err(error) => panic!("13 digits: {error}"),
    };
    let (mut blocks, mut new): (Vec<KnownBlock>, _) = (Vec::new(), Vec::new());
    for (at, chunk) in chunks.enumerate() {
        let (block, length) = (at as u32 / PER_BLOCK, length(chunk));
        blocks.resize(block as usize + 1, KnownBlock { part: 0, offset: 10 * block, stored: 10, plain: 0 });
        let plain = &mut blocks[block as usize].plain;
        new.push(NewChunk { id: id(chunk), length, block, offset: *plain });
        *plain += length;
    }
    let known = KnownBackup { id: id_of_backup, record: b"a record".to_vec(), blocks };
    NewBackup { known, chunks: new }
}

/// A file that is no cache is refused; one that is answers every question.
pub fn cache_file(data: &[u8]) -> bool {
    let Ok(cache) = Cache::from_bytes(data.to_vec(), &KEY, &BINDING) else {
        return false;
    };
    assert_eq!(ask(&cache, data), Answers::Right, "only what was written under the key opens");
    true
}

/// A cache that was changed gives right answers or none; one that was sealed again after that gives places that are in its tables.
pub fn cache_resealed(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    let reseal = input.u8() % 2 == 1;
    let asked = input.take(16);
    let mut bytes = seed().bytes.clone();
    edit(&mut input, &mut [(32, &mut bytes)]);
    if reseal {
        Cache::reseal(&mut bytes, &KEY);
    }
    let Ok(cache) = Cache::from_bytes(bytes, &KEY, &BINDING) else {
        return false;
    };
    let answers = ask(&cache, asked);
    assert!(reseal || answers == Answers::Right, "a wrong answer");
    true
}

/// Whether a cache answered as the one that was written.
#[derive(Debug, PartialEq, Eq)]
enum Answers {
    Right,
    Others,
}

/// Asks for every chunk of the seed and for one that the input names.
fn ask(cache: &Cache, asked: &[u8]) -> Answers {
    let mut right = true;
    let named = ChunkId(Input::new(asked).array());
    let questions = (0..CHUNKS).map(|number| (id(number), length(number)));
    for (id, length) in questions.chain([(named, 1), (ChunkId([0; 16]), 0), (ChunkId([255; 16]), u32::MAX)]) {
        let Ok(answer) = cache.find(&id, length) else { continue };
        right &= answer == seed().answers.get(&(id, length)).copied();
        if let Some(found) = answer {
            let block = cache.backups()[found.backup as usize].blocks[found.block as usize];
            assert!(u64::from(found.offset) + u64::from(length) <= u64::from(block.plain));
        }
    }
    if right { Answers::Right } else { Answers::Others }
}

/// What the cache keeps of a backup never makes its reader panic.
pub fn cache_record(data: &[u8]) -> bool {
    Chapter::catalogue_of(data).is_some()
}
