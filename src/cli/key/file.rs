//! The key file that a subcommand of `vault key` looks at or changes.

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::cli::args::Global;
use crate::cli::identity::Identities;
use crate::cli::message::CliError;
use crate::cli::secrets::{default_key_file, identity_file, read_key_text, replace_secret};
use crate::cli::world::{named_store, variable};
use crate::crypto::keys::MasterKey;
use crate::format::age::is_age;
use crate::format::keyfile::{self, with_slots};
use crate::format::slot::Slot;
use crate::keys::KeyError;
use crate::keys::packing::PackRing;
use crate::keys::ring::{Keyring, newest_key};

/// A key file, read.
pub struct KeyFile {
    /// Where it is.
    pub path: PathBuf,
    /// Where the store is, as far as that is known: nothing secret may lie there.
    pub store: PathBuf,
    text: Zeroizing<Vec<u8>>,
    encrypted: bool,
}

impl KeyFile {
    /// Reads the one that is named, or the default one. One that is encrypted with age needs an identity.
    ///
    /// # Errors
    /// It cannot be read or used.
    pub fn read(global: &Global) -> Result<KeyFile, CliError> {
        let named = global.key_file.clone().or_else(|| variable("VAULT_KEY_FILE").map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            None => default_key_file().ok_or(CliError::NoHome)?,
        };
        let store = named_store(global)?;
        let mut text = read_key_text(&path, &store)?;
        let encrypted = is_age(&text);
        if let (true, Some(identities)) = (encrypted, identity_file(global)) {
            let opened = Identities::read(&identities, &store)?.decrypt(&text);
            text = opened.map_err(|error| CliError::KeyFile { path: path.clone(), reason: error.into() })?;
        }
        Ok(KeyFile { path, store, text, encrypted })
    }

    /// What it holds.
    ///
    /// # Errors
    /// It is not a key file, or one that opens nothing.
    pub fn ring(&self) -> Result<Keyring, CliError> {
        Keyring::from_file(&self.text).map_err(|reason| self.refused(reason))
    }

    /// What it holds when it is a pack-only one; `None` when it is a full one.
    ///
    /// # Errors
    /// It is not a key file.
    pub fn pack_only(&self) -> Result<Option<PackRing>, CliError> {
        match Keyring::from_file(&self.text) {
            Err(KeyError::PackOnly) => PackRing::from_file(&self.text).map(Some).map_err(|reason| self.refused(reason)),
            _ => Ok(None),
        }
    }

    /// The key of the highest epoch.
    ///
    /// # Errors
    /// As for [`KeyFile::ring`].
    pub fn newest_key(&self) -> Result<MasterKey, CliError> {
        newest_key(&self.text).map_err(|reason| self.refused(reason))
    }

    /// Replaces the slots, and adds `more` lines before them. What comes back is the ring of the new file.
    ///
    /// # Errors
    /// The file is encrypted, what it would hold is over a limit, or it cannot be written.
    pub fn replace(&mut self, more: &str, slots: &[Slot], generation: u64) -> Result<Keyring, CliError> {
        if self.encrypted {
            return Err(CliError::KeyFileEncrypted(self.path.clone()));
        }
        let old = std::str::from_utf8(&self.text).unwrap_or_default();
        let mut with_more = Zeroizing::new(String::with_capacity(old.len() + more.len() + 1));
        with_more.push_str(old);
        if !old.ends_with('\n') {
            with_more.push('\n');
        }
        with_more.push_str(more);
        let text = with_slots(&with_more, slots, generation);
        // What no reader takes must not stand.
        keyfile::parse(text.as_bytes()).map_err(|error| self.refused(KeyError::File(error)))?;
        let path = self.path.clone();
        replace_secret(&path, text.as_bytes()).map_err(|reason| CliError::FileWrite { path, reason })?;
        self.text = Zeroizing::new(text.as_bytes().to_vec());
        self.ring()
    }

    fn refused(&self, reason: KeyError) -> CliError {
        match reason {
            KeyError::PackOnly => CliError::PackOnlySlots(self.path.clone()),
            reason => CliError::KeyFile { path: self.path.clone(), reason },
        }
    }
}
