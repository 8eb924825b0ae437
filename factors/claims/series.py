"""What was known about a series at the as-of date, by month or by quarter?

One door for all tests of claims: an id ``panel.LABEL`` is read from the embedded panels, every other id from
the active data store, both point in time (period end + publication lag).  A series that is not there raises
:class:`SeriesMissing`, which the caller turns into 'data missing' with the file to import.

Months and quarters are numbers counted from 1970 (month 0 = January 1970), so that gaps are visible:
``y - lag(y, 12)`` of a series with a hole is NaN over the hole, never a difference across it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from riskengine.base.errors import InputError
from riskengine.data.accounts import load_accounts
from riskengine.data.catalog import SERIES
from riskengine.data.local_store import SeriesStore
from riskengine.data.panels import load_panel
from riskengine.data.parameters import load_parameters
from riskengine.data.selection import active_store

HOW_TO_IMPORT = {
    "acm": "New York Fed, term premium of Adrian, Crump and Moench (CSV with DATE, ACMY10, ACMRNY10)",
    "tic": "US Treasury, TIC: monthly flows, Major Foreign Holders, SLT Table 1",
    "fredqd": "FRED-QD quarterly database, one CSV",
    "etf": "closes of sector funds, a wide CSV (Date, XLB, XLE, …)",
    "case_shiller": "Case–Shiller metro indices, a wide CSV (Date, Atlanta, GA, …)",
    "sovereign10y": "ten-year government yields by country, a wide monthly CSV",
    "trade": "Census and BEA, FT-900: balance in petroleum products, USD bn at annual rates (plain CSV)",
}
"""First part of an id → where its file comes from; anything else is a FRED series."""


class SeriesMissing(Exception):
    """A test needs series that are not in the store; ``ids`` names them."""

    def __init__(self, *ids: str):
        self.ids = ids
        super().__init__(", ".join(ids))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known at the close of *as_of*.

    read : id → (dates, values) in the engine's units for panels, in the publisher's for the store, raising
    SeriesMissing.  tables : facts that are no series (market sizes, positions, holdings), already cut at
    as_of.
    weights : currency → weight of the broad dollar.
    """

    as_of: str
    read: Callable[[str], tuple[np.ndarray, np.ndarray]]
    weights: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, object] = field(default_factory=dict)

    def monthly(self, name: str, last: bool = True) -> Monthly:
        """The series by month: the last value of each month (or the mean)."""
        dates, values = self.read(name)
        return by_period(dates, values, "M", last)

    def quarterly(self, name: str, last: bool = True) -> Monthly:
        """The series by quarter: the last value of each quarter (or the mean)."""
        dates, values = self.read(name)
        return by_period(dates, values, "Q", last)

    def table(self, name: str) -> list[dict]:
        """Rows of a table of published facts; empty when there are none."""
        return list(self.tables.get(name, ()))

    def need(self, *names: str) -> None:
        """SeriesMissing with every name that cannot be read, at once."""
        absent = []
        for name in names:
            try:
                self.read(name)
            except SeriesMissing:
                absent.append(name)
        if absent:
            raise SeriesMissing(*absent)

    def has(self, *names: str) -> bool:
        """True when every one of *names* can be read."""
        try:
            self.need(*names)
        except SeriesMissing:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Monthly:
    """A series on consecutive periods: start (number of the first), values (T,) with NaN, unit 'M' or 'Q'."""

    start: int
    values: np.ndarray
    unit: str = "M"

    @property
    def end(self) -> int:
        """Number of the period after the last."""
        return self.start + len(self.values)

    def on(self, start: int, end: int) -> np.ndarray:
        """(end − start,) values, NaN outside the series."""
        out = np.full(max(end - start, 0), np.nan)
        low, high = max(start, self.start), min(end, self.end)
        if high > low:
            out[low - start:high - start] = self.values[low - self.start:high - self.start]
        return out

    def change(self, periods: int = 1) -> Monthly:
        """x(t) − x(t − periods)."""
        return Monthly(self.start, self.values - self.on(self.start - periods, self.end - periods), self.unit)

    def total(self, periods: int) -> Monthly:
        """Sum of the last *periods* values; NaN where one is missing."""
        parts = [self.on(self.start - j, self.end - j) for j in range(periods)]
        return Monthly(self.start, np.sum(parts, axis=0), self.unit)

    def lag(self, periods: int) -> Monthly:
        """x(t − periods)."""
        return Monthly(self.start + periods, self.values, self.unit)

    def log(self) -> Monthly:
        """Natural logarithm; NaN where not positive."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return Monthly(self.start, np.where(self.values > 0, np.log(self.values), np.nan), self.unit)

    def map(self, function: Callable[[np.ndarray], np.ndarray]) -> Monthly:
        """The same periods with *function* of the values."""
        return Monthly(self.start, function(self.values), self.unit)

    def since(self, first: str, last: str = "9999") -> Monthly:
        """NaN before *first* and after *last* (inclusive), as 'YYYY-MM' or 'YYYYQn'."""
        number = np.arange(self.start, self.end)
        inside = number >= period_number(first, self.unit)
        if last != "9999":
            inside &= number <= period_number(last, self.unit)
        return Monthly(self.start, np.where(inside, self.values, np.nan), self.unit)


def align(*series: Monthly) -> tuple[np.ndarray, list[np.ndarray]]:
    """(T,) period numbers over the union, and each series on them; all of one unit."""
    units = {s.unit for s in series}
    if len(units) != 1:
        raise ValueError(f"series of different frequency: {sorted(units)}")
    start, end = min(s.start for s in series), max(s.end for s in series)
    return np.arange(start, end), [s.on(start, end) for s in series]


def by_period(dates: np.ndarray, values: np.ndarray, unit: str, last: bool = True) -> Monthly:
    """Dates (T,) datetime64[D] ascending and values (T,) on consecutive months or quarters."""
    months = np.asarray(dates).astype("datetime64[M]").astype(int)
    number = months if unit == "M" else np.floor_divide(months, 3)
    good = np.isfinite(values)
    number, values = number[good], np.asarray(values, float)[good]
    if not len(number):
        return Monthly(0, np.empty(0), unit)
    out = np.full(number[-1] - number[0] + 1, np.nan)
    if last:
        out[number - number[0]] = values  # ascending dates: the last of a period wins
    else:
        count = np.bincount(number - number[0], minlength=len(out))
        total = np.bincount(number - number[0], weights=values, minlength=len(out))
        out = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Monthly(int(number[0]), out, unit)


def period_number(label: str, unit: str) -> int:
    """'2018-03' → 578 (months), '2018Q1' or '2018' → quarters; a bare year is its first period."""
    year = int(label[:4])
    rest = label[4:].lstrip("-Q")
    within = int(rest) - 1 if rest else 0
    return (year - 1970) * (12 if unit == "M" else 4) + within


def period_label(number: int, unit: str) -> str:
    """578 → '2018-03', or quarter 192 → '2018Q1'."""
    per_year = 12 if unit == "M" else 4
    year, within = divmod(int(number), per_year)
    return f"{1970 + year}-{within + 1:02d}" if unit == "M" else f"{1970 + year}Q{within + 1}"


def year_fraction(numbers: np.ndarray, unit: str) -> list[float]:
    """Period numbers as years with fractions, for charts."""
    return [round(1970 + float(n) / (12 if unit == "M" else 4), 3) for n in numbers]


def broad_dollar(evidence: Evidence, month_end: bool = False) -> tuple[Monthly, str]:
    """Log of the broad dollar by month, up = the dollar rose, and its name; averages, or month ends.

    The Federal Reserve's index (DTWEXBGS, from 2006) where imported, else the fixed-weight basket of the
    embedded rates with the index weights of configs/impact/currencies.toml (the currencies quoted that month,
    weights scaled to one, chained changes).  A month end leaves out the month of the as-of date.
    """
    if evidence.has("DTWEXBGS"):
        series, name = evidence.monthly("DTWEXBGS", last=month_end).log(), "DTWEXBGS"
    else:
        series, name = dollar_basket(evidence,
                                     "fx_daily" if month_end else "fx_monthly"), "fixed-weight basket (H.10)"
    return (complete(series, evidence.as_of) if month_end else series), name


def complete(series: Monthly, as_of: str) -> Monthly:
    """The series without the month of *as_of* (not over at that date)."""
    month = int(np.datetime64(as_of, "M").astype(int))
    return Monthly(series.start, series.values[: max(month - series.start, 0)], series.unit)


def dollar_basket(evidence: Evidence, panel: str = "fx_monthly") -> Monthly:
    """Log of the fixed-weight basket, up = the dollar rose; changes chained over the currencies quoted."""
    names = [c for c, w in evidence.weights.items() if w > 0]
    logs = [evidence.monthly(f"{panel}.{c}").log() for c in names]
    number, levels = align(*logs)
    moves = -np.diff(np.array(levels), axis=1)
    weight = np.array([evidence.weights[c] for c in names])[:, None] * np.isfinite(moves)
    total = weight.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        step = np.where(total > 0.5, np.nansum(weight * np.nan_to_num(moves), axis=0) / total, np.nan)
    good = np.flatnonzero(np.isfinite(step))
    if not len(good):
        raise SeriesMissing("DTWEXBGS")
    return Monthly(int(number[good[0]]), np.r_[0.0, np.cumsum(step[good[0]:])])


def gather_evidence(as_of: str, store: SeriesStore | None = None) -> Evidence:
    """Panels and the active store, cut at the close of *as_of*; tables of ``data.published_tables``
    likewise."""
    from riskengine.data.published_tables import read_tables

    chosen = store or active_store()
    cache: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def read(name: str) -> tuple[np.ndarray, np.ndarray]:
        if name not in cache:
            cache[name] = _read(name, as_of, chosen)
        if not len(cache[name][0]):
            raise SeriesMissing(name)
        return cache[name]

    parameters = load_parameters()
    tables = {**read_tables(as_of), "parameters": dict(parameters.items()),
              "equity_size": _equity_size(as_of)}
    return Evidence(as_of, read, parameters.settings.index_weights, tables)


def _equity_size(as_of: str) -> float | None:
    """Size of the US equity market as the engine takes it at *as_of*, USD bn; None before the first
    survey."""
    try:
        accounts = load_accounts(as_of)
    except InputError:
        return None
    return float(accounts.capitalisation[accounts.classes.index("equity")])


def _read(name: str, as_of: str, store: SeriesStore) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.empty(0, "datetime64[D]"), np.empty(0)
    if name in SERIES:
        info = SERIES[name]
        try:
            panel = load_panel(info.panel, as_of)
        except InputError:
            return nothing
        values = panel.values[:, panel.axis.index(info.label)]
        good = np.isfinite(values)
        return panel.dates[good], values[good]
    return store.read_as_of(name, as_of) if name in store.series else nothing


def grouped(names: tuple[str, ...]) -> str:
    """Ids in a line; four or more of one publisher and kind as 'case_shiller.* (20 series)'."""
    heads: dict[str, list[str]] = {}
    for name in names:
        heads.setdefault(name.rsplit(".", 1)[0], []).append(name)
    return ", ".join(", ".join(same) if len(same) < 5 else f"{head}.* ({len(same)} series)"
                     for head, same in heads.items())


def where_from(name: str) -> str:
    """How a user gets the series *name*: words for the page."""
    head = name.split(".")[0]
    return HOW_TO_IMPORT.get(head, f"FRED series {name}")
