"""A data store of made-up series in the publishers' units, for tests of everything that imported data
change."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from riskengine.data.local_store import ImportedSeries, SeriesStore, write_series
from riskengine.data.readers.known_series import describe

FIRST, LAST = "1998-12-22", "2025-03-31"


def business_days(first: str = FIRST, last: str = LAST) -> np.ndarray:
    """Weekdays."""
    days = np.arange(first, np.datetime64(last) + 1, dtype="datetime64[D]")
    return days[np.is_busday(days)]


def series(name: str, days: np.ndarray, values: np.ndarray, frequency: str = "daily") -> ImportedSeries:
    """As a reader would hand it over."""
    known = describe(name, frequency)
    return ImportedSeries(name, known.title, known.unit, frequency, known.source, "made up", days, values,
                          known.lag_days, known.revised, known.lag_fourth_quarter, "", known.note)


def made_up(first: str = FIRST, last: str = LAST, seed: int = 11) -> list[ImportedSeries]:
    """S&P 500, seven funds that move with it, VIX, exchange rates and par yields in both quotations."""
    days = business_days(first, last)
    rng = np.random.Generator(np.random.Philox(seed))
    market = 0.01 * rng.standard_t(6, len(days))

    def path(beta: float, own: float, start: float) -> np.ndarray:
        return start * np.exp(np.cumsum(beta * market + own * rng.standard_normal(len(days))))

    index = path(1.0, 0.0, 1000.0)
    anchor = np.flatnonzero(days <= np.datetime64("2018-12-31"))
    if len(anchor):  # from 2019 on it carries the embedded index on
        index *= 2506.850098 / index[anchor[-1]]
    funds_from = days if not len(anchor) else days[anchor[-1] - 5:]
    found = [series("SP500", funds_from, index[-len(funds_from):]),
             series("VIXCLS", days, np.clip(18 + np.cumsum(0.3 * rng.standard_normal(len(days))), 9, 60))]
    for name, beta in (("XLK", 1.3), ("XLB", 1.0), ("XLI", 1.0), ("XLY", 1.1), ("XLU", 0.5), ("XLF", 1.1),
                       ("IYR", 0.9)):
        found.append(series(f"etf.{name}", days, path(beta, 0.006, 30.0)))
    late = days[days > np.datetime64("2024-08-01")]
    if len(late):
        steps = np.cumsum(0.004 * rng.standard_normal((len(late), 8)), axis=0)
        for j, (name, level) in enumerate((("DEXUSEU", 1.1), ("DEXUSUK", 1.3), ("DEXJPUS", 150.0), ("DEXCAUS", 1.4),
                                           ("DEXSZUS", 0.9), ("h10.AUD", 0.65), ("h10.CNY", 7.2),
                                           ("fx_close.MXN", 20.0))):
            found.append(series(name, late, level * np.exp(steps[:, j])))
        for j, tenor in enumerate(("3MO", "6MO", "1", "2", "5", "10", "30")):
            found.append(series(f"DGS{tenor}", late, 4.0 + 0.1 * j + np.cumsum(0.04 * rng.standard_normal(len(late)))))
    return found


def write(folder: Path, given: list[ImportedSeries]) -> SeriesStore:
    """A store with these series."""
    return write_series(given, folder).store


def poisoned(given: list[ImportedSeries], as_of: str) -> list[ImportedSeries]:
    """The same up to what was known at *as_of*; nonsense, on more days, after it."""
    day, out = np.datetime64(as_of), []
    for one in given:
        known = one.dates + np.timedelta64(one.lag_days, "D") <= day
        extra = np.arange(one.dates[known][-1] + 1 if known.any() else one.dates[0], np.datetime64("2027-01-01"),
                          dtype="datetime64[D]")
        nonsense = 1e4 * (1.0 + np.arange(len(extra)) % 7)
        out.append(series(one.id, np.r_[one.dates[known], extra], np.r_[one.values[known], nonsense]))
    return out
