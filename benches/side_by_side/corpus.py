"""The corpus: a throw-away PostgreSQL cluster, its dump, and its dump one day later.

Everything lies in one directory, and what is there is used again:

    day1.sql day2.sql       the two dumps
    copy1.sql inserts1.sql mysqldump1.sql copy2.sql …
                            the same rows in each form, and a day later
    copy1.raw …             the same, but for the first byte
    noise.bin               bytes that do not compress
    recipe                  the digest of the scripts that made them
    pg/data                 the cluster, as of the second day
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from . import forms, measure

SCRIPTS = [Path(__file__).resolve().with_name(name) for name in ("day1.sql", "day2.sql", "forms.py")]
ACCOUNT = "postgres"

# A quiet cluster: no background work that depends on the time of day, and rows in the
# order in which they were written. fsync=off: it need not survive a power cut.
SETTINGS = """
listen_addresses = ''
unix_socket_permissions = 0700
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
synchronize_seqscans = off
shared_buffers = 256MB
max_wal_size = 8GB
wal_level = minimal
max_wal_senders = 0
timezone = 'UTC'
"""


class Cluster:
    """A PostgreSQL server with a private socket, run by `postgres` where we are root."""

    def __init__(self, home: Path):
        self.home, self.data, self.bin = home, home / "data", server_bin()
        self.as_owner = ["runuser", "-u", ACCOUNT, "--"] if os.geteuid() == 0 else []
        # The programs themselves, before Debian's wrappers, which look for clusters in /etc.
        path = f"{self.bin}:{os.environ['PATH']}"
        self.address = {"PGHOST": str(home), "PGUSER": ACCOUNT, "PGPORT": "5432", "PATH": path}
        self.env = measure.clean_environment() | self.address

    def create(self):
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(mode=0o700, parents=True)
        if self.as_owner:
            shutil.chown(self.home, ACCOUNT)
            check_reachable(self.home)
        # -A trust is safe here: only the owner and root can reach the socket.
        self._server("initdb", "-D", self.data, "-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(SETTINGS)

    def start(self):
        if (self.data / "postmaster.pid").exists():  # of a run that was killed
            self.stop()
        # The socket is named here, so that the work directory can be moved.
        socket = f"-k '{self.home}'"
        self._server("pg_ctl", "-D", self.data, "-l", self.home / "log", "-o", socket, "-w", "-t", "120", "start")

    def stop(self):
        self._server("pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", "120", "stop")

    def run(self, *command, **options):
        """Runs a client tool to its successful end."""
        command = [str(word) for word in command]
        subprocess.run(command, env=self.env, check=True, stdin=subprocess.DEVNULL, **options)

    def sql(self, script: Path, scale: int):
        self.run("psql", "-X", "-q", "-d", "postgres", "-v", f"scale={scale}", "-f", script)

    def settle(self):
        """Leaves nothing for the next reader to write: hint bits, dirty pages."""
        self.run("vacuumdb", "--all", "--freeze", "--quiet", stdout=subprocess.DEVNULL)
        self.run("psql", "-X", "-q", "-d", "postgres", "-c", "CHECKPOINT")

    def warm(self):
        """Reads all of it once."""
        self.run("pg_dumpall", stdout=subprocess.DEVNULL)

    def dump(self, to: Path):
        """Writes a dump; the file appears when it is whole."""
        draft = to.with_suffix(".draft")
        with open(draft, "wb") as file:
            self.run("pg_dumpall", stdout=file)
        draft.rename(to)

    def _server(self, tool, *args):
        # The server keeps its standard streams: they must not be ours, or whoever waits for
        # our output waits for the server too.
        command = [*self.as_owner, str(self.bin / tool), *(str(arg) for arg in args)]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        done = subprocess.run(command, cwd=self.home, env=self.env, check=False, **quiet)
        if done.returncode:
            raise SystemExit(f"side-by-side: error: {tool} failed, status {done.returncode}; see {self.home}/log")


def server_bin() -> Path:
    """Where the newest of Debian's server packages has its programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found or not found[-1].with_name("pgbench").exists():
        raise SystemExit("side-by-side: error: no PostgreSQL server; run: apt-get install postgresql")
    return found[-1].parent


def check_reachable(path: Path):
    """Says early that `postgres` cannot enter a directory that only root may enter."""
    owner = pwd.getpwnam(ACCOUNT)
    for parent in path.parents:
        if not parent.stat().st_mode & 0o001 and parent.stat().st_uid != owner.pw_uid:
            raise SystemExit(f"side-by-side: error: {ACCOUNT} cannot enter {parent}; choose another --work")


def make(directory: Path, cluster: Cluster, scale: int, say):
    """Makes what is missing of the corpus. The cluster is left as of the second day, and stopped."""
    directory.mkdir(parents=True, exist_ok=True)
    # What is there was made by these scripts, or is made again.
    recipe = hashlib.sha256(b"".join(script.read_bytes() for script in SCRIPTS)).hexdigest() + "\n"
    mark = directory / "recipe"
    if not mark.exists() or mark.read_text() != recipe:
        mark.unlink(missing_ok=True)
        make_dumps(cluster, directory, scale, say)
        forms.make(directory, scale)
        mark.write_text(recipe)
    if not (directory / "noise.bin").exists():
        make_noise(directory / "noise.bin", (1 << 30) * scale // 50)


def make_dumps(cluster: Cluster, directory: Path, scale: int, say):
    say(f"Making the corpus in {directory} …")
    cluster.create()
    cluster.start()
    try:
        cluster.run("createdb", "bank")
        cluster.run("pgbench", "--initialize", "--quiet", f"--scale={scale}", "bank", stderr=subprocess.DEVNULL)
        cluster.sql(SCRIPTS[0], scale)
        cluster.settle()
        cluster.dump(directory / "day1.sql")
        cluster.sql(SCRIPTS[1], scale)
        cluster.settle()
        cluster.dump(directory / "day2.sql")
    finally:
        cluster.stop()


def make_noise(to: Path, size: int):
    """The key stream of AES-256-CTR under a key of no importance."""
    draft = to.with_suffix(".draft")
    with open(draft, "wb") as file:
        zeros = subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE)
        cipher = ["openssl", "enc", "-aes-256-ctr", "-nosalt", "-K", "0" * 64, "-iv", "0" * 32]
        subprocess.run(cipher, stdin=zeros.stdout, stdout=file, check=True)
        zeros.stdout.close()
        zeros.wait()
    draft.rename(to)
