"""Run folders: written whole or not at all.

    out/<as_of>/<run_id>/      a finished run; nothing else ever has such a name
    out/.partial-<owner>-…/    a run being written; renamed to its place when every file is on disk
    out/latest                 symbolic link to the last finished run (a text file where links cannot be made)

A reader therefore never sees half a run: a folder appears by ``rename(2)``, which is atomic, after its files
were flushed (fsync).  Hidden names carry their owner (host, process, start of the process), so that what a
killed run leaves is recognised, and removed by the next run on the same host, while runs still at work are
left alone.  Publishing and pruning hold a file lock for an instant, so that pruning never takes the run
another process is making the latest.

What the folders are filled with is in ``run_files`` (its names can be had from here too).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from riskengine.base.errors import InputError, Problem
from riskengine.data.run_files import hash_arrays, hash_files, hash_json, hash_text, write_json, write_table

try:
    import fcntl
except ImportError:  # Windows: single steps stay atomic, only two prunings at once are not serialised
    fcntl = None

__all__ = [
    "RunStore", "make_run_id", "hash_arrays", "hash_files", "hash_json", "hash_text", "write_json",
    "write_table",
]
HIDDEN = re.compile(r"^\.(partial|removed|latest|probe)-([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{16}$")
"""Kind, host (hash of its name), process number, start of the process, random part."""
RUN_ID = re.compile(r"^\d{8}T\d{6}(\d{3})?Z-[0-9a-f]{8}$")
AS_OF = re.compile(r"^\d{4}-\d{2}-\d{2}$")


def make_run_id(moment: datetime, input_hash: str) -> str:
    """UTC time to the millisecond + first 8 hex digits of the input hash: sorts by time, tells twins apart.

    InputError when *moment* has no time zone or *input_hash* has fewer than 8 hex digits.
    """
    if moment.tzinfo is None or not re.match(r"^[0-9a-f]{8}", input_hash):
        raise InputError(
            Problem("a run id needs a time with time zone and a hex hash", got=f"{moment}, {input_hash}"))
    utc = moment.astimezone(UTC)
    return f"{utc:%Y%m%dT%H%M%S}{utc.microsecond // 1000:03d}Z-{input_hash[:8]}"


class RunStore:
    """The folder of all runs. Opening it creates it and clears what killed runs left behind.

    InputError when *out* is a file, cannot be written, or holds a folder called 'latest'.
    """

    def __init__(self, out: Path | str):
        self.out = Path(out)
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            probe = self._hidden("probe")
            probe.touch()
            probe.unlink()
        except OSError as error:
            not_folder = isinstance(error, (FileExistsError, NotADirectoryError))
            reason = "is not a folder" if not_folder else f"cannot be written ({error.strerror})"
            raise InputError(Problem(f"the place for runs {reason}", field="out", got=str(out),
                                     accepted="a folder that can be created and written")) from None
        latest = self.out / "latest"
        if latest.is_dir() and not latest.is_symlink():
            raise InputError(Problem("'latest' must be free for the link to the last run; move this folder",
                                     field="out", got=str(latest)))
        self.clean()

    # ------------------------------------------------------------ writing

    @contextlib.contextmanager
    def begin(self, as_of: str, run_id: str) -> Iterator[Path]:
        """A hidden folder to fill; published as ``out/<as_of>/<run_id>`` and ``latest`` when all went well.

        An exception (also an interrupt) removes the hidden folder and nothing is published.
        InputError when the names are malformed or the run exists already.
        """
        final = self.path(as_of, run_id)
        if final.exists():
            raise InputError(Problem("a run with this id exists already", field="run_id", got=run_id))
        partial = self._hidden("partial")
        partial.mkdir()
        try:
            yield partial
            _flush_tree(partial)
            with self._lock():
                if final.exists():
                    raise InputError(Problem("a run with this id exists already", field="run_id", got=run_id))
                final.parent.mkdir(exist_ok=True)
                partial.rename(final)
                _flush_folder(final.parent)
                self._point_latest_to(final)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def clean(self) -> list[Path]:
        """Remove hidden entries whose process on this host is gone; returns those removed."""
        gone = [entry for entry in self.out.iterdir() if _owner_is_dead(entry.name)]
        for entry in gone:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        return gone

    def prune(self, keep: int) -> list[Path]:
        """Delete all but the *keep* newest finished runs, never the latest; returns those deleted."""
        if keep < 1:
            raise InputError(
                Problem("number of runs to keep", field="keep", got=str(keep), accepted="1 or more"))
        hidden = []
        with self._lock():
            latest = self.latest()
            old = [r for r in self.finished_runs()[:-keep] if latest is None or r.resolve() != latest]
            for run in old:
                hidden.append(self._hidden("removed"))
                run.rename(hidden[-1])  # disappears in one step for readers
                with contextlib.suppress(OSError):  # the day still holds other runs
                    run.parent.rmdir()
        for folder in hidden:
            shutil.rmtree(folder, ignore_errors=True)
        return old

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with open(self.out / ".lock", "w") as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)  # released by the system when the process dies
            yield

    def _hidden(self, kind: str) -> Path:
        pid = os.getpid()
        return self.out / f".{kind}-{_host()}-{pid}-{_process_start(pid)}-{secrets.token_hex(8)}"

    def _point_latest_to(self, run: Path) -> None:
        link, target = self.out / "latest", run.relative_to(self.out)
        fresh = self._hidden("latest")
        try:
            os.symlink(target, fresh, target_is_directory=True)
        except (OSError, NotImplementedError):
            fresh.write_text(target.as_posix() + "\n", encoding="utf-8")
        os.replace(fresh, link)
        _flush_folder(self.out)

    # ------------------------------------------------------------ reading

    def path(self, as_of: str, run_id: str) -> Path:
        """Where a run lies (or will); InputError when the names are malformed."""
        if not AS_OF.match(as_of) or not RUN_ID.match(run_id):
            raise InputError(Problem("run folder name", got=f"{as_of}/{run_id}",
                                     accepted="YYYY-MM-DD / run id as make_run_id writes it"))
        return self.out / as_of / run_id

    def finished_runs(self) -> list[Path]:
        """Every finished run, oldest first."""
        runs = []
        for day in self.out.iterdir():
            if AS_OF.match(day.name):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # pruned; a user's file
                    runs += [r for r in day.iterdir() if RUN_ID.match(r.name) and r.is_dir()]
        return sorted(runs, key=lambda r: (_moment(r.name), r.name))

    def latest(self) -> Path | None:
        """The last finished run, None when there is none."""
        link = self.out / "latest"
        if link.is_symlink() or not link.is_file():
            return link.resolve() if link.is_dir() else None
        run = self.out / link.read_text(encoding="utf-8").strip()
        return run.resolve() if run.is_dir() else None

    def previous_run(self, before_run_id: str) -> Path | None:
        """The newest finished run that began before *before_run_id*, None when there is none."""
        earlier = [r for r in self.finished_runs() if _moment(r.name) < _moment(before_run_id)]
        return earlier[-1] if earlier else None


def _moment(run_id: str) -> str:
    """Digits of the time in a run id, to the millisecond (ids to the second count as .000)."""
    return run_id.split("Z")[0].replace("T", "").ljust(17, "0")


def _owner_is_dead(name: str) -> bool:
    """True for a hidden name whose process ran on this host and is gone; False in doubt."""
    match = HIDDEN.match(name)
    if match is None or match[2] != _host():
        return False
    pid, started = int(match[3]), int(match[4])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # a living process of somebody else, or a number this system cannot ask about
        pass
    now = _process_start(pid)
    return bool(started and now and now != started)  # the number was given to a new process


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _process_start(pid: int) -> int:
    """Start of a process in clock ticks since boot (Linux), 0 where it cannot be read."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(text.rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return 0


def _flush_tree(folder: Path) -> None:
    """fsync every file, then every folder, from the inside out."""
    for place, _, files in os.walk(folder, topdown=False):
        for name in files:
            with open(os.path.join(place, name), "rb") as file:
                os.fsync(file.fileno())
        _flush_folder(Path(place))


def _flush_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # folders cannot be opened on every system; their files are flushed
        return
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
