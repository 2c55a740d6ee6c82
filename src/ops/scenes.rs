//! Which database an entry of a dump map belongs to.
//!
//! A dump of a cluster sets a database up while it is connected to another one, and names it only in the `\connect` that follows. So the
//! map is read twice: the first time tells which scene is whose.

mod mysql;

use std::ops::Range;

use crate::base::map::{MapEntry, MapKind};
use crate::pipeline::contents::ContentsReader;
use crate::pipeline::error::RunError;

/// What a scene is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Roles, tablespaces and the like.
    Globals,
    /// Settings with which every part of the dump begins and ends.
    Session,
    /// How a database is made, on a connection to another one.
    Setup(Vec<u8>),
    /// A database; the name is empty where the dump does not say it.
    Database(Vec<u8>),
    /// What comes after all of them.
    Nothing,
}

impl Subject {
    /// The database, if it is about one.
    pub fn database(&self) -> Option<&[u8]> {
        match self {
            Subject::Setup(name) | Subject::Database(name) => Some(name),
            Subject::Globals | Subject::Session | Subject::Nothing => None,
        }
    }
}

/// A stretch of the dump that is about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// Where it stands.
    pub range: Range<u64>,
    /// Which dump of the stream it is of: several may have been written into one.
    pub dump: u32,
    /// What it is about.
    pub subject: Subject,
}

/// Every scene of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenes {
    /// In the order of the dump.
    pub scenes: Vec<Scene>,
    /// Up to where the map goes.
    pub end: u64,
    /// The size of the dump.
    pub plain: u64,
    /// Statements that have no names in the map.
    pub unnamed: u64,
}

impl Scenes {
    /// Reads the map once.
    ///
    /// # Errors
    /// There is no map, or it cannot be read.
    pub fn read(reader: &mut ContentsReader<'_, '_>) -> Result<Scenes, RunError> {
        let mut making = Making::default();
        let plain = reader.each(&mut |entry| making.take(&entry))?;
        // A map may hold versions and nothing else.
        if making.scenes.is_empty() { Err(reader.no_map()) } else { Ok(making.finish(plain)) }
    }

    /// The names of all databases, in the order of the dump.
    pub fn databases(&self) -> Vec<&[u8]> {
        let mut names: Vec<&[u8]> = Vec::new();
        for name in self.scenes.iter().filter_map(|scene| scene.subject.database()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Calls `take` with every entry and the scene it stands in.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn each(
        &self,
        reader: &mut ContentsReader<'_, '_>,
        take: &mut dyn FnMut(&Scene, MapEntry),
    ) -> Result<(), RunError> {
        let mut at = 0;
        let read = reader.each(&mut |entry| {
            // What has no length belongs to what stands before it.
            let over = |scene: &Scene| scene.range.end < entry.offset + u64::from(entry.length > 0);
            while at + 1 < self.scenes.len() && over(&self.scenes[at]) {
                at += 1;
            }
            if let Some(scene) = self.scenes.get(at).filter(|scene| scene.range.start <= entry.offset) {
                take(scene, entry);
            }
        });
        read.map(|_| ())
    }
}

/// A scene of which neither the end nor, perhaps, the subject is known yet.
struct Begun {
    start: u64,
    dump: u32,
    subject: Option<Subject>,
}

/// Scenes while the map is read.
#[derive(Default)]
struct Making {
    scenes: Vec<Begun>,
    /// Dumps that have begun.
    dumps: u32,
    /// The last of them has, with the line before its first comment.
    guarded: bool,
    connected: Option<Vec<u8>>,
    ended: bool,
    /// The dump is one of mysqldump.
    mysql: bool,
    /// Where the settings begin after which there was nothing else yet.
    settings: Option<u64>,
    end: u64,
    unnamed: u64,
}

impl Making {
    fn take(&mut self, entry: &MapEntry) {
        // Without comments the line that guards the dump is all that it begins with.
        let guards = entry.kind == MapKind::Guard && entry.class == b"sandbox";
        self.dumps += u32::from(guards || (entry.kind == MapKind::Begin && !self.guarded));
        self.guarded = guards;
        self.mysql |= [&b"mysql"[..], b"sandbox"].contains(&&entry.class[..]);
        if self.mysql && entry.length > 0 {
            return self.take_mysql(entry);
        }
        match (entry.kind, entry.class.as_slice()) {
            (MapKind::Begin, b"cluster") => self.push(entry.offset, Some(Subject::Globals)),
            (MapKind::Begin, _) => {
                // After the end of a database comes another one, on the same connection.
                if std::mem::take(&mut self.ended) {
                    self.connected = None;
                }
                self.push(entry.offset, self.connected.clone().map(Subject::Database));
            }
            (MapKind::Connect, _) => {
                self.connect(entry);
                self.ended = false;
            }
            (MapKind::End, b"cluster") => self.push(entry.offset, Some(Subject::Nothing)),
            (MapKind::End, _) => self.ended = true,
            (MapKind::Stop, _) => {
                self.end_session();
                (self.end, self.unnamed) = (entry.offset, entry.rows);
            }
            _ => {}
        }
    }

    /// The database of a connection, which is what was set up before it.
    fn connect(&mut self, entry: &MapEntry) {
        let name = entry.own.name.clone();
        // A dump that was written before this one is not about it.
        let of_this = |begun: &&mut Begun| begun.subject.is_none() && begun.dump == self.dumps;
        for begun in self.scenes.iter_mut().rev().take_while(of_this) {
            begun.subject = Some(Subject::Setup(name.clone()));
        }
        self.push(entry.offset, Some(Subject::Database(name.clone())));
        self.connected = Some(name);
    }

    fn push(&mut self, start: u64, subject: Option<Subject>) {
        self.scenes.push(Begun { start, dump: self.dumps, subject });
    }

    fn finish(self, plain: u64) -> Scenes {
        let starts: Vec<u64> = self.scenes.iter().map(|begun| begun.start).collect();
        let ends = starts.iter().skip(1).copied().chain([self.end]);
        let scenes = self.scenes.into_iter().zip(ends).map(|(Begun { start, dump, subject }, end)| Scene {
            range: start..end,
            dump,
            // Nothing ever said what it is called.
            subject: subject.unwrap_or(Subject::Database(Vec::new())),
        });
        Scenes { scenes: scenes.collect(), end: self.end, plain, unnamed: self.unnamed }
    }
}
