//! The end of a run whose input was whole: catalogue, index, manifest, and a last look (spec/objects.md, "Order of writing").

use crate::archive::index::{Index, IndexSections};
use crate::archive::manifest::seal;
use crate::archive::map::MapWriter;
use crate::archive::section::{Framer, SectionError, Sections, write};
use crate::archive::{ArchiveError, damaged};
use crate::base::cutter::Cutter;
use crate::base::size::padme;
use crate::format::frame::Frame;
use crate::format::header::Role;
use crate::format::manifest::{Manifest, Part};
use crate::format::record::{Chunk, OwnBlock, Record, Summary, Usage, encode_all};
use crate::format::section::Section;
use crate::index::cache::{KnownBackup, KnownBlock, NewBackup};
use crate::index::run::RunTable;
use crate::pipeline::audit::audit_before_commit;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::check_sizes;
use crate::pipeline::history;
use crate::pipeline::pack::attempt::Attempt;
use crate::pipeline::pack::feed::Fed;
use crate::pipeline::pack::judge::Judged;
use crate::pipeline::pack::layout::{Foreign, split_by_part, usage};
use crate::pipeline::pack::weave::{Origin, Weaver};
use crate::pipeline::pack::{Packed, Run};
use crate::pipeline::port::{Store, StoreError};
use crate::pipeline::survey::Survey;

impl Run<'_> {
    /// Writes everything after the data parts. Only with the manifest does the backup exist.
    pub fn commit(
        &self,
        attempt: &mut Attempt<'_>,
        weaver: Weaver<'_>,
        fed: Fed,
        judged: Judged,
    ) -> Result<Packed, RunError> {
        let foreign = Foreign::gather(&weaver)?;
        let mut manifest = self.draft(attempt, &weaver, &fed, &judged, &foreign);
        check_readable(&manifest)?;
        let usage = usage(attempt, &weaver, &foreign);
        let catalogue = CatalogueSections {
            draft: &manifest.clone(),
            cutter: self.cutter,
            attempt,
            run: &weaver.run,
            plain: &weaver.own_plain,
            usage: &usage,
        };
        let parts = self.write_role(attempt, Role::Catalogue, &catalogue)?;
        let record = history::encode(catalogue.draft, self.cutter, &usage, &parts);
        attempt.parts.extend(parts);
        manifest.parts = attempt.parts.clone();
        let (index, map) = self.index(attempt, &weaver, fed, &foreign);
        index.check_writable(&manifest)?;
        let sections = IndexSections { draft: &manifest, index: &index, map: map.frames() };
        let parts = self.write_role(attempt, Role::Index, &sections)?;
        attempt.parts.extend(parts);
        if self.audit {
            audit_before_commit(self.world, self.keys, attempt.archive_key(), &manifest, &index)?;
        }
        manifest.parts = attempt.parts.clone();
        manifest.stored = manifest.parts.iter().map(|part| part.bytes).sum();
        manifest.generation = self.options.generation;
        manifest.slots = self.options.slots.clone();
        self.world.check_stop()?;
        self.publish(attempt, &manifest)?;
        let Judged { doubt, .. } = judged;
        let packed = Packed { plain: index.summary.plain, new: weaver.new, chunks: weaver.chunks, doubt, manifest };
        self.remember(attempt, weaver, record, &packed.manifest);
        Ok(packed)
    }

    /// The manifest as it stands after the data parts.
    fn draft(
        &self,
        attempt: &Attempt<'_>,
        weaver: &Weaver<'_>,
        fed: &Fed,
        judged: &Judged,
        foreign: &Foreign,
    ) -> Manifest {
        let template = attempt.template();
        Manifest {
            id: template.id,
            epoch: template.epoch,
            fingerprint: template.fingerprint,
            tool: self.options.tool.clone(),
            kind: judged.kind.as_str().into(),
            verdict: judged.verdict,
            size: padme(fed.plain),
            stored: 0,
            tags: self.options.tags.clone(),
            seq: self.seq,
            prev: weaver.known.prev.clone(),
            rebuilt: false,
            sealed_key: template.sealed_key,
            generation: 0,
            slots: Vec::new(),
            parts: attempt.parts.clone(),
            bases: foreign.bases.iter().map(|(_, base)| base.clone()).collect(),
        }
    }

    /// Writes the parts of a role and reads each of them back, whole.
    fn write_role(&self, attempt: &Attempt<'_>, role: Role, sections: &impl Sections) -> Result<Vec<Part>, RunError> {
        self.world.check_stop()?;
        let mut writer = attempt.role(role);
        write(sections, attempt.capacity(), &mut |_, frame| writer.frame(Frame::Whole(frame)).map(|_| ()))?;
        let parts = writer.finish()?;
        for part in &parts {
            let name = attempt.template().id.part_name(part.index);
            match history::check_sha256(self.world, &attempt.template().id, part) {
                Err(RunError::Sha256 { .. } | RunError::Size { .. }) => return Err(RunError::ReadBack { name }),
                other => other?,
            }
        }
        Ok(parts)
    }

    /// The index of the backup: blocks, recipe, spans, and the dump map.
    fn index(&self, attempt: &Attempt<'_>, weaver: &Weaver<'_>, fed: Fed, foreign: &Foreign) -> (Index, MapWriter) {
        let own = attempt.parts.iter().filter(|part| part.role == Role::Data).count() as u32;
        let (blocks, starts) = foreign.directory(attempt, weaver, own);
        let mut recipe = Vec::with_capacity(weaver.recipe.len());
        for stretch in &weaver.recipe {
            let first = match stretch.origin {
                Origin::Own => stretch.block,
                Origin::Earlier(backup) => starts.get(&(backup, stretch.block)).copied().unwrap_or(u32::MAX),
            };
            split_by_part(&blocks, first, stretch, &mut recipe);
        }
        let summary = Summary { plain: fed.plain, chunks: weaver.chunks, ids_digest: weaver.ids.finish() };
        (Index { summary, blocks, recipe, spans: fed.spans }, fed.map)
    }

    /// Creates the manifest, reads it back, and looks once more whether everything it names is there.
    fn publish(&self, attempt: &Attempt<'_>, manifest: &Manifest) -> Result<(), RunError> {
        let store = self.world.store;
        let name = manifest.id.manifest_name();
        let text = seal(manifest, attempt.archive_key());
        // What no reader takes must not stand, whatever it was that a writer let through.
        Manifest::parse(&manifest.id, &text).map_err(ArchiveError::format(&name))?;
        let created = create(store, &name, &text);
        let stands = store.get(&name, 0, text.len() + 1);
        match (created, stands) {
            // "Exists" with our bytes in it is a lost reply.
            (Ok(()) | Err(StoreError::Exists { .. }), Ok(found)) if found == text => {}
            (Err(error @ StoreError::Exists { .. }), Ok(_)) => return Err(error.into()),
            (created, stands) => {
                // Nobody knows whether it stands: it must not, since this run is going to say that it failed.
                let whose = if created.is_ok() { Whose::Ours } else { Whose::Unknown };
                self.withdraw(attempt, &name, &text, whose);
                created?;
                stands?;
                return Err(RunError::ReadBack { name });
            }
        }
        let looked = Survey::take(store, &format!("{}-", manifest.id.guid));
        let whole = looked.and_then(|survey| check_sizes(&survey, manifest, |_| true));
        whole.inspect_err(|_| self.withdraw(attempt, &name, &text, Whose::Ours))
    }

    /// Removes our manifest, before anything that it names is removed. When it may still stand, nothing is.
    fn withdraw(&self, attempt: &Attempt<'_>, name: &str, text: &[u8], whose: Whose) {
        let store = self.world.store;
        let removed = match store.get(name, 0, text.len() + 1) {
            Ok(found) if found == text || whose == Whose::Ours => store.delete(name),
            Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            attempt.keep();
            self.world.observer.warn(&format!(
                "the manifest of the failed attempt may be left behind, with all that it names: {error}"
            ));
        }
    }

    fn remember(&self, attempt: &Attempt<'_>, weaver: Weaver<'_>, record: Vec<u8>, manifest: &Manifest) {
        let placed = attempt.placed.iter().zip(&weaver.own_plain);
        let blocks = placed.map(|(placed, plain)| KnownBlock {
            part: placed.part,
            offset: placed.offset,
            stored: placed.stored,
            plain: *plain,
        });
        let known = KnownBackup { id: manifest.id, record, blocks: blocks.collect() };
        let bases = manifest.bases.iter().map(|base| base.id).collect();
        let Weaver { run, known: earlier, .. } = weaver;
        let committed = NewBackup { known, chunks: run.into_chunks() };
        earlier.remember(self.world, self.keys, self.place, committed, &bases);
    }
}

/// Whose the manifest is that stands under our name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// We created it.
    Ours,
    /// Its content says.
    Unknown,
}

/// A draft that a reader takes: checked before it is sealed into a catalogue.
fn check_readable(draft: &Manifest) -> Result<(), RunError> {
    let name = draft.id.manifest_name();
    let read = Manifest::parse_draft(draft.encode_draft().as_bytes()).map_err(ArchiveError::format(&name))?;
    if read == *draft { Ok(()) } else { Err(damaged(&name, "it would be read as something else").into()) }
}

fn create(store: &dyn Store, name: &str, text: &[u8]) -> Result<(), StoreError> {
    let mut upload = store.create(name)?;
    upload.write(text)?;
    upload.commit()
}

/// A catalogue as it is written.
struct CatalogueSections<'a> {
    draft: &'a Manifest,
    cutter: Cutter,
    attempt: &'a Attempt<'a>,
    run: &'a RunTable,
    plain: &'a [u32],
    usage: &'a [Usage],
}

impl Sections for CatalogueSections<'_> {
    fn push_all<E: From<SectionError>>(&self, framer: &mut Framer<'_, E>) -> Result<(), E> {
        framer.push(Section::Draft, self.draft.encode_draft().as_bytes(), 1)?;
        framer.push(Section::Cutter, &encode_all(&[self.cutter]), Cutter::BYTES)?;
        let chunks = self.plain.iter().zip(self.run.blocks()).map(|(plain, chunks)| (*plain, chunks.len() as u32));
        for block in self.attempt.own_blocks(chunks) {
            framer.push(Section::OwnBlocks, &encode_all(&[block]), OwnBlock::BYTES)?;
        }
        for block in self.run.blocks() {
            let chunks: Vec<Chunk> = block.map(|(id, length)| Chunk { id, length }).collect();
            framer.push(Section::Chunks, &encode_all(&chunks), Chunk::BYTES)?;
        }
        framer.push(Section::Usage, &encode_all(self.usage), Usage::BYTES)
    }
}
