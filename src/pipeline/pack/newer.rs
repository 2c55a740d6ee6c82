//! Whether the key that packs was replaced since it was made: its slots would come back with every backup, and an old key with them
//! (spec/keys.md, "Pack-only key").

use crate::base::id::BackupId;
use crate::base::limits::MANIFESTS_COMPARED;
use crate::crypto::keys::PackKeys;
use crate::format::manifest::Manifest;
use crate::pipeline::World;
use crate::pipeline::survey::read_manifest;

/// Warns when one of the newest manifests shows slots of a later generation, or a later epoch. A packer cannot authenticate them, so that this is
/// a warning and nothing more; one that cannot be read says nothing.
pub fn warn(world: &World<'_>, keys: &PackKeys, generation: u64, ids: impl Iterator<Item = BackupId>) {
    let read = |id| Some(Manifest::parse(&id, &read_manifest(world.store, &id).ok()?).ok()?.manifest);
    let shown: Vec<Manifest> = ids.take(MANIFESTS_COMPARED).filter_map(read).collect();
    let (epoch, own) = (keys.scope.epoch, keys.fingerprint.0);
    if let Some(newer) = shown.iter().filter(|shown| shown.epoch > epoch).max_by_key(|shown| shown.epoch) {
        world.observer.warn(&format!(
            "{} is of epoch {}, the key that packs of epoch {epoch}: it was replaced, and `latest` does not find what it packs; \
             make the key of this host anew",
            newer.id, newer.epoch
        ));
        return;
    }
    let of_key = shown.iter().filter(|shown| shown.epoch == epoch && shown.fingerprint == own);
    let newest = of_key.max_by_key(|shown| shown.generation).filter(|shown| shown.generation > generation);
    if let Some(newest) = newest {
        world.observer.warn(&format!(
            "{} has slots of generation {}, the key that packs of generation {generation}: a slot that was removed since comes back \
             with this backup; make the key of this host anew, then `vault key rewrap`",
            newest.id, newest.generation
        ));
    }
}
