//! One attempt at a backup: its id, its archive key, its objects. Without a manifest it is nothing, and removable.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::archive::part::PartSecret;
use crate::base::id::BackupId;
use crate::crypto::keys::{ArchiveKey, PackKeys};
use crate::crypto::sealed;
use crate::crypto::secret::Secret;
use crate::format::header::{Header, Role};
use crate::format::manifest::Part;
use crate::format::record::OwnBlock;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::pack::parts::{Begun, RoleWriter, Series};
use crate::pipeline::pack::weave::Pending;
use crate::pipeline::pack::{POLL, PackOptions};
use crate::pipeline::stage::Pool;

/// Where an own block went.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Ordinal of its data part.
    pub part: u32,
    /// Offset in the part's plaintext.
    pub offset: u32,
    /// Compressed bytes.
    pub stored: u32,
}

/// An attempt under way.
pub struct Attempt<'a> {
    world: &'a World<'a>,
    keys: &'a PackKeys,
    template: Header,
    part_bytes: u64,
    archive_key: ArchiveKey,
    begun: Begun,
    /// Own parts so far.
    pub parts: Vec<Part>,
    /// Where the own blocks went, in stream order.
    pub placed: Vec<Placed>,
}

/// The data parts, and where each block went.
pub type Written = (Vec<Part>, Vec<Placed>);
/// The thread that writes the data parts, and the way to it.
pub type Writing<'scope> = (ScopedJoinHandle<'scope, Result<Written, RunError>>, SyncSender<Option<Pending>>);

impl<'a> Attempt<'a> {
    /// Makes an archive key and seals it to the vault.
    ///
    /// # Errors
    /// The key at hand is not one that can be sealed to.
    pub fn new(
        world: &'a World<'a>,
        keys: &'a PackKeys,
        id: BackupId,
        options: &PackOptions,
    ) -> Result<Attempt<'a>, RunError> {
        let archive_key = ArchiveKey::new(keys.scope, id, Secret::fill(|bytes| world.random.fill(bytes)));
        let sealed_key = sealed::seal(keys, &id, &archive_key, &mut |bytes| world.random.fill(bytes));
        let sealed_key = sealed_key.map_err(|_| crate::archive::ArchiveError::SealedKey { id })?;
        let template = Header {
            role: Role::Data,
            segment: options.segment,
            index: 0,
            id,
            epoch: keys.scope.epoch,
            fingerprint: keys.fingerprint.0,
            salt: [0; 24],
            sealed_key,
        };
        Ok(Attempt {
            world,
            keys,
            template,
            part_bytes: options.part_bytes,
            archive_key,
            begun: Begun::default(),
            parts: Vec::new(),
            placed: Vec::new(),
        })
    }

    /// AK of the attempt.
    pub fn archive_key(&self) -> &ArchiveKey {
        &self.archive_key
    }

    /// What every header of the attempt says.
    pub fn template(&self) -> &Header {
        &self.template
    }

    /// Starts the thread that writes the data parts from the blocks it is sent, whose buffers it gives back. After the last block comes `None`:
    /// when the sender is gone without, the run has failed, and nothing is finished any more.
    ///
    /// # Errors
    /// The machine gives no thread.
    pub fn write_data<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        ahead: usize,
        buffers: Arc<Pool<Vec<u8>>>,
    ) -> Result<Writing<'scope>, RunError> {
        let (sender, blocks) = sync_channel(ahead);
        let write = move || {
            let mut writer = self.role(Role::Data);
            let mut placed = Vec::new();
            loop {
                let block: Option<Pending> = match blocks.recv_timeout(POLL) {
                    Ok(block) => block,
                    Err(RecvTimeoutError::Timeout) => {
                        writer.check()?;
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return Err(RunError::Worker),
                };
                let Some(block) = block else {
                    return Ok((writer.finish()?, placed));
                };
                let block = block.take()??;
                let (part, offset) = writer.frame(block.frame())?;
                placed.push(Placed { part, offset, stored: block.frame().length() as u32 });
                buffers.give(block.into_buffer());
            }
        };
        let handle = Builder::new().name("seal".into()).spawn_scoped(scope, write).map_err(|_| RunError::Worker)?;
        Ok((handle, sender))
    }

    /// Takes over what the writing thread wrote.
    pub fn take_data(&mut self, (parts, placed): Written) {
        self.parts = parts;
        self.placed = placed;
    }

    /// A writer of the next parts.
    pub fn role(&self, role: Role) -> RoleWriter<'_> {
        let secret = match role {
            Role::Catalogue => PartSecret::Catalogue(&self.keys.catalogue),
            Role::Data | Role::Index => PartSecret::Archive(&self.archive_key),
        };
        RoleWriter::new(self.series(), role, secret, self.parts.len() as u32)
    }

    /// Plaintext that fits in a part.
    pub fn capacity(&self) -> u64 {
        RoleWriter::capacity(&self.series())
    }

    /// Own blocks as the catalogue lists them.
    pub fn own_blocks<'b>(
        &'b self,
        chunks: impl Iterator<Item = (u32, u32)> + 'b,
    ) -> impl Iterator<Item = OwnBlock> + 'b {
        self.placed.iter().zip(chunks).map(|(placed, (plain, chunks))| OwnBlock {
            part: placed.part,
            stored: placed.stored,
            plain,
            chunks,
        })
    }

    /// Removes the objects of the attempt.
    pub fn remove(&self) {
        self.begun.remove(self.world);
    }

    /// Leaves the objects of the attempt where they are, since a manifest that names them may stand.
    pub fn keep(&self) {
        self.begun.forget();
    }

    fn series(&self) -> Series<'_> {
        Series { world: self.world, begun: &self.begun, template: &self.template, part_bytes: self.part_bytes }
    }
}
