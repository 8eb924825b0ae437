"""What it costs to put a hedge on: half-spread and square-root impact, convex in the sizes.

    cost(h) = Σ_i s_i |h_i| + Σ_b c_b ( Σ_{i in b} w_i |h_i| )^{3/2},     c_b = Y σ_b / sqrt(V_b)

s_i: half-spread of one unit, USD.  w_i: USD of one unit in a market b, at that market's volatility σ_b per day
(w_i σ_b is the unit's standard deviation of a day); V_b: its average daily volume, USD.  Instruments of one market
compete for the same depth, also when they offset each other.  The law and Y are those of ``measures.liquidity``
(``square_root_concession``); the hedge is traded in one day, before anybody else sells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import InputError, Problem
from riskengine.engine.paths import World
from riskengine.instruments.exposures import sensitivities
from riskengine.instruments.portfolio import Portfolio, Position, compile_book
from riskengine.measures.liquidity import ImpactCoefficients

POWER = 1.5
OPTIONS = ("fx_option", "equity_option")
SAME_MARKET = {"equity_future": "equity_index", "equity_option": "equity_index"}


@dataclass(frozen=True, slots=True)
class TradingCost:
    """spread (n,) USD per unit.  market (n,) int64, weight (n,) USD per unit in it, depth (B,) c_b, names (B,)."""

    spread: np.ndarray
    market: np.ndarray
    weight: np.ndarray
    depth: np.ndarray
    names: tuple[str, ...] = ()

    def total(self, sizes: np.ndarray) -> float:
        """USD of trading *sizes* (n,)."""
        size = np.abs(sizes)
        return float(self.spread @ size + self.depth @ self._flow(size) ** POWER)

    def slope(self, size: np.ndarray) -> np.ndarray:
        """(n,) derivative by sizes ≥ 0; at zero it is the half-spread."""
        return self.spread + (POWER * self.depth * np.sqrt(self._flow(size)))[self.market] * self.weight

    def by_trade(self, sizes: np.ndarray) -> np.ndarray:
        """(n,) USD; impact is shared in proportion to the flow, its Aumann–Shapley share."""
        size = np.abs(sizes)
        flow = self._flow(size)
        rate = self.depth * np.sqrt(flow)
        return self.spread * size + rate[self.market] * self.weight * size

    def _flow(self, size: np.ndarray) -> np.ndarray:
        return np.bincount(self.market, weights=self.weight * size, minlength=self.depth.size)


def no_cost(count: int) -> TradingCost:
    """Free trading of *count* instruments."""
    zero = np.zeros(count)
    return TradingCost(zero, np.zeros(count, dtype=np.int64), zero.copy(), np.zeros(1))


def cost_of(
    units: Sequence[Position], world: World, coefficients: ImpactCoefficients = ImpactCoefficients(),
) -> TradingCost:
    """Cost of one unit of each position, from the market inputs ``half_spread.*`` and ``adv_usd.*``.

    Raises
    ------
    InputError : no spread or no volume for an instrument's market.
    """
    book = compile_book(Portfolio(world.as_of, tuple(units)), world.snapshot, FACTORS, None)
    daily = world.daily.horizon_covariance(1)
    deviation = np.sqrt(np.diag(daily))
    delta = sensitivities(book)
    problems: list[Problem] = []
    spread, weight, market = np.zeros(len(units)), np.zeros(len(units)), np.zeros(len(units), dtype=np.int64)
    names: list[str] = []
    volumes: list[float] = []
    volatilities: list[float] = []
    for i, position in enumerate(units):
        main = int(np.argmax(np.abs(delta[i]) * deviation))
        factor = FACTORS.labels[main]
        half = _input(world, "half_spread", (position.type,) if position.type in OPTIONS else (factor, position.type))
        volume = _input(world, "adv_usd", (factor, position.type, SAME_MARKET.get(position.type, "")))
        if half is None or volume is None:
            what = "half_spread" if half is None else "adv_usd"
            problems.append(Problem("no market input for the cost of trading it", got=f"{position.type}, {factor}",
                                    accepted=f"a row {what}.{position.type} or {what}.{factor} in market_inputs.csv"))
            continue
        base = abs(book.base_value[i]) if position.type in OPTIONS else abs(book.notional[i])
        spread[i] = half[1] * base
        risk = float(np.sqrt(delta[i] @ daily @ delta[i]))
        own = deviation[main] if position.type in OPTIONS else risk / base
        if volume[0] not in names:
            names.append(volume[0])
            volumes.append(volume[1])
            volatilities.append(own)
        market[i] = names.index(volume[0])
        weight[i] = risk / volatilities[market[i]]
    if problems:
        raise InputError(problems)
    depth = coefficients.square_root.value * np.array(volatilities) / np.sqrt(np.array(volumes))
    return TradingCost(spread, market, weight, depth, tuple(names))


def _input(world: World, kind: str, keys: Sequence[str]) -> tuple[str, float] | None:
    """(key, value) of the first of *keys* that the market inputs have."""
    for key in keys:
        found = world.snapshot.inputs.get(f"{kind}.{key}") if key else None
        if found is not None:
            return key, found.value
    return None
