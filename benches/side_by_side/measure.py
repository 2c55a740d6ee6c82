"""Runs a pipeline of programs and says what it took."""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

# Settings of whoever calls us must not change what a contender does.
FOREIGN = ("VAULT_", "PG", "RESTIC_", "BORG_", "ZSTD_", "GZIP", "PIGZ", "XDG_", "LC_", "LANG")


class Failed(Exception):
    """A program that failed: its command line, its status, what it said."""


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | {"LC_ALL": "C.UTF-8"}


def run(stages: list[list], env: dict[str, str] | None = None, output: Path = Path(os.devnull)) -> dict[str, float]:
    """Runs `stages`, each reading the one before, the last one writing to `output`.

    Returns seconds of `wall`, of the `cpu` of these programs, of the `last` one alone and of the whole `system`; the
    share of the processors that `others` had meanwhile; and in `rss` the most MiB that one of them held.
    """
    commands = [[str(word) for word in stage] for stage in stages]
    with tempfile.TemporaryFile() as errors, open(output, "wb") as out:
        os.sync()  # what earlier runs left to be written is not this one's work
        system, began = system_cpu(), time.monotonic()
        processes: list[subprocess.Popen] = []
        try:
            start(commands, clean_environment() if env is None else env, out, errors, processes)
            usages = [wait(process) for process in processes]
        finally:
            stop(processes)
        wall, system = time.monotonic() - began, system_cpu() - system
        # The last one first: when it fails, those before it only lose their reader.
        for process in reversed(processes):
            if process.returncode:
                errors.seek(0)
                said = errors.read()[-2000:].decode(errors="replace").strip()
                raise Failed(f"`{' '.join(process.args)}` failed with status {process.returncode}: {said}")
    each = [usage.ru_utime + usage.ru_stime for usage in usages]
    cpu = sum(each)
    return {
        "wall": wall,
        "cpu": cpu,
        "last": each[-1],
        "system": system,
        "others": max(0.0, system - cpu) / (wall * (os.cpu_count() or 1)),
        "rss": max(usage.ru_maxrss for usage in usages) / 1024,
    }


def start(commands: list[list[str]], env: dict[str, str], out, errors, processes: list[subprocess.Popen]):
    source = None
    for k, command in enumerate(commands):
        sink = out if k == len(commands) - 1 else subprocess.PIPE
        process = subprocess.Popen(command, stdin=source or subprocess.DEVNULL, stdout=sink, stderr=errors, env=env)
        if source:
            source.close()
        source = process.stdout
        processes.append(process)


def wait(process: subprocess.Popen):
    """What the process and those that it waited for have used."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def stop(processes: list[subprocess.Popen]):
    """Leaves nothing running when we were interrupted."""
    for process in processes:
        if process.returncode is None:
            process.kill()
            process.wait()


def system_cpu() -> float:
    """Seconds of all processors since the machine began: user, nice, system, irq and softirq, but not steal."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return sum(ticks[k] for k in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")


def median(runs: list[dict[str, float]], figure: str) -> float:
    return statistics.median(run[figure] for run in runs)
