"""From a column of days and numbers to a described series: frequency, period ends, and checks of sense.

Checks: at most one observation per period, the frequency the catalogue states, no observation after the
latest possible day, prices above zero, and a remark where a level changes its unit (percent against decimals,
millions against billions, a quote the other way round).
"""

from __future__ import annotations

import re
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
MOST_LETTERS = 120
"""Longest id of a series."""
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
        if len(series_id) > MOST_LETTERS:
            self.findings.error("a series id is too long", column=column, got=f"{len(series_id):,} letters",
                                accepted=f"at most {MOST_LETTERS}")
            return
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
        remark_decimals(values, lines, column, known, series_id, self.findings)
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
    """Remark where a level changes its unit: a factor of 100, 1,000 or a million from one observation to the
    next, or a quote that turns over (150 yen per dollar, then 0.0067 dollars per yen)."""
    if len(values) < 4 or (values <= 0).any():
        return
    logs = np.log10(values)
    steps = np.abs(np.diff(logs))
    turned = (np.abs(logs[:-1] + logs[1:]) < 0.02) & (steps > 0.6)
    for k in np.flatnonzero(turned | (np.abs(steps - 2) < 0.2) | (np.abs(steps - 3) < 0.05)
                            | (np.abs(steps - 6) < 0.05)):
        before, after = np.median(logs[max(0, k - 4):k + 1]), np.median(logs[k + 1:k + 6])
        back = k + 2 < len(values) and abs(steps[k + 1] - steps[k]) < 0.2
        if not back and abs(abs(after - before) - steps[k]) > 0.3:
            continue  # one step of a restless series
        power = round(steps[k])
        change = ("a quote the other way round" if turned[k] and abs(before + after) < 0.1
                  else "a factor of 100 (percent against decimals, or basis points)" if power == 2
                  else f"a factor of {10 ** power:,} (thousands, millions or billions)")
        findings.remark(f"the unit seems to change here: {change}", int(lines[k + 1]), column,
                        f"{values[k]:g} then {values[k + 1]:g}")
        return


def remark_decimals(values: np.ndarray, lines: Sequence[int], column: str, known: Description, series_id: str,
                    findings: Findings) -> None:
    """Remark when a series its publisher gives in percent has no figure that looks like percent.

    Bills and the risk-free return are left out: they were below 0.2 percent for years.
    """
    if not known.unit.startswith("percent") or known.kind not in ("rate", "return") or len(values) < 20:
        return
    if re.search(r"MO$|\dM$|^DFF$|^SOFR$|^DTB|RF$|DFII|YIE|term_premium|ACMTP", series_id):
        return
    largest = np.abs(values).max()
    if 0 < largest < 0.2:
        findings.remark(f"the publisher gives this series in {known.unit}; the figures look like decimals: "
                        "stored as they are, a hundredth of their "
                        "size", int(lines[0]), column, f"largest {largest:g}",
                        known.unit)


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
