//! Earlier backups as candidates: which of their parts may be referenced.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::BackupId;
use crate::base::limits::{BASE_PARTS_MAX, BASES_MAX, LIVE_PERCENT_MIN};
use crate::format::header::Role;
use crate::format::manifest::{Base, Manifest, Part};
use crate::format::record::Usage;
use crate::index::cache::KnownBackup;
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::check_size;
use crate::pipeline::history::Chapter;
use crate::pipeline::survey::Survey;

/// An earlier backup, as far as this run may use it.
pub(super) struct Source {
    pub(super) id: BackupId,
    pub(super) sealed_key: [u8; 80],
    pub(super) catalogue: Vec<Part>,
    /// The data parts that may be referenced.
    pub(super) parts: BTreeMap<u32, (Part, Trust)>,
}

impl Source {
    /// Whether its catalogue is still in the store.
    pub(super) fn check_catalogue(&self, survey: &Survey) -> Result<(), RunError> {
        for part in &self.catalogue {
            check_size(survey, &self.id, part).map_err(|problem| problem.into_error(self.id))?;
        }
        Ok(())
    }

    /// Whether a prune is going to delete a part of its catalogue.
    fn is_marked(&self, marked: &BTreeSet<String>) -> bool {
        let names = self.catalogue.iter().map(|part| self.id.part_name(part.index));
        names.into_iter().any(|name| marked.contains(&name))
    }
}

/// How far a part has been compared with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Not yet.
    Unchecked,
    /// Its size and header are those of the catalogue.
    Checked,
    /// They are not: nothing of it is referenced.
    Refused,
}

/// The parts that the newest backup uses enough of, by backup; at most 64 backups, those with the most live bytes.
pub(super) fn candidates(newest: &Chapter, marked: &BTreeSet<String>) -> Vec<Source> {
    let draft = &newest.draft;
    let mut sources: BTreeMap<BackupId, (u64, Source)> = BTreeMap::new();
    for ((id, part), Usage { live, plain }) in draft.part_table().zip(&newest.usage) {
        let hardly_used = live.saturating_mul(100) < plain.saturating_mul(LIVE_PERCENT_MIN);
        if hardly_used || marked.contains(&id.part_name(part.index)) {
            continue;
        }
        let (total, source) = sources.entry(id).or_insert_with(|| (0, source_of(newest, id)));
        *total = total.saturating_add(*live);
        source.parts.insert(part.index, (part.clone(), Trust::Unchecked));
    }
    let mut sources: Vec<(u64, Source)> = sources.into_values().collect();
    // Who names a base names its catalogue too.
    sources.retain(|(_, source)| !source.is_marked(marked));
    sources.sort_by_key(|(live, _)| std::cmp::Reverse(*live));
    sources.truncate(BASES_MAX);
    // A manifest names only so many parts of bases.
    let mut named = 0;
    sources.retain(|(_, source)| {
        named += source.parts.len() + source.catalogue.len();
        named <= BASE_PARTS_MAX
    });
    sources.into_iter().map(|(_, source)| source).collect()
}

pub(super) fn source_of(newest: &Chapter, id: BackupId) -> Source {
    let base = newest.draft.bases.iter().find(|base| base.id == id);
    let (sealed_key, catalogue) = match base {
        Some(base) => {
            (base.sealed_key, base.parts.iter().filter(|part| part.role == Role::Catalogue).cloned().collect())
        }
        None => (newest.draft.sealed_key, newest.catalogue.clone()),
    };
    Source { id, sealed_key, catalogue, parts: BTreeMap::new() }
}

/// A manifest that says of a base what reading its catalogue takes.
pub(super) fn as_manifest(newest: &Manifest, source: &Source) -> Manifest {
    newest.of_base(&Base { id: source.id, sealed_key: source.sealed_key, parts: source.catalogue.clone() })
}

/// Whether the cache's entry was made from the catalogue that the store shows.
pub(super) fn is_of(known: &KnownBackup, source: &Source) -> bool {
    known.id == source.id && Chapter::catalogue_of(&known.record).is_some_and(|catalogue| catalogue == source.catalogue)
}
