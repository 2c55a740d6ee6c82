//! A tar archive, which is also what `pg_dump -Ft` writes (spec/dump.md).
//!
//! Members are walked by their sizes. Two blocks of zeros mark the end, and
//! nothing but more zeros may follow them.

use super::Verdict;
use super::custom::{self, Custom};
use super::shortfall::{Archive, ArchiveSeen, ArchiveShortfall, Shortfall, Unproven};
use super::versions::Versions;
use super::walk::{Astray, Ended, Next, Walk, Walker};
use crate::base::limits::ARCHIVE_RECORD_BYTES_MAX;

/// Headers are blocks, and data is filled up to whole ones.
pub(super) const BLOCK_BYTES: usize = 512;
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const TYPE: usize = 156;
/// In the header of an old GNU sparse file: whether a block of its map follows.
const SPARSE_GOES_ON: usize = 482;
/// The same, in such a block.
const SPARSE_BLOCK_GOES_ON: usize = 504;
/// What `pg_dump -Ft` writes first: a header and a table of contents as of `-Fc`.
const TOC_NAME: &[u8] = b"toc.dat\0";

const OUT_OF_ORDER: Astray = Astray::Seen(ArchiveSeen::OutOfOrder);

/// What is taken next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A header, or a block of zeros.
    Header,
    /// The second block of zeros.
    SecondZeros,
    /// A pax header of this size: what it says is of the next member.
    Pax(u64),
    /// A block of the map of an old GNU sparse file of this size.
    Sparse(u64),
    /// The beginning of `toc.dat`, which has this size.
    Toc(u64),
    /// Zeros after the end.
    After,
}

/// Follows an archive.
#[derive(Clone, Debug)]
pub(super) struct Tar {
    step: Step,
    /// The size of the next member, where a pax header says it.
    size: Option<u64>,
    begun: u64,
    versions: Versions,
}

impl Tar {
    /// An archive that has not begun.
    pub(super) fn new() -> Tar {
        Tar { step: Step::Header, size: None, begun: 0, versions: Versions::default() }
    }

    fn header(&mut self, header: &[u8]) -> Result<Next, Astray> {
        if is_zero(header) {
            self.step = Step::SecondZeros;
            return Ok(Next::take(BLOCK_BYTES));
        }
        if !is_header(header) {
            return Err(OUT_OF_ORDER);
        }
        let size = number(&header[SIZE]).ok_or(OUT_OF_ORDER)?;
        let first = self.begun == 0;
        self.begun += 1;
        match header[TYPE] {
            b'x' => match usize::try_from(size) {
                Ok(0) => Ok(Next::take(BLOCK_BYTES)),
                Ok(take) if take <= ARCHIVE_RECORD_BYTES_MAX => {
                    self.step = Step::Pax(size);
                    Ok(Next::take(take))
                }
                _ => Err(Astray::Unproven(Unproven::TooLarge)),
            },
            // Of the next member, as the pax header before it.
            b'g' | b'L' | b'K' => self.data(size, 0),
            // Links, devices, directories and pipes have no data, whatever size they say.
            b'1'..=b'6' => self.data(0, 0),
            b'S' if header[SPARSE_GOES_ON] != 0 => {
                self.step = Step::Sparse(self.size.take().unwrap_or(size));
                Ok(Next::take(BLOCK_BYTES))
            }
            _ => {
                let size = self.size.take().unwrap_or(size);
                if first && size > 0 && header.starts_with(TOC_NAME) {
                    self.step = Step::Toc(size);
                    return Ok(Next::take(usize::try_from(size).map_or(BLOCK_BYTES, |size| size.min(BLOCK_BYTES))));
                }
                self.data(size, 0)
            }
        }
    }

    /// Passes over the data of a member, of which some was taken.
    fn data(&mut self, size: u64, taken: usize) -> Result<Next, Astray> {
        self.step = Step::Header;
        let padded = size.checked_next_multiple_of(BLOCK_BYTES as u64).ok_or(OUT_OF_ORDER)?;
        Ok(Next { skip: padded - taken as u64, take: BLOCK_BYTES })
    }
}

impl Walker for Tar {
    fn take(&mut self, bytes: &[u8]) -> Result<Next, Astray> {
        match self.step {
            Step::Header => self.header(bytes),
            Step::Pax(size) => {
                self.size = pax_size(bytes).or(self.size);
                self.data(size, bytes.len())
            }
            Step::Sparse(size) if bytes[SPARSE_BLOCK_GOES_ON] == 0 => self.data(size, 0),
            Step::Sparse(_) => Ok(Next::take(BLOCK_BYTES)),
            Step::Toc(size) => {
                let mut toc = Walk::new(Custom::of_tar(), custom::HEAD_BYTES);
                toc.push(bytes);
                self.versions = toc.walker().versions().clone();
                self.data(size, bytes.len())
            }
            Step::SecondZeros | Step::After if is_zero(bytes) => {
                self.step = Step::After;
                Ok(Next::take(BLOCK_BYTES))
            }
            Step::SecondZeros => Err(OUT_OF_ORDER),
            Step::After => Err(Astray::Seen(ArchiveSeen::After)),
        }
    }

    fn verdict(&self, ended: Ended<'_>) -> Verdict {
        let seen = match (ended, self.step) {
            (Ended::Astray(seen), _) => seen,
            (Ended::Here(rest), Step::After) if is_zero(rest) => return Verdict::Complete,
            (_, Step::After) => ArchiveSeen::After,
            (Ended::Here([]), Step::Header | Step::SecondZeros) => ArchiveSeen::Missing,
            (Ended::Here(_), Step::Header | Step::SecondZeros) => ArchiveSeen::Head,
            _ => ArchiveSeen::Data,
        };
        let inside = u64::from(seen == ArchiveSeen::Data);
        let found = self.begun.saturating_sub(inside);
        let of = Archive::Tar;
        Verdict::Incomplete(Shortfall::Archive(ArchiveShortfall { of, seen, found, expected: self.begun }))
    }

    fn versions(&self) -> &Versions {
        &self.versions
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Whether the checksum of a header agrees. Some writers added signed bytes.
fn is_header(header: &[u8]) -> bool {
    let bytes = header.iter().enumerate().map(|(at, byte)| if CHECKSUM.contains(&at) { b' ' } else { *byte });
    let (unsigned, signed) = bytes.fold((0_i64, 0_i64), |(unsigned, signed), byte| {
        (unsigned + i64::from(byte), signed + i64::from(byte.cast_signed()))
    });
    let said = octal(&header[CHECKSUM]).and_then(|said| i64::try_from(said).ok());
    said.is_some_and(|said| said == unsigned || said == signed)
}

/// A number in octal, or in base 256 where the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((0x80, rest)) => {
            let (high, low) = rest.split_last_chunk::<8>()?;
            is_zero(high).then(|| u64::from_be_bytes(*low))
        }
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let digits = field[..end].trim_ascii();
    let legal = digits.iter().all(|digit| (b'0'..=b'7').contains(digit));
    // Twelve digits of three bits.
    legal.then(|| digits.iter().fold(0, |value, digit| value << 3 | u64::from(digit - b'0')))
}

/// What a pax header says of the size: records of their length, a key and a value.
fn pax_size(mut records: &[u8]) -> Option<u64> {
    let decimal = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    let mut size = None;
    while let Some(space) = records.iter().position(|byte| *byte == b' ') {
        let length = decimal(&records[..space]).and_then(|length| usize::try_from(length).ok())?;
        let record = records.get(space + 1..length)?;
        if let Some(value) = record.strip_prefix(b"size=") {
            size = decimal(value.strip_suffix(b"\n")?);
        }
        records = &records[length..];
    }
    size
}
