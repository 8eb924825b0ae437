"""What has been published since? Public series fetched into the data store, each judged before it is written.

Every document passes the same readers as ``riskengine data import``.  A series is then refused, and what the
store has stays, when it would be worse than that:

    it ends earlier                      the newest stored observation is not in it
    it has holes                         more than HOLES of the stored observations of its span are gone
    it has shrunk                        fewer than half of the stored observations (but for ``WINDOWED``
                                         series)
    its unit or frequency is another     as stated, or past values are a multiple of the stored ones
    its past is another                  more than PAST of the past values of a series its publisher never
                                         revises
    it is gone                           a table that holds every area no longer has this one

A source that fails is reported by name and the others go on; whatever was good is written, in one step, also
when the user interrupts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from riskengine.base.errors import InputError
from riskengine.data.fetch import FetchError, Patience, fetch
from riskengine.data.local_store import SeriesStore, open_store, store_folder, write_batches, writing
from riskengine.data.readers.known_series import known_ids
from riskengine.data.readers.recognise import read_publication
from riskengine.data.series_entries import ImportedSeries
from riskengine.data.update_sources import WINDOWED, Source, chosen_sources

HOLES = 0.02
FEW = 3
"""That many missing or changed observations are never too many."""
PAST = 0.05
MULTIPLE = np.log(1.5)
"""Median log ratio of new to stored past values beyond which the unit is another one."""
GOOD = ("new", "updated", "unchanged")


@dataclass(frozen=True, slots=True)
class SeriesUpdate:
    """What came of one series (``series`` is 'tic.slt.*' where a whole table failed).

    outcome : 'new', 'updated', 'unchanged', 'refused' (the store's figures stay), 'failed' (nothing came).
    added, replaced : observations.  last : newest observation in the store now, '' for none.
    """

    source: str
    series: str
    outcome: str
    added: int = 0
    replaced: int = 0
    last: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """One update: a row per series, the version of the store before and after."""

    rows: tuple[SeriesUpdate, ...]
    folder: Path
    before: str
    version: str
    unreachable: bool
    """No server answered at all: no network, or a proxy in between."""

    @property
    def bad(self) -> tuple[SeriesUpdate, ...]:
        """Rows that are neither new, updated nor unchanged."""
        return tuple(r for r in self.rows if r.outcome not in GOOD)


def update_store(folder: Path | str | None = None, *, series: Sequence[str] = (),
                 addresses: Sequence[str] = (),
                 patience: Patience | None = None, today: str | None = None,
                 progress: Callable[[str, int, int], None] | None = None) -> UpdateReport:
    """Fetch, judge and store.

    Parameters
    ----------
    folder : of the store; None as ``store_folder``.
    series, addresses : see ``update_sources.chosen_sources``; empty for everything, and the FRED series that
        the store holds besides.
    today : ISO date after which an observation cannot be; None lets any date pass.
    progress : called as progress(stage, done, total).

    Raises
    ------
    InputError : an unknown name or address, or a store that cannot be written; nothing was fetched.
    """
    place = store_folder(folder)
    old = open_store(place)
    held = tuple(name for name in old.series if name in known_ids())
    sources = chosen_sources(series, addresses, held)
    with writing(place):  # a store that cannot be written is told before anything is fetched
        pass
    patience = patience or Patience()
    steps = [(s, one) for s in sources for one in (s.series or ("",))]
    rows: list[SeriesUpdate] = []
    good: list[ImportedSeries] = []
    dead: dict[str, str] = {}
    answered = False
    report = None
    try:
        for i, (source, name) in enumerate(steps):
            if progress is not None:
                progress("update", i, len(steps))
            host = urlsplit(source.url).netloc
            label = name or f"{source.prefix}*"
            if host in dead:
                rows.append(_failed(source, label, dead[host], old))
                continue
            try:
                content = fetch(source.address(name), patience)
                answered = True
                came = _read(source, name, content, today)
            except FetchError as error:
                if error.unreachable:
                    dead[host] = f"{host} was not reached: {error.reason}"
                else:
                    answered = True
                rows.append(_failed(source, label, dead.get(host) or f"{host}: {error.reason}", old))
                continue
            except InputError as error:
                rows.append(_failed(source, label, _first(error), old))
                continue
            found, judged = _judge_all(source, came, old)
            good += found
            rows += judged
        if progress is not None:
            progress("update", len(steps), len(steps))
    finally:
        report = _write(place, old, good, rows, unreachable=bool(dead) and not answered)
    return report


def judge(new: ImportedSeries, old: SeriesStore) -> str:
    """Why *new* must not replace what *old* holds of the series; '' when it may."""
    if new.id not in old.series:
        return ""
    entry = old.series[new.id]
    for what, had, came in (("unit", entry.unit, new.unit), ("frequency", entry.frequency, new.frequency)):
        if had != came:
            return f"its {what} is another: {came!r}, the store has {had!r}"
    dates, values = old.read(new.id)
    if new.dates[-1] < dates[-1]:
        return f"it ends earlier: {new.dates[-1]}, the store has observations up to {dates[-1]}"
    inside = dates >= new.dates[0]
    gone = int(inside.sum()) - len(np.intersect1d(dates[inside], new.dates, assume_unique=True))
    if gone > max(FEW, HOLES * inside.sum()):
        return f"it has holes: {gone} of {int(inside.sum())} stored observations since {new.dates[0]} are gone"
    if len(new.dates) < 0.5 * len(dates) and new.id not in WINDOWED and not new.id.startswith("tic."):
        return f"it has shrunk: {len(new.dates)} observations came, the store has {len(dates)}"
    _, here, there = np.intersect1d(new.dates, dates, assume_unique=True, return_indices=True)
    if not len(here):
        return ""
    a, b = np.asarray(new.values)[here], values[there]
    both = a * b > 0  # a net position may be negative throughout
    if both.any() and abs(float(np.median(np.log(a[both] / b[both])))) > MULTIPLE:
        ratio = float(np.exp(np.median(np.log(a[both] / b[both]))))
        return f"past values are {ratio:.4g} times the stored ones: another unit or another series"
    changed = int((np.abs(a - b) > 1e-9 * np.maximum(np.abs(b), 1.0)).sum())
    if not entry.revised and changed > max(FEW, PAST * len(here)):
        return f"{changed} of {len(here)} past values differ, of a series its publisher does not revise"
    return ""


def _read(source: Source, name: str, content: bytes, today: str | None) -> list[ImportedSeries]:
    """Series of a document, those asked for or with the source's prefix; else FetchError or InputError."""
    if source.finished_line and not content.endswith(b"\n"):
        raise FetchError("cut: its last line is not finished")
    file = f"{name}.csv" if name else urlsplit(source.url).path.rsplit("/", 1)[-1] or source.name
    came = list(read_publication(content, file, latest=today).series)
    wanted = [s for s in came if (s.id == name if name else s.id.startswith(source.prefix))]
    if not wanted:
        held = ", ".join(s.id for s in came[:6]) or "no series"
        raise FetchError(
            f"its columns have changed: it holds {held} instead of {name or source.prefix + '*'}")
    return wanted


def _judge_all(source: Source, came: list[ImportedSeries], old: SeriesStore
               ) -> tuple[list[ImportedSeries], list[SeriesUpdate]]:
    good, rows = [], []
    for one in came:
        reason = judge(one, old)
        if reason:
            rows.append(SeriesUpdate(source.name, one.id, "refused", last=_last(old, one.id), message=reason))
        else:
            good.append(one)
            rows.append(SeriesUpdate(source.name, one.id, "unchanged"))
    if source.complete and source.prefix:
        have = {one.id for one in came}
        rows += [SeriesUpdate(source.name, name, "refused", last=_last(old, name),
                              message="it is gone from the table; the stored figures stay")
                 for name in old.series if name.startswith(source.prefix) and name not in have]
    return good, rows


def _write(place: Path, old: SeriesStore, good: list[ImportedSeries], rows: list[SeriesUpdate], *,
           unreachable: bool) -> UpdateReport:
    """Write what is good and say of every series what changed."""
    if not good:
        return UpdateReport(tuple(rows), place, old.version, old.version, unreachable)
    change, results = write_batches([[one] for one in good], place)
    told = {c.id: c for c in change.changes}
    misfits = {one.id: str(result) for one, result in zip(good, results, strict=True)
               if isinstance(result, InputError)}
    out = []
    for row in rows:
        if row.series in misfits:
            row = replace(row, outcome="refused", last=_last(old, row.series), message=misfits[row.series])
        if row.outcome == "unchanged" and row.series in told:
            c = told[row.series]
            outcome = "new" if row.series not in old.series else "updated" if c.any else "unchanged"
            row = replace(row, outcome=outcome, added=c.added, replaced=c.replaced,
                          last=change.store.series[row.series].last)
        out.append(row)
    return UpdateReport(tuple(out), place, change.before, change.version, unreachable)


def _failed(source: Source, label: str, reason: str, old: SeriesStore) -> SeriesUpdate:
    return SeriesUpdate(source.name, label, "failed", last=_last(old, label), message=reason)


def _last(store: SeriesStore, name: str) -> str:
    return store.series[name].last if name in store.series else ""


def _first(error: InputError) -> str:
    """The first problem, and how many more there are."""
    more = len(error.problems) - 1
    return str(error.problems[0]) + (f" (and {more} more problem{'s' if more > 1 else ''})" if more else "")
