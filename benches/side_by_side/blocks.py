"""Bytes of the data blocks of a store's only backup, as its index says: blocks.py STORE KEY_FILE.

Reads with spec/decode.py, and so needs what is in .ci/requirements.txt.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spec"))
import decode  # noqa: E402


def main(store: Path, key_file: str) -> int:
    (manifest,) = store.glob("*.json")
    m = decode.parse_manifest(manifest.read_bytes(), manifest.stem)
    owner = decode.owner_of(m, m, decode.key_of_file(key_file, store, m))
    parts = [decode.Part(store, entry, owner) for entry in m["parts"]]
    data, index = ([part for part in parts if part.role == role] for role in ("data", "index"))
    return sum(stored for _, _, stored, _ in decode.Index(m, index, data).blocks)


print(main(Path(sys.argv[1]), sys.argv[2]))
