"""Which series has the user brought in, and what did they say at an earlier version of the store?

A folder holding series in the publishers' own units, versioned by content:

    CURRENT                    one line: the version in force
    versions/<version>.json    what that version holds: one entry per series, and where its values lie
    objects/<sha256>.npy       values, written once, never changed (the name is the hash of the file)
    .lock                      held while a version is written

The **version** is the SHA-256 of every entry (id, title, unit, frequency, source, lag, revised, hash of dates
and values); file names and import times are not part of it, so the same figures give the same version on any
machine.  A write puts the object first, the list of entries second, and moves ``CURRENT`` last; each step is
an atomic rename after fsync.  A crash leaves the old version, two writers at once queue at the lock, and an
earlier version can be opened as long as the folder exists.

**Dates are period ends**: the last calendar day of the month, quarter or year for monthly, quarterly and
annual series, the publisher's own day for daily and weekly ones.  An observation of period end *e* is known
at the close of e + ``lag_days`` (``lag_fourth_quarter`` where a fourth quarter comes later); a path that was
published whole (a supervisory scenario) at the close of ``published``.

**Merge rule** of a write: an observation replaces the stored one of the same date; stored dates before the
first and after the last new date are kept; stored dates between them that the new data no longer have are
taken out and reported as vanished.  A series whose unit or frequency differs from the stored one is an error.

Series ids: a FRED id as it is (``DGS10``, ``DTWEXBGS``, ``VIXCLS``, ``SP500``, ``CSUSHPINSA``); others
``<publisher>.<column>``:

    etf.SPY · ff5.Mkt-RF · ff3.SMB · ff10.Durbl · fx_close.DXY   percent returns (ff*), closes
    h10.EUR (H.10's own quote: unit says which way) · h10_per_usd.EUR, g5_per_usd.EUR (foreign units per USD)
    treasury.10Y (Treasury's par yields) · acm.ACMY10 · sovereign10y.DE
    tic.flows.official.treas_net · tic.holders.japan · tic.slt.china_mainland.treas_pos
    fed_stress.bbb_corporate_yield (history) · fed_stress.severely_adverse_2025.bbb_corporate_yield
    case_shiller.new_york · ecb.USD · fredqd.GDPC1 · fredmd.INDPRO
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from riskengine.base.errors import InputError, Problem, suggest
from riskengine.data.series_entries import (
    FREQUENCIES,
    ImportedSeries,
    SeriesChange,
    SeriesEntry,
    content_hash,
    known_on,
    version_of,
)
from riskengine.data.series_merge import Draft

try:
    import fcntl
except ImportError:  # Windows: single steps stay atomic, only two writers at once are not serialised
    fcntl = None

__all__ = ["EMBEDDED", "FREQUENCIES", "ImportedSeries", "SeriesChange", "SeriesEntry", "SeriesStore",
           "StoreChange", "known_on", "open_store", "store_folder", "versions", "write_batches",
           "write_series", "writing"]
EMBEDDED = "embedded"
"""Version of a store that holds nothing: only the figures inside the package are used."""
FORMAT = 1
_VERSION = re.compile(r"^[0-9a-f]{6,64}$")


@dataclass(frozen=True, slots=True)
class StoreChange:
    """Result of a write: the store at its new version, the version before, one change per series written."""

    store: SeriesStore
    before: str
    changes: tuple[SeriesChange, ...]

    @property
    def version(self) -> str:
        """The version now in force."""
        return self.store.version


@dataclass(frozen=True, slots=True)
class SeriesStore:
    """The store at one version; reading never changes it, ``write_series`` returns another one."""

    folder: Path
    version: str = EMBEDDED
    series: Mapping[str, SeriesEntry] = field(default_factory=lambda: MappingProxyType({}))
    created: str = ""

    def entry(self, series_id: str) -> SeriesEntry:
        """Description of a series; InputError with near ids when the store does not hold it."""
        try:
            return self.series[series_id]
        except KeyError:
            raise InputError(Problem("the store holds no such series", field="series", got=series_id,
                                     accepted=suggest(series_id, tuple(self.series)) or
                                     "nothing is imported yet: riskengine data import PATH")) from None

    def read(self, series_id: str) -> tuple[np.ndarray, np.ndarray]:
        """(T,) dates datetime64[D] and (T,) values float64 in the publisher's units; ascending, no NaN."""
        entry = self.entry(series_id)
        name, start = entry.place
        try:
            rows = _load_object(self.folder / "objects" / name)[start:start + entry.rows]
        except (OSError, ValueError, EOFError) as error:
            raise InputError(Problem("the store is damaged: values cannot be read; import the file again",
                                     file=name, field=series_id, got=str(error))) from None
        dates, values = np.array(rows["date"]), np.array(rows["value"])
        if content_hash(dates, values) != entry.sha256:
            raise InputError(Problem("the store is damaged: values do not match their hash; import the file "
                                     "again", file=name, field=series_id))
        return dates, values

    def read_as_of(self, series_id: str, as_of: str | np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """As ``read``, only what was known at the close of *as_of* (period end + publication lag)."""
        dates, values = self.read(series_id)
        known = known_on(self.entry(series_id), dates) <= np.datetime64(as_of, "D")
        return dates[known], values[known]

    def write_series(self, series: Sequence[ImportedSeries]) -> StoreChange:
        """Merge *series* into the version in force of this folder; see ``write_series`` of the module."""
        return write_series(series, self.folder)


# ------------------------------------------------------------------------------------------- opening


def store_folder(chosen: Path | str | None = None) -> Path:
    """Where the store lies: *chosen*, else $RISKENGINE_DATA, else the user's data folder. Not created."""
    if chosen:
        return Path(chosen).expanduser()
    if os.environ.get("RISKENGINE_DATA"):
        return Path(os.environ["RISKENGINE_DATA"])
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "riskengine" / "data"


def open_store(folder: Path | str | None = None, version: str | None = None) -> SeriesStore:
    """The store at *folder*, at the version in force or at an earlier *version* (its first 6 digits do).

    A folder that does not exist, or holds nothing yet, is an empty store of version 'embedded'.
    InputError when the folder is a file, the version is unknown, or the list of entries is damaged.
    """
    place = store_folder(folder)
    if place.exists() and not place.is_dir():
        raise InputError(Problem("the data store is not a folder", field="data", got=str(place)))
    if version is None:
        version = _current(place)
    elif version != EMBEDDED:
        version = _full_version(place, version)
    return SeriesStore(place) if version == EMBEDDED else _load_version(place, version)


def versions(folder: Path | str | None = None) -> tuple[SeriesStore, ...]:
    """Every version the folder holds, oldest first (by the time it was first written)."""
    place = store_folder(folder)
    found = [_load_version(place, name) for name in _version_names(place)]
    return tuple(sorted(found, key=lambda s: (s.created, s.version)))


def _version_names(place: Path) -> list[str]:
    try:
        return [p.stem for p in (place / "versions").iterdir()
                if p.suffix == ".json" and _VERSION.match(p.stem)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _full_version(place: Path, version: str) -> str:
    names = _version_names(place)
    match = [n for n in names if n.startswith(version.lower())] if _VERSION.match(version.lower()) else []
    if len(match) == 1:
        return match[0]
    known = ", ".join(sorted(n[:12] for n in names)) or EMBEDDED
    rule = "the data store holds no such version" if not match else "more than one version begins like this"
    raise InputError(Problem(rule, field="data version", got=version, accepted=known))


def _current(place: Path) -> str:
    try:
        version = (place / "CURRENT").read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return EMBEDDED
    if version == EMBEDDED or (_VERSION.match(version) and len(version) == 64):
        return version
    raise InputError(Problem("the data store is damaged: CURRENT names no version", file="CURRENT",
                             got=repr(version[:80]), accepted=", ".join(_version_names(place)) or EMBEDDED))


@lru_cache(maxsize=32)
def _load_version(place: Path, version: str) -> SeriesStore:
    path = place / "versions" / f"{version}.json"
    try:
        described = json.loads(path.read_bytes())
        if described["format"] != FORMAT:
            raise InputError(Problem("the data store was written by another version of the program",
                                     file=path.name, got=f"format {described['format']}",
                                     accepted=f"format {FORMAT}"))
        entries = {e["id"]: SeriesEntry(**(e | {"place": tuple(e["place"])})) for e in described["series"]}
        created = described["created"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(Problem("the data store is damaged: a version cannot be read", file=path.name,
                                 got=f"{type(error).__name__}: {error}")) from None
    if version_of(entries) != version:
        raise InputError(Problem("the data store is damaged: a version does not match its name",
                                 file=path.name))
    return SeriesStore(place, version, MappingProxyType(entries), created)


@lru_cache(maxsize=64)
def _load_object(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


# ------------------------------------------------------------------------------------------- writing


def write_series(series: Sequence[ImportedSeries], folder: Path | str | None = None) -> StoreChange:
    """Merge *series* into the version in force and make the result the new one, all or nothing.

    The same figures again leave the version as it is.  InputError (nothing is written) for a malformed
    series, an id given twice, a unit or frequency that differs from the stored one, or a folder that cannot
    be written.
    """
    change, results = write_batches([series], folder)
    if isinstance(results[0], InputError):
        raise results[0]
    return change


def write_batches(batches: Sequence[Sequence[ImportedSeries]], folder: Path | str | None = None
                  ) -> tuple[StoreChange, tuple[tuple[SeriesChange, ...] | InputError, ...]]:
    """Merge several files in order into one new version; each batch whole or not at all.

    Returns the change of the store and, per batch, its changes or the InputError that kept it out.
    """
    place = store_folder(folder)
    with writing(place):
        old = open_store(place)
        moment = datetime.now(UTC).isoformat(timespec="microseconds")
        draft = Draft(old.series, old.read, moment)
        results: list[tuple[SeriesChange, ...] | InputError] = []
        for batch in batches:
            try:
                results.append(draft.add(batch))
            except InputError as error:
                results.append(error)
        version = version_of(draft.entries) if draft.entries else EMBEDDED
        if version != old.version:
            name = _put_object(place, draft.fresh_rows()) if draft.fresh else ""
            _put_version(place, version, draft.placed(name), moment, old.version)
            _replace(place / "CURRENT", f"{version}\n".encode())
    changes = tuple(c for r in results if not isinstance(r, InputError) for c in r)
    return StoreChange(open_store(place), old.version, changes), tuple(results)


def _put_object(place: Path, rows: list[np.ndarray]) -> str:
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate(rows), allow_pickle=False)
    payload = buffer.getvalue()
    name = f"{hashlib.sha256(payload).hexdigest()}.npy"
    if not (place / "objects" / name).exists():
        _replace(place / "objects" / name, payload)
    return name


def _put_version(place: Path, version: str, entries: Mapping[str, SeriesEntry], moment: str,
                 parent: str) -> None:
    path = place / "versions" / f"{version}.json"
    if path.exists():  # these figures were in force before
        return
    text = json.dumps({"format": FORMAT, "version": version, "created": moment, "parent": parent,
                       "series": [asdict(entries[name]) for name in sorted(entries)]},
                      ensure_ascii=False, allow_nan=False)
    _replace(path, text.encode())


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Hold the lock of the store folder (created when missing); another writer waits. InputError: no
    access."""
    try:
        for folder in (place, place / "versions", place / "objects"):
            folder.mkdir(parents=True, exist_ok=True)
        lock = open(place / ".lock", "a")  # noqa: SIM115 - closed below, whatever happens
    except OSError as error:
        raise InputError(Problem("the data store cannot be written", field="data", got=str(place),
                                 accepted=f"a folder that can be written ({error.strerror})")) from None
    try:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released by the system when the process dies
        for folder in (place, place / "versions", place / "objects"):
            for left in folder.glob(".partial-*"):  # only the holder of the lock writes: these are dead
                left.unlink(missing_ok=True)
        yield
    except OSError as error:
        raise InputError(Problem("the data store could not be written; the version before stays in force",
                                 field="data", got=f"{place} ({error.strerror})")) from None
    finally:
        lock.close()


def _replace(path: Path, payload: bytes) -> None:
    """Write beside *path*, flush, move into place."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".partial-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(payload)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError):  # folders cannot be opened on every system; the file is flushed
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
