"""The contenders: how each one packs a stream and gives it back."""

import os
import shutil
import subprocess
from pathlib import Path

from . import measure


class Tool:
    """A program, or a pipeline of them, with a store of its own in `home`.

    `pack` is what follows the feeder, `unpack` what writes the newest backup to its standard output; `output` is where
    the last stage of `pack` writes.
    """

    name: str
    packages: dict[str, str]  # the programs that it needs, and the Debian packages that have them
    output = Path(os.devnull)

    def __init__(self, work: Path, name: str):
        self.name = name
        slug = "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")
        self.home, self.kept = work / "run" / slug, work / "kept" / slug
        self.store, self.secrets = self.home / "store", work / "secrets"
        self.env = measure.clean_environment()

    def pack(self) -> list[list]:
        raise NotImplementedError

    def unpack(self) -> list[list]:
        raise NotImplementedError

    def clear(self):
        """Begins anew, without store and cache."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.store.mkdir(parents=True)

    def feed(self, producer: list) -> dict[str, float]:
        """Packs what the producer writes."""
        return measure.run([producer, *self.pack()], self.env, self.output)

    def stored(self) -> int:
        return sum(path.stat().st_size for path in self.store.rglob("*") if path.is_file())

    def check(self, dump: Path):
        """Fails unless the newest backup is this dump, byte for byte."""
        measure.run([*self.unpack(), ["cmp", "-", dump]], self.env)

    def recall(self, dump: Path):
        """Leaves a store, with its cache, that holds this dump alone: the first time by packing it."""
        if self.kept.exists():
            shutil.rmtree(self.home, ignore_errors=True)
        else:
            self.clear()
            self.feed(["cat", dump])
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            self.home.rename(self.kept)
        subprocess.run(["cp", "--archive", self.kept, self.home], check=True)


class Pipeline(Tool):
    """A compressor and a cipher, into one file: the command line is the name."""

    def __init__(self, work: Path, name: str, secret: list):
        super().__init__(work, name)
        compress, encrypt = (half.split() for half in name.split(" | "))
        self.packages = {program: program for program in (compress[0], encrypt[0])}
        self.stages = [compress, [*encrypt, "-e", *secret]]
        self.output = self.store / "file"
        file = ["-in", self.output] if encrypt[0] == "openssl" else [self.output]
        self.back = [[*encrypt, "-d", *secret, *file], [compress[0], "-d"]]

    def pack(self):
        return self.stages

    def unpack(self):
        return self.back


class Restic(Tool):
    packages = {"restic": "restic"}

    def __init__(self, work: Path):
        super().__init__(work, "restic")
        self.env |= {"RESTIC_CACHE_DIR": str(self.home / "cache")}
        self.command = ["restic", "--quiet", "--repo", self.store, "--password-file", self.secrets / "passphrase"]

    def clear(self):
        super().clear()
        measure.run([[*self.command, "init"]], self.env)

    def pack(self):
        return [[*self.command, "backup", "--stdin"]]

    def unpack(self):
        return [[*self.command, "dump", "latest", "stdin"]]


class Borg(Tool):
    packages = {"borg": "borgbackup"}

    def __init__(self, work: Path):
        super().__init__(work, "borg")
        # Its cache, its keys and what it remembers of stores.
        self.env |= {"BORG_BASE_DIR": str(self.home / "base"), "BORG_PASSPHRASE": "side by side"}

    def clear(self):
        super().clear()
        measure.run([["borg", "init", "--encryption", "repokey", self.store]], self.env)

    def pack(self):
        name = "{now:%Y-%m-%dT%H:%M:%S.%f}"
        return [["borg", "create", "--compression", "zstd,3", f"{self.store}::{name}", "-"]]

    def unpack(self):
        newest = ["borg", "list", "--short", "--last", "1", self.store]
        listed = subprocess.run(newest, env=self.env, check=True, capture_output=True, text=True)
        return [["borg", "extract", "--stdout", f"{self.store}::{listed.stdout.strip()}"]]


class Vault(Tool):
    packages: dict[str, str] = {}

    def __init__(self, work: Path, program: Path, *options: str, threads: int | None = None, name: str = ""):
        own_name = " ".join(["vault", *options, *([f"--threads {threads}"] if threads else [])])
        super().__init__(work, name or own_name)
        self.options, self.threads = options, ["--threads", threads] if threads else []
        self.key_file = self.secrets / "vault.key"
        self.command = [program, "--quiet", "--store", self.store, "--key-file", self.key_file]
        self.env |= {"XDG_CACHE_HOME": str(self.home / "cache")}

    def pack(self, *command):
        return [[*self.command, "pack", *self.options, *self.threads, *(["--", *command] if command else [])]]

    def unpack(self):
        return [[*self.command, "unpack", "latest", *self.threads]]


class Shed:
    """All contenders, and their secrets, in one work directory."""

    def __init__(self, work: Path, program: Path):
        self.work, self.program = work, program
        secrets = work / "secrets"
        password, identity = ["-pass", f"file:{secrets / 'passphrase'}"], ["-i", secrets / "age.key"]
        self.zstd = Pipeline(work, "zstd -T2 -3 | openssl enc -aes-256-ctr", password)
        self.age = Pipeline(work, "zstd -1 | age", identity)
        self.gzip = Pipeline(work, "gzip | openssl enc -aes256 -md md5", password)
        self.pigz = Pipeline(work, "pigz | openssl enc -aes256 -md md5", password)
        self.restic, self.borg = Restic(work), Borg(work)
        self.vault = self.vault_with()

    def vault_with(self, *options: str, threads: int | None = None, name: str = "") -> Vault:
        return Vault(self.work, self.program, *options, threads=threads, name=name)

    def clean(self):
        """Leaves nothing but the corpus."""
        for name in ("secrets", "kept", "run"):
            shutil.rmtree(self.work / name, ignore_errors=True)

    def make_secrets(self):
        # Stores of an earlier run are of keys that are gone.
        self.clean()
        secrets = self.work / "secrets"
        secrets.mkdir(mode=0o700, parents=True)
        (secrets / "passphrase").write_text("side by side\n")
        (secrets / "passphrase").chmod(0o600)
        measure.run([["age-keygen", "--output", secrets / "age.key"]])
        measure.run([[self.program, "--quiet", "key", "new", "--key-file", secrets / "vault.key"]])
