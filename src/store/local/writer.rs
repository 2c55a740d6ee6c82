//! Writes one file, in a thread of its own as soon as there is a mebibyte.
//!
//! A backup is written once and not read soon. In the page cache it would push out what the database keeps there, cost a copy, and wait to be
//! written until the `fsync` at the end waits for it. So whole buffers go past it (`O_DIRECT`) where the file system knows how;
//! elsewhere they are written in pieces of 256 KiB, since of larger ones the kernel makes larger folios: on ext4 that
//! took seven times as long for 1 MiB at once.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rustix::fs::OFlags;

/// Bytes of a buffer: a segment of a part.
const BUFFER_BYTES: usize = 1 << 20;
/// Buffers that are full while one is being written.
const BUFFERS_AHEAD: usize = 2;
/// What direct writes have to be aligned to, in the file and in memory. Where a file system asks for more, the page cache does.
const ALIGNMENT: usize = 4096;
/// Bytes of a write through the page cache.
const PIECE_BYTES: usize = 256 << 10;

/// A file that is being written.
pub struct FileWriter {
    state: State,
    buffer: Buffer,
}

/// Who has the file.
enum State {
    /// Nothing was written yet.
    Idle(File),
    /// The thread.
    Busy(Background),
    /// Whoever asked for it to be finished. It stays open, and locked, as long as the writer.
    Whole(File),
    /// Nobody: a write failed.
    Lost,
}

impl FileWriter {
    /// A writer of `file`, which is empty.
    pub fn new(file: File) -> FileWriter {
        FileWriter { state: State::Idle(file), buffer: Buffer::new() }
    }

    /// Appends bytes. A failure may show itself at a later call.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = self.buffer.fill(bytes);
            if self.buffer.is_full() {
                self.hand_over()?;
            }
        }
        Ok(())
    }

    /// Whether the thread is still at work, if there is one.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn check(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Lost) {
            // Only an error ends it while it may be given more.
            State::Busy(background) if background.thread.is_finished() => {
                Err(background.join().err().unwrap_or_else(lost))
            }
            state => {
                self.state = state;
                Ok(())
            }
        }
    }

    /// Writes what is left; the file is then whole, and not durable yet.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn finish(&mut self) -> io::Result<&File> {
        let mut file = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(file) => file,
            State::Busy(background) => background.join()?,
            State::Whole(_) | State::Lost => return Err(lost()),
        };
        // The last buffer is of any length.
        set_direct(&file, false)?;
        write_pieces(&mut file, self.buffer.bytes())?;
        self.state = State::Whole(file);
        match &self.state {
            State::Whole(file) => Ok(file),
            _ => Err(lost()),
        }
    }

    /// Gives the full buffer to the thread, and takes an empty one.
    fn hand_over(&mut self) -> io::Result<()> {
        let background = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(file) => Background::start(file)?,
            State::Busy(background) => background,
            State::Whole(_) | State::Lost => return Err(lost()),
        };
        let empty = background.written.try_recv().unwrap_or_else(|_| Buffer::new());
        let full = std::mem::replace(&mut self.buffer, empty);
        if background.full.send(full).is_err() {
            // The thread ended, and only an error ends it while there is a sender.
            return Err(background.join().err().unwrap_or_else(lost));
        }
        self.state = State::Busy(background);
        Ok(())
    }
}

/// The thread that writes whole buffers.
struct Background {
    full: SyncSender<Buffer>,
    written: Receiver<Buffer>,
    thread: JoinHandle<io::Result<File>>,
}

impl Background {
    fn start(file: File) -> io::Result<Background> {
        let (full, buffers) = sync_channel::<Buffer>(BUFFERS_AHEAD);
        let (done, written) = sync_channel(BUFFERS_AHEAD + 2);
        let thread = std::thread::Builder::new().name("write".into()).spawn(move || {
            let mut file = file;
            let mut direct = set_direct(&file, true).is_ok();
            for mut buffer in buffers {
                direct = write_buffer(&mut file, buffer.bytes(), direct)?;
                buffer.clear();
                // Nobody may be waiting for it any more.
                let _ = done.try_send(buffer);
            }
            Ok(file)
        })?;
        Ok(Background { full, written, thread })
    }

    /// Waits until all is written.
    fn join(self) -> io::Result<File> {
        drop(self.full);
        self.thread.join().unwrap_or_else(|_| Err(lost()))
    }
}

/// Writes a whole buffer; the result is whether the next one may go past the page cache.
fn write_buffer(file: &mut File, mut bytes: &[u8], direct: bool) -> io::Result<bool> {
    while direct && !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The file system takes the flag and not the write, or the last one ended anywhere.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                set_direct(file, false)?;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    write_pieces(file, bytes)?;
    Ok(direct && bytes.is_empty())
}

fn write_pieces(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    bytes.chunks(PIECE_BYTES).try_for_each(|piece| file.write_all(piece))
}

/// Whether writes go past the page cache.
fn set_direct(file: &File, direct: bool) -> io::Result<()> {
    let mut flags = rustix::fs::fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, direct);
    Ok(rustix::fs::fcntl_setfl(file, flags)?)
}

fn lost() -> io::Error {
    io::Error::other("an earlier write failed")
}

/// Aligned memory for one write.
struct Buffer {
    memory: Vec<u8>,
    start: usize,
    filled: usize,
}

impl Buffer {
    fn new() -> Buffer {
        let memory = vec![0; BUFFER_BYTES + ALIGNMENT];
        // Where it cannot be told, the write is refused and goes through the page cache.
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Buffer { memory, start, filled: 0 }
    }

    /// Takes in as much of `bytes` as there is room for, and gives back the rest.
    fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(BUFFER_BYTES - self.filled));
        let at = self.start + self.filled;
        self.memory[at..at + now.len()].copy_from_slice(now);
        self.filled += now.len();
        later
    }

    fn is_full(&self) -> bool {
        self.filled == BUFFER_BYTES
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.filled]
    }

    fn clear(&mut self) {
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_behind_that_fails_is_told_before_the_next_one() {
        let full = File::options().write(true).open("/dev/full").expect("the device that is always full");
        let mut writer = FileWriter::new(full);
        assert!(writer.write_all(&[7; BUFFER_BYTES]).is_ok() && matches!(writer.state, State::Busy(_)));
        let failed = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            writer.check().err()
        });
        assert_eq!(failed.map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
        assert!(writer.finish().is_err(), "it goes on after a failure");
    }
}
