//! Builds a backup around a fault: every step hands what it made to the hooks of the vector before the next step uses it.

use vault::base::cutter::Cutter;
use vault::base::id::BackupId;
use vault::crypto::kdf::Scope;
use vault::crypto::keys::MasterKey;
use vault::crypto::secret::Secret;
use vault::format::header::Role;
use vault::format::manifest::{Manifest, Part};
use vault::format::slot::Slot;
use vault::keys::ring::file_text;
use vault::pipeline::port::Random;

use super::container::{Objects, Opener};
use super::form::{CatalogueForm, Frame, IndexForm};
use super::seal::Segment;
use super::work::{Work, archive_key};
use crate::common::world::{GUID, SMALL_CUTTER, Seeded, rows};

/// A step of the building, with what it made.
pub enum Stage<'a> {
    /// The sealed archive key of the backup.
    Sealed(&'a mut [u8; 80]),
    /// Own blocks: plain bytes, frame, chunks.
    Blocks(&'a mut Vec<Block>),
    /// What the index says.
    Index(&'a mut IndexForm),
    /// What the catalogue says.
    Catalogue(&'a mut CatalogueForm),
    /// The frames of a role.
    Frames(Role, &'a mut Vec<Frame>),
    /// The content of the directory of a role.
    Records(Role, &'a mut Vec<u8>),
    /// The frame of the directory of a role.
    Directory(Role, &'a mut Vec<u8>),
    /// The frames of a part.
    Content(u32, &'a mut Vec<u8>),
    /// The plaintext of a part.
    Padded(u32, &'a mut Vec<u8>),
    /// The header of a part, before the commitment is derived from it.
    Header(u32, &'a mut [u8; 224]),
    /// What the key of a part derives from.
    Secret(u32, &'a mut [u8; 32]),
    /// The commitment in the header of a part.
    Commitment(u32, &'a mut [u8; 32]),
    /// The segments of a part.
    Segments(u32, &'a mut Vec<Segment>),
    /// The object of a part.
    Object(u32, &'a mut Vec<u8>),
    /// What drafts and manifest record of a part.
    Entry(u32, &'a mut Part),
    /// The manifest, after the drafts were made of it.
    Manifest(&'a mut Manifest),
    /// The text of the manifest up to the suffix of the MAC.
    Text(&'a mut Vec<u8>),
    /// The MAC.
    Mac(&'a mut [u8; 32]),
    /// The bytes of the manifest.
    File(&'a mut Vec<u8>),
    /// The store.
    Store(&'a mut Objects),
}

/// What the vector does at each stage.
#[derive(Default)]
pub struct Hooks(Vec<Hook>);

type Hook = Box<dyn FnMut(&mut Stage<'_>)>;

impl Hooks {
    /// Calls them all.
    pub fn run(&mut self, mut stage: Stage<'_>) {
        self.0.iter_mut().for_each(|hook| hook(&mut stage));
    }
}

/// A block of the backup's own.
pub struct Block {
    /// Ordinal of its data part.
    pub part: u32,
    /// Plain bytes.
    pub plain: Vec<u8>,
    /// Its frame.
    pub frame: Vec<u8>,
    /// Id and length of its chunks.
    pub chunks: Vec<([u8; 16], u32)>,
}

/// A backup to be built.
pub struct Kit {
    /// Seeds everything random; two backups of one vector differ in it.
    pub seed: String,
    /// Of the vault key.
    pub epoch: u32,
    /// Milliseconds after the first possible backup of the vectors.
    pub later: u64,
    /// What is packed.
    pub dump: Vec<u8>,
    /// How it is cut.
    pub cutter: Cutter,
    /// Plain bytes that a block aims at.
    pub block_bytes: usize,
    /// Blocks of a data part.
    pub part_blocks: usize,
    /// Parts of catalogue and index, each.
    pub section_parts: u32,
    /// log2 of the segment size.
    pub segment: u8,
    /// An earlier backup whose first data part the dump begins with.
    pub base: Option<Box<Built>>,
    /// Clear text.
    pub tags: Vec<(String, String)>,
    /// Slots.
    pub slots: Vec<Slot>,
    /// What opens it; the key file when nothing else is said.
    pub opener: Option<Opener>,
    /// What the vector does.
    pub hooks: Hooks,
}

/// A backup that was built.
pub struct Built {
    pub id: BackupId,
    pub dump: Vec<u8>,
    pub objects: Objects,
    pub opener: Opener,
    pub manifest: Manifest,
    pub blocks: Vec<Block>,
}

/// The vault key of the vectors.
pub fn master(epoch: u32) -> MasterKey {
    let random = Seeded::new(&format!("vectors, epoch {epoch}"));
    MasterKey { scope: Scope { guid: GUID, epoch }, secret: Secret::fill(|bytes| random.fill(bytes)) }
}

/// The text of its key file.
pub fn key_file(epoch: u32) -> Vec<u8> {
    file_text(&master(epoch), 1_770_000_000_000).as_bytes().to_vec()
}

impl Kit {
    /// Two data parts of three blocks, two catalogue parts, two index parts: 0 and 1, 2 and 3, 4 and 5.
    pub fn small() -> Kit {
        Kit {
            seed: "vector".into(),
            epoch: 1,
            later: 0,
            dump: rows(1, 36),
            cutter: SMALL_CUTTER,
            block_bytes: 500,
            part_blocks: 2,
            section_parts: 2,
            segment: 12,
            base: None,
            tags: Vec::new(),
            slots: Vec::new(),
            opener: None,
            hooks: Hooks::default(),
        }
    }

    /// An earlier backup, with another dump.
    pub fn earlier() -> Kit {
        Kit { seed: "base".into(), dump: rows(2, 36), ..Kit::small() }
    }

    /// A later backup that begins with the first data part of an earlier one.
    pub fn rest_on_base(&mut self) {
        self.rest_on(Kit::earlier());
    }

    /// A backup of the day after the first that begins with the first data part of this one.
    pub fn rest_on(&mut self, base: Kit) {
        let base = base.build();
        // A cut depends on the byte behind it, so the dump goes on as that of the base does.
        let used = base.blocks.iter().filter(|block| block.part == 0);
        let used = used.map(|block| block.plain.len()).sum();
        self.dump = [&base.dump[used..], &rows(1, 30)].concat();
        self.base = Some(Box::new(base));
        self.later = 86_400_000;
    }

    /// Adds a hook.
    pub fn at(&mut self, hook: impl FnMut(&mut Stage<'_>) + 'static) {
        self.hooks.0.push(Box::new(hook));
    }

    /// Builds the backup.
    pub fn build(mut self) -> Built {
        let mut hooks = std::mem::take(&mut self.hooks);
        let id = BackupId::new(GUID, 1_770_000_000_000 + self.later).expect("13 digits");
        let mut work = Work::new(&self, id, &mut hooks);
        work.pack(&self, &mut hooks);
        let base_catalogue = self.base.take();
        let opener = self.opener.unwrap_or_else(|| Opener::KeyFile(key_file(self.epoch)));
        let mut objects = work.objects;
        for (name, bytes) in base_catalogue.into_iter().flat_map(|base| base.objects) {
            // Of the base, only what the manifest names is still there.
            if work
                .manifest
                .bases
                .iter()
                .flat_map(|base| base.parts.iter().map(|part| base.id.part_name(part.index)))
                .any(|part| part == name)
            {
                objects.insert(name, bytes);
            }
        }
        let mut text = work.manifest.encode().into_bytes();
        hooks.run(Stage::Text(&mut text));
        let mut mac = archive_key(&work.archive_key, work.keys.pack.scope, id).manifest_mac(&text);
        hooks.run(Stage::Mac(&mut mac));
        let suffix = Manifest::with_mac("", &mac);
        let mut file = [text, suffix].concat();
        hooks.run(Stage::File(&mut file));
        objects.insert(id.manifest_name(), file);
        hooks.run(Stage::Store(&mut objects));
        Built { id, dump: work.dump, objects, opener, manifest: work.manifest, blocks: work.blocks }
    }
}
