//! Makes and opens passphrase slots (spec/keys.md, "passphrase").

use zeroize::Zeroizing;

use crate::base::limits::PASSPHRASE_BYTES_MAX;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::MasterKey;
use crate::crypto::passphrase::{Cost, Root, SlotError, Wrapped};
use crate::format::slot::{Slot, SlotKind};
use crate::keys::KeyError;
use crate::keys::ring::{key_line, master_key};

/// A passphrase of 1 to 1024 bytes.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// The bytes as they come from a file or a command: one final line end is not part of them. `None` when empty or too long.
    pub fn new(mut bytes: Zeroizing<Vec<u8>>) -> Option<Passphrase> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        (1..=PASSPHRASE_BYTES_MAX).contains(&bytes.len()).then_some(Passphrase(bytes))
    }
}

/// Wraps a vault key under a passphrase. Takes as long as Argon2id does.
///
/// # Errors
/// The cost is over the limits, or the machine does not have the memory.
pub fn make(key: &MasterKey, passphrase: &Passphrase, cost: Cost, fill: &dyn Fn(&mut [u8])) -> Result<Slot, KeyError> {
    let (mut id, mut salt) = ([0; 4], [0; 16]);
    fill(&mut id);
    fill(&mut salt);
    let root = Root::derive(&passphrase.0, &salt, cost)?;
    let Wrapped { cost: Cost { m, t, p }, salt, commitment, sealed } = root.wrap(key.scope, cost, salt, &key_line(key));
    Ok(Slot { id, kind: SlotKind::Passphrase { m, t, p, salt, commitment, wrapped: sealed } })
}

/// Tries one passphrase on slots; equal salt and cost run Argon2id once.
pub struct SlotOpener {
    passphrase: Passphrase,
    roots: Vec<([u8; 16], Cost, Root)>,
}

impl SlotOpener {
    /// An opener for that passphrase.
    pub fn new(passphrase: Passphrase) -> SlotOpener {
        SlotOpener { passphrase, roots: Vec::new() }
    }

    /// The vault key of `scope`, when one of the slots opens. `None` when the passphrase is that of no slot.
    ///
    /// # Errors
    /// A slot is over the limits, damaged, or of another scope.
    pub fn open(&mut self, scope: Scope, slots: &[Slot]) -> Result<Option<MasterKey>, KeyError> {
        for slot in slots {
            let SlotKind::Passphrase { m, t, p, salt, commitment, wrapped } = &slot.kind else {
                continue;
            };
            let cost = Cost { m: *m, t: *t, p: *p };
            let wrapped = Wrapped { cost, salt: *salt, commitment: *commitment, sealed: *wrapped };
            match self.root(salt, cost)?.unwrap(scope, &wrapped) {
                Ok(line) => {
                    let key = master_key(line.expose())?;
                    return if key.scope == scope { Ok(Some(key)) } else { Err(KeyError::ForeignSlot) };
                }
                Err(SlotError::WrongPassphrase) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    fn root(&mut self, salt: &[u8; 16], cost: Cost) -> Result<&Root, SlotError> {
        let known = self.roots.iter().position(|(known, of, _)| known == salt && *of == cost);
        let place = match known {
            Some(place) => place,
            None => {
                let root = Root::derive(&self.passphrase.0, salt, cost)?;
                self.roots.push((*salt, cost, root));
                self.roots.len() - 1
            }
        };
        Ok(&self.roots[place].2)
    }
}
