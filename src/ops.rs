//! Questions about a set of backups, and repairs. Nothing here prints: what a person should know goes to the observer.
//!
//! | file | question |
//! |---|---|
//! | `accept` | a backup that shrank, and should have |
//! | `checks` | when was that last seen, of each way to the key |
//! | `choose` | which parts of a dump make a script of some tables, or of a database |
//! | `contents`, `scenes` | what is inside a dump |
//! | `diff` | what changed between two dumps |
//! | `escrow` | would what is in escrow open a backup |
//! | `legacy` | what an archive of another service holds |
//! | `list` | what is in the store, and which backup is meant |
//! | `rebuild` | a manifest that was lost |
//! | `replace` | a manifest in the place of another |
//! | `rewrap` | other slots for existing backups |

pub mod accept;
pub mod checks;
pub mod choose;
pub mod contents;
pub mod diff;
pub mod escrow;
pub mod legacy;
pub mod list;
pub mod rebuild;
mod replace;
pub mod rewrap;
pub mod scenes;
