"""What own trades cost and what illiquidity adds: ``measures.liquidity`` against published figures.

*Costs.*  Almgren, Thum, Hauptmann and Li (2005) print an example: buying 10% of a day's volume of IBM and of
Darden (DRI) over a tenth, a fifth and half a day.  Permanent impact I, temporary impact K and the cost
J = I/2 + K in basis points are reproduced here; the square root law, which knows no execution time, stands
beside them with its range of Y.  The printed figures are recalled (R); those of IBM agree with an independent
public implementation of the paper (DROP).

*Liquidity horizons.*  One-sided standard book of the episodes (100 USD mn each of a ten-year zero bond, the
S&P 500 and the currencies of the dollar, all held long), losses of overlapping ten days in the twelve months
that were worst for it (MAR33's stressed calibration), 97.5% ES, then the cascade

    ES = sqrt( ES_1² + Σ_{j≥2} ( ES_j sqrt((LH_j − LH_{j−1})/10) )² )

with ES_j moving only the factors of liquidity horizon LH_j or longer.  A second book adds 100 USD mn of
private real estate, which no market-risk rule covers: it is given the longest horizon, 120 days, and the
moves of the listed sector (imported data).  Closing the book on one day costs half-spreads and the square
root concession at the stressed volatility; being of degree 1.5 it matters for the large book only, which is
why two sizes stand there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backtests.outcomes import NOTIONAL_MN, load_levels
from riskengine.base.axes import CURRENCIES
from riskengine.base.errors import InputError, Problem
from riskengine.impact.parameters import ImpactParameters
from riskengine.market import MarketInput
from riskengine.measures.liquidity import (
    LIQUIDITY_HORIZONS, LiquidationCost, OrderBook, almgren_concession, cascade_es, liquidation_cost,
    square_root_concession, stressed_loss,
)

ES_LEVEL = 0.975
BASE_DAYS = LIQUIDITY_HORIZONS[0]
STRESS_DAYS = 250
NOTIONALS_MN = (NOTIONAL_MN, 100.0 * NOTIONAL_MN)
OTHER_PAIRS = ("DKK", "MYR", "THB", "TWD")
"""Currencies whose pair with the dollar is not among the specified ones of MAR33.12 (R): 20 days."""
REAL_ESTATE = "EQ_LISTED_REAL_ESTATE"


@dataclass(frozen=True, slots=True)
class PublishedCost:
    """One printed example: size as a share of the day's volume, days of execution, printed and computed bp.

    square_root : (Y = 1/2, 3/4, 1), bp, which does not depend on *days*.
    """

    stock: str
    days: float
    printed: tuple[float, float, float]
    computed: tuple[float, float, float]
    square_root: tuple[float, float, float]


_STOCKS = (  # million shares a day, million outstanding, daily volatility, I; (days, K, J)
    ("IBM", 6.561, 1728.0, 0.0157, 20.0, ((0.1, 22.0, 32.0), (0.2, 15.0, 25.0), (0.5, 8.0, 18.0))),
    ("DRI", 1.929, 168.0, 0.0226, 22.0, ((0.1, 32.0, 43.0), (0.2, 21.0, 32.0), (0.5, 12.0, 23.0))),
)
SIZE = 0.1
"""Share of a day's volume bought in the printed examples."""


def published_costs() -> tuple[PublishedCost, ...]:
    """The paper's six costs beside those of :func:`almgren_concession` and the square root law."""
    rows = []
    for name, volume, outstanding, volatility, permanent, cases in _STOCKS:
        book = OrderBook(name, 0.0, volatility, volume, outstanding)
        root = 1e4 * square_root_concession(SIZE * volume, book) / 0.75
        for days, temporary, total in cases:
            i, k = almgren_concession(SIZE * volume, book, days)
            rows.append(PublishedCost(name, days, (permanent, temporary, total),
                                      (1e4 * i, 1e4 * k, 1e4 * (i / 2 + k)), (root / 2, 0.75 * root, root)))
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _Holding:
    """weight: USD held per USD of notional; liquidity_days; ids of its half-spread and volume."""

    weight: float
    liquidity_days: int
    spread: str
    volume: str


@dataclass(frozen=True, slots=True)
class StressedBook:
    """A book's stressed loss, USD mn: ES at ten days, by nested set of factors, cascaded; cost of closing.

    notional_mn : of each holding.  es : by LIQUIDITY_HORIZONS.  first, last : the twelve months of the
    calibration.
    loss : cascaded ES plus cost.
    """

    name: str
    notional_mn: float
    first: str
    last: str
    es: tuple[float, ...]
    cascaded: float
    spread_cost: float
    impact_cost: float
    loss: float


def stressed_books(as_of: str, parameters: ImpactParameters, inputs: Mapping[str, MarketInput]
                   ) -> tuple[StressedBook, ...]:
    """The standard book at two sizes, and with private real estate where its proxy is known at *as_of*.

    parameters : for the weights of the dollar.  inputs : half_spread.… and adv_usd.… of the market inputs.
    InputError when the history is shorter than two years or an input is missing.
    """
    days, moves, holdings = _ten_day_moves(as_of, parameters)
    out = []
    for name, columns in (("standard book", [c for c in moves if c != REAL_ESTATE]),
                          ("with private real estate", list(moves))):
        if name != "standard book" and REAL_ESTATE not in moves:
            continue
        x = np.column_stack([moves[c] for c in columns])
        of = np.array([holdings[c].liquidity_days for c in columns])
        whole = np.isfinite(x).all(axis=1)
        x, dates = x[whole], days[whole]
        if len(x) < 2 * STRESS_DAYS:
            raise InputError(Problem("too little history for a stressed year", field="as_of", got=as_of,
                                     accepted="two years of quotes of every factor of the standard book"))
        nested = [x[:, of >= h].sum(axis=1) for h in LIQUIDITY_HORIZONS]
        ends = range(STRESS_DAYS, len(x) + 1, 5)
        worst = max(ends, key=lambda e: expected_shortfall(nested[0][e - STRESS_DAYS:e]))
        window = slice(worst - STRESS_DAYS, worst)
        volatility = x[window].std(axis=0) / np.sqrt(BASE_DAYS)
        unit = [max(0.0, expected_shortfall(p[window])) for p in nested]
        for notional in NOTIONALS_MN:
            es = tuple(notional * e for e in unit)
            cost = _cost_of_closing([holdings[c] for c in columns], volatility, notional, inputs)
            out.append(StressedBook(
                name, notional, str(dates[window][0]), str(dates[window][-1]), es, cascade_es(es),
                float(cost.spread.sum()) / 1e6, float(cost.impact.sum()) / 1e6,
                stressed_loss([1e6 * e for e in es], cost) / 1e6))
    return tuple(out)


def _cost_of_closing(held: Sequence[_Holding], volatility: np.ndarray, notional: float,
                     inputs: Mapping[str, MarketInput]) -> LiquidationCost:
    """Cost of selling *notional* USD mn a holding (currencies: their weight of it) within one day.

    volatility : (N,) per day of weight × return, so that of the price is volatility / weight.
    """
    missing = [k for h in held for k in (f"half_spread.{h.spread}", f"adv_usd.{h.volume}") if k not in inputs]
    if missing:
        raise InputError([Problem("market input missing", field=k) for k in dict.fromkeys(missing)])
    books = [OrderBook(h.volume, inputs[f"half_spread.{h.spread}"].value, float(v) / h.weight,
                       inputs[f"adv_usd.{h.volume}"].value) for h, v in zip(held, volatility, strict=True)]
    trades = -1e6 * notional * np.array([h.weight for h in held])
    return liquidation_cost(trades, np.arange(len(held)), books)


def expected_shortfall(pnl: np.ndarray, level: float = ES_LEVEL) -> float:
    """Mean loss of the worst (1 − level) of the sample, fractional at the boundary; 0 for an empty book."""
    if not pnl.size or not np.any(pnl):
        return 0.0
    losses = np.sort(-pnl)[::-1]
    mass = (1.0 - level) * losses.size
    whole = int(mass)
    return float((losses[:whole].sum() + (mass - whole) * losses[whole]) / mass)


def _ten_day_moves(as_of: str, parameters: ImpactParameters
                   ) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, _Holding]]:
    """(T,) days, weight × return of each holding over the ten days to them, what it is."""
    known = load_levels(as_of)
    calendar = known.series["EQ_SP500"][0] if "EQ_SP500" in known.series else known.series["UST_10Y"][0]
    levels = {label: _on(calendar, *known.series[label]) for label in known.series}
    moves: dict[str, np.ndarray] = {}
    held: dict[str, _Holding] = {}
    weights = {c: w for c, w in parameters.settings.index_weights.items()
               if c in CURRENCIES and f"FX_{c}" in levels and w > 0}
    total = sum(weights.values())
    for c, w in weights.items():
        label, days = f"FX_{c}", 20 if c in OTHER_PAIRS else BASE_DAYS
        moves[label] = w / total * np.expm1(_change(levels[label]))
        held[label] = _Holding(w / total, days, label, label)
    moves["UST_10Y"] = np.expm1(-10.0 * _change(levels["UST_10Y"]))
    held["UST_10Y"] = _Holding(1.0, BASE_DAYS, "treasury_note", "treasury_note")
    if "EQ_SP500" in levels:
        moves["EQ_SP500"] = np.expm1(_change(levels["EQ_SP500"]))
        held["EQ_SP500"] = _Holding(1.0, BASE_DAYS, "equity_index", "EQ_SP500")
    if REAL_ESTATE in levels:
        moves[REAL_ESTATE] = np.expm1(_change(levels[REAL_ESTATE]))
        held[REAL_ESTATE] = _Holding(1.0, LIQUIDITY_HORIZONS[-1], "property", "property")
    return calendar[BASE_DAYS:], moves, held


def _on(calendar: np.ndarray, days: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Last level on or before each day of *calendar*, NaN before the first and when a week old."""
    row = np.searchsorted(days, calendar, side="right") - 1
    safe = np.maximum(row, 0)
    fresh = (row >= 0) & (calendar - days[safe] <= np.timedelta64(7, "D"))
    return np.where(fresh, values[safe], np.nan)


def _change(level: np.ndarray) -> np.ndarray:
    return level[BASE_DAYS:] - level[:-BASE_DAYS]
