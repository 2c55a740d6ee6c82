//! Keeps count of the dumps that a script begins and completes.
//!
//! It is told of every line that stands at the start of a line outside rows
//! and literals. `pg_dump` and `pg_dumpall` announce themselves there in
//! blocks of comment lines:
//!
//! ```text
//! --
//! -- PostgreSQL database dump complete
//! --
//! ```
//!
//! A block counts when its closing `--` line is whole, so a stream that ends
//! inside one has not said anything yet. Since August 2025 the tools also wrap
//! the script in `\restrict KEY` … `\unrestrict KEY` with a random key; where
//! these lines are present they must pair, which is a second proof of the end
//! that nobody who stored text in the database could have forged.

use crate::dump::line::Line;
use crate::dump::shortfall::{EndMarker, Seen};

const BLOCK_EDGE: &[u8] = b"--";
const CLUSTER_BEGIN: &[u8] = b"-- PostgreSQL database cluster dump";
const DATABASE_BEGIN: &[u8] = b"-- PostgreSQL database dump";
const RESTRICT: &[u8] = b"\\restrict ";
const UNRESTRICT: &[u8] = b"\\unrestrict ";

/// A comment block that announces something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    Begin(EndMarker),
    End(EndMarker),
}

impl Marker {
    fn of(line: &[u8]) -> Option<Self> {
        let ends = |end: EndMarker| line == end.as_str().as_bytes();
        match line {
            CLUSTER_BEGIN => Some(Self::Begin(EndMarker::Cluster)),
            DATABASE_BEGIN => Some(Self::Begin(EndMarker::Database)),
            _ if ends(EndMarker::Cluster) => Some(Self::End(EndMarker::Cluster)),
            _ if ends(EndMarker::Database) => Some(Self::End(EndMarker::Database)),
            _ => None,
        }
    }
}

/// Where we are in a comment block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    /// Not in one.
    #[default]
    Outside,
    /// After the opening edge.
    Opened,
    /// After one line of text, which may be a marker.
    Text(Option<Marker>),
}

/// What has been begun and what completed.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    block: Block,
    cluster_open: bool,
    database_open: bool,
    /// The argument of the `\restrict` that is in force.
    restricted: Option<Line>,
    begun: u64,
    completed: u64,
    out_of_order: bool,
    /// An end marker left nothing open and no statement has followed.
    ended: bool,
}

impl Ledger {
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }

    pub(super) fn completed(&self) -> u64 {
        self.completed
    }

    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.block = Block::Outside;
    }

    /// A line that begins with SQL, not with `--` or `\`.
    pub(super) fn statement(&mut self) {
        self.block = Block::Outside;
        self.ended = false;
    }

    /// A whole line that begins with `--`. What comes back is the marker that it completes.
    pub(super) fn comment(&mut self, line: &Line) -> Option<Marker> {
        let edge = line.whole() == Some(BLOCK_EDGE);
        let mut completed = None;
        self.block = match (self.block, edge) {
            (Block::Outside | Block::Opened, true) => Block::Opened,
            (Block::Text(marker), true) => {
                if let Some(marker) = marker {
                    self.mark(marker);
                }
                completed = marker;
                Block::Outside
            }
            (Block::Outside, false) => Block::Outside,
            (Block::Opened, false) => Block::Text(line.whole().and_then(Marker::of)),
            // A marker stands alone in its block.
            (Block::Text(_), false) => Block::Text(None),
        };
        completed
    }

    /// A whole line that begins with `\`: a command to `psql`.
    pub(super) fn command(&mut self, line: &Line) {
        self.block = Block::Outside;
        if let Some(key) = line.after(RESTRICT) {
            self.out_of_order |= self.restricted.is_some();
            self.restricted = Some(key);
        } else if let Some(key) = line.after(UNRESTRICT) {
            // A wrong key lifts nothing, as in `psql`.
            if self.restricted.as_ref().is_some_and(|own| own.same(&key)) {
                self.restricted = None;
            } else {
                self.out_of_order = true;
            }
        } else {
            self.ended = false;
        }
    }

    fn mark(&mut self, marker: Marker) {
        let in_order = match marker {
            Marker::Begin(EndMarker::Cluster) => {
                let first = !self.cluster_open && !self.database_open;
                self.cluster_open = true;
                first && self.restricted.is_none()
            }
            Marker::Begin(EndMarker::Database) => {
                let first = !self.database_open;
                self.database_open = true;
                self.begun += 1;
                first && self.restricted.is_none()
            }
            Marker::End(EndMarker::Database) => {
                let open = self.database_open;
                self.database_open = false;
                self.completed += u64::from(open);
                open
            }
            Marker::End(EndMarker::Cluster) => {
                let open = self.cluster_open && !self.database_open;
                self.cluster_open = false;
                open
            }
        };
        self.out_of_order |= !in_order;
        self.ended = matches!(marker, Marker::End(_)) && !self.open();
    }

    fn open(&self) -> bool {
        self.cluster_open || self.database_open
    }

    /// What is missing if the stream ends here, after a whole line.
    pub(super) fn unfinished(&self) -> Option<Seen> {
        if self.block != Block::Outside {
            Some(Seen::CommentBlock)
        } else if self.out_of_order {
            Some(Seen::OutOfOrder)
        } else if self.open() {
            Some(Seen::NoEndMarker)
        } else if self.restricted.is_some() {
            Some(Seen::Restricted)
        } else if !self.ended {
            Some(Seen::TextAfterEnd)
        } else {
            None
        }
    }
}
