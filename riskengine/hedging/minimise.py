"""The sizes h of hedge instruments that make the risk of a book smallest after the cost of trading them.

    min_h  risk(p + H'h) + cost(h)        lower ≤ h ≤ upper,  cost(h) ≤ budget
    ES:    min_v,h  v + 1/(αP) Σ (−p − H'h − v)⁺ + cost(h)        (Rockafellar and Uryasev 2000)

Cost is certain, so ES + cost is the ES of the P&L after costs.  The problem is convex: only paths that can be in the
tail matter, so every step values the book on all paths and then works on those beyond the quantile alone.  The corner
of ( )⁺ is rounded over a width that goes to a ten-thousandth of the book's deviation, which makes Newton steps
possible; the corner of the cost at zero is kept exact, so an instrument that is not worth its spread is not traded.
'variance' minimises the standard deviation plus cost (convex as well);
'var' starts from the ES hedge and searches on the quantile itself, which has no single minimum: local.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from riskengine.base.errors import InputError, Problem
from riskengine.hedging.trading_cost import TradingCost

MEASURES = ("es", "var", "variance")
ROUNDING = (1e-1, 1e-2, 1e-3, 1e-4)
"""Widths of the corner, in standard deviations of the book, one solve after the other."""
WARM = ROUNDING[2:]
"""Widths of a solve that starts next to its answer."""
FARTHEST = 25.0
"""Own deviations of an instrument, in the book's, at which a size is called unlimited."""
MOST_STEPS = 200
MOST_STRIDE = 1.0
"""Largest Newton step of one instrument, in deviations of the book."""


@dataclass(frozen=True, slots=True)
class Hedge:
    """sizes (n,) in units.  risk : measure after, before cost.  cost : USD.  before : measure without a hedge.

    steps : Newton steps.  price_of_budget : how much a further USD of budget would save, less one.
    """

    sizes: np.ndarray
    risk: float
    cost: float
    before: float
    steps: int
    price_of_budget: float = 0.0

    @property
    def after(self) -> float:
        """Risk and cost together, what was minimised."""
        return self.risk + self.cost


def measure_of(pnl: np.ndarray, measure: str, tail: float) -> float:
    """ES, VaR (positive = loss) at tail probability *tail*, or the standard deviation ('variance'), USD."""
    if measure == "variance":
        return float(pnl.std())
    k = tail * pnl.size
    whole = min(int(math.ceil(k - 1e-9)), pnl.size)
    lowest = np.partition(pnl, whole - 1)[:whole]
    quantile = float(lowest[whole - 1])
    if measure == "var":
        return -quantile
    return -(float(lowest.sum()) - (whole - k) * quantile) / k


def minimise(
    pnl: np.ndarray, units: np.ndarray, cost: TradingCost, level: float = 0.975, measure: str = "es",
    lower: np.ndarray | None = None, upper: np.ndarray | None = None, budget: float | None = None,
) -> Hedge:
    """Optimal sizes.

    Parameters
    ----------
    pnl : (P,) of the book, USD.  units : (n, P) of one unit of each instrument.  cost : of trading.
    level : 0.975 → the worst 2.5%.  lower ≤ 0 ≤ upper : (n,) bounds of sizes, units.  budget : most cost, USD.

    Raises
    ------
    InputError : measure, level, bounds, budget; an instrument that does not move on these paths.
    """
    pnl, units = np.asarray(pnl, dtype=np.float64), np.atleast_2d(np.asarray(units, dtype=np.float64))
    low = np.full(len(units), -np.inf) if lower is None else np.asarray(lower, dtype=np.float64)
    high = np.full(len(units), np.inf) if upper is None else np.asarray(upper, dtype=np.float64)
    _check(pnl, units, level, measure, low, high, budget)
    tail = 1.0 - level
    problem = _Problem(pnl, units, cost, tail, measure, low, high)
    sizes, steps = problem.solve(1.0)
    price = 0.0
    if budget is not None and cost.total(sizes) > budget:
        sizes, steps, price = _within(problem, budget)
    wide = np.abs(sizes) >= 0.999 * FARTHEST * problem.scale
    runaway = np.flatnonzero(wide & (np.abs(sizes) < 0.999 * np.where(sizes > 0.0, high, -low)))
    if runaway.size:
        raise InputError(Problem(
            "the tail falls without end: an instrument's expected P&L outweighs its risk",
            got=f"number {', '.join(str(i + 1) for i in runaway)} beyond {FARTHEST:g} deviations of the book",
            accepted="a limit (max), or the measure about the mean"))
    before = measure_of(pnl, measure, tail)
    risk = measure_of(pnl + sizes @ units, measure, tail)
    if risk + cost.total(sizes) >= before:
        return Hedge(np.zeros(len(units)), before, 0.0, before, steps)
    return Hedge(sizes, risk, cost.total(sizes), before, steps, price)


class _Problem:
    """One book and its instruments in scaled variables: sizes in deviations of the book, objectives too."""

    def __init__(self, pnl: np.ndarray, units: np.ndarray, cost: TradingCost, tail: float, measure: str,
                 low: np.ndarray, high: np.ndarray):
        self.tail, self.measure, self.cost = tail, measure, cost
        self.deviation = float(pnl.std()) or 1.0
        self.scale = self.deviation / units.std(axis=1)
        self.pnl, self.units = pnl / self.deviation, units * (self.scale / self.deviation)[:, None]
        self.low = np.maximum(low / self.scale, -FARTHEST)
        self.high = np.minimum(high / self.scale, FARTHEST)

    def solve(self, weight: float, start: np.ndarray | None = None, widths: tuple[float, ...] = ROUNDING
              ) -> tuple[np.ndarray, int]:
        """(sizes, Newton steps); *weight* multiplies the cost, *start* (n,) sizes."""
        x = np.zeros(len(self.units)) if start is None else start / self.scale
        objective: _Objective = _Deviation(self) if self.measure == "variance" else _Shortfall(self, x)
        steps = 0
        for width in widths:
            x, count = self._newton(objective, x, weight, width)
            steps += count
            if self.measure == "variance":
                break
        if self.measure == "var":
            x = self._nearby_var(x, weight)
        return x * self.scale, steps

    def _newton(self, objective: _Objective, x: np.ndarray, weight: float, width: float) -> tuple[np.ndarray, int]:
        """Newton steps inside the orthant and the bounds of the current point, with a line search (as OWL-QN does:
        Andrew and Gao 2007)."""
        value, slope, curve, price = self._all(objective, x, weight, width)
        for step in range(MOST_STEPS):
            side = np.sign(x)
            pull = np.where(side != 0.0, slope + price * side,
                            np.where(slope + price < 0.0, slope + price,
                                     np.where(slope - price > 0.0, slope - price, 0.0)))
            side = np.where(side != 0.0, side, -np.sign(pull))
            stuck = ((x >= self.high) & (pull < 0.0)) | ((x <= self.low) & (pull > 0.0))
            free = np.flatnonzero((pull != 0.0) & ~stuck)
            if not free.size or np.abs(pull[free]).max() <= 1e-9:
                return x, step
            whole = curve + self._bend(np.abs(x), side, weight)
            own = whole[np.ix_(free, free)] + 1e-9 * np.eye(free.size)
            direction = np.zeros_like(x)
            direction[free] = -np.linalg.lstsq(own, pull[free], rcond=1e-12)[0]
            if direction @ pull >= 0.0 or np.abs(direction).max() > MOST_STRIDE:
                direction *= min(1.0, MOST_STRIDE / max(np.abs(direction).max(), 1e-300))
                if direction @ pull >= 0.0:
                    direction[free] = -pull[free]
            size, moved = 1.0, False
            while size > 1e-9:
                trial = np.clip(x + size * direction, self.low, self.high)
                trial[(trial * side < 0.0)] = 0.0
                found = self._all(objective, trial, weight, width)
                if found[0] <= value + 1e-4 * float(pull @ (trial - x)):
                    moved = found[0] < value - 1e-14 or not np.array_equal(trial, x)
                    small = value - found[0] <= 1e-13
                    x, (value, slope, curve, price) = trial, found
                    break
                size *= 0.5
            if not moved or small:
                return x, step + 1
        return x, MOST_STEPS

    def _all(self, objective: _Objective, x: np.ndarray, weight: float, width: float
             ) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        """(value with costs, slope and curvature of the risk, marginal cost of each instrument: a corner at zero)."""
        value, slope, curve = objective(x, width)
        size = np.abs(x) * self.scale
        value += weight * self.cost.total(size) / self.deviation
        return value, slope, curve, weight * self.cost.slope(size) * self.scale / self.deviation

    def _bend(self, size: np.ndarray, side: np.ndarray, weight: float) -> np.ndarray:
        """(n, n) curvature of the impact; infinite at zero, so taken a thousandth of a deviation away."""
        cost = self.cost
        flow = np.bincount(cost.market, weights=cost.weight * np.maximum(size, 1e-3) * self.scale,
                           minlength=cost.depth.size)
        rate = np.divide(cost.depth, np.sqrt(flow), out=np.zeros_like(flow), where=flow > 0.0)[cost.market]
        steep = cost.weight * self.scale * side
        same = cost.market[:, None] == cost.market
        return weight * 0.75 * rate[:, None] * np.outer(steep, steep) * same / self.deviation

    def _nearby_var(self, x: np.ndarray, weight: float) -> np.ndarray:
        active = np.flatnonzero(x)
        if not active.size:
            return x

        def value(some: np.ndarray) -> float:
            trial = x.copy()
            trial[active] = some
            return measure_of(self.pnl + trial @ self.units, "var", self.tail) + weight * self.cost.total(
                trial * self.scale) / self.deviation

        reach = 0.5 * np.abs(x[active]) + 0.1
        box = list(zip(np.maximum(x[active] - reach, self.low[active]),
                       np.minimum(x[active] + reach, self.high[active])))
        found = minimize(value, x[active], method="Powell", bounds=box,
                         options={"maxfev": 60 * active.size, "xtol": 1e-3, "ftol": 1e-6})
        better = x.copy()
        if found.fun < value(x[active]):
            better[active] = found.x
        return better


class _Shortfall:
    """ES of the scaled P&L with a rounded corner; its quantile v is found exactly for every h."""

    def __init__(self, problem: _Problem, start: np.ndarray):
        self.problem = problem
        self.mass = problem.tail * problem.pnl.size

    def __call__(self, x: np.ndarray, width: float) -> tuple[float, np.ndarray, np.ndarray]:
        problem, mass = self.problem, self.mass
        loss = -problem.pnl - x @ problem.units
        place = loss.size - min(int(math.ceil(mass)), loss.size)
        middle = float(np.partition(loss, place)[place])
        worst = np.flatnonzero(loss > middle - 3.0 * width)
        some = loss[worst]
        low, high = middle - 2.0 * width, middle + 2.0 * width
        for _ in range(60):  # Σ clip((loss − v + width) / 2 width, 0, 1) = mass has one solution v
            v = 0.5 * (low + high)
            inside = np.clip((some - v + width) / (2.0 * width), 0.0, 1.0)
            if inside.sum() > mass:
                low = v
            else:
                high = v
            if high - low < 1e-13 * max(1.0, abs(v)):
                break
        excess = some - v
        share = inside / mass
        value = v + float(np.where(excess > width, excess, width * inside**2).sum()) / mass
        units = problem.units[:, worst]
        band = (inside > 0.0) & (inside < 1.0)
        near = units[:, band]
        curve = np.zeros((x.size, x.size))
        if near.shape[1]:
            centred = near - near.mean(axis=1, keepdims=True)
            curve = centred @ centred.T / (2.0 * width * mass)
        return value, -(units @ share), curve


class _Deviation:
    """Standard deviation of the scaled P&L from its covariance."""

    def __init__(self, problem: _Problem):
        self.covariance = np.cov(np.vstack([problem.pnl, problem.units]), ddof=0)

    def __call__(self, x: np.ndarray, _width: float) -> tuple[float, np.ndarray, np.ndarray]:
        net = np.append(1.0, x)
        spread = self.covariance @ net
        deviation = math.sqrt(max(float(net @ spread), 1e-16))
        slope = spread[1:] / deviation
        return deviation, slope, (self.covariance[1:, 1:] - np.outer(slope, slope)) / deviation


_Objective = Callable[[np.ndarray, float], tuple[float, np.ndarray, np.ndarray]]


def _within(problem: _Problem, budget: float) -> tuple[np.ndarray, int, float]:
    """The hedge whose cost is the budget: the cost counts (1 + μ) times, which brings it down steadily."""
    def over(sizes: np.ndarray) -> float:
        return math.log(max(problem.cost.total(sizes), 1e-9 * budget + 1e-12) / max(budget, 1e-12))

    sizes, steps = problem.solve(1.0)
    low, at_low, high = 0.0, over(sizes), math.log(2.0)
    while True:
        sizes, steps = problem.solve(math.exp(high), sizes, WARM)
        at_high = over(sizes)
        if at_high <= 0.0 or high > 30.0:
            break
        low, at_low, high = high, at_high, 2.0 * high
    best, kept = sizes, 0
    for _ in range(20):
        if at_high >= -0.01 or high - low < 1e-6:
            break
        share = min(max(at_low / (at_low - at_high), 0.1), 0.9)  # regula falsi in logarithms, kept off the ends
        middle = low + (share if kept < 2 else 0.5) * (high - low)
        sizes, steps = problem.solve(math.exp(middle), sizes, WARM)
        found = over(sizes)
        if found <= 0.0:
            high, at_high, best, kept = middle, found, sizes, kept + 1
        else:
            low, at_low, kept = middle, found, 0
    sizes, high = best, math.expm1(high)
    if problem.cost.total(sizes) > budget:  # the last thousandth of a bisection: scaled down, still within
        share = 1.0
        while problem.cost.total(share * sizes) > budget:
            share *= 0.999
        sizes = share * sizes
    return sizes, steps, high


def _check(
    pnl: np.ndarray, units: np.ndarray, level: float, measure: str, low: np.ndarray, high: np.ndarray,
    budget: float | None,
) -> None:
    problems = []
    if measure not in MEASURES:
        problems.append(Problem("measure to minimise", field="--measure", got=measure, accepted=", ".join(MEASURES)))
    if not 0.5 <= level < 1.0 or (1.0 - level) * pnl.size < 20:
        problems.append(Problem("level of the tail", field="--level", got=f"{level:g}",
                                accepted=f"0.5 … {1.0 - 20.0 / pnl.size:.4f} on {pnl.size:,} paths"))
    if pnl.ndim != 1 or units.ndim != 2 or units.shape[1] != pnl.size or low.shape != high.shape != (len(units),):
        problems.append(Problem("P&L of the book (P,), of units (n, P), bounds (n,) do not fit",
                                got=f"{pnl.shape}, {units.shape}"))
    elif not (np.isfinite(pnl).all() and np.isfinite(units).all()):
        problems.append(Problem("P&L must be finite"))
    elif (units.std(axis=1) <= 0.0).any():
        problems.append(Problem("an instrument that does not move on these paths hedges nothing",
                                got=f"number {int(np.argmin(units.std(axis=1))) + 1}"))
    if not ((low <= 0.0) & (high >= 0.0)).all():
        problems.append(Problem("limits of a size must allow no trade"))
    if budget is not None and not (math.isfinite(budget) and budget >= 0.0):
        problems.append(Problem("a budget for costs", field="--budget", got=f"{budget:g}", accepted="USD, 0 or more"))
    if problems:
        raise InputError(problems)
