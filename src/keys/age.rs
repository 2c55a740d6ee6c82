//! Seals and opens age files for the two kinds of recipient that vault knows by itself (spec/age.md).

use zeroize::Zeroizing;

use crate::base::failure::FailureClass;
use crate::crypto::age::{AgeCryptoError, BODY_BYTES, FileKey, HYBRID_SHARE_BYTES};
use crate::crypto::secret::{Secret, on_wiped_stack};
use crate::format::age::name::{IdentityName, RecipientName};
use crate::format::age::{AgeFile, NONCE_BYTES, Stanza, armor, encode_maced, from_base64, join, to_base64};
use crate::format::{FormatError, damaged};

const X25519: &str = "X25519";
const HYBRID: &str = "mlkem768x25519";
const SCRYPT: &str = "scrypt";

/// Why an age file does not open, or cannot be sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// It is not an age file of version 1.
    #[error("{0}")]
    Format(FormatError),
    /// A key or the payload is not what it should be.
    #[error("{0}")]
    Crypto(AgeCryptoError),
    /// It is for somebody else.
    #[error("no identity opens the age file, which is sealed {}", .0)]
    NoMatch(Types),
    /// The program `age`, which was asked because no identity is of a kind that vault knows, failed.
    #[error("`age` {0}")]
    Program(String),
    /// The file key is right, and the header was changed.
    #[error("the header of the age file does not authenticate")]
    Mac,
}

/// The kinds of recipient that an age file is sealed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types(Vec<String>);

impl Types {
    /// Whether all are kinds that vault knows: nobody else has to be asked.
    pub fn are_known(&self) -> bool {
        self.0.iter().all(|name| [X25519, HYBRID, SCRYPT].contains(&name.as_str()))
    }
}

impl std::fmt::Display for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.0.iter().filter(|name| [X25519, HYBRID, SCRYPT].contains(&name.as_str()));
        let mut names: Vec<&str> = known.map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        match names.as_slice() {
            [] => f.write_str("to a type of key that is not age's own"),
            [SCRYPT] => f.write_str("with a passphrase of age's"),
            _ => write!(f, "to {}", names.join(" and ")),
        }
    }
}

impl AgeError {
    /// The failure class.
    pub fn class(&self) -> FailureClass {
        match self {
            AgeError::Format(source) => source.class(),
            AgeError::NoMatch(_) => FailureClass::WrongKey,
            AgeError::Program(_) => FailureClass::Failure,
            AgeError::Crypto(_) | AgeError::Mac => FailureClass::Damaged,
        }
    }
}

impl From<FormatError> for AgeError {
    fn from(source: FormatError) -> AgeError {
        AgeError::Format(source)
    }
}

impl From<AgeCryptoError> for AgeError {
    fn from(source: AgeCryptoError) -> AgeError {
        AgeError::Crypto(source)
    }
}

/// Opens age files sealed to its recipient.
pub struct Identity(Kind);

enum Kind {
    X25519(Secret<32>),
    Hybrid(Secret<32>),
}

impl Identity {
    /// The identity of a line of an identity file. `None` when the line is of another kind.
    pub fn parse(line: &str) -> Option<Identity> {
        let secret = |bytes: Box<Zeroizing<[u8; 32]>>| Secret::fill(|secret| secret.copy_from_slice(bytes.as_slice()));
        Some(Identity(match IdentityName::parse(line)? {
            IdentityName::X25519(bytes) => Kind::X25519(secret(bytes)),
            IdentityName::Hybrid(bytes) => Kind::Hybrid(secret(bytes)),
        }))
    }

    /// The file key, when the stanza is for this identity.
    fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, AgeError> {
        match &self.0 {
            Kind::X25519(secret) if stanza.arguments[0] == X25519 => {
                let (share, body) = operands::<32>(stanza)?;
                Ok(FileKey::unwrap_x25519(secret, &share, &body)?)
            }
            Kind::Hybrid(secret) if stanza.arguments[0] == HYBRID => {
                let (share, body) = operands::<HYBRID_SHARE_BYTES>(stanza)?;
                Ok(FileKey::unwrap_hybrid(secret, &share, &body)?)
            }
            _ => Ok(None),
        }
    }
}

/// Seals a text to one recipient, in armor.
///
/// # Errors
/// `Crypto` when the recipient is not a key that can be sealed to.
pub fn seal(recipient: &RecipientName, plain: &[u8], fill: &dyn Fn(&mut [u8])) -> Result<String, AgeError> {
    // X-Wing takes much of it.
    on_wiped_stack::<64, _>(|| seal_file(recipient, plain, fill))
}

fn seal_file(recipient: &RecipientName, plain: &[u8], fill: &dyn Fn(&mut [u8])) -> Result<String, AgeError> {
    let file_key = FileKey::random(fill);
    let (kind, share, body) = match recipient {
        RecipientName::X25519(key) => {
            let (share, body) = file_key.wrap_x25519(key, fill)?;
            (X25519, share.to_vec(), body.to_vec())
        }
        RecipientName::Hybrid(key) => {
            let (share, body) = file_key.wrap_hybrid(key.as_slice(), fill)?;
            (HYBRID, share, body)
        }
    };
    let maced = encode_maced(&[Stanza { arguments: vec![kind.into(), to_base64(&share)], body }]);
    let mut nonce = [0; NONCE_BYTES];
    fill(&mut nonce);
    Ok(armor::encode(&join(&maced, &file_key.mac(&maced), &nonce, &file_key.seal(&nonce, plain))))
}

/// Opens an age file, armored or binary, with whichever identity fits.
///
/// # Errors
/// It is not legal, for somebody else, or was changed.
pub fn open(identities: &[Identity], text: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    on_wiped_stack::<64, _>(|| open_file(identities, text))
}

fn open_file(identities: &[Identity], text: &[u8]) -> Result<Zeroizing<Vec<u8>>, AgeError> {
    let armored = text.trim_ascii_start().starts_with(armor::BEGIN);
    let decoded = if armored { Some(armor::decode(text)?) } else { None };
    let file = AgeFile::parse(decoded.as_deref().unwrap_or(text))?;
    let types: Vec<String> = file.stanzas.iter().map(|stanza| stanza.arguments[0].clone()).collect();
    if types.len() > 1 && types.iter().any(|name| name == SCRYPT) {
        return Err(damaged("an age file has a passphrase beside other recipients").into());
    }
    let Some(file_key) = unwrap_any(identities, &file.stanzas)? else {
        return Err(AgeError::NoMatch(Types(types)));
    };
    if !file_key.mac_is(file.maced, &file.mac) {
        return Err(AgeError::Mac);
    }
    Ok(file_key.open(&file.nonce, file.payload)?)
}

fn unwrap_any(identities: &[Identity], stanzas: &[Stanza]) -> Result<Option<FileKey>, AgeError> {
    for identity in identities {
        for stanza in stanzas {
            if let Some(file_key) = identity.unwrap(stanza)? {
                return Ok(Some(file_key));
            }
        }
    }
    Ok(None)
}

/// The share and the body of a stanza of a known type. Lengths are judged before anything is decrypted.
fn operands<const N: usize>(stanza: &Stanza) -> Result<([u8; N], [u8; BODY_BYTES]), AgeError> {
    let refused = || AgeError::from(damaged("an age stanza does not have the arguments or the length of its type"));
    let [_, share] = stanza.arguments.as_slice() else {
        return Err(refused());
    };
    let share = from_base64(share.as_bytes()).and_then(|bytes| bytes.try_into().ok());
    let body = stanza.body.as_slice().try_into().ok();
    share.zip(body).ok_or_else(refused)
}
