//! Makes the files of `testdata/vectors`: one file, one fault, in the manner of C2SP's CCTV for age.
//!
//! A vector is a whole backup that was built around its fault: everything before and after the fault is sealed consistently, so that
//! nothing but the one check can refuse it. The builder (`build`) is independent of the writers in `archive` and `pipeline`, which do not
//! build wrong files; it uses the primitives of `crypto` and the encoders of `format`, which the golden backups prove.
//!
//! | file | faults |
//! |---|---|
//! | `part`, `segment` | headers, commitments, objects; segments |
//! | `frame`, `directory` | zstd frames and padding; the directories of index and catalogue |
//! | `index`, `recipe` | drafts, summary, spans; blocks and recipe |
//! | `catalogue`, `map` | what only a verification reads |
//! | `manifest`, `named` | text, members, limits, MAC; the parts and bases that it names |
//! | `key`, `slot`, `age_slot` | sealed keys and key files; slots |
//! | `edge` | what is at the edge, and legal |

mod age_slot;
pub mod build;
mod catalogue;
pub mod container;
mod directory;
mod edge;
pub mod form;
mod frame;
mod index;
mod key;
mod manifest;
mod map;
mod named;
mod part;
mod recipe;
pub mod seal;
mod segment;
mod slot;
pub mod work;

pub use container::Vector;

use build::Kit;
use vault::base::failure::FailureClass;

/// The vectors of one area, as they are added.
pub struct List {
    area: &'static str,
    vectors: Vec<Vector>,
}

/// Changes a backup before it is built.
pub type Change<'a> = &'a dyn Fn(&mut Kit);

impl List {
    fn new(area: &'static str) -> List {
        List { area, vectors: Vec::new() }
    }

    /// A backup that no reader restores, and of which nothing may be released.
    fn refused(&mut self, name: &'static str, class: FailureClass, comment: &'static str, change: Change<'_>) {
        self.released(name, class, comment, 0, change);
    }

    /// A backup of which only so many bytes may be released.
    fn released(
        &mut self,
        name: &'static str,
        class: FailureClass,
        comment: &'static str,
        bytes: usize,
        change: Change<'_>,
    ) {
        self.add(name, Some(class), Some(class), comment, Some(bytes), change);
    }

    /// A backup that restores, and whose verification fails: the fault is where a restore does not look.
    fn unseen(&mut self, name: &'static str, class: FailureClass, comment: &'static str, change: Change<'_>) {
        self.add(name, None, Some(class), comment, None, change);
    }

    /// A backup without a fault.
    fn legal(&mut self, name: &'static str, comment: &'static str, change: Change<'_>) {
        self.add(name, None, None, comment, None, change);
    }

    fn add(
        &mut self,
        name: &'static str,
        expect: Option<FailureClass>,
        verify: Option<FailureClass>,
        comment: &'static str,
        released: Option<usize>,
        change: Change<'_>,
    ) {
        let mut kit = Kit::small();
        change(&mut kit);
        let built = kit.build();
        self.vectors.push(Vector {
            name: format!("{}-{name}", self.area),
            area: self.area.into(),
            comment: comment.into(),
            expect,
            verify,
            released: built.dump[..released.unwrap_or(built.dump.len())].to_vec(),
            id: built.id.to_string(),
            opener: built.opener,
            objects: built.objects,
        });
    }
}

/// The name of an area, and what adds its vectors.
type Area = (&'static str, fn(&mut List));

/// Every vector.
pub fn all() -> Vec<Vector> {
    let areas: [Area; 8] = [
        ("part", part::vectors),
        ("frame", frame::vectors),
        ("index", index::vectors),
        ("catalogue", catalogue::vectors),
        ("map", map::vectors),
        ("manifest", manifest::vectors),
        ("key", key::vectors),
        ("edge", edge::vectors),
    ];
    let mut all = Vec::new();
    for (area, vectors) in areas {
        let mut list = List::new(area);
        vectors(&mut list);
        all.extend(list.vectors);
    }
    all
}
