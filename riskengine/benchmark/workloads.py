"""The fixed workloads, on the engine's own types and through its public functions.

W1  1,000,000 paths × 40 Student-t factors (ν = 5), 1,000 delta-gamma positions in 20 books: P&L by book and
    in total, VaR and ES at 95, 97.5 and 99% of all of them with standard errors, Euler contributions to ES
W2  100,000 paths × 60 daily steps × 40 factors: GARCH(1,1), policy ramp, holders' feedback; terminal P&L and
    drawdown
W3  100,000 scenarios × 500 instruments revalued in full: 250 bonds of 30 cash flows, 100 FX options, 100
    index options, 50 properties, in 20 books

Everything is drawn from one fixed seed; no market data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from riskengine.base.axes import CURRENCIES, FACTORS, KEY_RATES, PROPERTY_TYPES, Axis
from riskengine.base.sampling import RunSpec
from riskengine.base.units import Horizon
from riskengine.instruments.book import Book, compile_book
from riskengine.instruments.equity import EquityOption
from riskengine.instruments.fx import FxOption
from riskengine.instruments.options import Strike
from riskengine.instruments.portfolio import Portfolio, Position
from riskengine.instruments.real_estate import Property
from riskengine.instruments.treasury import TreasuryCouponBond
from riskengine.kernels.draws import fill_normals
from riskengine.market import MarketInput, MarketSnapshot
from riskengine.measures.group_tails import GroupTails, measure_group_tails, measure_kept_tails, widest_tail
from riskengine.simulation.feedback import Feedback
from riskengine.simulation.horizon_pnl import GroupExposures, MoveCovariance, simulate_tails
from riskengine.simulation.noise import chunks
from riskengine.simulation.path_dependent import PathExposures, prepare_paths
from riskengine.simulation.variance import PathModel

SEED = 20240611
FACTOR_COUNT, BOOKS, POSITIONS = 40, 20, 1_000
DOF = 5.0
LEVELS = (0.95, 0.975, 0.99)
DRAWS = 32
"""Parameter draws of the RunSpec; the workloads have none, so it only has to divide the number of paths."""
_BLOCKS = ((0, 12, 0.006), (12, 20, 0.0006), (20, 34, 0.012), (34, 40, 0.008))
"""Factors and daily volatility: currencies, key rates, equity, real estate."""
AS_OF = "2024-09-24"
STEPS = 60
RAMP_STEPS = 20


@dataclass(frozen=True, slots=True)
class HorizonWorkload:
    """W1: moves with covariance (K, K), and deltas and gammas summed by book (B, K)."""

    moves: MoveCovariance
    exposures: GroupExposures
    correlation: np.ndarray
    volatility: np.ndarray

    def run(self, paths: int, executor: Any = None, precision: str = "float32") -> GroupTails:
        """All outputs of W1."""
        spec = RunSpec(paths, DRAWS, SEED, "student_t", LEVELS, precision=precision)
        kept = simulate_tails(self.moves, self.exposures, spec, widest_tail(paths, LEVELS), executor)
        return measure_kept_tails(kept, LEVELS, executor)


def horizon_workload(positions: int = POSITIONS) -> HorizonWorkload:
    """One global and one block factor behind 40 moves; each position touches three to six of them."""
    rng = np.random.default_rng(SEED)
    volatility = np.concatenate([np.full(hi - lo, vol) for lo, hi, vol in _BLOCKS])
    volatility *= np.exp(0.25 * rng.standard_normal(FACTOR_COUNT))
    common = rng.uniform(0.2, 0.7, FACTOR_COUNT) * np.where(np.arange(FACTOR_COUNT) % 3 == 0, -1, 1)
    correlation = 0.4 * np.outer(common, common)
    for lo, hi, _ in _BLOCKS:
        block = rng.uniform(0.5, 0.8, hi - lo)
        correlation[lo:hi, lo:hi] += 0.5 * np.outer(block, block)
    np.fill_diagonal(correlation, 1.0)
    delta, gamma = np.zeros((BOOKS, FACTOR_COUNT)), np.zeros((BOOKS, FACTOR_COUNT))
    for i in range(positions):
        k = rng.choice(FACTOR_COUNT, rng.integers(3, 7), replace=False)
        delta[i % BOOKS, k] += rng.normal(0.3, 1.0, k.size) * 1e6 / (volatility[k] / 0.01)
        gamma[i % BOOKS, k] += rng.normal(0.0, 1.0, k.size) * 8e6 / (volatility[k] / 0.01) ** 2
    axis = Axis("benchmark factor", tuple(f"factor {k}" for k in range(FACTOR_COUNT)))
    covariance = correlation * np.outer(volatility, volatility)
    books = tuple(f"book {b}" for b in range(BOOKS))
    return HorizonWorkload(MoveCovariance(axis, covariance, DOF), GroupExposures(axis, books, delta, gamma),
                           correlation, volatility)


@dataclass(frozen=True, slots=True)
class PathWorkload:
    """W2: model, ramp (1, T, K), feedback of one cell, and the total's delta and gamma (1, K)."""

    model: PathModel
    ramp: np.ndarray
    feedback: Feedback
    exposures: PathExposures

    def with_ramp(self, factor: float) -> PathWorkload:
        """The same with every mean move of the policy *factor* times as large: what a what-if asks."""
        return replace(self, ramp=factor * self.ramp)

    def run(self, paths: int, executor: Any = None,
            precision: str = "float32") -> tuple[np.ndarray, np.ndarray, GroupTails]:
        """Terminal P&L (P,), largest drawdown (P,), and VaR and ES of both at 99%."""
        spec = RunSpec(paths, DRAWS, SEED, noise="gaussian", precision=precision)
        task = prepare_paths(self.model, Horizon(STEPS, self.model.step_days), spec, self.ramp, self.feedback,
                             self.exposures)
        parts = chunks(spec, 4_080)
        results = [task(part) for part in parts] if executor is None else executor.map(task, parts)
        terminal = np.concatenate([r.terminal[0] for r in results])
        drawdown = np.concatenate([r.drawdown for r in results])
        tails = measure_group_tails(-drawdown[None, :], terminal, (0.99,), executor)
        return terminal, drawdown, tails


def path_workload() -> PathWorkload:
    """The covariance and the summed book of W1; the dollar falls 3% over the ramp, one cell of holders sells.

    Sixty steps are more than a daily Horizon takes, so they are called weekly: variances are per step anyway.
    """
    base = horizon_workload()
    rng = np.random.default_rng(SEED + 1)
    v2 = base.volatility**2
    k = np.arange(FACTOR_COUNT)
    currency, equity = k < 12, (k >= 20) & (k < 34)
    drift = np.where(currency, -0.03 / STEPS, 0.0)
    ramp = np.cumsum(np.outer(np.minimum((np.arange(STEPS) + 1) / RAMP_STEPS, 1.0), drift), axis=0)[None]
    loading = np.where(currency, -1.0 / 12.0, 0.0) + np.where(equity, 1.0 / 14.0, 0.0)
    impact = -0.3 * base.volatility * rng.uniform(0.2, 1.0, FACTOR_COUNT)
    one = np.ones(1)
    feedback = Feedback(
        cells=(("holders", "equity"),), loading=loading[None], memory=0.97 * one, threshold=0.03 * one,
        share=40.0 * one, holdings=one, markets=("all",), amount=np.ones((1, 1)), lasting=one,
        decay=0.0 * one, impact=impact[:, None], sources=("benchmark",),
    )
    model = PathModel(5, np.linalg.cholesky(base.correlation), v2, 0.05 * v2, np.full(FACTOR_COUNT, 0.07),
                      np.full(FACTOR_COUNT, 0.88))
    exposures = PathExposures(base.exposures.delta.sum(axis=0)[None], base.exposures.gamma.sum(axis=0)[None])
    return PathWorkload(model, ramp, feedback, exposures)


def draw_normals(paths: int, real: type, rows: int = 2_400) -> np.ndarray:
    """The last block of 40 × *paths* normals of one stream, drawn *rows* paths at a time on this thread."""
    out = np.empty((FACTOR_COUNT, rows), real)
    for first in range(0, paths, rows):
        fill_normals(first, 0, 0, SEED, out)
    return out


def snapshot() -> MarketSnapshot:
    """A market in round numbers for W3 and synthetic books."""
    zero = np.linspace(0.040, 0.045, len(KEY_RATES))
    values = {f"short_rate.{c}": 0.01 + 0.002 * (i % 7) for i, c in enumerate(CURRENCIES)}
    values |= {f"implied_vol.{c}": 0.07 + 0.004 * (i % 9) for i, c in enumerate(CURRENCIES)}
    values |= {"implied_vol.SP500": 0.17, "implied_vol.NASDAQ": 0.21, "dividend_yield.SP500": 0.013,
               "dividend_yield.NASDAQ": 0.008}
    values |= {f"cap_rate.{name}": 0.055 + 0.005 * i for i, name in enumerate(PROPERTY_TYPES)}
    inputs = {key: MarketInput(key, value, None, "decimal", AS_OF, "benchmark", False)
              for key, value in values.items()}
    spot = {c: 0.5 + 0.05 * i for i, c in enumerate(CURRENCIES)}
    return MarketSnapshot(AS_OF, spot, np.array(list(KEY_RATES.values())), zero, {},
                          {"SP500": 5_700.0, "NASDAQ": 18_000.0}, inputs)


@dataclass(frozen=True, slots=True)
class RevaluationWorkload:
    """W3: the portfolio, its market and the compiled book (instantaneous moves)."""

    portfolio: Portfolio
    market: MarketSnapshot
    book: Book

    def run(self, moves: np.ndarray, executor: Any = None, chunk_paths: int = 4_080) -> np.ndarray:
        """(G, n) USD by book, for moves (K, n)."""
        n = moves.shape[1]
        parts = [(lo, min(lo + chunk_paths, n)) for lo in range(0, n, chunk_paths)]
        out = np.empty((len(self.book.group_labels), n))

        def revalue(part: tuple[int, int]) -> None:
            self.book.pnl_into(out, moves, *part)

        if executor is None:
            for part in parts:
                revalue(part)
        else:
            executor.map(revalue, parts)
        return out


def revaluation_workload() -> RevaluationWorkload:
    """250 bonds, 100 options each on currencies and indices, 50 properties; bonds have their own dates."""
    rng = np.random.default_rng(SEED)
    today = date.fromisoformat(AS_OF)
    deals: list[tuple[str, Any]] = []
    for _ in range(250):
        # 30 cash flows: 15 years of semi-annual or 30 of annual coupons, maturing any day of the last period
        frequency = int(rng.choice([1, 2]))
        last = today + timedelta(days=int(365.25 * 30 / frequency) - int(rng.integers(2, 360 // frequency)))
        deals.append(("treasury_bond", TreasuryCouponBond(float(rng.normal(1e7, 3e6)), last,
                                                          float(rng.uniform(0.01, 0.06)), frequency)))
    for i in range(200):
        expiry = today + timedelta(days=int(rng.integers(36, 730)))
        strike, sign = Strike(float(np.exp(rng.normal(0.0, 0.08))), "spot"), float(rng.choice([-1.0, 1.0]))
        if i < 100:
            currency = CURRENCIES[int(rng.integers(len(CURRENCIES)))]
            deals.append(("fx_option", FxOption(currency, float(rng.normal(0.0, 1e7)), expiry, strike, sign)))
        else:
            name = ("SP500", "NASDAQ")[i % 2]
            deals.append(("equity_option", EquityOption(name, float(rng.normal(0.0, 50.0)), 50.0, expiry,
                                                        strike, sign)))
    for i in range(50):
        deals.append(("property", Property(PROPERTY_TYPES[i % 4], float(rng.uniform(1e5, 1e6)),
                                           float(rng.uniform(0.045, 0.08)), ltv=0.5)))
    positions = tuple(
        Position(f"P{i}", kind, deal, "benchmark", f"book {i % BOOKS:02d}", "all")
        for i, (kind, deal) in enumerate(deals)
    )
    portfolio, market = Portfolio(AS_OF, positions), snapshot()
    return RevaluationWorkload(portfolio, market, compile_book(portfolio, market))


def revaluation_moves(paths: int) -> np.ndarray:
    """(K, n) moves on FACTORS: Student-t with one common factor; 1% for log factors, 6 bp for others."""
    rng = np.random.default_rng(SEED)
    size = np.array([6e-4 if f.startswith(("UST_", "CAP_")) else 0.01 for f in FACTORS.labels])
    noise = 0.6 * rng.standard_normal(paths) + 0.8 * rng.standard_normal((len(FACTORS), paths))
    return size[:, None] * noise * np.sqrt((DOF - 2.0) / rng.chisquare(DOF, paths))
