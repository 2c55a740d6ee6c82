//! Writes the parts of one role: blocks or frames in, sealed objects out, each durable before the next begins.

use std::sync::{Mutex, PoisonError};

use crate::archive::part::{PartSealer, PartSecret};
use crate::base::limits::HEADER_BYTES;
use crate::format::frame::{Frame, Place};
use crate::format::header::{Header, Role, SegmentSize};
use crate::format::manifest::Part;
use crate::pipeline::World;
use crate::pipeline::error::RunError;
use crate::pipeline::pack::object::{ObjectWriter, Whole};
use crate::pipeline::port::StoreError;

/// Objects that an attempt began to write, with the headers that tell them from somebody else's.
#[derive(Default)]
pub struct Begun(Mutex<Vec<(String, [u8; HEADER_BYTES])>>);

impl Begun {
    fn add(&self, name: &str, header: [u8; HEADER_BYTES]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name.into(), header));
    }

    /// Nothing of it is to be removed.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Removes what was written. What cannot be removed is left to a prune; an object that another packer wrote is left alone.
    pub fn remove(&self, world: &World<'_>) {
        for (name, header) in self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let removed = match world.store.get(&name, 0, HEADER_BYTES) {
                Ok(found) if found == header => world.store.delete(&name),
                Ok(_) | Err(StoreError::Missing { .. }) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                world.observer.warn(&format!("a part of the failed attempt is left behind: {error}"));
            }
        }
    }
}

/// What all parts of an attempt have in common.
#[derive(Clone, Copy)]
pub struct Series<'a> {
    /// The outside.
    pub world: &'a World<'a>,
    /// Objects begun so far.
    pub begun: &'a Begun,
    /// Every header but for role, index and salt.
    pub template: &'a Header,
    /// Bytes of a part at most.
    pub part_bytes: u64,
}

/// Writes the parts of one role, one after another.
pub struct RoleWriter<'a> {
    series: Series<'a>,
    role: Role,
    secret: PartSecret<'a>,
    next: u32,
    open: Option<OpenObject>,
    done: Vec<Part>,
}

/// A part that is being written.
struct OpenObject {
    name: String,
    sealer: PartSealer,
    object: ObjectWriter,
}

impl<'a> RoleWriter<'a> {
    /// A writer whose first part has the index `next`.
    pub fn new(series: Series<'a>, role: Role, secret: PartSecret<'a>, next: u32) -> RoleWriter<'a> {
        RoleWriter { series, role, secret, next, open: None, done: Vec::new() }
    }

    /// Plaintext that fits in a part.
    pub fn capacity(series: &Series<'_>) -> u64 {
        let segment: SegmentSize = series.template.segment;
        segment.capacity(series.part_bytes)
    }

    /// Appends a frame; gives the ordinal of its part within the role, and its offset there.
    ///
    /// # Errors
    /// The store failed, or the parts are too many.
    pub fn frame(&mut self, frame: Frame<'_>) -> Result<(u32, u32), RunError> {
        if self.open.as_ref().is_some_and(|open| !open.sealer.fits(frame.length())) {
            self.close(Place::Inner)?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin()?,
        };
        let offset = open.sealer.content() as u32;
        let OpenObject { sealer, object, .. } = &mut open;
        frame.write(&mut |piece| sealer.push(piece, &mut |segment| object.write(segment)))?;
        self.series.world.observer.stored(frame.length() as u64);
        self.open = Some(open);
        Ok((self.done.len() as u32, offset))
    }

    /// Whether all is well while there is nothing to write.
    ///
    /// # Errors
    /// The store failed.
    pub fn check(&mut self) -> Result<(), RunError> {
        self.open.as_mut().map_or(Ok(()), |open| open.object.check())
    }

    /// Ends the last part.
    ///
    /// # Errors
    /// The store failed.
    pub fn finish(mut self) -> Result<Vec<Part>, RunError> {
        self.close(Place::Last)?;
        Ok(self.done)
    }

    fn begin(&mut self) -> Result<OpenObject, RunError> {
        let index = self.next + self.done.len() as u32;
        if index as usize >= crate::base::limits::PARTS_MAX {
            return Err(RunError::Limit { what: "the number of parts", limit: crate::base::limits::PARTS_MAX as u64 });
        }
        let mut salt = [0; 24];
        self.series.world.random.fill(&mut salt);
        let header = Header { role: self.role, index, salt, ..self.series.template.clone() };
        let name = header.id.part_name(index);
        let mut object = ObjectWriter::start(self.series.world.store.create(&name)?)?;
        let sealer = PartSealer::begin(header, self.secret, self.series.part_bytes);
        object.write(&mut sealer.header_bytes().to_vec())?;
        Ok(OpenObject { name, sealer, object })
    }

    /// Commits the open part and reads its header back.
    fn close(&mut self, place: Place) -> Result<(), RunError> {
        let Some(OpenObject { name, sealer, mut object }) = self.open.take() else {
            return Ok(());
        };
        let header = sealer.header_bytes();
        let sealed = sealer.finish(place, &mut |segment| object.write(segment))?;
        let Whole { digest, upload } = object.finish()?;
        self.series.begun.add(&name, header);
        let committed = upload.commit();
        let stands = self.series.world.store.get(&name, 0, HEADER_BYTES);
        match (committed, stands) {
            // "Exists" with our own salt in it is a lost reply.
            (Ok(()) | Err(StoreError::Exists { .. }), Ok(found)) if found == header => {}
            (Err(error), _) | (Ok(()), Err(error)) => return Err(error.into()),
            (Ok(()), Ok(_)) => return Err(RunError::ReadBack { name }),
        }
        self.done.push(sealed.record(digest));
        Ok(())
    }
}
