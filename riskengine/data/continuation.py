"""Which imported series carry an embedded panel on, in which quote, and where do the two disagree?

The embedded figures stand as they are.  For each label the sources are asked in the order below, date by
date, for observations *after* the last embedded one of that label; the first that has the date is taken (the
choice on a date never looks at any other date, so that nothing later can change what was known earlier):

    fx_daily             FRED ``DEX…``, ``h10.<CCY>``, ``h10_per_usd.<CCY>`` (Federal Reserve H.10, noon in
                         New York), then ``ecb.<CCY>`` crossed with ``ecb.USD`` (14:15 in Frankfurt), then
                         market closes ``fx_close.<CCY>``
    treasury_par_daily   ``treasury.<TENOR>`` (the Treasury's own table), FRED ``DGS…`` (the same par yields
                         as H.15 prints them), percent / 100
    equity_daily         ``SP500``, ``NASDAQCOM``: the same index; ``etf.SPY`` chained by its returns:
                         level_t = last embedded close · v_t / v at that day

Only New York business days are added.  ``disagreements`` compares the sources with the embedded figures on
the dates both have: the same quotation may differ by its rounding, one of another hour by several usual
daily moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import CURRENCIES
from riskengine.base.dates import federal_holidays

ANCHOR_DAYS = 5
"""An index is chained at a common day at most this many days before its last embedded close."""
JOIN_DAYS = 60
"""Common days on which a source must look like the series it carries on."""
SAME_QUOTE = {"price": 0.0005, "rate": 0.00015}
"""Largest disagreement of the same quotation: 5 bp of price (rounding of four digits), 1.5 bp of yield."""
OTHER_HOUR = {"price": 0.03, "rate": 0.003}
"""Largest disagreement of quotations at different hours of the day."""

_FED_CODES = dict(zip(CURRENCIES, (
    "USAL", "BZUS", "CAUS", "SZUS", "CHUS", "DNUS", "USEU", "USUK", "HKUS", "INUS", "JPUS", "KOUS", "MXUS",
    "MAUS", "NOUS", "USNZ", "SDUS", "SIUS", "THUS", "TAUS", "SFUS"), strict=True))
"""Federal Reserve codes of the H.10 rates (FRED: DEX + code)."""
_CLOSES = ("JPY", "KRW", "MXN")
"""Currencies with an imported market close, ``fx_close.<CCY>``."""
PAR_SERIES = {"1M": "DGS1MO", "2M": "DGS2MO", "3M": "DGS3MO", "4M": "DGS4MO", "6M": "DGS6MO", "1Y": "DGS1",
              "2Y": "DGS2", "3Y": "DGS3", "5Y": "DGS5", "7Y": "DGS7", "10Y": "DGS10", "20Y": "DGS20",
              "30Y": "DGS30"}


@dataclass(frozen=True, slots=True)
class Continuation:
    """One imported series behind a label of an embedded panel.

    quote : 'currency' (the series' unit says which way: 'USD per …' stands, foreign units per USD are
    inverted), 'percent', 'euro_cross' (units per EUR, divided into ecb.USD), 'points', 'chained'.  hour :
    when it is struck; same : at the embedded series' own hour.
    """

    series: str
    quote: str
    hour: str
    same: bool = True


def continuations(panel: str) -> dict[str, tuple[Continuation, ...]]:
    """Label → sources in order of preference; empty for a panel that is never carried on."""
    if panel == "treasury_par_daily":
        return {label: (Continuation(f"treasury.{label}", "percent", "close"),
                        Continuation(s, "percent", "close")) for label, s in PAR_SERIES.items()}
    if panel == "equity_daily":
        return {"SP500": (Continuation("SP500", "points", "close"),
                          Continuation("etf.SPY", "chained", "close")),
                "NASDAQ": (Continuation("NASDAQCOM", "points", "close"),)}
    if panel == "fx_daily":
        return {c: _currency(c) for c in CURRENCIES}
    return {}


def _currency(code: str) -> tuple[Continuation, ...]:
    noon = "noon, New York"
    found = [Continuation(s, "currency", noon)
             for s in (f"DEX{_FED_CODES[code]}", f"h10.{code}", f"h10_per_usd.{code}")]
    frankfurt = "14:15, Frankfurt"
    if code == "EUR":
        found.append(Continuation("ecb.USD", "usd_per", frankfurt, same=False))
    else:
        found.append(Continuation(f"ecb.{code}", "euro_cross", frankfurt, same=False))
    if code in _CLOSES:
        found.append(Continuation(f"fx_close.{code}", "currency", "market close", same=False))
    return tuple(found)


def source_ids() -> frozenset[str]:
    """Every series id that belongs to an embedded panel rather than to ``imported_daily``."""
    return frozenset(c.series for panel in ("fx_daily", "treasury_par_daily", "equity_daily")
                     for sources in continuations(panel).values() for c in sources)


def carry_on(panel: str, labels: tuple[str, ...], dates: np.ndarray, values: np.ndarray, store
             ) -> tuple[np.ndarray, np.ndarray, dict[str, tuple[str, ...]]]:
    """*dates* (T,), *values* (T, N) of *panel* with the rows the store adds, and label → series used.

    The embedded rows keep their bits; a panel for which the store has nothing comes back unchanged.
    """
    added: dict[str, dict] = {}
    used: dict[str, tuple[str, ...]] = {}
    for label, sources in continuations(panel).items():
        j = labels.index(label)
        seen = np.flatnonzero(np.isfinite(values[:, j]))
        last, close = dates[seen[-1]], values[seen[-1], j]
        found: dict = {}
        names = []
        for source in sources:
            if source.series not in store.series:
                continue
            days, figures = read_quotes(source, store, last, close)
            if mismatch(panel, dates[seen], values[seen, j], days, figures):
                continue
            new = (days > last) & business_days(days)
            fresh = [(d, v) for d, v in zip(days[new], figures[new], strict=True) if d not in found]
            if fresh:
                names.append(source.series)
                found.update(fresh)
        if found:
            added[label], used[label] = found, tuple(names)
    if not added:
        return dates, values, {}
    fresh_days = np.unique(np.array([d for found in added.values() for d in found], dtype="datetime64[D]"))
    every = np.union1d(dates, fresh_days)
    out = np.full((len(every), len(labels)), np.nan)
    out[np.searchsorted(every, dates)] = values
    for label, found in added.items():
        at = np.searchsorted(every, np.array(list(found), dtype="datetime64[D]"))
        out[at, labels.index(label)] = list(found.values())
    return every, out, used


def mismatch(panel: str, days: np.ndarray, embedded: np.ndarray, others: np.ndarray, figures: np.ndarray
             ) -> str:
    """Why a source is not the series it should carry on; '' when it is, or nothing can be compared.

    days, embedded : the embedded observations.  others, figures : the source in the panel's unit.  The median
    gap over the last JOIN_DAYS common days, else the step from the last embedded to the next observation,
    must stay below what no two quotations of one thing differ by.  Nothing after the end of the embedded data
    enters but that one step, so that what is known at an earlier date does not depend on it.
    """
    price = panel != "treasury_par_daily"

    def gap(a, b):
        return np.abs(np.log(a / b)) if price else np.abs(a - b)

    _, left, right = np.intersect1d(days, others, return_indices=True)
    if len(left):
        typical = float(np.median(gap(figures[right[-JOIN_DAYS:]], embedded[left[-JOIN_DAYS:]])))
        if typical > (0.10 if price else 0.01):
            return f"it differs by {_amount(typical, price)} on the last common days"
        return ""
    after = np.flatnonzero((others > days[-1]) & (others <= days[-1] + np.timedelta64(31, "D")))
    if len(after):
        step = float(gap(figures[after[0]], embedded[-1]))
        if step > (0.25 if price else 0.02):
            return f"it begins {_amount(step, price)} away from the last embedded figure"
    return ""


def _amount(gap: float, price: bool) -> str:
    return f"{100 * np.expm1(gap):,.0f}%" if price else f"{1e4 * gap:,.0f} bp"


def mismatches(panel: str, labels: tuple[str, ...], dates: np.ndarray, values: np.ndarray, store,
               day: np.datetime64) -> list[tuple[str, str, str]]:
    """[(label, series, reason)] of the sources that ``carry_on`` leaves out as another series, told from the
    day on which it matters: *day* after the end of the embedded figures."""
    found = []
    for label, sources in continuations(panel).items():
        column = values[:, labels.index(label)]
        seen = np.isfinite(column)
        if dates[seen][-1] >= day:
            continue
        for source in sources:
            if source.series in store.series:
                days, figures = read_quotes(source, store, dates[seen][-1], column[seen][-1])
                days, figures = days[days <= day], figures[days <= day]
                reason = mismatch(panel, dates[seen], column[seen], days, figures)
                if reason:
                    found.append((label, source.series, reason))
    return found


def read_quotes(source: Continuation, store, last: np.datetime64, close: float
                ) -> tuple[np.ndarray, np.ndarray]:
    """Dates and values of *source* in the panel's unit, without figures no market can have (a price of 0 or
    less, a yield of 100% or more; ``imported_quality`` names them).

    last, close : last embedded day and value, the anchor of a chained series; without a common day near it
    nothing is returned.
    """
    days, figures = store.read(source.series)
    if source.quote == "percent":
        good = np.abs(figures) < 100.0
        return days[good], figures[good] / 100.0
    good = figures > 0
    days, figures = days[good], figures[good]
    if source.quote == "currency" and not store.entry(source.series).unit.startswith("USD per"):
        return days, 1.0 / figures
    if source.quote == "euro_cross":
        if "ecb.USD" not in store.series:
            return days[:0], figures[:0]
        dollar_days, dollars = store.read("ecb.USD")
        both, left, right = np.intersect1d(days, dollar_days, return_indices=True)
        return both, dollars[right] / figures[left]
    if source.quote == "chained":
        at = int(np.searchsorted(days, last, side="right")) - 1
        if at < 0 or (last - days[at]).astype(int) > ANCHOR_DAYS:
            return days[:0], figures[:0]
        return days, close * figures / figures[at]
    return days, figures


def business_days(days: np.ndarray) -> np.ndarray:
    """(T,) bool: weekdays that are no Federal Reserve holiday."""
    if not len(days):
        return np.zeros(0, dtype=bool)
    years = range(days[0].astype(object).year, days[-1].astype(object).year + 1)
    holidays = np.array([h for y in years for h in federal_holidays(y)], dtype="datetime64[D]")
    return np.is_busday(days.astype("datetime64[D]"), holidays=holidays)


def disagreements(panel: str, kind: str, labels: tuple[str, ...], dates: np.ndarray, values: np.ndarray, store
                  ) -> list[tuple[str, str, np.ndarray, np.ndarray, float]]:
    """[(label, series, days, differences, tolerance)] where a source and the embedded figures differ by more.

    kind : 'price' (differences relative) or 'rate' (absolute).  dates, values : embedded rows known at the
    as-of date; only those days are compared, so nothing later can appear.
    """
    found = []
    for label, sources in continuations(panel).items():
        column = values[:, labels.index(label)]
        known = np.isfinite(column)
        if not known.any():
            continue
        days, embedded = dates[known], column[known]
        for source in sources:
            if source.series not in store.series or source.quote == "chained":
                continue
            others, figures = read_quotes(source, store, days[-1], embedded[-1])
            _, left, right = np.intersect1d(days, others, return_indices=True)
            gap = figures[right] - embedded[left]
            if kind == "price":
                gap = gap / embedded[left]
            tolerance = (SAME_QUOTE if source.same else OTHER_HOUR)[kind]
            far = np.abs(gap) > tolerance
            if far.any():
                found.append((label, source.series, days[left][far], gap[far], tolerance))
    return found


def noon_rates() -> tuple[str, ...]:
    """FRED ids of the H.10 noon rates, in the order of CURRENCIES ('DEXUSAL' …)."""
    return tuple(_currency(c)[0].series for c in CURRENCIES)
