"""Bringing files into the data store, and saying what it holds.

``import_files`` reads every file (see ``data.readers.recognise``), keeps those that are whole, and makes one
new version of the store of them; a file with a fault is left out entirely, named with every fault, and the
others go on.  ``imported_status`` and ``store_versions`` describe the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.data.local_store import (
    EMBEDDED,
    ImportedSeries,
    SeriesChange,
    SeriesStore,
    known_on,
    store_folder,
    versions,
    write_batches,
)
from riskengine.data.readers.raw_text import MOST_BYTES
from riskengine.data.readers.recognise import Publication, read_publication

TABLES = frozenset({".csv", ".txt", ".tsv", ".tab", ".dat", ".asc", ".parquet", ".pq", ".zip", ""})
"""Endings of the files an imported folder is searched for; a file named on the line may have any."""


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file: its layout and the changes it made, or the problems that kept it out."""

    file: str
    layout: str = ""
    series: tuple[str, ...] = ()
    first: str = ""
    last: str = ""
    added: int = 0
    replaced: int = 0
    vanished: int = 0
    unchanged: int = 0
    remarks: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """One import: the folder, the versions before and after, each file, and files that are no tables."""

    folder: Path
    before: str
    version: str
    files: tuple[FileOutcome, ...]
    left_out: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[FileOutcome, ...]:
        """Files that were not imported."""
        return tuple(f for f in self.files if f.problems)


def import_files(paths: Sequence[Path | str], folder: Path | str | None = None, series_id: str | None = None,
                 latest: str | None = None, progress: Callable[[str, int, int], None] | None = None
                 ) -> ImportOutcome:
    """Read *paths* (files, or folders with all below them) into the store at *folder*.

    series_id : id for the only series of the only file.  latest : last possible day of an observation
    (default: today, UTC).  progress : called as (stage, done, total).

    InputError when a path does not exist, a folder holds no table, or *series_id* comes with several files.
    """
    latest = latest or datetime.now(UTC).date().isoformat()
    files, left_out = _find_files([Path(p) for p in paths])
    if series_id is not None and len(files) != 1:
        raise InputError(Problem("--as names one series: give one file with it", field="--as", got=series_id,
                                 accepted=f"one file; here {len(files)}"))
    read: list[Publication | FileOutcome] = []
    for k, (path, name) in enumerate(files):
        if progress:
            progress("reading", k, len(files))
        try:
            if not path.is_file():
                raise InputError(Problem("not a file of figures", name, accepted="a regular file"))
            if path.stat().st_size > MOST_BYTES:
                raise InputError(Problem("the file is too large", name, got=f"{path.stat().st_size:,} bytes",
                                         accepted=f"at most {MOST_BYTES:,}; split it"))
            read.append(read_publication(path.read_bytes(), name, series_id, latest))
        except InputError as error:
            read.append(FileOutcome(name, problems=error.problems))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            read.append(FileOutcome(name, problems=(Problem(f"the file cannot be read: {reason}", name),)))
    if progress:
        progress("reading", len(files), len(files))
    whole = [one for one in read if isinstance(one, Publication)]
    change, results = write_batches([one.series for one in whole], folder)
    outcomes = _outcomes(read, dict(zip(map(id, whole), results, strict=True)))
    return ImportOutcome(store_folder(folder), change.before, change.version, tuple(outcomes),
                         tuple(left_out))


def _find_files(paths: Sequence[Path]) -> tuple[list[tuple[Path, str]], list[str]]:
    """(path, name in messages) of every file to read, and names of files in folders that are no tables."""
    found: dict[Path, tuple[Path, str]] = {}
    left_out, problems = [], []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file()
                            and not any(part.startswith(".") for part in p.relative_to(path).parts))
            tables = [p for p in inside if p.suffix.lower() in TABLES]
            left_out += [str(p.relative_to(path)) for p in inside if p.suffix.lower() not in TABLES]
            if not tables:
                problems.append(Problem("the folder holds no table", file=str(path),
                                        accepted=" ".join(sorted(filter(None, TABLES)))))
            for p in tables:
                found.setdefault(p.resolve(), (p, str(p.relative_to(path))))
        elif path.exists():
            found.setdefault(path.resolve(), (path, path.name))
        else:
            problems.append(Problem("no such file or folder", file=str(path)))
    if problems:
        raise InputError(problems)
    return list(found.values()), left_out


def _outcomes(read: Iterable[Publication | FileOutcome],
              results: dict[int, tuple[SeriesChange, ...] | InputError]) -> list[FileOutcome]:
    outcomes: list[FileOutcome] = []
    written: dict[str, str] = {}
    for one in read:
        if isinstance(one, FileOutcome):
            outcomes.append(one)
            continue
        result = results[id(one)]
        if isinstance(result, InputError):
            problems = tuple(replace(p, file=p.file or one.file) for p in result.problems)
            outcomes.append(FileOutcome(one.file, one.layout, remarks=one.remarks, problems=problems))
            continue
        twice = [Problem(f"{c.replaced} values differ from those of {written[c.id]} in the same import; "
                         "these stand", one.file, field=c.id)
                 for c in result if c.id in written and c.replaced]
        written |= {c.id: one.file for c in result}
        outcomes.append(FileOutcome(
            one.file, one.layout, tuple(s.id for s in one.series),
            str(min(s.dates[0] for s in one.series)), str(max(s.dates[-1] for s in one.series)),
            sum(c.added for c in result), sum(c.replaced for c in result), sum(c.vanished for c in result),
            sum(c.unchanged for c in result), (*one.remarks, *twice)))
    return outcomes


def outcome_record(outcome: ImportOutcome) -> dict:
    """The import as plain JSON values."""
    def plain(problem: Problem) -> dict:
        return {k: getattr(problem, k) for k in ("rule", "file", "row", "field", "got", "accepted")}

    return {
        "folder": str(outcome.folder), "version_before": outcome.before, "version": outcome.version,
        "imported": [{
            "file": f.file, "layout": f.layout, "series": list(f.series), "first": f.first, "last": f.last,
            "added": f.added, "replaced": f.replaced, "vanished": f.vanished, "unchanged": f.unchanged,
            "remarks": [plain(p) for p in f.remarks]} for f in outcome.files if not f.problems],
        "failed": [{"file": f.file, "problems": [plain(p) for p in f.problems]} for f in outcome.failed],
        "left_out": list(outcome.left_out),
    }


def imported_status(store: SeriesStore, as_of: str) -> list[dict]:
    """One row per imported series, keys as in ``quality.series_status`` where they mean the same.

    known_until : last period end known at the close of *as_of*, by the first and last date and the lag
    ('' when nothing was).
    """
    day = np.datetime64(as_of, "D")
    rows = []
    for entry in store.series.values():
        last = np.array([entry.last], dtype="datetime64[D]")
        known = known_on(entry, last)[0] <= day
        rows.append({
            "id": entry.id, "origin": "imported", "name": entry.title, "unit": entry.unit,
            "frequency": entry.frequency, "first": entry.first, "last": entry.last,
            "observations": entry.rows, "stale_days": int((day - last[0]).astype(int)),
            "all_known": bool(known), "lag_days": entry.lag_days, "revised": entry.revised,
            "source": entry.source, "file": entry.publisher_file, "imported_at": entry.imported_at,
            "note": entry.note, "sha256": entry.sha256,
        })
    return rows


def group_status(rows: Sequence[dict]) -> list[dict]:
    """Series in families: those of one prefix (``fx_daily``, ``tic.slt``, ``etf``) in one row, FRED ids
    apart."""
    families: dict[str, list[dict]] = {}
    for row in rows:
        parts = row["id"].split(".")
        deep = parts[0] in ("tic", "fed_stress") and len(parts) > 2
        family = row["id"] if len(parts) == 1 else ".".join(parts[:2] if deep else parts[:1])
        families.setdefault(family, []).append(row)

    def one(values: Iterable) -> object:
        seen = list(dict.fromkeys(values))
        return seen[0] if len(seen) == 1 else "various" if isinstance(
            seen[0], str) else f"{min(seen)}-{max(seen)}"

    return [{
        "series": family if len(members) == 1 and family == members[0]["id"] else f"{family}.*",
        "count": len(members), "unit": one(m["unit"] for m in members),
        "frequency": one(m["frequency"] for m in members),
        "first": min((m["first"] for m in members if m["first"]), default=""),
        "last": max((m["last"] for m in members if m["last"]), default=""),
        "observations": sum(m["observations"] for m in members),
        "lag_days": one(m["lag_days"] for m in members),
        "revised": "yes" if all(m["revised"] for m in members) else
                   "some" if any(m["revised"] for m in members) else "no",
    } for family, members in families.items()]


def store_versions(folder: Path | str | None, current: str) -> list[dict]:
    """One row per version of the store, oldest first: what it holds and what is new against the one
    before."""
    rows, before = [], {}
    for store in versions(folder):
        hashes = {name: entry.sha256 for name, entry in store.series.items()}
        rows.append({
            "version": store.version, "written": store.created, "in_force": store.version == current,
            "series": len(hashes), "observations": sum(e.rows for e in store.series.values()),
            "new_series": len(hashes.keys() - before.keys()),
            "changed_series": sum(before[n] != h for n, h in hashes.items() if n in before),
            "last": max((e.last for e in store.series.values() if not e.published), default=""),
        })
        before = hashes
    return rows or [{"version": EMBEDDED, "written": "", "in_force": True, "series": 0, "observations": 0,
                     "new_series": 0, "changed_series": 0, "last": ""}]


__all__ = ["FileOutcome", "ImportOutcome", "ImportedSeries", "group_status", "import_files",
           "imported_status",
           "outcome_record", "store_versions"]
