//! Makes and opens slots (spec/keys.md, "Slots").

use zeroize::Zeroizing;

use crate::base::limits::PASSPHRASE_BYTES_MAX;
use crate::crypto::kdf::Scope;
use crate::crypto::keys::MasterKey;
use crate::crypto::passphrase::{Cost, Root, SlotError, Wrapped};
use crate::format::age::name::RecipientName;
use crate::format::age::{AgeFile, armor};
use crate::format::keyfile::{self, KEY_BYTES, key_text};
use crate::format::slot::{Slot, SlotKind};
use crate::keys::KeyError;
use crate::keys::age::{self, AgeError};
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
    memory: fn() -> Option<u64>,
}

impl SlotOpener {
    /// An opener for that passphrase.
    pub fn new(passphrase: Passphrase) -> SlotOpener {
        SlotOpener { passphrase, roots: Vec::new(), memory: || None }
    }

    /// Refuses slots that need more memory than there is, in bytes, each time before it is taken.
    pub fn within(self, memory: fn() -> Option<u64>) -> SlotOpener {
        SlotOpener { memory, ..self }
    }

    /// The vault key of `scope`, when one of the slots opens. `None` when the passphrase is that of no slot.
    ///
    /// # Errors
    /// No slot opens, and one is over the limits, damaged, or of another scope.
    pub fn open(&mut self, scope: Scope, slots: &[Slot]) -> Result<Option<MasterKey>, KeyError> {
        first_that_opens(slots, |slot| self.open_one(scope, slot))
    }

    fn open_one(&mut self, scope: Scope, slot: &Slot) -> Result<Option<MasterKey>, KeyError> {
        let SlotKind::Passphrase { m, t, p, salt, commitment, wrapped } = &slot.kind else {
            return Ok(None);
        };
        let cost = Cost { m: *m, t: *t, p: *p };
        let wrapped = Wrapped { cost, salt: *salt, commitment: *commitment, sealed: *wrapped };
        match self.root(salt, cost)?.unwrap(scope, &wrapped) {
            Ok(line) => of_scope(scope, line.expose()).map(Some),
            Err(SlotError::WrongPassphrase) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn root(&mut self, salt: &[u8; 16], cost: Cost) -> Result<&Root, SlotError> {
        let known = self.roots.iter().position(|(known, of, _)| known == salt && *of == cost);
        let place = match known {
            Some(place) => place,
            None => {
                if cost.within_limits() {
                    cost.fits((self.memory)())?;
                }
                let root = Root::derive(&self.passphrase.0, salt, cost)?;
                self.roots.push((*salt, cost, root));
                self.roots.len() - 1
            }
        };
        Ok(&self.roots[place].2)
    }
}

/// A slot that is damaged does not stand before one that opens; what is wrong with it is told when none does.
fn first_that_opens(
    slots: &[Slot],
    mut open: impl FnMut(&Slot) -> Result<Option<MasterKey>, KeyError>,
) -> Result<Option<MasterKey>, KeyError> {
    let mut failed = None;
    for slot in slots {
        match open(slot) {
            Ok(None) => {}
            Ok(key) => return Ok(key),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(None), Err)
}

fn of_scope(scope: Scope, line: &[u8; KEY_BYTES]) -> Result<MasterKey, KeyError> {
    let key = master_key(line)?;
    if key.scope == scope { Ok(key) } else { Err(KeyError::ForeignSlot) }
}

/// What an age slot seals: a key file of one line.
pub fn age_plaintext(key: &MasterKey) -> Zeroizing<String> {
    let line = key_text(&key_line(key));
    let mut text = Zeroizing::new(String::with_capacity(line.len() + 1));
    text.push_str(&line);
    text.push('\n');
    text
}

/// Wraps a vault key for an age recipient.
///
/// # Errors
/// The recipient is not a key that can be sealed to.
pub fn make_age(key: &MasterKey, recipient: &RecipientName, fill: &dyn Fn(&mut [u8])) -> Result<Slot, KeyError> {
    let file = age::seal(recipient, age_plaintext(key).as_bytes(), fill)?;
    Ok(age_slot(file, fill))
}

/// A slot of a file that somebody sealed [`age_plaintext`] in.
pub fn age_slot(file: String, fill: &dyn Fn(&mut [u8])) -> Slot {
    let mut id = [0; 4];
    fill(&mut id);
    Slot { id, kind: SlotKind::Age { file } }
}

/// Gives the plaintext of an age file.
pub type Decrypt<'a> = dyn Fn(&[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> + 'a;

/// The vault key of `scope`, when `decrypt` opens one of the age slots. `None` when it opens none of them.
///
/// # Errors
/// No slot opens, and one is damaged, holds something else, or the key of another scope.
pub fn open_age(scope: Scope, slots: &[Slot], decrypt: &Decrypt<'_>) -> Result<Option<MasterKey>, KeyError> {
    first_that_opens(slots, |slot| {
        let SlotKind::Age { file } = &slot.kind else {
            return Ok(None);
        };
        let plain = match decrypt(file.as_bytes()) {
            Ok(plain) => plain,
            Err(AgeError::NoMatch(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let parsed = keyfile::parse(&plain).map_err(|_| KeyError::SlotContents)?;
        let [line] = parsed.keys.as_slice() else {
            return Err(KeyError::SlotContents);
        };
        // One spelling: no comment, no slot, one line end.
        if age_plaintext(&master_key(line)?).as_bytes() != plain.as_slice() {
            return Err(KeyError::SlotContents);
        }
        of_scope(scope, line).map(Some)
    })
}

/// Whether a slot is one that could open, as far as that can be told without a key.
///
/// # Errors
/// It holds no age file of version 1.
pub fn check_form(slot: &Slot) -> Result<(), KeyError> {
    let SlotKind::Age { file } = &slot.kind else {
        return Ok(());
    };
    let bytes = armor::decode(file.as_bytes()).map_err(AgeError::from)?;
    AgeFile::parse(&bytes).map_err(AgeError::from)?;
    Ok(())
}
