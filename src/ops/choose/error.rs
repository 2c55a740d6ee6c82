//! Why a part of a dump, or the rows of a table, cannot be given.

use crate::base::failure::FailureClass;
use crate::pipeline::error::RunError;

/// What a database is called that the dump gives no name.
pub const NAMELESS: &str = "one without a name";

/// A database, for people.
pub(super) fn database(name: &[u8]) -> String {
    if name.is_empty() { NAMELESS.into() } else { String::from_utf8_lossy(name).into_owned() }
}

/// Why nothing can be chosen.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// The map cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is nothing of that name.
    #[error("no {what} of the dump matches `{pattern}`")]
    Nothing {
        /// A table or a database.
        what: &'static str,
        /// What was asked for.
        pattern: String,
        /// What there is.
        nearest: Vec<String>,
    },
    /// The dump is of one database and does not say which.
    #[error("the dump does not say which database it is of")]
    Nameless,
    /// The dump has no roles, users or tablespaces.
    #[error("the dump has no globals")]
    NoGlobals,
    /// What is chosen is of several databases, and they would all go into one.
    #[error("what is chosen is of several databases: {}", databases.join(", "))]
    OneDatabase {
        /// Which ones.
        databases: Vec<String>,
    },
    /// A table of that name is in several databases.
    #[error("`{pattern}` matches tables of several databases: {}", databases.join(", "))]
    WhichDatabase {
        /// What was asked for.
        pattern: String,
        /// Where there is one.
        databases: Vec<String>,
    },
    /// A table is in several dumps that were written one after another, and nothing says whose is meant.
    #[error("{table} is in several dumps of the stream")]
    SeveralDumps {
        /// The table.
        table: String,
    },
    /// The table has no rows that could be given.
    #[error("{table} has no rows of its own in the dump: {}", reason.text())]
    NoRows {
        /// The table.
        table: String,
        /// Why not.
        reason: NoRows,
    },
}

/// Why a table has no rows of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRows {
    /// It is computed, or somewhere else.
    NotStored,
    /// They are in its children.
    InChildren,
    /// They are in chunks of TimescaleDB, which its catalogue has to know.
    Hypertable {
        /// Whether its database has a name in the dump.
        named: bool,
    },
    /// They are among those of what it is a partition of: the dump was made to load them there.
    InRoot {
        /// As it is typed.
        root: String,
    },
    /// It was empty, or they are under a name that is not UTF-8, which no name as it is typed can match.
    Unspelled,
    /// The table was empty, or the dump was made without them.
    None,
}

impl NoRows {
    /// For people.
    pub fn text(&self) -> &'static str {
        match self {
            NoRows::NotStored => "it is a view, a sequence or a foreign table",
            NoRows::InChildren => "they are in its partitions or children",
            NoRows::Hypertable { .. } => "they are in chunks of TimescaleDB",
            NoRows::InRoot { .. } => "they are among those of the table that it is a partition of",
            NoRows::Unspelled => {
                "it was empty, they were left out, or they stand under a name that is not UTF-8, of which the dump has some"
            }
            NoRows::None => "it was empty, or they were left out",
        }
    }
}

impl ChooseError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            ChooseError::Run(source) => source.class(),
            ChooseError::Nothing { .. } => FailureClass::NotFound,
            ChooseError::Nameless
            | ChooseError::NoGlobals
            | ChooseError::OneDatabase { .. }
            | ChooseError::WhichDatabase { .. }
            | ChooseError::SeveralDumps { .. }
            | ChooseError::NoRows { .. } => FailureClass::Usage,
        }
    }
}
