//! Questions about a set of backups, and repairs. Nothing here prints: what a person should know goes to the observer.
//!
//! | file | question |
//! |---|---|
//! | `escrow` | would what is in escrow open a backup |
//! | `checks` | when was that last seen, of each way to the key |
//! | `legacy` | what an archive of another service holds |
//! | `list` | what is in the store, and which backup is meant |
//! | `rebuild` | a manifest that was lost |
//! | `rewrap` | other slots for existing backups |

pub mod checks;
pub mod escrow;
pub mod legacy;
pub mod list;
pub mod rebuild;
pub mod rewrap;
