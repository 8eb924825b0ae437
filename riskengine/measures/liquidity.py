"""What does it cost to get out, when others are selling too?

One order book sees one flow: own trades Σ_i q_i plus what foreigners sell in the same window, z = Σ_i q_i + x
(signed USD, sales negative).  The average price concession, as a fraction of price and with the sign of z::

    square root   J(z) = Y σ sqrt(|z|/V)
    Almgren       J(z) = I/2 + η σ |z/(V T)|^(3/5),   I = γ σ (|z|/V) (Θ/V)^(1/4)

σ: volatility per day, V: average daily volume (USD), T: days of execution, Θ: market size outstanding (USD).
The square root does not depend on T (Gatheral 2010); the law of Almgren, Thum, Hauptmann and Li (2005) does.
Each own trade pays its half-spread and the concession of the *total*::

    cost_i = half_spread |q_i| + q_i J(z)

which for the square root alone is the Aumann–Shapley share of a cost of degree 1.5.  The part q_i J(x) is
what foreign selling does to one's price in any case: a scenario whose response carries that flow has it in
its P&L already, so only ``own_impact`` = q_i [J(z) − J(x)] may be added to it.  A trade against the flow
earns J.

Liquidity horizons enter expected shortfall by the cascade of the Basel market-risk standard (MAR33)::

    ES = sqrt( ES_1² + Σ_{j≥2} ( ES_j sqrt((LH_j − LH_{j−1})/T) )² ),   T = LH_1 = 10 days

ES_j: shocks to factors with liquidity horizon LH_j or longer, others unchanged, at the base horizon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.estimate import Estimate

_ALMGREN = "Almgren, Thum, Hauptmann and Li (2005), Direct estimation of equity market impact, Risk, July"

LIQUIDITY_HORIZONS = (10, 20, 40, 60, 120)
"""Days, Basel Committee, MAR33.12."""


@dataclass(frozen=True, slots=True)
class ImpactCoefficients:
    """Coefficients of the two laws, each with its standard error and source; replace to configure."""

    square_root: Estimate = Estimate(0.75, 0.25, "-", "between 1/2 (Almgren) and 1 (Gatheral: about 3/4)")
    permanent: Estimate = Estimate(0.314, 0.041, "-", _ALMGREN)
    temporary: Estimate = Estimate(0.142, 0.0062, "-", _ALMGREN)
    temporary_exponent: Estimate = Estimate(0.600, 0.038, "-", _ALMGREN)
    size_exponent: Estimate = Estimate(0.25, None, "-", f"{_ALMGREN}: rounded from their fit")


@dataclass(frozen=True, slots=True)
class OrderBook:
    """One market in which trades compete for the same depth.

    half_spread : decimal of price.  daily_volatility : decimal of price per day.  adv_usd : average daily
    volume, USD.  outstanding_usd : market size Θ, USD; needed by the Almgren law only.
    """

    name: str
    half_spread: float
    daily_volatility: float
    adv_usd: float
    outstanding_usd: float | None = None

    def __post_init__(self) -> None:
        problems = []
        for field, low_open in (("half_spread", False), ("daily_volatility", False), ("adv_usd", True)):
            value = getattr(self, field)
            if not (math.isfinite(value) and (value > 0 if low_open else value >= 0)):
                problems.append(Problem(f"order book {self.name}", field=field, got=str(value),
                                        accepted="positive" if low_open else "zero or positive"))
        if self.outstanding_usd is not None and not 0 < self.outstanding_usd < math.inf:
            problems.append(Problem(f"order book {self.name}", field="outstanding_usd",
                                    got=str(self.outstanding_usd), accepted="positive"))
        if problems:
            raise InputError(problems)


@dataclass(frozen=True, slots=True)
class LiquidationCost:
    """Cost of each own trade, USD, positive = loss.

    spread, impact, foreign_impact : (N,); impact is q J(z), of which foreign_impact = q J(x).
    participation : (B,) |z|/(V T) of each book.  se_impact : standard error of Σ impact, from
        the coefficients.
    """

    spread: np.ndarray
    impact: np.ndarray
    foreign_impact: np.ndarray
    participation: np.ndarray
    se_impact: float

    @property
    def own_impact(self) -> np.ndarray:
        """(N,) impact beyond what foreign selling does anyway: what to add to a scenario that carries it."""
        return self.impact - self.foreign_impact

    @property
    def total(self) -> float:
        """Spread and whole impact, USD."""
        return float(self.spread.sum() + self.impact.sum())


def square_root_concession(
    flow: float, book: OrderBook, coefficients: ImpactCoefficients = ImpactCoefficients()
) -> float:
    """Y σ sqrt(|z|/V) with the sign of *flow* (USD): average concession, fraction of price."""
    depth = math.sqrt(abs(flow) / book.adv_usd)
    return math.copysign(coefficients.square_root.value * book.daily_volatility * depth, flow)


def almgren_concession(
    flow: float, book: OrderBook, days: float, coefficients: ImpactCoefficients = ImpactCoefficients()
) -> tuple[float, float]:
    """Permanent impact I and temporary impact K of *flow* (USD) over *days*; the concession is I/2 + K.

    Both are fractions of price with the sign of *flow*.  T counts volume time: 1 is a whole trading day.

    Raises
    ------
    InputError : the book has no ``outstanding_usd``, or *days* is not positive.
    """
    if book.outstanding_usd is None:
        field = f"{book.name}.outstanding_usd"
        raise InputError(Problem("the Almgren law needs the market size", field=field))
    _check_days(days)
    size = abs(flow) / book.adv_usd
    turnover = (book.outstanding_usd / book.adv_usd) ** coefficients.size_exponent.value
    permanent = coefficients.permanent.value * book.daily_volatility * size * turnover
    rate = (size / days) ** coefficients.temporary_exponent.value if size else 0.0
    temporary = coefficients.temporary.value * book.daily_volatility * rate
    return math.copysign(permanent, flow), math.copysign(temporary, flow)


def liquidation_cost(
    trades: np.ndarray,
    book_of_trade: np.ndarray,
    books: Sequence[OrderBook],
    foreign_flow: np.ndarray | None = None,
    days: float = 1.0,
    law: str = "square_root",
    coefficients: ImpactCoefficients = ImpactCoefficients(),
) -> LiquidationCost:
    """Cost of executing *trades* over *days* while foreigners trade in the same books.

    Parameters
    ----------
    trades : (N,) signed USD, sales negative: minus the position's value to close it.
    book_of_trade : (N,) int, index into *books*.
    foreign_flow : (B,) signed USD that non-residents trade in the same window of *days*, sales negative
        (METHOD 0: inflow +; multiply USD bn by 1e9); None: nobody else trades.
    days : execution time T.  law : 'square_root' or 'almgren'.

    Raises
    ------
    InputError : unknown law, days not positive, missing market size.  ModelError : arrays that do not fit.
    """
    trades = np.ascontiguousarray(trades, dtype=np.float64)
    index = np.ascontiguousarray(book_of_trade)
    foreign = np.zeros(len(books)) if foreign_flow is None else np.asarray(foreign_flow, dtype=np.float64)
    if trades.ndim != 1 or index.shape != trades.shape or foreign.shape != (len(books),):
        raise ModelError(f"trades {trades.shape}, book_of_trade {index.shape}, foreign_flow {foreign.shape}, "
                         f"{len(books)} books do not fit")
    if index.dtype.kind not in "iu" or (index.size and not 0 <= index.min() <= index.max() < len(books)):
        raise ModelError(f"book_of_trade must hold integers in 0 … {len(books) - 1}")
    if not (np.isfinite(trades).all() and np.isfinite(foreign).all()):
        raise ModelError("trades and foreign flows must be finite")
    if law not in ("square_root", "almgren"):
        raise InputError(Problem("impact law", got=law, accepted="square_root, almgren"))
    _check_days(days)

    own = np.bincount(index, weights=trades, minlength=len(books))
    total = own + foreign
    parts = [_concession_parts(z, b, days, law, coefficients) for z, b in zip(total, books, strict=True)]
    alone = [_concession_parts(x, b, days, law, coefficients) for x, b in zip(foreign, books, strict=True)]
    concession = np.array([sum(value for value, _ in p) for p in parts])
    foreign_concession = np.array([sum(value for value, _ in p) for p in alone])
    # coefficients are shared by all books, their errors are independent of one another
    errors = [[q * value * error for value, error in p] for q, p in zip(own, parts, strict=True)]
    half_spread = np.array([book.half_spread for book in books])
    adv = np.array([book.adv_usd for book in books])
    return LiquidationCost(
        spread=half_spread[index] * np.abs(trades),
        impact=trades * concession[index],
        foreign_impact=trades * foreign_concession[index],
        participation=np.abs(total) / (adv * days),
        se_impact=math.sqrt(sum(math.fsum(terms) ** 2 for terms in zip(*errors, strict=True))),
    )


def days_to_liquidate(trades: np.ndarray, adv_usd: np.ndarray, participation: float) -> np.ndarray:
    """Days (N,) to trade |trades| (USD) at *participation* (0, 1] of the average daily volume (USD)."""
    if not 0 < participation <= 1:
        raise InputError(Problem("participation in daily volume", got=str(participation), accepted="(0, 1]"))
    daily = participation * np.asarray(adv_usd, dtype=np.float64)
    return np.abs(np.asarray(trades, dtype=np.float64)) / daily


def cascade_es(es: Sequence[float], horizons: Sequence[float] = LIQUIDITY_HORIZONS) -> float:
    """Liquidity-horizon expected shortfall (MAR33.5) from ES of nested factor sets.

    Parameters
    ----------
    es : (J,) USD ≥ 0 at the base horizon T = horizons[0]: all factors, then only those with liquidity horizon
        ≥ horizons[j].
    horizons : (J,) days, ascending.
    """
    es, horizons = list(map(float, es)), list(map(float, horizons))
    if len(es) != len(horizons) or not es:
        raise ModelError(f"{len(es)} expected shortfalls for {len(horizons)} liquidity horizons")
    if horizons[0] <= 0 or any(b <= a for a, b in zip(horizons, horizons[1:])):
        raise ModelError(f"liquidity horizons must be positive and ascending: {horizons}")
    if not all(math.isfinite(e) and e >= 0 for e in es):
        raise ModelError(f"expected shortfalls must be finite and not negative: {es}")
    square = es[0] ** 2
    for j in range(1, len(es)):
        square += es[j] ** 2 * (horizons[j] - horizons[j - 1]) / horizons[0]
    return math.sqrt(square)


def stressed_loss(
    es: Sequence[float], cost: LiquidationCost, horizons: Sequence[float] = LIQUIDITY_HORIZONS
) -> float:
    """Loss of holding until it can be sold, and of selling: cascade_es plus the liquidation cost, USD."""
    return cascade_es(es, horizons) + cost.total


def _concession_parts(
    flow: float, book: OrderBook, days: float, law: str, coefficients: ImpactCoefficients
) -> list[tuple[float, float]]:
    """Additive parts of J, each with the relative standard error of its own coefficient."""
    if law == "square_root":
        return [(square_root_concession(flow, book, coefficients), _relative_error(coefficients.square_root))]
    permanent, temporary = almgren_concession(flow, book, days, coefficients)
    return [(permanent / 2.0, _relative_error(coefficients.permanent)),
            (temporary, _relative_error(coefficients.temporary))]


def _relative_error(estimate: Estimate) -> float:
    return (estimate.se or 0.0) / estimate.value if estimate.value else 0.0


def _check_days(days: float) -> None:
    if not 0 < days < math.inf:
        raise InputError(Problem("execution time in days must be positive", got=str(days)))
