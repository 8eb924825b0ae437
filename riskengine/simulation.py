"""Joint factor moves: noise by chunks of paths, and the mean of a scenario for every factor.

    move[k, p] = path_d(p)[T, k] + noise[k, p],     d(p) = perm_b[p − bD],  b = p // D

Noise of a scenario and of the baseline is the same (counter-based streams, base/sampling.py).  Core factors follow
their response μ_d(t), all others B_d μ_d(t) with B drawn from its estimated covariance (METHOD 8); a factor gets
either a response of the chain or one through B, never both.  Pinned factors are known at the horizon and the noise
of the rest is conditional on theirs,

    noise ← (I − Σ[:, c] Σ_cc⁻¹ E_c) noise,     Σ the covariance of the accumulated move, E_c picks the pinned

whose covariance is Σ_xx − Σ_xc Σ_cc⁻¹ Σ_cx.  Fixings before the horizon stay random given the end (a bridge).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, gammainccinv, gammaln, ndtri

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import (
    BLOCK_BOOTSTRAP,
    BLOCK_LOADINGS,
    BLOCK_MIXING,
    BLOCK_PARAMETERS,
    BLOCK_PERMUTATION,
    Chunk,
    RunSpec,
)
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.impact.response import ResponseDraws
from riskengine.kernels.draws import fill_keys, fill_normals, fill_words
from riskengine.kernels.paths import Noise, Stream, accumulate_noise
from riskengine.kernels.products import pack_rows

MIXING_CELLS = 1024
"""Cells of the Student-t table over x = ln(u/(1 − u)); a 32-bit uniform has |x| ≤ 22.88."""
_SCORE_LIMIT = 23.0
_SINGULAR = 1e-10
"""Smallest accepted reciprocal condition number of the pinned factors' correlation."""
_KEPT = 16
_assembled: OrderedDict[tuple, tuple[FactorModel, Noise]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class ShockDistribution:
    """Mean of every factor by parameter draw, and what is done to the noise.

    path : (D, T, K) cumulative move at the end of each step, factor's own unit, difference to the baseline.
    channels : C names.  by_channel : (C, D, K) at the horizon; sums over C to path[:, -1].
    pinned : (K,) bool.  noise_map : (K, K) to multiply the accumulated noise with, None = identity.
    """

    axis: Axis
    horizon: Horizon
    path: np.ndarray
    channels: tuple[str, ...]
    by_channel: np.ndarray
    pinned: np.ndarray
    noise_map: np.ndarray | None


def chunks(spec: RunSpec, size: int = 8192) -> list[Chunk]:
    """The paths of a run cut into chunks of *size*; the cut changes no bit of any result."""
    return [Chunk(lo, min(lo + size, spec.paths)) for lo in range(0, spec.paths, size)]


def simulate_noise(
    model: FactorModel,
    horizon: Horizon,
    spec: RunSpec,
    chunk: Chunk,
    fixings: Sequence[tuple[int, int]] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Zero-mean noise of all factors accumulated over the horizon.

    Parameters
    ----------
    model : model of moves per step; its step must equal the horizon's.
    spec : seed, noise model and precision.  chunk : paths lo ≤ p < hi, n = hi − lo.
    fixings : (k, step) pairs: the accumulated noise of factor k after step + 1 steps is wanted too.

    Returns
    -------
    noise : (K, n) float64, log returns or absolute decimals by factor.
    fixing_moves : (F, n) float64, rows in the order of *fixings*.

    Raises
    ------
    InputError : another step length, ν ≤ 2, no residuals, a fixing beyond the horizon, an empty chunk.
    """
    if not 0 <= chunk.lo < chunk.hi:
        raise InputError(Problem("a chunk needs 0 ≤ lo < hi", got=f"{chunk.lo}, {chunk.hi}"))
    wanted = tuple((int(k), int(step)) for k, step in fixings)
    inputs = _assemble(model, horizon, spec.noise, spec.precision, wanted)
    paths = chunk.hi - chunk.lo
    noise = np.empty((len(model.axis), paths))
    ordered = np.empty((len(wanted), paths))
    stream = Stream(spec.seed, BLOCK_MIXING, BLOCK_BOOTSTRAP)
    accumulate_noise(inputs, stream, chunk.lo, noise, ordered)
    fixing_moves = np.empty_like(ordered)
    fixing_moves[_by_step(wanted)] = ordered
    return noise, fixing_moves


def draw_of_path(spec: RunSpec, lo: int, hi: int) -> np.ndarray:
    """Parameter draw d of paths lo ≤ p < hi: (n,) int32; every block of D paths holds every draw once."""
    draws = spec.draws
    first = lo // draws
    blocks = -(-hi // draws) - first
    keys = np.empty((blocks, draws), dtype=np.uint64)
    fill_keys(first, BLOCK_PERMUTATION, spec.seed, keys)
    order = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
    return order.ravel()[lo - first * draws : hi - first * draws].copy()


def parameter_normals(spec: RunSpec, dimensions: int) -> np.ndarray:
    """Scrambled Sobol normals for parameter draws: (D, dimensions) float64, untruncated.

    Sobol points (Joe and Kuo directions) under nested uniform scrambling (Owen 1995) with flips from the counter
    stream: dimension j depends on (seed, j) only, so that more parameters leave the draws of the others alone.
    """
    from scipy.stats import qmc

    bits = spec.draws.bit_length() - 1
    if dimensions == 0:
        return np.empty((spec.draws, 0))
    points = qmc.Sobol(dimensions, scramble=False, bits=32).random_base2(bits)
    prefix = (points * 2.0**bits).astype(np.int64)
    normals = np.empty((spec.draws, dimensions))
    words = np.empty((4, spec.draws), dtype=np.uint32)
    for j in range(dimensions):
        fill_words(0, BLOCK_PARAMETERS + j, 0, spec.seed, words)
        cell = np.zeros(spec.draws, dtype=np.int64)
        for level in range(bits):
            seen = prefix[:, j] >> (bits - level)
            bit = (prefix[:, j] >> (bits - level - 1)) & 1
            cell = 2 * cell + (bit ^ (words[0, (1 << level) + seen] & 1))
        within = (words[1, prefix[:, j]] + 0.5) / 2.0**32
        normals[:, j] = ndtri((cell + within) / spec.draws)
    return normals


def condition(response: ResponseDraws, model: FactorModel, spec: RunSpec) -> ShockDistribution:
    """Mean path of every factor and the conditional noise of a scenario.

    Factors outside ``response.core`` follow B_d times the response of the core factors; this part is their whole
    response and carries the channel 'co_movement'.  B_d = B + Σ_q F_q z_dq with z standard normal from the counter
    stream (block BLOCK_LOADINGS), z = 0 without parameter uncertainty.

    Raises
    ------
    InputError : axes, shapes or steps that do not fit.
    ModelError : a response for a factor outside the core (it would move twice), or pinned factors whose
        covariance is singular.
    """
    _check_response(response, model, spec)
    core = response.core
    follow = ~core
    moves = response.path[:, :, core]
    followed = np.einsum("ij,dtj->dti", model.loadings[np.ix_(follow, core)], moves)
    factor = model.loadings_draw_factor
    if factor is not None and factor.shape[2] and spec.parameter_uncertainty:
        spread = factor[np.ix_(follow, core)]
        z = _loading_normals(spec, spread.shape[2])
        for d in range(spec.draws):
            followed[d] += moves[d] @ (spread @ z[d]).T
    path = response.path.copy()
    path[:, :, follow] = followed + 0.0

    channels = response.channels
    by_channel = response.by_channel
    if "co_movement" not in channels:
        channels = (*channels, "co_movement")
        by_channel = np.concatenate([by_channel, np.zeros((1, *path[:, -1].shape))])
    else:
        by_channel = by_channel.copy()
    by_channel[channels.index("co_movement")][:, follow] = path[:, -1, follow]
    noise_map = _noise_map(model, response.horizon, response.pinned)
    for array in (path, by_channel, noise_map):
        if array is not None:
            array.flags.writeable = False
    return ShockDistribution(
        response.axis, response.horizon, path, channels, by_channel, response.pinned.copy(), noise_map
    )


def fixing_map(shock: ShockDistribution, model: FactorModel, fixings: Sequence[tuple[int, int]]) -> np.ndarray:
    """(F, K) matrix A that carries pinning to fixings: fixing_moves − A @ noise, *noise* before the noise map.

    Increments are uncorrelated over steps, so the covariance of an earlier level with the end is the covariance at
    the earlier step: A = Σ_s[k, c] Σ_cc⁻¹ E_c.
    """
    carry = np.zeros((len(fixings), len(model.axis)))
    pinned = np.flatnonzero(shock.pinned)
    if pinned.size:
        end = model.horizon_covariance(shock.horizon.steps)[np.ix_(pinned, pinned)]
        for row, (k, step) in enumerate(fixings):
            carry[row, pinned] = np.linalg.solve(end, model.horizon_covariance(step + 1)[pinned, k])
    return carry


# ---------------------------------------------------------------- assembly
def mixing_table(dof: float) -> np.ndarray:
    """Cubics of ln sqrt((ν − 2)/χ²_ν(u)) in x = ln(u/(1 − u)): (N + 1, 4), the layout of kernels.draws.fill_mixing.

    Hermite interpolation with the exact slope −½ u(1 − u)/(q f(q)), f the χ² density at the quantile q; relative
    error of the scale below 1e-8 for every ν > 2 (tested).  The 32-bit uniform cuts the scale at u = 1.2e-10.
    """
    if not dof > 2:
        raise InputError(Problem("Student-t noise needs more than 2 degrees of freedom", got=str(dof)))
    x = np.linspace(-_SCORE_LIMIT, _SCORE_LIMIT, MIXING_CELLS + 1)
    h = x[1] - x[0]
    small = np.exp(-np.abs(x)) / (1.0 + np.exp(-np.abs(x)))
    half = 0.5 * dof
    q = 2.0 * np.where(x < 0, gammaincinv(half, small), gammainccinv(half, small))
    log_density = (half - 1.0) * np.log(q) - 0.5 * q - half * np.log(2.0) - gammaln(half)
    y = 0.5 * (np.log(dof - 2.0) - np.log(q))
    slope = -0.5 * h * np.exp(np.log(small) + np.log1p(-small) - log_density - np.log(q))
    rise = np.diff(y)
    table = np.zeros((MIXING_CELLS + 1, 4))
    table[0, 0] = x[0]
    table[0, 1] = 1.0 / h
    table[1:, 0] = y[:-1]
    table[1:, 1] = slope[:-1]
    table[1:, 2] = 3.0 * rise - 2.0 * slope[:-1] - slope[1:]
    table[1:, 3] = slope[:-1] + slope[1:] - 2.0 * rise
    return table


_mixing_table = lru_cache(maxsize=8)(mixing_table)


def _by_step(fixings: tuple[tuple[int, int], ...]) -> np.ndarray:
    return np.argsort([step for _, step in fixings], kind="stable").astype(np.int64)


def _assemble(
    model: FactorModel, horizon: Horizon, noise: str, precision: str, fixings: tuple[tuple[int, int], ...]
) -> Noise:
    """Arrays of the kernel, built once per model and horizon (the model is held, so its id stays its own)."""
    key = (id(model), horizon, noise, precision, fixings)
    kept = _assembled.get(key)
    if kept is None:
        kept = (model, _build_noise(model, horizon, noise, precision, fixings))
        _assembled[key] = kept
        while len(_assembled) > _KEPT:
            _assembled.popitem(last=False)
    return kept[1]


def _build_noise(
    model: FactorModel, horizon: Horizon, noise: str, precision: str, fixings: tuple[tuple[int, int], ...]
) -> Noise:
    factors = len(model.axis)
    problems = []
    if horizon.step_days != model.step_days:
        problems.append(Problem("the horizon's step must be the model's: noise is never rescaled in time",
                                got=f"{horizon.step_days} days", accepted=f"{model.step_days} days"))
    for k, step in fixings:
        if not (0 <= k < factors and 0 <= step < horizon.steps):
            problems.append(Problem("a fixing is (factor, step) inside the horizon", got=f"({k}, {step})",
                                    accepted=f"0 … {factors - 1}, 0 … {horizon.steps - 1}"))
    historical = noise == "filtered_historical"
    if historical and not (model.residuals.ndim == 2 and model.residuals.shape[0] > 1):
        problems.append(Problem("filtered historical noise needs residual rows", got=str(model.residuals.shape)))
    if problems:
        raise InputError(problems)
    volatility = model.step_volatilities(horizon.steps)
    if not np.all(np.isfinite(volatility)):
        raise ModelError("step volatilities are not finite: variance decays to a negative level")
    real = np.dtype(precision)
    residuals = np.empty((factors, 0), dtype=real)
    packed = np.empty(0, dtype=real)
    if historical:
        centred = model.residuals - model.residuals.mean(axis=0)
        residuals = np.ascontiguousarray(centred.T, dtype=real)
    else:
        packed = pack_rows(np.tril(model.cholesky), real)
    mixing = _mixing_table(float(model.dof)) if noise == "student_t" else np.empty((0, 4))
    rows = np.array(fixings, dtype=np.int64).reshape(-1, 2)[_by_step(fixings)]
    return Noise(packed, np.ascontiguousarray(volatility, dtype=real), mixing, residuals, rows)


def _loading_normals(spec: RunSpec, coefficients: int) -> np.ndarray:
    """(D, Q) standard normals of the loadings."""
    out = np.empty((-(-coefficients // 4) * 4, spec.draws))
    fill_normals(0, BLOCK_LOADINGS, 0, spec.seed, out)
    return np.ascontiguousarray(out[:coefficients].T)


def _check_response(response: ResponseDraws, model: FactorModel, spec: RunSpec) -> None:
    problems = []
    if response.axis != model.axis:
        problems.append(Problem("response and model need the same factors", got=response.axis.name))
    if response.horizon.step_days != model.step_days:
        problems.append(Problem("the response's step must be the model's", got=f"{response.horizon.step_days} days",
                                accepted=f"{model.step_days} days"))
    shape = (spec.draws, response.horizon.steps, len(model.axis))
    if response.path.shape != shape:
        problems.append(Problem("response path must be (draws, steps, factors)", got=str(response.path.shape),
                                accepted=str(shape)))
    elif not np.all(np.isfinite(response.path)):
        problems.append(Problem("response path must be finite"))
    if problems:
        raise InputError(problems)
    outside = ~response.core
    twice = np.any(response.path[:, :, outside] != 0, axis=(0, 1)) | np.any(
        response.by_channel[:, :, outside] != 0, axis=(0, 1)
    )
    if np.any(twice):
        names = [response.axis.labels[k] for k in np.flatnonzero(outside)[twice]]
        raise ModelError(f"factors outside the core carry a response of their own: {', '.join(names)}")


def _noise_map(model: FactorModel, horizon: Horizon, pinned: np.ndarray) -> np.ndarray | None:
    c = np.flatnonzero(pinned)
    if not c.size:
        return None
    covariance = model.horizon_covariance(horizon.steps)
    sd = np.sqrt(np.diag(covariance))
    within = covariance[np.ix_(c, c)] / np.outer(sd[c], sd[c])
    if 1.0 / np.linalg.cond(within) < _SINGULAR:
        names = ", ".join(model.axis.labels[k] for k in c)
        raise ModelError(f"pinned factors are linearly dependent in the model: {names}")
    across = covariance[:, c] / np.outer(sd, sd[c])
    weights = np.linalg.solve(within, across.T).T * np.outer(sd, 1.0 / sd[c])
    noise_map = np.eye(len(sd))
    noise_map[:, c] -= weights
    noise_map[c, :] = 0.0
    return noise_map
