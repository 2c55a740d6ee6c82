//! Pack: a stream becomes parts and, only when it was whole, a manifest (spec/objects.md, "Order of writing").

mod attempt;
mod commit;
mod feed;
mod judge;
mod layout;
mod newer;
mod object;
mod pace;
mod parts;
mod slab;
mod weave;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use crate::archive::map::MapWriter;
use crate::base::cutter::Cutter;
use crate::base::id::BackupId;
use crate::base::limits::{
    AUDIT_EVERY, BLOCK_PLAIN_MAX, CLOCK_AHEAD_MS_MAX, PART_BYTES_MAX, PART_BYTES_MIN, TAG_KEY_BYTES_MAX,
    TAG_VALUE_BYTES_MAX, TAGS_MAX,
};
use crate::chunk::chunker::Chunker;
use crate::chunk::compress::LEVELS;
use crate::crypto::chunk_id::ChunkIds;
use crate::crypto::keys::PackKeys;
use crate::format::header::SegmentSize;
use crate::format::manifest::{Manifest, Verdict};
use crate::format::slot::Slot;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::known::{CachePlace, Known, Reuse, forget};
use crate::pipeline::port::ProducerEnd;
use crate::pipeline::stage::Workers;
use crate::pipeline::survey::Survey;

use attempt::{Attempt, Written};
use feed::{Fed, Feed};
use judge::judge;
pub use judge::{Doubt, Shrink};
pub use pace::Level;
use pace::Pace;
use slab::Cutting;
use weave::Weaver;

/// Plain bytes that a block aims at: where zstd loses nothing against one stream.
const BLOCK_PLAIN_TARGET: usize = 3 << 19;
/// How often a run looks whether it is to stop while no input comes.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// How a backup is made.
pub struct PackOptions {
    /// zstd level, 1 to 19, or the one that there is time for.
    pub level: Level,
    /// Bytes of a part at most.
    pub part_bytes: u64,
    /// Bytes of a segment.
    pub segment: SegmentSize,
    /// Worker threads.
    pub threads: usize,
    /// Whether earlier backups are referenced.
    pub reuse: Reuse,
    /// Recompute the digest of the ids before the commit, whatever the number of the backup.
    pub paranoid: bool,
    /// Take an empty input for a dump.
    pub allow_empty: bool,
    /// Keep a dump that is cut short, marked.
    pub allow_incomplete: bool,
    /// What becomes of a dump of less than half of the last good one.
    pub shrink: Shrink,
    /// Clear text for the manifest.
    pub tags: Vec<(String, String)>,
    /// Writer and version for the manifest.
    pub tool: String,
    /// Slots for the manifest.
    pub slots: Vec<Slot>,
    /// Their generation, from 1.
    pub generation: u64,
    /// Parameters of the chunker; those of the epoch where none are given.
    pub cutter: Option<Cutter>,
}

/// A committed backup.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Its manifest.
    pub manifest: Manifest,
    /// Bytes read.
    pub plain: u64,
    /// Bytes that no earlier backup held.
    pub new: u64,
    /// Chunks cut.
    pub chunks: u64,
    /// Why it does not count as good, if it does not.
    pub doubt: Option<Doubt>,
}

/// Packs a stream. On an error the attempt's own objects are removed, and earlier backups are as they were.
///
/// # Errors
/// The input is not whole, the store fails, the run is stopped, a limit is exceeded.
pub fn pack(
    world: &World<'_>,
    keys: &PackKeys,
    place: &CachePlace,
    options: PackOptions,
    input: Box<dyn Read + Send>,
) -> Result<Packed, RunError> {
    check_options(&options)?;
    let known = Known::gather(world, keys, place, options.reuse)?;
    newer::warn(world, keys, options.generation, known.manifests());
    let cutter = options.cutter.or(known.cutter).unwrap_or(Cutter::DEFAULT);
    let block_max = block_max(&options, cutter)?;
    let id = choose_id(world, keys, &known)?;
    let seq = known.prev.as_ref().map_or(1, |prev| prev.seq + 1);
    let audit = options.paranoid || seq.is_multiple_of(AUDIT_EVERY);
    let workers = Workers::new(options.threads)?;
    let mut attempt = Attempt::new(world, keys, id, &options)?;
    let pace = Arc::new(Pace::new(options.level, workers.threads()));
    let run = Run { world, keys, place, options: &options, workers: &workers, pace, cutter, block_max, audit, seq };
    let packed = run.run(&mut attempt, known, input);
    match &packed {
        Err(RunError::Audit) => {
            attempt.remove();
            forget(world, place);
        }
        Err(_) => attempt.remove(),
        Ok(_) => {}
    }
    packed
}

/// What stays the same while a run goes on.
struct Run<'a> {
    world: &'a World<'a>,
    keys: &'a PackKeys,
    place: &'a CachePlace,
    options: &'a PackOptions,
    workers: &'a Workers,
    pace: Arc<Pace>,
    cutter: Cutter,
    block_max: usize,
    audit: bool,
    seq: u64,
}

/// Said of an input of no known kind whose producer vault did not run.
const NOBODY_VOUCHES: &str = "nothing is known of how this input ends, so it counts as good however it is cut; let vault run the program that \
     writes it, `vault pack -- COMMAND`, and its exit status tells";

impl Run<'_> {
    fn run(&self, attempt: &mut Attempt<'_>, known: Known, input: Box<dyn Read + Send>) -> Result<Packed, RunError> {
        let cutting = Cutting {
            chunker: Chunker::new(self.cutter, self.keys.gear_table()),
            ids: ChunkIds::new(&self.keys.chunk_id),
            spans: attempt.archive_key().span_key(),
        };
        let map = MapWriter::new(attempt.capacity());
        let last_good = known.last_good;
        let feed = Feed::start(input, cutting, map)?;
        let (written, weaver, fed) = self.stream(attempt, known, feed)?;
        attempt.take_data(written);
        let judged = judge(&fed.report, fed.producer, last_good.as_ref(), self.options)?;
        if let Some(advice) = fed.report.advice {
            self.world.observer.note(&advice.to_string());
        } else if judged.verdict == Verdict::Unchecked && fed.producer != ProducerEnd::Succeeded && fed.plain > 0 {
            self.world.observer.note(NOBODY_VOUCHES);
        }
        self.commit(attempt, weaver, fed, judged)
    }

    /// Reads the input to its end. The parts are written by a thread of their own, in order.
    fn stream<'r>(
        &'r self,
        attempt: &Attempt<'_>,
        known: Known,
        feed: Feed,
    ) -> Result<(Written, Weaver<'r>, Fed), RunError> {
        let ids = attempt.archive_key().ids_digest();
        std::thread::scope(|scope| {
            let buffers = Arc::default();
            let (writer, blocks) = attempt.write_data(scope, self.workers.threads() + 2, Arc::clone(&buffers))?;
            let mut weaver = Weaver::new(self, known, ids, blocks, buffers);
            let take = &mut |id, bytes: &[u8]| weaver.chunk(id, bytes);
            let fed = feed.run(self.world, self.workers, &self.pace, &|| !writer.is_finished(), take);
            let fed = fed.and_then(|fed| weaver.finish().map(|()| fed));
            weaver.hang_up();
            match (writer.join().unwrap_or(Err(RunError::Worker)), fed) {
                (Ok(written), Ok(fed)) => Ok((written, weaver, fed)),
                // When the writer failed first, all that the others saw is that it was gone.
                (Err(error), Ok(_) | Err(RunError::Worker)) => Err(error),
                (_, Err(error)) => Err(error),
            }
        })
    }
}

fn check_options(options: &PackOptions) -> Result<(), RunError> {
    let refused = |what: String| Err(RunError::Option(what));
    if let Level::Fixed(level) = options.level
        && !LEVELS.contains(&level)
    {
        return refused(format!("the level is {} to {}", LEVELS.start(), LEVELS.end()));
    }
    if !(PART_BYTES_MIN..=PART_BYTES_MAX).contains(&options.part_bytes) {
        return refused(format!("the part size is {PART_BYTES_MIN} to {PART_BYTES_MAX} bytes"));
    }
    check_tags(&options.tags)
}

/// Refuses tags that no reader of the manifest would take.
///
/// # Errors
/// There are too many, one is too long or has a control character, or two have one key.
pub fn check_tags(tags: &[(String, String)]) -> Result<(), RunError> {
    let refused = |what: String| Err(RunError::Option(what));
    if tags.len() > TAGS_MAX {
        return refused(format!("there may be {TAGS_MAX} tags"));
    }
    for (at, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.len() > TAG_KEY_BYTES_MAX {
            return refused(format!("the key of a tag has 1 to {TAG_KEY_BYTES_MAX} bytes"));
        }
        if value.len() > TAG_VALUE_BYTES_MAX {
            return refused(format!("the value of a tag has {TAG_VALUE_BYTES_MAX} bytes at most: that of `{key}`"));
        }
        if key.chars().chain(value.chars()).any(char::is_control) {
            return refused("a tag has no control characters".into());
        }
        if tags[..at].iter().any(|(earlier, _)| earlier == key) {
            return refused(format!("two tags have the key `{key}`"));
        }
    }
    Ok(())
}

/// Plain bytes that a block may have so that it fits in a part whatever zstd makes of it.
fn block_max(options: &PackOptions, cutter: Cutter) -> Result<usize, RunError> {
    let capacity = options.segment.capacity(options.part_bytes);
    // zstd's bound is 1/256 more; padding takes 8 bytes.
    let room = usize::try_from(capacity - capacity / 128).unwrap_or(usize::MAX).saturating_sub(128);
    let room = room.min(BLOCK_PLAIN_MAX);
    if room < cutter.maximum as usize {
        let text = format!("a part of {} bytes does not hold a chunk of {} bytes", options.part_bytes, cutter.maximum);
        return Err(RunError::Option(text));
    }
    Ok(room)
}

/// max(now, newest + 1 ms), and the next millisecond while anything has the name.
///
/// A name is no authentic backup, so it cannot stop the run; but where it is of the next 24 hours, the new one comes after it: a backup whose
/// catalogue is damaged may still be the newest that restores.
fn choose_id(world: &World<'_>, keys: &PackKeys, known: &Known) -> Result<BackupId, RunError> {
    let now = world.clock.now_ms();
    let latest_legal = now.saturating_add(CLOCK_AHEAD_MS_MAX);
    let newest = known.prev.as_ref().map(|prev| prev.id);
    let after = newest.map_or(0, |id| id.timestamp);
    if after > latest_legal {
        return Err(RunError::Clock { now, newest });
    }
    let named = known.manifests().map(|id| id.timestamp).filter(|timestamp| *timestamp < latest_legal).max();
    let mut timestamp = now.max(after + 1).max(named.unwrap_or(0) + 1);
    loop {
        let id = BackupId::new(keys.scope.guid, timestamp).map_err(|_| RunError::Clock { now, newest })?;
        if Survey::take(world.store, &id.to_string())?.backups.is_empty() {
            return Ok(id);
        }
        timestamp += 1;
    }
}
