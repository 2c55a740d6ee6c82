"""Opens age slots (age.md), for decode.py: with --identity-file. It judges what opens a slot, and not who packed: compare the
fingerprint in the manifest with the one that you know."""
import base64, binascii, hashlib, hmac, re
from pathlib import Path
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from decode import Refused, bech32, expand, extract, first_that_opens, guid_epoch, need

PREFIXES = {"AGE-SECRET-KEY-PQ-1": "mlkem768x25519", "AGE-SECRET-KEY-1": "X25519"}
SHARES = {"mlkem768x25519": 1120, "X25519": 32}
BEGIN, END = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"

def hkdf(ikm, salt, info):
    return expand(extract(salt, ikm), info, 32)

def base64_of(text, pad):
    try:
        raw = base64.b64decode(text + ("" if pad else "=" * (-len(text) % 4)), validate=True)
    except (ValueError, binascii.Error):
        raise Refused("damaged", "base64 of an age file is none") from None
    spelled = base64.b64encode(raw).decode()
    need(text == (spelled if pad else spelled.rstrip("=")), "base64 of an age file is not canonical")
    return raw

def identities(path):
    found = []
    for line in Path(path).read_text().split("\n"):
        prefix = next((prefix for prefix in PREFIXES if line.startswith(prefix)), None)
        need(prefix or re.match("#|$", line), "an identity of a kind that is left to age", "usage")
        if prefix:
            found.append((PREFIXES[prefix], bech32(line, prefix[:-1].lower(), 32)))
    need(found, "no identity", "usage")
    return found

def dearmor(text):
    lines = re.sub("\r\n", "\n", text).strip(" \t\r\n").split("\n")
    need(lines[0] == BEGIN and lines[-1] == END and len(lines) > 1, "the armor is not one")
    body = lines[1:-1]
    need(all(len(line) == 64 for line in body[:-1]), "a line of the armor has another length")
    need(not body or 0 < len(body[-1]) <= 64 and len(body[-1]) % 4 == 0, "the last line of the armor has another length")
    return base64_of("".join(body), True)

def split(raw):
    """Stanzas, what the MAC is over, the MAC, the nonce, the payload."""
    need(not re.match(rb"age-encryption\.org/(?!v1\n)", raw), "another version of age", "unsupported")
    form = rb"age-encryption\.org/v1\n((?:-> [!-~]+(?: [!-~]+)*\n(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{0,63}\n)+)---"
    header = re.match(form, raw)
    end = header and re.match(rb" ([A-Za-z0-9+/]{43})\n(.{16})", raw[header.end():], re.S)
    need(end, "the header of the age file is not one")
    blocks = re.findall(r"-> ([^\n]*)\n((?:[^\n]{64}\n)*[^\n]*)\n", header[1].decode())
    stanzas = [(line.split(" "), base64_of(body.replace("\n", ""), False)) for line, body in blocks]
    mac = base64_of(end[1].decode(), False)
    return stanzas, header[0], mac, end[2], raw[header.end() + end.end():]

def unwrap_x25519(secret, share, body):
    private = X25519PrivateKey.from_private_bytes(secret)
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        raise Refused("damaged", "a share of low order") from None
    key = hkdf(shared, share + private.public_key().public_bytes_raw(), b"age-encryption.org/v1/X25519")
    return ChaCha20Poly1305(key).decrypt(bytes(12), body, None)

def unwrap_hybrid(secret, share, body):
    try:
        X25519PrivateKey.from_private_bytes(bytes(32)).exchange(X25519PublicKey.from_public_bytes(share[-32:]))
    except ValueError:
        raise Refused("damaged", "a share of low order") from None
    seeds = hashlib.shake_256(secret).digest(96)
    halves = mlkem.MLKEM768PrivateKey.from_seed_bytes(seeds[:64]), X25519PrivateKey.from_private_bytes(seeds[64:])
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    key = hpke.MLKEM768X25519PrivateKey(*halves)
    return suite.decrypt(share + body, key, info=b"age-encryption.org/mlkem768x25519")

UNWRAP = {"mlkem768x25519": unwrap_hybrid, "X25519": unwrap_x25519}

def file_key(found, stanzas):
    need(len(stanzas) == 1 or all(arguments[0] != "scrypt" for arguments, _ in stanzas), "scrypt beside another stanza")
    for kind, secret in found:
        for arguments, body in (stanza for stanza in stanzas if stanza[0][0] == kind):
            need(len(arguments) == 2, "a stanza has another number of arguments")
            share = base64_of(arguments[1], False)
            need(len(share) == SHARES[kind] and len(body) == 32, "a share or a body of another length")
            try:
                return UNWRAP[kind](secret, share, body)
            except InvalidTag:
                pass
    return None

def payload(key, nonce, sealed):
    cipher, plain = ChaCha20Poly1305(hkdf(key, nonce, b"payload")), b""
    chunks = [sealed[at:at + 65552] for at in range(0, len(sealed), 65552)]
    need(chunks and (len(chunks) == 1 or len(chunks[-1]) > 16), "the payload has no last chunk")
    for counter, chunk in enumerate(chunks):
        last = counter == len(chunks) - 1
        try:
            plain += cipher.decrypt(counter.to_bytes(11, "big") + bytes([last]), chunk, None)
        except (InvalidTag, ValueError):
            raise Refused("damaged", "the payload of the age file does not open") from None
    return plain

def key_of_identity(path, m):
    found = identities(path)
    def open_slot(slot):
        stanzas, maced, mac, nonce, sealed = split(dearmor(slot["file"]))
        key = file_key(found, stanzas)
        if key is None:
            return None
        right = hmac.digest(hkdf(key, b"", b"header"), maced, "sha256")
        need(hmac.compare_digest(right, mac), "the MAC of the age file does not verify")
        plain = payload(key, nonce, sealed)
        need(re.fullmatch(rb"VAULT-KEY-1[A-Z0-9]+\n", plain), "the slot holds something else than a key line")
        line = bech32(plain.decode()[:-1], "vault-key-", 52)
        need(line[:20] == guid_epoch(m), "the slot holds a key of another guid or epoch")
        return line[20:]
    slots = [slot for slot in m["slots"] if slot["type"] == "age"]
    return first_that_opens(slots, open_slot, "no identity opens a slot")
