"""From a column of days and numbers to a described series: frequency, period ends, and checks of sense.

Checks: at most one observation per period, the frequency the catalogue states, no observation after the
latest possible day, prices above zero, and a remark where a level jumps a hundredfold (percent against
decimals).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from riskengine.data.readers.findings import Findings, name_rows
from riskengine.data.readers.frame import Frame, clean, remark_order
from riskengine.data.readers.known_series import Description, describe
from riskengine.data.readers.number_text import positive
from riskengine.data.readers.periods import end_of_period, find_frequency
from riskengine.data.series_entries import ImportedSeries

FIRST_DAY = np.datetime64("1600-01-01", "D")
WEEK = np.timedelta64(7, "D")
SURE_OF_FREQUENCY = 8
"""Observations from which a frequency that contradicts the catalogue is an error."""


@dataclass(slots=True)
class Assembly:
    """Collects the series of one file.

    latest : no observation may lie after this day (None: not checked).  chosen : id the user gave to the only
    series of the file.
    """

    findings: Findings
    latest: np.datetime64 | None = None
    chosen: str | None = None
    series: list[ImportedSeries] = field(default_factory=list)
    _empty: list[str] = field(default_factory=list)

    def add(self, series_id: str, days: np.ndarray, values: np.ndarray, lines: Sequence[int], column: str,
            period: str = "", description: Description | None = None, published: str = "") -> None:
        """Clean, check and keep one column; faults go to the findings.

        period : what the date format means ('' for days).  published : day a scenario was printed.
        """
        series_id = self.chosen or series_id
        found = clean(days, values, lines, column, self.findings)
        days, values, lines = found.days, found.values, found.lines
        if not len(days):
            self._empty.append(column)
            return
        frequency = self._frequency(series_id, days, lines, column, period, description)
        known = description or describe(series_id, frequency)
        self._check_days(days, lines, column, frequency, published)
        if known.kind == "price":
            positive(values, lines, column, self.findings)
        if known.kind not in ("flow", "return"):
            remark_unit_jumps(values, lines, column, self.findings)
        self.series.append(ImportedSeries(
            series_id, known.title, known.unit, frequency, known.source, self.findings.file,
            end_of_period(days, frequency), values, known.lag_days, known.revised, known.lag_fourth_quarter,
            published, known.note))

    def _frequency(self, series_id, days, lines, column, period, description) -> str:
        found = find_frequency(days)
        if period and (not found or len(days) < SURE_OF_FREQUENCY or found in ("daily", "weekly")):
            found = period
        stated = (description or describe(series_id)).frequency
        if not stated:
            few = len(days) < 3 and days[-1] - days[0] <= WEEK  # too few to tell
            return found or ("daily" if few else "irregular")
        if found and found != stated and len(days) >= SURE_OF_FREQUENCY:
            self.findings.error("another frequency than the publisher's series has", int(lines[0]), column,
                                found, f"{stated}; or give it an id of its own: --as {series_id}_{found}")
        return stated

    def _check_days(self, days, lines, column, frequency, published) -> None:
        ends = end_of_period(days, frequency)
        twice = np.flatnonzero(np.diff(ends).astype(np.int64) == 0)
        if len(twice):
            k = twice[0]
            self.findings.error(f"two observations in one period of a {frequency} series", int(lines[k + 1]),
                                column, f"{days[k]} and {days[k + 1]}", "one per period")
        for bad, rule in ((days < FIRST_DAY, "a date before 1600"),
                          (days > self.latest if self.latest is not None and not published
                           else np.zeros(len(days), bool), "an observation that lies in the future")):
            if bad.any():
                rows = np.sort(lines[bad]).tolist()
                self.findings.error(f"{rule} ({name_rows(rows)})", rows[0], column, days[bad][0],
                                    f"{FIRST_DAY} … {self.latest or ''}".rstrip(" …"))

    def finish(self) -> list[ImportedSeries]:
        """The series collected; InputError with every fault noted in the file."""
        if self._empty and self.series:
            names = ", ".join(self._empty[:6]) + (" …" if len(self._empty) > 6 else "")
            count = len(self._empty)
            self.findings.remark(f"{count} column{'s' if count > 1 else ''} without any observation: {names}")
        if self.chosen and len(self.series) > 1:
            raise self.findings.stop("--as gives one id, the file holds several series", got=self.chosen,
                                     accepted=f"a file with one series, not {len(self.series)}")
        self.findings.raise_errors()
        if not self.series:
            raise self.findings.stop("no observations", got=", ".join(self._empty[:6]))
        return self.series


def remark_unit_jumps(values: np.ndarray, lines: Sequence[int], column: str, findings: Findings) -> None:
    """Remark where a level becomes about 100 times larger or smaller from one observation to the next."""
    if len(values) < 4 or (values <= 0).any():
        return
    steps = np.abs(np.diff(np.log10(values)))
    for k in np.flatnonzero((steps > 1.8) & (steps < 2.2)):
        before, after = np.median(values[max(0, k - 4):k + 1]), np.median(values[k + 1:k + 6])
        single = k + 2 < len(values) and 1.8 < steps[k + 1] < 2.2
        if single or 1.7 < abs(np.log10(after / before)) < 2.3:
            findings.remark("the unit seems to change here: percent against decimals (a factor of 100)",
                            int(lines[k + 1]), column, f"{values[k]:g} then {values[k + 1]:g}")
            return


def read_wide(frame: Frame, assembly: Assembly, name: Callable[[str], str | None],
              describe_column: Callable[[str], Description] | None = None,
              missing: frozenset[str] | None = None) -> None:
    """Every value column of *frame* as a series; *name* gives its id, None leaves the column out."""
    columns = [j for j in frame.value_columns() if name(frame.header[j]) is not None]
    days, period = frame.dates()
    remark_order(days, frame.lines, frame.findings)
    for j in columns:
        column = frame.header[j]
        values = frame.numbers(j) if missing is None else frame.numbers(j, missing)
        assembly.add(name(column), days, values, frame.lines, column, period,
                     describe_column(column) if describe_column else None)


def slug(text: str) -> str:
    """A name as an id: 'China, Mainland' → 'china_mainland', 'T-Bonds & Notes' → 't_bonds_and_notes'."""
    plain = text.lower().replace("&", " and ").replace(".", "").replace("'", "")
    return "_".join(filter(None, "".join(c if c.isalnum() and c.isascii() else " " for c in plain).split()))
