"""The market at the close of the as-of date: last observation of every series, with its day.

    spot             last noon rate of each currency, USD per unit
    zero rates       bootstrapped from the last quoted par yields, at the key rates (riskengine.market)
    equity levels    the newest of (a) the daily close, (b) the row ``level.<INDEX>`` of the market inputs
                     dated no later than the as-of date; when both are older than a quarter, (c) the last
                     daily close at a quarter end times the growth of the US total market index since
                     (Federal Reserve, quarterly), marked as assumed

A series not quoted for more than ``MAX_AGE_DAYS`` is not the market any more: such a currency is absent from
the snapshot (with imported data, in which the others go on, it is estimated from them for two months and
entered in ``inputs`` as ``spot.<CCY>``, assumed: ``bridging``), and a key rate is filled from its neighbours
and entered in ``inputs`` as ``par_yield.<TENOR>``, assumed. The engine interpolates zero rates linearly
between key rates; against the bootstrap's own half-yearly grid a par bond is then priced within 0.01 per 100
up to ten years and 0.3 at thirty (largest over 1990–2024; 0.04 on 2024-09-24).
"""

from __future__ import annotations

import numpy as np

from riskengine.base.axes import CURRENCIES, EQUITIES, KEY_RATES
from riskengine.base.errors import InputError, Problem
from riskengine.data.bridging import bridge_currency
from riskengine.data.catalog import TENOR_YEARS, series_info
from riskengine.data.panels import load_panel, parse_as_of, series_used
from riskengine.market import MarketInput, MarketSnapshot, Panel, bootstrap_zero_rates

MAX_AGE_DAYS = 10
"""Longest a daily quote is carried forward (the longest closures since 1990 are under a week)."""
END_OF_DATA = "9999-12-31"
"""An as-of date after everything embedded: the whole history."""
MAX_EQUITY_AGE_DAYS = 100
"""Age beyond which a level is compared with the scaled quarterly index (a quarter and its last days)."""


def load_snapshot(as_of: str, inputs: dict[str, MarketInput]) -> MarketSnapshot:
    """State of the market at the close of *as_of* (ISO date), from embedded data and *inputs*.

    InputError, with the range covered, when *as_of* lies before the data begin or more than ``MAX_AGE_DAYS``
    after the exchange rates or the Treasury curve end.  Rows ``level.*`` of *inputs* dated after *as_of* are
    not used; what was used stands in ``inputs['level.<INDEX>']`` and ``dates['level.<INDEX>']``.
    """
    day = parse_as_of(as_of)
    first, last = covered_range()
    if not first <= day <= last + MAX_AGE_DAYS:
        raise InputError(Problem(
            "no market data for this as-of date", field="as_of", got=as_of,
            accepted=f"{first} … {last} (up to {MAX_AGE_DAYS} days later on the data of {last})"))

    dates: dict[str, str] = {}
    used = dict(inputs)
    spot = {}
    for currency, (value, seen) in _last_quotes(load_panel("fx_daily", as_of), day).items():
        spot[currency] = value
        dates[f"fx_daily.{currency}"] = str(seen)

    for bridged, last in bridged_currencies(as_of):
        currency = bridged.id.removeprefix("spot.")
        spot[currency], used[bridged.id] = bridged.value, bridged
        dates[f"fx_daily.{currency}"] = str(last)

    par_yields = {}
    for tenor, (value, seen) in _last_quotes(load_panel("treasury_par_daily", as_of), day).items():
        par_yields[tenor] = value
        dates[f"treasury_par_daily.{tenor}"] = str(seen)
    zero_rates = _zero_rates(as_of, par_yields, used)

    levels = {}
    for name in EQUITIES:
        level = equity_level(name, as_of, inputs.get(f"level.{name}"))
        used.pop(f"level.{name}", None)
        if level is not None:
            levels[name] = level.value
            used[level.id] = level
            dates[level.id] = level.date
    return MarketSnapshot(
        as_of=str(day), spot={c: spot[c] for c in CURRENCIES if c in spot},
        zero_tenors=np.array(list(KEY_RATES.values())), zero_rates=zero_rates, par_yields=par_yields,
        equity_levels=levels, inputs=used, dates=dates)


def bridged_currencies(as_of: str) -> tuple[tuple[MarketInput, np.datetime64], ...]:
    """Currencies not quoted at *as_of* whose rate is estimated from the others, each with its last quoted
    day; none without imported rates."""
    if not series_used("fx_daily"):
        return ()
    panel, day = load_panel("fx_daily", as_of), parse_as_of(as_of)
    found = []
    for j, currency in enumerate(panel.axis.labels):
        item = bridge_currency(panel, currency, day, MAX_AGE_DAYS)
        if item is not None:
            found.append((item, panel.dates[np.isfinite(panel.values[:, j])][-1]))
    return tuple(found)


def covered_range() -> tuple[np.datetime64, np.datetime64]:
    """First and last day with both exchange rates and the Treasury par curve, embedded or imported."""
    panels = [load_panel(name, END_OF_DATA) for name in ("fx_daily", "treasury_par_daily")]
    return max(p.dates[0] for p in panels), min(p.dates[-1] for p in panels)


def equity_level(name: str, as_of: str, row: MarketInput | None = None) -> MarketInput | None:
    """Level of the index *name* at *as_of* (index points), dated and sourced; None when nothing is known.

    row : the market input ``level.<name>``, used when dated no later than *as_of*.
    """
    day = parse_as_of(as_of)
    candidates = []
    if row is not None and parse_as_of(row.date) <= day:
        candidates.append(row)
    closes = _equity_closes(name, as_of)
    if closes is not None:
        seen, close = closes[0][-1], closes[1][-1]
        source = series_info(f"equity_daily.{name}").source
        candidates.append(_level(name, close, str(seen), source, assumed=False))
    newest = max(candidates, key=lambda c: c.date, default=None)
    if closes is not None and (day - parse_as_of(newest.date)).astype(int) > MAX_EQUITY_AGE_DAYS:
        scaled = _scaled_level(name, as_of, *closes)
        if scaled is not None and scaled.date > newest.date:
            newest = scaled
    return newest


def _scaled_level(name: str, as_of: str, days: np.ndarray, closes: np.ndarray) -> MarketInput | None:
    """Last daily close at a quarter end × growth of the quarterly total market index since."""
    history = load_panel("stress_history_quarterly", as_of)
    index = history.values[:, history.axis.index("equity_total_market_index")]
    known = np.isfinite(index)
    quarters, index = history.dates[known], index[known]
    at = np.searchsorted(days, quarters, side="right") - 1
    fresh = (at >= 0) & ((quarters - days[np.maximum(at, 0)]).astype(int) <= 4)
    if not fresh.any():
        return None
    q = np.flatnonzero(fresh)[-1]
    growth = index[-1] / index[q]
    return _level(
        name, closes[at[q]] * growth, str(quarters[-1]),
        f"close of {days[at[q]]} × {growth:.4f}, growth of the US total market index to {quarters[-1]} "
        "(Federal Reserve, quarterly): an approximation, enter a current level in the market inputs",
        assumed=True)


def _equity_closes(name: str, as_of: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Days and closes known at *as_of*; None for a basket without daily history or before it begins."""
    panel = load_panel("equity_daily", END_OF_DATA)
    if name not in panel.axis:
        return None
    closes = panel.values[:, panel.axis.index(name)]
    known = np.isfinite(closes) & (panel.dates <= parse_as_of(as_of))
    return (panel.dates[known], closes[known]) if known.any() else None


def _level(name: str, value: float, date: str, source: str, assumed: bool) -> MarketInput:
    return MarketInput(f"level.{name}", float(value), None, "index points", date, source, assumed)


def _last_quotes(panel: Panel, day: np.datetime64) -> dict[str, tuple[float, np.datetime64]]:
    """label → (last value, its day), for series quoted within MAX_AGE_DAYS before *day*."""
    quotes = {}
    recent = panel.dates >= day - MAX_AGE_DAYS
    days, values = panel.dates[recent], panel.values[recent]
    for j, label in enumerate(panel.axis.labels):
        seen = np.flatnonzero(np.isfinite(values[:, j]))
        if len(seen):
            quotes[label] = float(values[seen[-1], j]), days[seen[-1]]
    return quotes


def _zero_rates(as_of: str, par_yields: dict[str, float], used: dict[str, MarketInput]) -> np.ndarray:
    """(10,) zero rates at the key rates; unquoted key rates are filled and entered in *used*, assumed."""
    quoted = sorted(par_yields, key=TENOR_YEARS.__getitem__)
    years = np.array([TENOR_YEARS[t] for t in quoted])
    yields = np.array([par_yields[t] for t in quoted])
    filled = dict(par_yields)
    for tenor, t in KEY_RATES.items():
        if tenor not in filled:
            filled[tenor] = float(np.interp(t, years, yields))
            inside = years[0] < t < years[-1]
            how = "linear between neighbouring par yields" if inside else "nearest quoted par yield, flat"
            used[f"par_yield.{tenor}"] = MarketInput(
                f"par_yield.{tenor}", filled[tenor], None, "decimal", as_of,
                f"not quoted by the Treasury at this date: {how}", assumed=True)
    tenors = sorted(filled, key=TENOR_YEARS.__getitem__)
    return bootstrap_zero_rates(
        np.array([TENOR_YEARS[t] for t in tenors]), np.array([filled[t] for t in tenors]),
        np.array(list(KEY_RATES.values())))
