"""What a series of the data store is: its description, when it was known, and what makes a version.

An observation of period end *e* is known at the close of e + ``lag_days``; see ``local_store``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from riskengine.base.errors import InputError, Problem

FREQUENCIES = ("daily", "weekly", "monthly", "quarterly", "annual", "irregular")
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.^=&+\-]{0,119}$")


@dataclass(frozen=True, slots=True)
class ImportedSeries:
    """One series as a reader hands it over: description, (T,) dates (period ends, ascending), (T,) values."""

    id: str
    title: str
    unit: str
    frequency: str
    source: str
    publisher_file: str
    dates: np.ndarray
    values: np.ndarray
    lag_days: int
    revised: bool
    lag_fourth_quarter: int | None = None
    published: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """What the store knows about one series; ``first`` and ``last`` are ISO dates, ``rows`` observations.

    ``published`` : ISO date at which the whole path became known (scenarios), '' for observations.
    ``note`` : what had to be assumed (lag and revisions of a series the catalogue does not know).
    """

    id: str
    title: str
    unit: str
    frequency: str
    source: str
    publisher_file: str
    first: str
    last: str
    rows: int
    sha256: str
    lag_days: int
    revised: bool
    lag_fourth_quarter: int | None = None
    published: str = ""
    note: str = ""
    imported_at: str = ""
    place: tuple[str, int] = ("", 0)
    """Object that holds the values, and the first row there."""


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """What a write did to one series: observations added, replaced by another value, taken out, left
    alone."""

    id: str
    added: int
    replaced: int
    vanished: int
    unchanged: int
    described: bool = False
    """The description changed (title, source, lag, revised)."""

    @property
    def any(self) -> bool:
        """True when the write changed something."""
        return bool(self.added or self.replaced or self.vanished or self.described)


def known_on(entry: SeriesEntry | ImportedSeries, dates: np.ndarray) -> np.ndarray:
    """(T,) datetime64[D]: the day at whose close the observation of each period end was known."""
    dates = np.asarray(dates, dtype="datetime64[D]")
    if entry.published:
        return np.full(len(dates), np.datetime64(entry.published, "D"))
    late = entry.lag_days if entry.lag_fourth_quarter is None else entry.lag_fourth_quarter
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    return dates + np.where(month == 12, late, entry.lag_days).astype("timedelta64[D]")


def check_series(series: Sequence[ImportedSeries]) -> None:
    """InputError with every problem: malformed ids, ids given twice, empty, unsorted or non-finite series."""
    problems, seen = [], set()
    for one in series:
        where = {"file": one.publisher_file, "field": one.id}
        dates, values = np.asarray(one.dates), np.asarray(one.values)
        if not _ID.match(one.id):
            problems.append(Problem("series id", one.publisher_file, got=repr(one.id[:120]),
                                    accepted="up to 120 letters, digits, . _ - = ^ & +, no spaces"))
        if one.id in seen:
            problems.append(Problem("the series is given twice", **where))
        seen.add(one.id)
        if one.frequency not in FREQUENCIES:
            problems.append(Problem("frequency", **where, got=one.frequency,
                                    accepted=", ".join(FREQUENCIES)))
        if dates.ndim != 1 or dates.shape != values.shape or not len(dates):
            problems.append(Problem("one date per value, and at least one observation", **where,
                                    got=f"{dates.shape} dates, {values.shape} values"))
        elif not (np.diff(dates.astype("datetime64[D]").astype(np.int64)) > 0).all():
            problems.append(Problem("dates must ascend, each once", **where))
        elif not np.isfinite(values.astype(np.float64)).all():
            problems.append(Problem("values must be finite numbers", **where))
    if problems:
        raise InputError(problems)


_MEANING = tuple(f.name for f in fields(SeriesEntry)
                 if f.name not in ("publisher_file", "imported_at", "place"))


def meaning_of(entry: SeriesEntry) -> dict:
    """What the version is made of: everything but provenance and place."""
    return {name: getattr(entry, name) for name in _MEANING}


def version_of(entries: Mapping[str, SeriesEntry]) -> str:
    """Version of a store that holds *entries*: SHA-256 of what every one of them means."""
    content = [meaning_of(entries[name]) for name in sorted(entries)]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def content_hash(dates: np.ndarray, values: np.ndarray) -> str:
    """SHA-256 of (T,) dates and (T,) values, the same on every machine."""
    digest = hashlib.sha256(np.ascontiguousarray(dates.astype("<M8[D]")).tobytes())
    digest.update(np.ascontiguousarray(values.astype("<f8")).tobytes())
    return digest.hexdigest()
