"""What becomes of a stored series when new observations of it arrive?

The merge rule of ``local_store``: a new observation replaces the stored one of the same date; stored dates
outside the span of the new ones stay; stored dates inside it that the new data no longer have go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.data.series_entries import (
    ImportedSeries,
    SeriesChange,
    SeriesEntry,
    check_series,
    content_hash,
    meaning_of,
)

ROW = np.dtype([("date", "<M8[D]"), ("value", "<f8")])
"""One observation as it is stored."""
MOST_OF_THEM = 0.7
"""Share of common dates on which figures must be in another unit to be refused for it."""


@dataclass(slots=True)
class Draft:
    """The next version of a store while batches are merged into it; nothing is on disk yet.

    entries : of the version in force.  read : gives dates and values of a stored series.  moment : the time
    noted as ``imported_at``.
    """

    stored: Mapping[str, SeriesEntry]
    read: Callable[[str], tuple[np.ndarray, np.ndarray]]
    moment: str
    entries: dict[str, SeriesEntry] = field(default_factory=dict)
    fresh: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries = dict(self.stored)

    def add(self, batch: Sequence[ImportedSeries]) -> tuple[SeriesChange, ...]:
        """Merge *batch* whole; InputError, and nothing of it merged, when one of its series does not fit."""
        check_series(batch)
        merged, problems = [], []
        for one in batch:
            misfits = self._misfits(one)
            problems += misfits
            if not misfits:
                merged.append(self._merge(one))
        if problems:
            raise InputError(problems)
        for entry, change, rows in merged:
            if change.any:
                self.entries[entry.id] = entry
                if rows is not None:
                    self.fresh[entry.id] = rows
        return tuple(change for _, change, _ in merged)

    def fresh_rows(self) -> list[np.ndarray]:
        """Rows of every series whose values must be stored anew, in the order ``placed`` counts them."""
        return list(self.fresh.values())

    def placed(self, name: str) -> dict[str, SeriesEntry]:
        """The entries, those with fresh rows pointing into the object *name*."""
        entries, start = dict(self.entries), 0
        for series_id, rows in self.fresh.items():
            entries[series_id] = replace(entries[series_id], place=(name, start))
            start += len(rows)
        return entries

    def _values(self, series_id: str) -> tuple[np.ndarray, np.ndarray]:
        if series_id in self.fresh:
            return self.fresh[series_id]["date"], self.fresh[series_id]["value"]
        return self.read(series_id)

    def _misfits(self, one: ImportedSeries) -> list[Problem]:
        before = self.entries.get(one.id)
        if before is None:
            return []
        return self._other_scale(one, before) + [
            Problem(f"the {name} differs from the one in the store; import it under another id (--as) or "
                    "into another folder "
                    "(--data)", file=one.publisher_file, field=one.id, got=getattr(one, name),
                    accepted=f"{getattr(before, name)}, as in {before.publisher_file}")
            for name in ("unit", "frequency") if getattr(before, name) != getattr(one, name)]

    def _other_scale(self, one: ImportedSeries, before: SeriesEntry) -> list[Problem]:
        """Figures of the same dates in another unit than the stored ones: a power of ten, or the quote the
        other way round."""
        had, were = self._values(one.id)
        _, here, there = np.intersect1d(np.asarray(one.dates).astype("datetime64[D]"), had,
                                        assume_unique=True,
                                        return_indices=True)
        new, old = np.asarray(one.values, dtype=np.float64)[here], were[there]
        used = (new * old) > 0
        if used.sum() < 3:
            return []
        log_new, log_old = np.log10(np.abs(new[used])), np.log10(np.abs(old[used]))
        size = log_new - log_old
        power = round(float(np.median(size)))
        if power and (np.abs(size - power) < 0.02).mean() > MOST_OF_THEM:
            times = f"{10 ** power:,} times" if power > 0 else f"1/{10 ** -power:,} of"
            rule = f"on the dates both have, the figures are {times} the stored ones: another unit?"
        elif np.abs(np.median(size)) > 0.3 and (np.abs(log_new + log_old) < 0.003).mean() > MOST_OF_THEM:
            rule = "on the dates both have, the figures are one over the stored ones: a quote the other way round?"
        else:
            return []
        k = int(np.flatnonzero(used)[-1])
        return [Problem(rule, one.publisher_file, field=one.id,
                        got=f"{new[k]:g} on {had[there[k]]}, stored {old[k]:g}",
                        accepted=f"{before.unit}, as in {before.publisher_file}")]

    def _merge(self, one: ImportedSeries) -> tuple[SeriesEntry, SeriesChange, np.ndarray | None]:
        """Entry after the merge, what changed, and (T,) rows to store (None: they stay where they are)."""
        dates = np.asarray(one.dates).astype("datetime64[D]")
        values = np.asarray(one.values,
                            dtype=np.float64) + 0.0  # no negative zero: equal figures, equal bytes
        before = self.entries.get(one.id)
        added, replaced, vanished, unchanged = len(dates), 0, 0, 0
        if before is not None:
            had, were = self._values(one.id)
            _, here, there = np.intersect1d(dates, had, assume_unique=True, return_indices=True)
            unchanged = int((values[here] == were[there]).sum())
            replaced, added = len(here) - unchanged, len(dates) - len(here)
            outside = (had < dates[0]) | (had > dates[-1])
            vanished = len(had) - int(outside.sum()) - len(here)
            dates, values = np.r_[dates, had[outside]], np.r_[values, were[outside]]
            order = np.argsort(dates, kind="stable")
            dates, values = dates[order], values[order]
        digest = content_hash(dates, values)
        entry = SeriesEntry(
            one.id, one.title, one.unit, one.frequency, one.source, one.publisher_file, str(dates[0]),
            str(dates[-1]), len(dates), digest, int(one.lag_days), bool(one.revised), one.lag_fourth_quarter,
            one.published, one.note, self.moment)
        same = before is not None and before.sha256 == digest
        described = same and meaning_of(before) != meaning_of(entry)
        change = SeriesChange(one.id, added, replaced, vanished, unchanged, described)
        if same:
            return replace(entry, place=before.place), change, None
        rows = np.empty(len(dates), dtype=ROW)
        rows["date"], rows["value"] = dates, values
        return entry, change, rows
