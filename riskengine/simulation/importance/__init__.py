"""The far tail of the total by importance sampling: how large is a loss that plain paths hardly ever see?

Paths are drawn where the losses of the book's delta and gamma are large and weighted back by the ratio of the
laws; P&L may be revalued in full.  ``density`` twists normals and chi-squares (Gaussian and Student-t noise),
``rows`` the probabilities of historical days (filtered historical noise); ``mixture`` shares the paths out among
one plain law and the twisted ones of every level.

    VaR, ES:  weighted paths (``weighted_tail``), beside the same number of plain ones
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.kernels.importance import quadratic_value
from riskengine.kernels.products import MICRO_ROWS, multiply, pack_rows
from riskengine.simulation.importance.density import LANES, TwistedDensity
from riskengine.simulation.importance.rows import TwistedRows
from riskengine.simulation.noise import chunks, simulate_noise
from riskengine.simulation.weighted_tail import TailEstimate, estimate_tail

Revalue = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class ImportanceTail:
    """Far tail by twisted paths beside the same number of plain ones.

    levels : (L,).  twisted, plain : estimates of the same quantities from independent streams.
    variance_reduction_var, variance_reduction_es : (L,) squared ratio of standard errors, plain over twisted; 1
    where plain paths give none.
    mean_weight, mean_weight_se : 1 within its error when the weights are right.
    theta, scale, jump : (L,) twist of each level, as ``density`` and ``rows`` say.
    paths : of each of the two.
    """

    levels: tuple[float, ...]
    twisted: TailEstimate
    plain: TailEstimate
    variance_reduction_var: np.ndarray
    variance_reduction_es: np.ndarray
    mean_weight: float
    mean_weight_se: float
    theta: np.ndarray
    scale: np.ndarray
    jump: np.ndarray
    paths: int


def importance_tail(
    model: FactorModel, horizon: Horizon, spec: RunSpec, delta: np.ndarray, gamma: np.ndarray,
    levels: Sequence[float] = (0.99, 0.999), revalue: Revalue | None = None, executor=None,
    fixings: Sequence[tuple[int, int]] = (),
) -> ImportanceTail:
    """VaR and ES of the total's market noise, by importance sampling and by plain Monte Carlo.

    Parameters
    ----------
    spec : paths, seed, noise and precision.
    delta : (K,) USD per unit move.  gamma : (K,) diagonal or (K, K) symmetric, USD per squared unit move.
    levels : confidence levels in (0.5, 1), e.g. 0.999.
    revalue : moves (K, n), moves at the fixings (F, n) → P&L (n,) USD, gain positive; None: delta and gamma.  The
        twist always follows delta and gamma; the further the book is from them the smaller the gain, unbiased
        in any case.
    executor : anything with ``map``; None runs in this thread.
    fixings : (factor, step) pairs whose accumulated moves *revalue* needs.

    Raises
    ------
    InputError : shapes, levels, another step length, noise that the model does not have.
    """
    delta, gamma, levels = _check(model, horizon, delta, gamma, levels)
    wanted = tuple((int(k), int(step)) for k, step in fixings)
    value = _Quadratic(delta, pack_rows(gamma, np.float64)) if revalue is None else _Revalued(revalue)
    run = executor.map if executor is not None else lambda task, items: [task(item) for item in items]
    cut = chunks(spec)
    plain = np.concatenate(run(_PlainTask(model, horizon, spec, wanted, value), cut))
    ordinary = estimate_tail(plain, np.ones_like(plain), levels)
    kind = TwistedRows if spec.noise == "filtered_historical" else TwistedDensity
    law = kind.build(model, horizon, spec, delta, gamma, wanted, ordinary.var)
    parts = run(_TwistedTask(law, value), cut)
    pnl, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    twisted = estimate_tail(pnl, weight, levels)
    return ImportanceTail(
        levels=levels, twisted=twisted, plain=ordinary,
        variance_reduction_var=_ratio(ordinary.var_se, twisted.var_se),
        variance_reduction_es=_ratio(ordinary.es_se, twisted.es_se),
        mean_weight=float(weight.mean()), mean_weight_se=float(weight.std(ddof=1) / math.sqrt(weight.size)),
        theta=law.theta, scale=law.scale, jump=law.jump, paths=spec.paths,
    )


@dataclass(frozen=True, slots=True)
class _Quadratic:
    """P&L by delta (K,) and gamma (packed rows)."""

    delta: np.ndarray
    curve: np.ndarray

    def __call__(self, moves: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        factors, n = self.delta.size, moves.shape[1]
        wide = np.zeros((factors, -(-n // LANES) * LANES))
        wide[:, :n] = moves
        product = np.empty((-(-factors // MICRO_ROWS) * MICRO_ROWS, wide.shape[1]))
        multiply(self.curve, factors, wide, product)
        out = np.empty(wide.shape[1])
        quadratic_value(self.delta, product, wide, out)
        return out[:n]


@dataclass(frozen=True, slots=True)
class _Revalued:
    """P&L of the caller's function, checked."""

    revalue: Revalue

    def __call__(self, moves: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        pnl = np.asarray(self.revalue(moves, fixed), dtype=np.float64)
        if pnl.shape != (moves.shape[1],) or not np.isfinite(pnl).all():
            raise ModelError(f"revalue must give a finite P&L for each of {moves.shape[1]} paths, "
                             f"got shape {pnl.shape}")
        return pnl


@dataclass(frozen=True, slots=True)
class _PlainTask:
    """P&L of one chunk of plain paths."""

    model: FactorModel
    horizon: Horizon
    spec: RunSpec
    fixings: tuple[tuple[int, int], ...]
    value: Revalue

    def __call__(self, chunk: Chunk) -> np.ndarray:
        return self.value(*simulate_noise(self.model, self.horizon, self.spec, chunk, self.fixings))


@dataclass(frozen=True, slots=True)
class _TwistedTask:
    """P&L and weights of one chunk of twisted paths."""

    law: TwistedDensity | TwistedRows
    value: Revalue

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
        moves, fixed, weight = self.law.draw(chunk)
        return self.value(moves, fixed), weight


def _ratio(plain: np.ndarray, twisted: np.ndarray) -> np.ndarray:
    """Squared ratio of standard errors; 1 where one of them is 0."""
    both = (plain > 0) & (twisted > 0)
    return np.divide(plain**2, twisted**2, out=np.ones_like(plain), where=both)


def _check(
    model: FactorModel, horizon: Horizon, delta: np.ndarray, gamma: np.ndarray, levels: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    factors = len(model.axis)
    delta, gamma = (np.array(x, dtype=np.float64, order="C") for x in (delta, gamma))
    levels = tuple(float(a) for a in levels)
    problems = []
    if horizon.step_days != model.step_days:
        problems.append(Problem("the horizon's step must be the model's", got=f"{horizon.step_days} days",
                                accepted=f"{model.step_days} days"))
    if delta.shape != (factors,) or gamma.shape not in ((factors,), (factors, factors)):
        problems.append(Problem("delta (K,) and gamma (K,) or (K, K)", got=f"{delta.shape}, {gamma.shape}",
                                accepted=f"K = {factors}"))
    elif not (np.isfinite(delta).all() and np.isfinite(gamma).all()):
        problems.append(Problem("delta and gamma must be finite"))
    elif not (delta.any() or gamma.any()):
        problems.append(Problem("a book without delta and gamma has no tail to look for"))
    elif gamma.ndim == 2 and not np.allclose(gamma, gamma.T, rtol=1e-9, atol=0.0):
        problems.append(Problem("gamma (K, K) must be symmetric"))
    if not levels or any(not 0.5 < a < 1 for a in levels):
        problems.append(Problem("levels must lie in (0.5, 1)", got=str(levels)))
    if problems:
        raise InputError(problems)
    return delta, np.diag(gamma) if gamma.ndim == 1 else gamma, levels
