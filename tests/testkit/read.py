"""Reads every vector of a directory with spec/decode.py, in one process: once to restore it, once to verify it.

Prints a line for each: name, class of the restore, bytes that were released and their SHA-256, class of the verification."""
import hashlib, os, struct, sys, tempfile
from pathlib import Path
import zstandard
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[2] / "spec"))
import decode

def entries(body):
    at = 0
    def field():
        nonlocal at
        length, = struct.unpack_from("<I", body, at)
        at += 4 + length
        return body[at - length:at]
    while at < len(body):
        name, content = field().decode(), field()
        yield name, content

def run(arguments, out):
    """The class with which it ends. What breaks decode.py itself is a class of its own."""
    stdout, sys.stdout = sys.stdout, out
    try:
        decode.main(arguments)
        return "success"
    except decode.Refused as error:
        return error.args[0]
    except Exception as error:
        print(f"{arguments}: {error!r}", file=sys.stderr)
        return "broken"
    finally:
        sys.stdout = stdout

def read(path, place):
    header, _, body = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in header.decode().split("\n"))
    (place / "store").mkdir()
    for name, content in entries(zstandard.ZstdDecompressor().decompress(body)):
        (place / name).write_bytes(content)
    os.chmod(place / fields["key"], 0o600)
    arguments = [str(place / "store"), fields["id"], "--" + fields["key"], str(place / fields["key"])]
    with open(place / "dump", "wb+") as out:
        restored = run(arguments, out)
        out.seek(0)
        dump = out.read()
        verified = run(arguments + ["--catalogue"], out)
    print(path.stem, restored, len(dump), hashlib.sha256(dump).hexdigest(), verified)

for path in sorted(Path(sys.argv[1]).glob("*.vec")):
    with tempfile.TemporaryDirectory() as place:
        read(path, Path(place))
