"""Which figures were known at the as-of date, on one monthly, weekly and quarterly calendar without holes?

Every reader returns a vector on the whole calendar (:attr:`Observations.months`, ``weeks``, ``quarters``)
with NaN where nothing was observed or known, so that a difference or a lag never jumps over a gap.  A month
(quarter) counts only when it had ended by the as-of date.  Sources: the embedded panels of
``riskengine.data.panels`` and the user's store (``riskengine.data.selection``); both cut by date *and*
publication lag, and by date once more here.

Units: yields in percentage points, returns in per cent (100 × log change), flows in USD bn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from factors.definitions import BROAD_DOLLAR_WEIGHTS
from factors.sensitivities.regression import NotEstimable
from riskengine.base.axes import CURRENCIES
from riskengine.data.panels import load_panel
from riskengine.data.selection import active_store

CALENDAR_START = "1960-01"
IMPORT = "riskengine data import"
STALE_DAYS = 10
"""A month-end or week-end level older than this is missing."""
DXY = ("fx_close.DXY", "close.DXY", "fx_close.DX-Y.NYB")


class Observations:
    """Everything known at the close of *as_of*; vectors are cached and read-only."""

    def __init__(self, as_of: str, store: Any = None) -> None:
        self.as_of = as_of
        self.day = np.datetime64(as_of, "D")
        self.store = active_store() if store is None else store
        end = self.day + np.timedelta64(1, "D")  # a month has ended when the next day lies beyond it
        self.months = np.arange(np.datetime64(CALENDAR_START, "M"), end.astype("datetime64[M]"))
        quarters = self.months[2::3]
        self.quarters = quarters
        first = np.datetime64("1960-01-06", "D")  # a Wednesday
        self.weeks = np.arange(first, end, np.timedelta64(7, "D"))
        self.vector = lru_cache(maxsize=None)(self._vector)
        self.panel = lru_cache(maxsize=None)(self._panel)

    @property
    def data_version(self) -> str:
        """Content version of the imported data; 'embedded' without any."""
        return self.store.version

    def has(self, series: str) -> bool:
        """Whether the store holds *series*."""
        return series in self.store.series

    def first_of(self, names: Iterable[str]) -> str:
        """The first of several ids the store holds; NotEstimable naming them when it holds none."""
        names = tuple(names)
        for name in names:
            if self.has(name):
                return name
        raise missing(names[0])

    def _panel(self, name: str, label: str) -> tuple[np.ndarray, np.ndarray]:
        """(T,) dates and values of one label of an embedded panel (continued by the store)."""
        panel = load_panel(name, self.as_of)
        column = panel.values[:, panel.axis.index(label)]
        return self._cut(panel.dates, column)

    def imported(self, series: str) -> tuple[np.ndarray, np.ndarray]:
        """(T,) dates and values of an imported series in the publisher's units; NotEstimable when missing."""
        if not self.has(series):
            raise missing(series)
        return self._cut(*self.store.read_as_of(series, self.as_of))

    def _cut(self, dates: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = (dates <= self.day) & ~np.isnan(values)
        return dates[rows].astype("datetime64[D]"), values[rows]

    def series(self, source: str) -> tuple[np.ndarray, np.ndarray]:
        """'panel:name.LABEL' or the id of an imported series."""
        if source.startswith("panel:"):
            name, label = source[6:].split(".", 1)
            return self.panel(name, label)
        return self.imported(source)

    def _vector(self, source: str, calendar: str) -> np.ndarray:
        """*source* on 'month_average', 'month_end', 'week' or 'quarter_end'; NaN where missing."""
        dates, values = self.series(source)
        if calendar == "month_average":
            out = _average(dates, values, self.months)
        elif calendar == "month_end":
            out = _last_within(dates, values,
                               (self.months + 1).astype("datetime64[D]") - np.timedelta64(1, "D"),
                               np.timedelta64(STALE_DAYS, "D"))
        elif calendar == "quarter_end":
            out = _last_within(dates, values,
                               (self.quarters + 1).astype("datetime64[D]") - np.timedelta64(1, "D"),
                               np.timedelta64(31, "D"))
        else:
            out = _last_within(dates, values, self.weeks, np.timedelta64(4, "D"))
        out.flags.writeable = False
        return out

    def average(self, source: str) -> np.ndarray:
        """Monthly average (the value itself for monthly series)."""
        return self.vector(source, "month_average")

    def month_end(self, source: str) -> np.ndarray:
        """Last value of the month."""
        return self.vector(source, "month_end")

    def broad_dollar(self, calendar: str) -> tuple[np.ndarray, str]:
        """(log value of foreign currency, name of the dollar): up = the dollar fell.

        The Federal Reserve's broad index (DTWEXBGS) where imported, else the H.10 currencies with fixed
        weights.
        """
        if self.has("DTWEXBGS"):
            return -np.log(self.vector("DTWEXBGS", calendar)), "broad"
        panel = "fx_monthly" if calendar == "month_average" else "fx_daily"
        weights = {c: w for c, w in BROAD_DOLLAR_WEIGHTS.items() if c in CURRENCIES}
        total = sum(weights.values())
        log = sum(w / total * np.log(self.vector(f"panel:{panel}.{c}", calendar)) for c, w in weights.items())
        return np.asarray(log), "H.10 broad"

    def sp500(self, calendar: str) -> np.ndarray:
        """Log S&P 500: the imported closes, else the panel."""
        return log_of(self.vector("SP500" if self.has("SP500") else "panel:equity_daily.SP500", calendar),
                      "SP500")

    def ten_year(self, calendar: str, tenor: str = "10Y") -> np.ndarray:
        """Par yield in percentage points."""
        series = f"DGS{tenor[:-1]}" if tenor.endswith("Y") else "DGS3MO"
        if self.has(series):
            return self.vector(series, calendar)
        return 100.0 * self.vector(f"panel:treasury_par_daily.{tenor}", calendar)

    def since(self, dates: np.ndarray, values: np.ndarray, first: str, last: str | None = None) -> np.ndarray:
        """*values* with NaN before month *first* and after *last*."""
        at = dates.astype("datetime64[M]")
        keep = at >= np.datetime64(first, "M")
        if last is not None:
            keep &= at <= np.datetime64(last, "M")
        return np.where(keep, values, np.nan)


def missing(series: str) -> NotEstimable:
    """The exclusion of what needs a series the store does not hold."""
    return NotEstimable(f"needs series {series}: {IMPORT}", series)


def log_of(values: np.ndarray, name: str) -> np.ndarray:
    """Logarithm of a price; NotEstimable where a price is not positive."""
    with np.errstate(invalid="ignore"):
        bad = values <= 0
    if bad.any():
        raise NotEstimable(f"broken: {int(bad.sum())} prices of {name} are not positive")
    return np.log(values)


def moves(level: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """(T,) change from the row before, NaN first, times *scale*."""
    return np.r_[np.nan, np.diff(level)] * scale


def change_over(level: np.ndarray, rows: int, scale: float = 1.0) -> np.ndarray:
    """(T,) change over *rows* rows, NaN at the start, times *scale*."""
    return np.r_[np.full(rows, np.nan), level[rows:] - level[:-rows]] * scale


def lagged(x: np.ndarray, rows: int) -> np.ndarray:
    """(T,) *x* shifted *rows* rows later."""
    return x if rows == 0 else np.r_[np.full(rows, np.nan), x[:-rows]]


def stack(columns: Sequence[np.ndarray]) -> np.ndarray:
    """(T, J)."""
    return np.column_stack(list(columns))


def _average(dates: np.ndarray, values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Mean of each month of *grid*; NaN where its last observation lies well before its end."""
    place = (dates.astype("datetime64[M]") - grid[0]).astype(np.int64)
    inside = (place >= 0) & (place < len(grid))
    sums = np.bincount(place[inside], values[inside], len(grid))
    count = np.bincount(place[inside], minlength=len(grid))
    last = np.full(len(grid), np.datetime64("1900-01-01", "D"))
    np.maximum.at(last, place[inside], dates[inside])
    ends = (grid + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    whole = (count > 0) & (ends - last <= np.timedelta64(STALE_DAYS, "D"))
    return np.where(whole, sums / np.maximum(count, 1), np.nan)


def _last_within(dates: np.ndarray, values: np.ndarray, ends: np.ndarray,
                 stale: np.timedelta64) -> np.ndarray:
    if not len(dates):
        return np.full(len(ends), np.nan)
    at = np.searchsorted(dates, ends, side="right") - 1
    safe = np.maximum(at, 0)
    fresh = (at >= 0) & (ends - dates[safe] <= stale)
    return np.where(fresh, values[safe], np.nan)
