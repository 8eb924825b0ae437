"""Which moves of the statistical factors were observed up to the as-of date, per day, week and month?

Levels come from ``riskengine.data.panels`` and are cut at the as-of date here once more (nothing after it can
reach an estimate).  One calendar: the days on which the Federal Reserve quotes the euro and the Treasury the
10-year yield.  A move is NaN where either end is missing or lies outside the factor's regime.

    log factors    x_t = ln P_t − ln P_{t−1}          yields   x_t = y_t − y_{t−1}

Daily: consecutive days of the calendar.  Weekly: from calendar week to calendar week counted back from the
last day (5 business days, 52 a year), the last level on or before each anchor.  Monthly: last level of each
month.

With sectors imported, SECTOR_BASKETS have levels of their own: the running sum of the mean log return of
their members, from the first day all of them are quoted.  What of the data store the laboratory uses is one
more panel, ``imported_daily``, cut like the others and part of the artefact's key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from factors.definitions import (EARLIEST_AS_OF, EQUITY_STALE_DAYS, FX_REGIME_STARTS, MIN_REGIME_DAYS,
                                 SAMPLE_START, SECTOR_BASKETS, STATISTICAL_FACTORS)
from riskengine.base.axes import CURRENCIES, KEY_RATES, Axis
from riskengine.base.errors import InputError, Problem
from riskengine.data.catalog import IMPORTED
from riskengine.data.continuation import continuations
from riskengine.data.panels import load_panel
from riskengine.data.selection import active_store
from riskengine.market import Panel

PANELS = ("fx_daily", "zero_rates_daily", "equity_daily", "fx_monthly", "rates_monthly",
          "stress_history_quarterly")
LEVEL_FACTORS = tuple(label for label in STATISTICAL_FACTORS if not label.startswith("VOL_"))
ANCHOR_STALENESS = np.timedelta64(4, "D")


@dataclass(frozen=True, slots=True)
class Moves:
    """Moves of several factors: dates (T,) of the end of each step, values (T, N) with NaN, labels (N,)."""

    dates: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...]

    def column(self, label: str) -> np.ndarray:
        """(T,) moves of one factor."""
        return self.values[:, self.labels.index(label)]


@dataclass(frozen=True, slots=True)
class Levels:
    """Log prices and yields on the common calendar: dates (T,), values (T, N), NaN outside a factor's
    regime.

    live : equity factors whose imported history reaches the last days, so that their volatility of today is
    known.
    """

    dates: np.ndarray
    values: np.ndarray
    labels: tuple[str, ...]
    live: frozenset[str] = frozenset()


def read_panels(as_of: str) -> dict[str, Panel]:
    """Every panel the laboratory uses, with no row after *as_of*; InputError before EARLIEST_AS_OF."""
    day = np.datetime64(as_of, "D")
    if day < np.datetime64(EARLIEST_AS_OF):
        raise InputError(Problem("the factor model needs a year of every currency in a usable regime",
                                 field="as_of", got=as_of, accepted=f"{EARLIEST_AS_OF} or later"))
    panels = {name: _cut(load_panel(name, as_of), day) for name in PANELS}
    imported = read_imported(as_of)
    return panels if imported is None else panels | {IMPORTED: _cut(imported, day)}


def read_imported(as_of: str) -> Panel | None:
    """The imported series the laboratory uses (members of baskets, sources of the equity indices) as known at
    *as_of*, published units; None when the data store has none."""
    store = active_store()
    wanted = {m for sets in SECTOR_BASKETS.values() for members in sets for m in members}
    wanted |= {c.series for sources in continuations("equity_daily").values() for c in sources}
    labels = tuple(sorted(wanted & set(store.series)))
    if not labels:
        return None
    read = [store.read_as_of(label, as_of) for label in labels]
    dates = np.unique(np.concatenate([days for days, _ in read])).astype("datetime64[D]")
    values = np.full((len(dates), len(labels)), np.nan)
    for j, (days, figures) in enumerate(read):
        values[np.searchsorted(dates, days), j] = figures
    return Panel(IMPORTED, dates, values, Axis(IMPORTED, labels), tuple(store.entry(n).unit for n in labels))


def hash_panels(panels: Mapping[str, Panel]) -> str:
    """SHA-256 of the names, dates and values of *panels*: the data part of the artefact's key."""
    digest = hashlib.sha256()
    for name in sorted(panels):
        panel = panels[name]
        digest.update(f"{name}:{panel.axis.labels}".encode())
        digest.update(np.ascontiguousarray(panel.dates.astype("datetime64[D]").astype(np.int64)).tobytes())
        digest.update(np.ascontiguousarray(panel.values).tobytes())
    return digest.hexdigest()


def factor_levels(panels: Mapping[str, Panel]) -> Levels:
    """Log prices and yields of LEVEL_FACTORS on the common calendar from SAMPLE_START on."""
    fx, zero, equity = panels["fx_daily"], panels["zero_rates_daily"], panels["equity_daily"]
    quoted = fx.dates[np.isfinite(fx.values[:, fx.axis.index("EUR")])]
    traded = zero.dates[np.isfinite(zero.values[:, zero.axis.index("10Y")])]
    dates = np.intersect1d(quoted, traded)
    dates = dates[dates >= np.datetime64(SAMPLE_START)]
    if len(dates) < MIN_REGIME_DAYS:
        raise InputError(Problem("too few days with both currencies and Treasury yields",
                                 got=str(len(dates)), accepted=f"at least {MIN_REGIME_DAYS}"))
    log_fx = np.log(_on(fx, dates, CURRENCIES))
    for j, currency in enumerate(CURRENCIES):
        log_fx[dates < regime_start(currency, dates, log_fx[:, j]), j] = np.nan
    indices = np.log(_on(equity, dates, ("SP500", "NASDAQ")))
    levels = np.hstack([log_fx, _on(zero, dates, tuple(KEY_RATES)), indices])
    baskets = sector_baskets(panels)
    if not baskets:
        return Levels(dates, levels, LEVEL_FACTORS, _live(panels, dates, indices))
    columns = [_at(days, values, dates) for days, values, _ in baskets.values()]
    every = np.column_stack([indices, *columns])
    return Levels(dates, np.column_stack([levels, *columns]), LEVEL_FACTORS + tuple(baskets),
                  _live(panels, dates, every, tuple(baskets)))


def sector_baskets(panels: Mapping[str, Panel]
                   ) -> dict[str, tuple[np.ndarray, np.ndarray, tuple[str, ...]]]:
    """Factor → (days (T,), log level (T,) starting at 0, members) of the SECTOR_BASKETS that are imported
    with MIN_REGIME_DAYS of returns; of several sets the one quoted last, in the order of the table."""
    panel = panels.get(IMPORTED)
    found = {}
    for factor, sets in SECTOR_BASKETS.items() if panel is not None else ():
        best = None
        for members in sets:
            if not set(members) <= set(panel.axis.labels):
                continue
            days, level = _basket_level(panel, members)
            if len(days) > MIN_REGIME_DAYS and (best is None or days[-1] > best[0][-1]
                                                + np.timedelta64(EQUITY_STALE_DAYS, "D")):
                best = days, level, members
        if best is not None:
            found[factor] = best
    return found


def _basket_level(panel: Panel, members: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Days on which all *members* are quoted and the running sum of their mean log return."""
    values = panel.values[:, panel.axis.indices(members)]
    rows = np.isfinite(values).all(axis=1)
    days, values = panel.dates[rows], values[rows]
    if members[0].startswith("ff10."):  # simple returns of the day in percent
        return days, np.cumsum(np.log1p(np.maximum(values, -99.0) / 100.0).mean(axis=1))
    priced = (values > 0).all(axis=1)
    days, values = days[priced], values[priced]
    level = np.log(values).mean(axis=1)
    return days, level - level[0] if len(level) else level


def _live(panels: Mapping[str, Panel], dates: np.ndarray, columns: np.ndarray,
          baskets: tuple[str, ...] = ()) -> frozenset[str]:
    """Equity factors with an imported source (EQ_SP500, EQ_NASDAQ, then *baskets*: columns (T, ·)) observed
    within EQUITY_STALE_DAYS of the last day."""
    panel = panels.get(IMPORTED)
    if panel is None:
        return frozenset()
    sources = continuations("equity_daily")
    carried = [any(c.series in panel.axis for c in sources[n]) for n in ("SP500", "NASDAQ")]
    names = ("EQ_SP500", "EQ_NASDAQ", *baskets)
    recent = dates > dates[-1] - np.timedelta64(EQUITY_STALE_DAYS, "D")
    return frozenset(name for j, name in enumerate(names)
                     if (j > 1 or carried[j]) and np.isfinite(columns[recent, j]).any())


def regime_start(currency: str, dates: np.ndarray, level: np.ndarray) -> np.datetime64:
    """First day of the latest regime with MIN_REGIME_DAYS quotes; InputError when there is none."""
    starts = [np.datetime64(d) for d in FX_REGIME_STARTS.get(currency, (SAMPLE_START,))]
    for start in reversed(starts):
        if np.isfinite(level[dates >= start]).sum() >= MIN_REGIME_DAYS:
            return start
    raise InputError(Problem(f"too short a history in every usable regime of {currency}",
                             accepted=f"at least {MIN_REGIME_DAYS} quotes"))


def daily_moves(levels: Levels) -> Moves:
    """Moves between consecutive days of the calendar."""
    return Moves(levels.dates[1:], np.diff(levels.values, axis=0), levels.labels)


def weekly_anchors(dates: np.ndarray) -> np.ndarray:
    """Rows of *dates* closing each calendar week counted back from the last date."""
    weeks = int((dates[-1] - dates[0]) / np.timedelta64(7, "D"))
    targets = dates[-1] - np.arange(weeks, -1, -1) * np.timedelta64(7, "D")
    rows = np.searchsorted(dates, targets, side="right") - 1
    return rows[targets - dates[rows] <= ANCHOR_STALENESS]


def weekly_moves(levels: Levels) -> Moves:
    """Non-overlapping moves over 5 business days."""
    rows = weekly_anchors(levels.dates)
    filled = _last_known(levels.values, levels.dates)
    return Moves(levels.dates[rows][1:], np.diff(filled[rows], axis=0), levels.labels)


def month_end_rows(dates: np.ndarray, as_of: np.datetime64) -> np.ndarray:
    """Rows of the last day of each complete month (the month of *as_of* is left out as incomplete)."""
    months = dates.astype("datetime64[M]")
    last = np.r_[months[1:] != months[:-1], True]
    return np.flatnonzero(last & (months < as_of.astype("datetime64[M]")))


def complete_months(panel: Panel, as_of: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """Months (T,) datetime64[M] and values (T, N) of a monthly panel, months before that of *as_of* only."""
    months = panel.dates.astype("datetime64[M]")
    rows = months < as_of.astype("datetime64[M]")
    return months[rows], panel.values[rows]


def _cut(panel: Panel, day: np.datetime64) -> Panel:
    rows = panel.dates <= day
    return Panel(panel.name, panel.dates[rows], panel.values[rows], panel.axis, panel.units, panel.kind)


def _at(days: np.ndarray, values: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """(len(dates),) *values* (T,) of *days* on *dates*, NaN where there is none."""
    out = np.full(len(dates), np.nan)
    _, left, right = np.intersect1d(dates, days, return_indices=True)
    out[left] = values[right]
    return out


def _on(panel: Panel, dates: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """(T, len(labels)) values of *panel* on *dates*, NaN where it has no row."""
    out = np.full((len(dates), len(labels)), np.nan)
    at = np.searchsorted(panel.dates, dates)
    at_safe = np.minimum(at, len(panel.dates) - 1)
    there = panel.dates[at_safe] == dates
    out[there] = panel.values[at_safe[there]][:, panel.axis.indices(labels)]
    return out


def _last_known(values: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """Levels carried forward over gaps of at most ANCHOR_STALENESS (holidays of one market)."""
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isfinite(values), rows, -1), axis=0)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=0)
    fresh = (last >= 0) & (dates[:, None] - dates[np.maximum(last, 0)] <= ANCHOR_STALENESS)
    return np.where(fresh, filled, np.nan)
