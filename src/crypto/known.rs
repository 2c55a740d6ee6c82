//! Known answers of others for the two seals of HPKE, in both directions (testdata/README.md, "hpke/").

use hpke::kem::XWing;
use hpke::{Deserializable, Kem, Serializable};

use crate::crypto::age::{HYBRID_SHARE_BYTES, hybrid_receiver, hybrid_sender};
use crate::crypto::sealed;
use crate::crypto::secret::Secret;

/// The lines of one vector, in order.
struct Vector(Vec<(&'static str, Vec<u8>)>);

impl Vector {
    fn read(text: &'static str) -> Vector {
        let field = |line: &'static str| {
            let (name, hex) = line.split_once(": ").expect("a name and a value");
            let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex");
            (name, hex.as_bytes().chunks(2).map(digits).collect())
        };
        Vector(text.lines().map(field).collect())
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(found, _)| *found == name).map(|(_, bytes)| bytes.as_slice())
    }

    fn get(&self, name: &'static str) -> &[u8] {
        self.all(name).next().unwrap_or_else(|| panic!("no {name}"))
    }

    fn array<const N: usize>(&self, name: &'static str) -> [u8; N] {
        self.get(name).try_into().unwrap_or_else(|_| panic!("{name} is not of {N} bytes"))
    }

    fn secret(&self, name: &'static str) -> Secret<32> {
        Secret::fill(|bytes| bytes.copy_from_slice(self.get(name)))
    }

    /// The messages, in the order in which one context takes them: AAD, plaintext, ciphertext.
    fn messages(&self) -> impl Iterator<Item = [&[u8]; 3]> {
        let both = self.all("aad").zip(self.all("plain"));
        both.zip(self.all("sealed")).map(|((aad, plain), sealed)| [aad, plain, sealed])
    }
}

/// Gives the bytes of a vector where randomness is asked for, all of them at once.
fn dealt<'a>(bytes: &'a [u8]) -> impl FnMut(&mut [u8]) + 'a {
    move |asked| asked.copy_from_slice(bytes)
}

#[test]
fn archive_keys_are_sealed_as_rfc_9180_says() {
    let vector = Vector::read(include_str!("../../testdata/hpke/rfc9180-psk-x25519-aes256gcm"));
    let psk: [u8; 32] = vector.array("psk");
    let psk = (&psk, vector.get("psk_id").to_vec());
    let (info, enc) = (vector.get("info"), vector.array("enc"));
    let sent = sealed::sender(&vector.array("pkRm"), &psk, info, &mut dealt(vector.get("ikmE")));
    let (made, mut sender) = sent.expect("a context");
    assert_eq!(made, enc);
    let mut receiver = sealed::receiver(&vector.secret("skRm"), &psk, info, &enc).expect("a context");
    let mut messages = 0;
    for [aad, plain, sealed] in vector.messages() {
        assert_eq!(sender.seal(plain, aad).expect("seals"), sealed);
        assert_eq!(receiver.open(sealed, aad).expect("opens"), plain);
        messages += 1;
    }
    assert_eq!(messages, 3);
}

#[test]
fn hybrid_recipients_are_sealed_to_as_hpke_pq_says() {
    let vector = Vector::read(include_str!("../../testdata/hpke/hpke-pq-xwing-chacha20poly1305"));
    let (info, enc) = (vector.get("info"), vector.array::<HYBRID_SHARE_BYTES>("enc"));
    let sent = hybrid_sender(vector.get("pkRm"), info, &mut dealt(vector.get("ikmE")));
    let (made, mut sender) = sent.expect("a context");
    assert_eq!(made, enc);
    let mut receiver = hybrid_receiver(&vector.secret("skRm"), &enc, info).expect("a context");
    let mut messages = 0;
    for [aad, plain, sealed] in vector.messages() {
        assert_eq!(sender.seal(plain, aad).expect("seals"), sealed);
        assert_eq!(receiver.open(sealed, aad).expect("opens"), plain);
        messages += 1;
    }
    assert_eq!(messages, 3);
}

#[test]
fn the_hybrid_kem_is_x_wing() {
    let mut vectors = 0;
    for text in include_str!("../../testdata/hpke/xwing").split("\n\n") {
        let vector = Vector::read(text);
        let private_key = <XWing as Kem>::PrivateKey::from_bytes(vector.get("sk")).expect("a key");
        assert_eq!(XWing::sk_to_pk(&private_key).to_bytes().as_slice(), vector.get("pk"));
        let (share, _) = hybrid_sender(vector.get("pk"), b"", &mut dealt(vector.get("eseed"))).expect("a context");
        assert_eq!(share, vector.get("ct"));
        let share = <XWing as Kem>::EncappedKey::from_bytes(&share).expect("a share");
        let shared = XWing::decap(&private_key, None, &share).expect("decapsulates");
        assert_eq!(shared.0.as_slice(), vector.get("ss"));
        vectors += 1;
    }
    assert_eq!(vectors, 3);
}
