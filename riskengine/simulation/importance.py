"""The far tail of the total by importance sampling: how large is a loss that plain paths hardly ever see?

With accumulated noise x and loss L = −δ'x − ½ x'Γx, paths are drawn where losses are large and weighted back.
Steps t have variances v_t² and Student-t scales w_t; V² = Σ v_t², c_t² = mean_k v_t²/V², s² = Σ c_t² w_t²,

    z̃ = Σ_t (c_t w_t/s) z_t ~ N(0, I),   L ≈ s b'y + s² Σ λ_k y_k²,   y = Q'z̃,  −½ (VL)'Γ(VL) = Q diag(λ) Q'

Only y and the chi-squares are drawn from another law: the twist of Glasserman, Heidelberger and Shahabuddin
(2000, Management Science 46; t version 2002, Mathematical Finance 12) for the threshold a,

    density ratio = exp(θ(L/s² − a/s²) − ψ(θ)):  y_k ~ N(θ b_k/(s c_k), 1/c_k), c_k = 1 − 2θλ_k, χ²_t → χ²_t/q

In several steps a tail is made by many larger χ² or by a single jump: one law per level scales all χ²_t, a
second one scales a single step drawn at random.  z_t becomes z_t plus its part (c_t w_t/s) of the change of
z̃, so the exact x and any exact P&L keep their law under the weights; the approximation above costs
efficiency, never bias.  In one step (s² = w²) it is the published twist exactly.  These laws and a plain one
(a tenth of the paths: weights stay ≤ 10) are mixed and weighted by the balance heuristic, as in Owen and
Zhou (2000, JASA 95).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import BLOCK_IMPORTANCE, BLOCK_IMPORTANCE_MIXING, BLOCK_MIXING, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.kernels.draws import fill_mixing, fill_normals, fill_rows
from riskengine.kernels.importance import quadratic_value, twist, weigh
from riskengine.kernels.products import MICRO_ROWS, multiply, multiply_triangular, pack_rows
from riskengine.simulation.noise import chunks, mixing_table, simulate_noise
from riskengine.simulation.weighted_tail import TailEstimate, estimate_tail

PLAIN_CYCLE = 10
"""One path in ten follows the plain law."""
PILOT_PATHS = 32_768
"""Chi-squares of the plain stream behind the choice of the twist."""
LANES = 16


@dataclass(frozen=True, slots=True)
class ImportanceTail:
    """Far tail by twisted paths beside the same number of plain ones.

    levels : (L,).  twisted, plain : estimates of the same quantities from independent streams.
    variance_reduction_var, variance_reduction_es : (L,) squared ratio of standard errors, plain over twisted.
    mean_weight, mean_weight_se : 1 within its error when the weights are right.
    theta, scale, jump : (L,) twist of each level: θ in 1/USD, q of all chi-squares and of a single one (1 for
    Gaussian noise).
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
    levels: Sequence[float] = (0.99, 0.999),
    revalue: Callable[[np.ndarray], np.ndarray] | None = None, executor=None,
) -> ImportanceTail:
    """VaR and ES of the total's market noise, by importance sampling and by plain Monte Carlo.

    Parameters
    ----------
    spec : paths, seed and noise ('gaussian' or 'student_t').
    delta : (K,) USD per unit move.  gamma : (K,) diagonal or (K, K) symmetric, USD per squared unit move.
    levels : confidence levels in (0.5, 1), e.g. 0.999.
    revalue : moves (K, n) → P&L (n,) USD, gain positive; None: delta and gamma.  The twist always follows
        delta and gamma; the further the book is from them the smaller the gain, unbiased in any case.
    executor : anything with ``map``; None runs in this thread.

    Raises
    ------
    InputError : noise without a density (filtered historical), shapes, levels, another step length.
    """
    delta, gamma, levels = _check(model, horizon, spec, delta, gamma, levels)
    setting = _Setting.build(model, horizon, spec, delta, gamma)
    run = executor.map if executor is not None else lambda task, items: [task(item) for item in items]
    cut = chunks(spec)
    plain = np.concatenate(run(_PlainTask(model, horizon, spec, setting, revalue), cut))
    ones = np.ones_like(plain)
    ordinary = estimate_tail(plain, ones, levels)
    theta, scale, jump = _choose_twists(setting, ordinary.var)
    twists = _Twists.build(setting, theta, scale, jump, spec.paths)
    parts = run(_TwistedTask(spec, setting, twists, revalue), cut)
    pnl, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    twisted = estimate_tail(pnl, weight, levels)
    return ImportanceTail(
        levels=levels, twisted=twisted, plain=ordinary,
        variance_reduction_var=_ratio(ordinary.var_se, twisted.var_se),
        variance_reduction_es=_ratio(ordinary.es_se, twisted.es_se),
        mean_weight=float(weight.mean()), mean_weight_se=float(weight.std(ddof=1) / math.sqrt(weight.size)),
        theta=theta, scale=scale, jump=jump, paths=spec.paths,
    )


# ---------------------------------------------------------------- the law
@dataclass(frozen=True, slots=True)
class _Setting:
    """The loss in its eigenbasis, and the steps.

    lower : packed L.  turned : packed LQ (K, K).  turn : packed Q'.  curve : packed Γ.  volatility : (T, K).
    clock : (T,) c_t.  linear, square : (K,) b and λ.  table : mixing or (0, 4).
    """

    delta: np.ndarray
    lower: np.ndarray
    turned: np.ndarray
    turn: np.ndarray
    curve: np.ndarray
    volatility: np.ndarray
    clock: np.ndarray
    linear: np.ndarray
    square: np.ndarray
    table: np.ndarray
    dof: float
    seed: int

    @classmethod
    def build(
        cls, model: FactorModel, horizon: Horizon, spec: RunSpec, delta: np.ndarray, gamma: np.ndarray
    ) -> _Setting:
        volatility = model.step_volatilities(horizon.steps)
        total = np.sqrt((volatility**2).sum(axis=0))
        clock = np.sqrt((volatility**2 / total**2).mean(axis=1))
        lower = np.tril(model.cholesky)
        spread = total[:, None] * lower
        square, basis = np.linalg.eigh(-0.5 * spread.T @ gamma @ spread)
        linear = -basis.T @ (spread.T @ delta)
        student = spec.noise == "student_t"
        return cls(
            delta, pack_rows(lower, np.float64), pack_rows(lower @ basis, np.float64),
            pack_rows(basis.T, np.float64), pack_rows(gamma, np.float64), np.ascontiguousarray(volatility),
            clock, linear, square, mixing_table(float(model.dof)) if student else np.empty((0, 4)),
            float(model.dof), spec.seed,
        )

    def scales(self, first: int, count: int, block: int) -> np.ndarray:
        """(T, n) Student-t scales of unit variance; ones for Gaussian noise."""
        out = np.ones((self.clock.size, count))
        if self.table.shape[0]:
            for step, row in enumerate(out):
                fill_mixing(first, block, step, self.seed, self.table, row)
        return out

    def value(self, moves: np.ndarray) -> np.ndarray:
        """(n,) delta-gamma P&L of moves (≥ K, n)."""
        product = np.empty((-(-self.delta.size // MICRO_ROWS) * MICRO_ROWS, moves.shape[1]))
        multiply(self.curve, self.delta.size, moves, product)
        out = np.empty(moves.shape[1])
        quadratic_value(self.delta, product, moves, out)
        return out


@dataclass(frozen=True, slots=True)
class _Twists:
    """Laws of the mixture, the plain one first: stretch, tilt (J, K); widen (J,) √q; jumps (J,) bool, one
    step only; parts of kernels.importance.weigh."""

    stretch: np.ndarray
    tilt: np.ndarray
    widen: np.ndarray
    jumps: np.ndarray
    parts: np.ndarray

    @classmethod
    def build(
        cls, setting: _Setting, theta: np.ndarray, scale: np.ndarray, jump: np.ndarray, paths: int
    ) -> _Twists:
        single = np.zeros(theta.size, dtype=bool)
        if setting.table.shape[0] and setting.clock.size > 1:
            theta, scale = np.tile(theta, 2), np.concatenate([scale, jump])
            single = np.concatenate([single, ~single])
        theta, q, single = np.append(0.0, theta), np.append(1.0, scale), np.append(False, single)
        share = np.bincount(_components(paths, theta.size - 1), minlength=theta.size) / paths
        c = 1.0 - 2.0 * theta[:, None] * setting.square
        parts = np.column_stack([
            share, theta, 0.5 * theta**2 * (setting.linear**2 / c).sum(axis=1), 0.5 * np.log(c).sum(axis=1),
            0.5 * (q - 1.0), 0.5 * setting.dof * np.log(q), single,
        ])
        return cls(1.0 / np.sqrt(c), theta[:, None] * setting.linear / c, np.sqrt(q), single,
                   np.ascontiguousarray(parts))


def _choose_twists(
    setting: _Setting, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """θ, q and jump of every threshold a: θ minimises ψ, q gives the chi-squares their mean under the twist,
    and jump the smallest of them its own.

    ψ(θ) = ln E exp(α/s²) − ½ Σ ln c_k,  α = ½ θ² Σ b²/c − θ a; E over plain chi-squares (in one step it
    is −ν/2 ln q with q = 1 − 2α/(ν − 2)).
    """
    student = setting.table.shape[0] > 0
    scales = setting.scales(0, PILOT_PATHS if student else 1, BLOCK_MIXING)
    inverse = 1.0 / (setting.clock[:, None] ** 2 * scales**2).sum(axis=0)
    chi = (setting.dof - 2.0) / scales**2
    highest = float(setting.square.max())
    theta, q, jump = np.zeros(thresholds.size), np.ones(thresholds.size), np.ones(thresholds.size)
    for i, threshold in enumerate(thresholds):

        def exponent(t: float, threshold: float = float(threshold)) -> np.ndarray:
            c = 1.0 - 2.0 * t * setting.square
            return (0.5 * t * t * (setting.linear**2 / c).sum() - t * threshold) * inverse

        def psi(t: float) -> float:
            power = exponent(t)
            top = power.max()
            c = 1.0 - 2.0 * t * setting.square
            return top + math.log(np.exp(power - top).mean()) - 0.5 * np.log(c).sum()

        if not threshold > setting.square.sum():  # not beyond the mean loss: nothing to twist
            continue
        limit = 0.4999 / highest if highest > 0 else math.inf
        high = min(limit, threshold / ((setting.linear**2).sum() + 2 * (setting.square**2).sum()))
        while high < limit and psi(min(2 * high, limit)) < psi(high):
            high = min(2 * high, limit)
        high = min(2 * high, limit)
        options = {"xatol": 1e-6 * high}
        theta[i] = minimize_scalar(psi, bounds=(0.0, high), method="bounded", options=options).x
        if student:
            power = exponent(theta[i])
            tilted = np.exp(power - power.max())
            q[i] = setting.dof * tilted.sum() / (tilted @ chi.mean(axis=0))
            jump[i] = setting.dof * tilted.sum() / (tilted @ chi.min(axis=0))
    return theta, q, jump


def _components(paths: int, count: int) -> np.ndarray:
    """(P,) law of each path: 0 plain for one in ten, else 1 … count in turn."""
    place = np.arange(paths) % (PLAIN_CYCLE * count)
    return np.where(place < count, 0, 1 + place % count)


# ---------------------------------------------------------------- paths
@dataclass(frozen=True, slots=True)
class _PlainTask:
    """P&L of one chunk of plain paths."""

    model: FactorModel
    horizon: Horizon
    spec: RunSpec
    setting: _Setting
    revalue: Callable[[np.ndarray], np.ndarray] | None

    def __call__(self, chunk: Chunk) -> np.ndarray:
        moves, _ = simulate_noise(self.model, self.horizon, self.spec, chunk)
        if self.revalue is not None:
            return _revalued(self.revalue, moves)
        wide = np.zeros((moves.shape[0], -(-moves.shape[1] // LANES) * LANES))
        wide[:, : moves.shape[1]] = moves
        return self.setting.value(wide)[: moves.shape[1]]


@dataclass(frozen=True, slots=True)
class _TwistedTask:
    """P&L and weights of one chunk of twisted paths."""

    spec: RunSpec
    setting: _Setting
    twists: _Twists
    revalue: Callable[[np.ndarray], np.ndarray] | None

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
        moves, weight = twisted_moves(self, chunk)
        n = chunk.hi - chunk.lo
        if self.revalue is not None:
            return _revalued(self.revalue, np.ascontiguousarray(moves[:, :n])), weight[:n]
        return self.setting.value(moves)[:n], weight[:n]


def twisted_moves(task: _TwistedTask, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
    """Accumulated moves (K, n) and weights (n,), n rounded up to a multiple of 16."""
    setting, twists = task.setting, task.twists
    steps, factors = setting.volatility.shape
    n = -(-(chunk.hi - chunk.lo) // LANES) * LANES
    rows = -(-factors // MICRO_ROWS) * MICRO_ROWS
    component = _components(chunk.lo + n, len(twists.widen) - 1)[chunk.lo :]
    w = setting.scales(chunk.lo, n, BLOCK_IMPORTANCE_MIXING)
    if setting.table.shape[0]:
        step_of_jump = np.empty(n, dtype=np.int64)
        fill_rows(chunk.lo, BLOCK_IMPORTANCE_MIXING, steps, setting.seed, steps, step_of_jump)
        scaled = ~twists.jumps[component] | (step_of_jump == np.arange(steps)[:, None])
        w *= np.where(scaled, twists.widen[component], 1.0)
    s = np.sqrt(((setting.clock[:, None] * w) ** 2).sum(axis=0))
    z = np.empty((-(-factors // 4) * 4, n))
    mixed, moved = np.zeros((factors, n)), np.zeros((factors, n))
    carry = np.zeros((factors, n))
    x = np.empty((rows, n))
    for step in range(steps):
        part = setting.clock[step] * w[step] / s
        fill_normals(chunk.lo, BLOCK_IMPORTANCE, step, setting.seed, z)
        multiply_triangular(setting.lower, factors, z, x)
        mixed += part * z[:factors]
        moved += setting.volatility[step][:, None] * (w[step] * x[:factors])
        carry += setting.volatility[step][:, None] * (w[step] * part)
    plain = np.empty((rows, n))
    change = np.empty((factors, n))
    multiply(setting.turn, factors, mixed, plain)
    inverse = 1.0 / s
    twist(plain[:factors], component, twists.stretch, twists.tilt, inverse, change)
    multiply(setting.turned, factors, change, x)
    moved += carry * x[:factors]
    y = plain[:factors] + change
    linear = (setting.linear[:, None] * y).sum(axis=0)
    square = (setting.square[:, None] * (y * y)).sum(axis=0)
    chi = (setting.dof - 2.0) / w**2 if setting.table.shape[0] else np.empty((0, n))
    weight = np.empty(n)
    weigh(linear, square, inverse, chi, twists.parts, weight)
    return moved, weight


def _revalued(revalue: Callable[[np.ndarray], np.ndarray], moves: np.ndarray) -> np.ndarray:
    pnl = np.asarray(revalue(moves), dtype=np.float64)
    if pnl.shape != (moves.shape[1],) or not np.isfinite(pnl).all():
        raise ModelError(f"revalue must give a finite P&L for each of {moves.shape[1]} paths, "
                         f"got shape {pnl.shape}")
    return pnl


def _ratio(plain: np.ndarray, twisted: np.ndarray) -> np.ndarray:
    """Squared ratio of standard errors; 1 where neither has one."""
    return np.divide(plain**2, twisted**2, out=np.ones_like(plain), where=twisted > 0)


def _check(
    model: FactorModel, horizon: Horizon, spec: RunSpec, delta: np.ndarray, gamma: np.ndarray,
    levels: Sequence[float],
) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    factors = len(model.axis)
    delta, gamma = (np.array(x, dtype=np.float64, order="C") for x in (delta, gamma))
    levels = tuple(float(a) for a in levels)
    problems = []
    if horizon.step_days != model.step_days:
        problems.append(Problem("the horizon's step must be the model's", got=f"{horizon.step_days} days",
                                accepted=f"{model.step_days} days"))
    if spec.noise not in ("gaussian", "student_t"):
        problems.append(Problem("importance sampling needs noise with a density", got=spec.noise,
                                accepted="gaussian, student_t"))
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
