//! Archives of the service that vault replaces: what `openssl enc -aes256` wrote around gzip (spec/legacy.md).
//!
//! ```text
//! source ─ decrypt (a thread) ─ inflate (a thread) ─ whoever takes the slabs
//! ```
//!
//! Nothing in such an archive is authenticated. What can be checked is checked, and all of it is known only at its end: the padding of the
//! encryption, CRC and length of every gzip member. Whoever can write to the archive can still have changed it.
//!
//! The source is a trait, so that this room does no I/O. Queues are bounded: memory does not grow with the archive.

pub mod cipher;
pub mod decoder;
pub mod derive;
pub mod gzip;

use crate::base::failure::FailureClass;
use gzip::GzipError;

/// Where the bytes of an archive come from: all its parts, one after another.
pub trait Source: Send {
    /// Why they cannot be had.
    type Error: Send + 'static;

    /// Reads some bytes, as `std::io::Read` does; 0 is the end.
    ///
    /// # Errors
    /// The archive cannot be read.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error>;
}

impl<S: Source + ?Sized> Source for Box<S> {
    type Error = S::Error;

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        (**self).read(buffer)
    }
}

/// What is wrong with an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// There is not one byte.
    #[error("the archive is empty")]
    Empty,
    /// It is something else.
    #[error("the archive does not begin with `Salted__`: it is not one of `openssl enc`")]
    NotSalted,
    /// It ends before there is anything to decrypt.
    #[error("the archive is cut: it has {bytes} bytes, and the shortest one has 48")]
    Short {
        /// Bytes of the archive.
        bytes: usize,
    },
    /// Under no digest does it begin as gzip begins.
    #[error("the key is not the one of this archive, or its first bytes are damaged")]
    WrongKey,
    /// Its length is not that of whole blocks.
    #[error("the archive is cut inside a block of its encryption")]
    PartialBlock,
    /// The last block does not end in a padding.
    #[error("the archive does not end as it should: it is cut or damaged there, or its last part is missing")]
    Padding,
    /// What was encrypted is not whole.
    #[error("the archive is damaged: {0}")]
    Gzip(#[from] GzipError),
    /// A thread died.
    #[error("a worker thread died: please report this")]
    Worker,
}

impl LegacyError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            LegacyError::WrongKey => FailureClass::WrongKey,
            LegacyError::Worker => FailureClass::Failure,
            _ => FailureClass::Damaged,
        }
    }
}

/// Why an archive was not decoded: it could not be read, or is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError<E> {
    /// The source failed.
    Source(E),
    /// The archive is not what was written.
    Archive(LegacyError),
}

impl<E> From<LegacyError> for DecodeError<E> {
    fn from(source: LegacyError) -> DecodeError<E> {
        DecodeError::Archive(source)
    }
}
