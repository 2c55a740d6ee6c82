//! The bytes of a cache: a file mapped into memory, or the heap.
//!
//! Guaranteed: the mapping is read-only, and as long as the file was when it was mapped. vault never writes to a file that
//! bears the name of a cache and never shortens one. It writes a new one and renames it over the old, whose mapping stays whole.
//!
//! Not guaranteed: another program of the same user may truncate the file in place, and then a read behind its new end ends the
//! process by SIGBUS. It may write into it too, and a page that was verified before that is not verified again. Both take the
//! user's own rights (the file is 0600), which suffice to stop or trace the process in other ways. A SIGBUS stops a pack before
//! its manifest is written, so it costs that run and no data.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

/// A cache's bytes, wherever they are.
pub(super) enum Bytes {
    /// A file, paged in as it is read.
    Mapped(Mmap),
    /// Where there is no directory to write to.
    Heap(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Heap(bytes) => bytes,
        }
    }
}

/// Maps the whole of `file` as it is now.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: the slice is sound while nobody changes the file. vault opens it for reading, or has just written it under a
    // temporary name and is done with it; it replaces caches by rename and never changes one in place. What other programs
    // could do is in the head of this file; nothing that is read here is used as a length or a place unless it is checked.
    let map = unsafe { Mmap::map(file) }?;
    Ok(Bytes::Mapped(map))
}
