//! What earlier backups hold, and which of it this run may reference (spec/chunking.md, "Deduplication").
//!
//! Everything starts from one authentic catalogue, the newest of the guid: it names the parts that the newest backup uses and how much of
//! each, and only those are candidates. The cache is used for a backup only when it was made from the very catalogue that the store
//! shows now, and a part is referenced only after its size and header were compared with the catalogue's.

mod good;
mod source;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::base::cutter::Cutter;
use crate::base::id::{BackupId, ChunkId};
use crate::crypto::keys::PackKeys;
use crate::format::manifest::{Base, Prev};
use crate::index::cache::{Cache, Found, KnownBackup, KnownBlock, NewBackup, Target, rebuild};
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::{check_size, read_header};
use crate::pipeline::history::{Chapter, read_chapter};
use crate::pipeline::survey::{Survey, read_mark};

pub use good::LastGood;
use source::{Source, Trust, as_manifest, candidates, is_of};
pub use table::forget;
use table::{assemble, binding, is_distrusted, open_cache, trust_again};

/// Where the cache of one guid and epoch is kept.
#[derive(Clone, Debug)]
pub enum CachePlace {
    /// In this file.
    File(PathBuf),
    /// Nowhere: this run reads the catalogues again.
    None,
}

/// What this run knows of earlier backups.
pub struct Known {
    /// The newest authentic backup.
    pub prev: Option<Prev>,
    /// The parameters that its epoch cuts with.
    pub cutter: Option<Cutter>,
    /// What the size of the dump is compared with.
    pub last_good: Option<LastGood>,
    survey: Survey,
    cache: Option<Cache>,
    /// By ordinal of the cache's backups; `None` for one that is not to be used.
    sources: Vec<Option<Source>>,
    fingerprint: [u8; 16],
    epoch: u32,
    /// A page of the cache is damaged: it is not asked any more.
    broken: bool,
    /// An audit failed, and this run makes good for it: it references nothing.
    distrusted: bool,
}

/// Whether earlier backups are referenced at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// As far as the rules allow.
    Allowed,
    /// Not in this run: a full backup.
    Full,
}

impl Known {
    /// Finds the newest authentic backup, and what may be referenced.
    ///
    /// Whatever goes wrong with a catalogue or the cache costs space and a warning, never the run.
    ///
    /// # Errors
    /// The store cannot be listed.
    pub fn gather(world: &World<'_>, keys: &PackKeys, place: &CachePlace, reuse: Reuse) -> Result<Known, RunError> {
        let survey = Survey::take(world.store, &format!("{}-", keys.scope.guid))?;
        let mut known = Known {
            prev: None,
            cutter: None,
            last_good: None,
            survey,
            cache: None,
            sources: Vec::new(),
            fingerprint: keys.fingerprint.0,
            epoch: keys.scope.epoch,
            broken: false,
            distrusted: is_distrusted(place),
        };
        let old = open_cache(world, keys, place);
        let Some(newest) = find_newest(world, keys, &known.survey, old.as_ref()) else {
            return Ok(known);
        };
        let remembered = old.as_ref().and_then(|cache| cache.backups().last()).map(|backup| backup.id);
        if remembered.is_some_and(|id| id > newest.draft.id) {
            world.observer.warn(&format!(
                "this machine remembers a newer backup than the store shows: was the store restored from a copy? Newest there: {}",
                newest.draft.id
            ));
        }
        known.prev = newest.prev.clone();
        known.cutter = Some(newest.cutter);
        known.last_good = good::find(world, keys, &known.survey, &newest);
        if known.distrusted {
            world
                .observer
                .warn("an earlier run found that the cache did not agree with the store: everything is stored again");
            return Ok(known);
        }
        match known.marked(world) {
            Some(marked) if reuse == Reuse::Allowed => known.load(world, keys, place, old, newest, &marked),
            _ => {}
        }
        Ok(known)
    }

    /// The parts that a prune has announced to delete; `None` when that cannot be known, and nothing may be referenced.
    fn marked(&self, world: &World<'_>) -> Option<BTreeSet<String>> {
        let mut marked = BTreeSet::new();
        for name in &self.survey.marks {
            match read_mark(world.store, name) {
                Some(candidates) => marked.extend(candidates),
                None => {
                    world.observer.warn(&format!("`{name}` cannot be read, everything is stored again"));
                    return None;
                }
            }
        }
        Some(marked)
    }

    /// Loads the chunk tables of everything that the newest backup uses enough of.
    fn load(
        &mut self,
        world: &World<'_>,
        keys: &PackKeys,
        place: &CachePlace,
        old: Option<Cache>,
        newest: Chapter,
        marked: &BTreeSet<String>,
    ) {
        let mut sources = candidates(&newest, marked);
        let newest_id = newest.draft.id;
        let newest_draft = newest.draft.clone();
        let mut fresh = Vec::new();
        let mut newest = Some(newest);
        for source in &mut sources {
            let cached = old.iter().flat_map(|cache| cache.backups()).any(|known| is_of(known, source));
            let own = newest.take_if(|newest| source.id == newest_id && newest.table.is_some());
            let chapter = match own {
                // A manifest names the catalogues of its bases: one that is gone cannot be named.
                _ if cached => source.check_catalogue(&self.survey).map(|()| None),
                Some(newest) => Ok(Some(newest)),
                None => read_chapter(world, keys, &self.survey, &as_manifest(&newest_draft, source)).map(Some),
            };
            match chapter {
                Ok(chapter) => fresh.extend(chapter.and_then(|chapter| chapter.into_new_backup(&source.catalogue))),
                Err(error) => {
                    let id = source.id;
                    world
                        .observer
                        .warn(&format!("the chunks of {id} are stored again, its catalogue cannot be used: {error}"));
                    source.parts.clear();
                }
            }
        }
        sources.retain(|source| !source.parts.is_empty());
        let cache = assemble(world, keys, place, old, &sources, fresh);
        let backups = cache.as_ref().map_or(&[][..], Cache::backups);
        let mut by_id: BTreeMap<BackupId, Source> = sources.into_iter().map(|source| (source.id, source)).collect();
        self.sources =
            backups.iter().map(|backup| by_id.remove(&backup.id).filter(|source| is_of(backup, source))).collect();
        self.cache = cache;
    }

    /// Ids of the guid that have an object of a manifest's name.
    pub fn manifests(&self) -> impl Iterator<Item = BackupId> {
        self.survey.with_manifest()
    }

    /// Where a chunk lies in an earlier backup, when it may be referenced there.
    pub fn find(&mut self, world: &World<'_>, id: &ChunkId, length: u32) -> Option<Found> {
        let found = match self.cache.as_ref().filter(|_| !self.broken)?.find(id, length) {
            Ok(found) => found?,
            Err(error) => {
                world.observer.warn(&format!("the cache is damaged, known chunks are stored again: {error}"));
                // What was found before it came with its checksum.
                self.broken = true;
                return None;
            }
        };
        let part = self.block(found.backup, found.block)?.part;
        self.may_use(world, found.backup, part).then_some(found)
    }

    /// A block of an earlier backup.
    pub fn block(&self, backup: u32, block: u32) -> Option<KnownBlock> {
        self.cache.as_ref()?.backups().get(backup as usize)?.blocks.get(block as usize).copied()
    }

    /// Plain bytes of all blocks of a part.
    pub fn part_plain(&self, backup: u32, part: u32) -> u64 {
        let blocks = self.cache.as_ref().and_then(|cache| cache.backups().get(backup as usize));
        let blocks = blocks.map_or(&[][..], |backup| backup.blocks.as_slice());
        blocks.iter().filter(|block| block.part == part).map(|block| u64::from(block.plain)).sum()
    }

    /// What the manifest says of an earlier backup of which these parts are used.
    pub fn base(&self, backup: u32, used: &BTreeSet<u32>) -> Option<Base> {
        let source = self.sources.get(backup as usize)?.as_ref()?;
        let data = source.parts.iter().filter(|(index, _)| used.contains(index)).map(|(_, (part, _))| part.clone());
        let parts = data.chain(source.catalogue.iter().cloned()).collect();
        Some(Base { id: source.id, sealed_key: source.sealed_key, parts })
    }

    /// Whether a part may be referenced: compared with the store when it is first asked for.
    fn may_use(&mut self, world: &World<'_>, backup: u32, part: u32) -> bool {
        let Some(Some(source)) = self.sources.get_mut(backup as usize) else {
            return false;
        };
        let Some((recorded, trust)) = source.parts.get_mut(&part) else {
            return false;
        };
        if *trust == Trust::Unchecked {
            let expected = crate::archive::part::Expected {
                id: source.id,
                part: recorded,
                epoch: self.epoch,
                fingerprint: self.fingerprint,
                sealed_key: &source.sealed_key,
            };
            let checked = check_size(&self.survey, &source.id, recorded)
                .map_err(|problem| problem.into_error(source.id))
                .and_then(|()| read_header(world.store, &expected));
            *trust = match checked {
                Ok(_) => Trust::Checked,
                Err(error) => {
                    world
                        .observer
                        .warn(&format!("an earlier part cannot be used, its chunks are stored again: {error}"));
                    Trust::Refused
                }
            };
        }
        *trust == Trust::Checked
    }

    /// Adds a committed backup to the cache. What goes wrong is a warning: the next run reads catalogues.
    pub fn remember(
        self,
        world: &World<'_>,
        keys: &PackKeys,
        place: &CachePlace,
        committed: NewBackup,
        bases: &BTreeSet<BackupId>,
    ) {
        let CachePlace::File(path) = place else { return };
        let old = self.cache.filter(|_| !self.broken);
        let keep = |backup: &KnownBackup| bases.contains(&backup.id);
        let binding = binding(world, keys);
        let written = rebuild(old.as_ref(), &keep, &mut [committed], &keys.cache_key(), &binding, Target::File(path));
        if let Err(error) = written {
            world.observer.warn(&format!("the cache cannot be written, the next run reads catalogues: {error}"));
        }
        if self.distrusted {
            trust_again(world, path);
        }
    }
}

/// The newest backup of the epoch with an authentic catalogue.
fn find_newest(world: &World<'_>, keys: &PackKeys, survey: &Survey, cache: Option<&Cache>) -> Option<Chapter> {
    for id in survey.with_manifest() {
        match crate::pipeline::history::newest_candidate(world, keys, survey, &id, cache) {
            Ok(Some(chapter)) => return Some(chapter),
            Ok(None) => {}
            Err(error) => world.observer.warn(&format!("{id} is not used for deduplication: {error}")),
        }
    }
    None
}
