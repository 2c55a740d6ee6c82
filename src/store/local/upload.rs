//! One object as it is written: a temporary file until it is whole and durable.

use std::io;
use std::sync::Arc;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::Place;
use super::writer::FileWriter;
use crate::pipeline::port::{StoreError, Upload};

/// The file that becomes an object.
pub struct LocalUpload {
    place: Arc<Place>,
    name: String,
    /// Where the bytes are; removed when this is dropped.
    pub(super) temporary: String,
    file: FileWriter,
    written: u64,
    /// A write failed, so that nobody knows what the file holds.
    broken: bool,
}

impl LocalUpload {
    /// Makes the temporary file.
    pub fn begin(place: &Arc<Place>, name: &str) -> Result<LocalUpload, StoreError> {
        place.swept.call_once(|| place.sweep());
        let made = place.temporary(name);
        let (temporary, file) = made.map_err(|reason| place.failed("write", name, reason))?;
        Ok(LocalUpload {
            place: Arc::clone(place),
            name: name.into(),
            temporary,
            file: FileWriter::new(file),
            written: 0,
            broken: false,
        })
    }

    /// Refuses to go on after a failed write.
    fn unbroken(&self) -> io::Result<()> {
        match self.broken {
            true => Err(io::Error::other("an earlier write failed")),
            false => Ok(()),
        }
    }

    /// Makes the bytes durable under the temporary name.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.unbroken()?;
        // Open, and so locked, until the file has its name: no sweep takes it for left over.
        let file = self.file.finish()?;
        let bytes = file.metadata()?.len();
        if bytes != self.written {
            let text = format!("the file has {bytes} bytes instead of {}", self.written);
            return Err(io::Error::other(text));
        }
        file.sync_all()
    }
}

impl Upload for LocalUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let done = self.unbroken().and_then(|()| self.file.write_all(bytes));
        self.broken = done.is_err();
        self.written += bytes.len() as u64;
        done.map_err(|reason| self.place.failed("write", &self.name, reason))
    }

    fn check(&mut self) -> Result<(), StoreError> {
        let done = self.unbroken().and_then(|()| self.file.check());
        self.broken = done.is_err();
        done.map_err(|reason| self.place.failed("write", &self.name, reason))
    }

    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let finished = self.finish();
        let failed = |reason: io::Error| self.place.failed("write", &self.name, reason);
        finished.map_err(failed)?;
        match self.place.publish(&self.temporary, &self.name) {
            Ok(()) => self.place.handle.sync_all().map_err(failed),
            Err(Errno::EXIST) => Err(StoreError::Exists { name: self.name.clone() }),
            Err(reason) => Err(failed(reason.into())),
        }
    }
}

impl Drop for LocalUpload {
    fn drop(&mut self) {
        // After a rename it is gone already; after a link this takes the second name away. That it fails harms nothing: no listing
        // shows the file, and there is nobody to tell.
        let _ = rustix::fs::unlinkat(&self.place.handle, &self.temporary, AtFlags::empty());
    }
}
