"""Noise of all factors accumulated over a horizon, one chunk of paths at a time.

    a_T[k] = Σ_{t < T} v_t[k] · w_t · (L z_t)[k]      Student-t (w = sqrt((ν − 2)/χ²_ν)) or Gaussian (w = 1)
    a_T[k] = Σ_{t < T} v_t[k] · e[row_t, k]           filtered historical simulation (Barone-Adesi et al.
    1999)

v_t from FactorModel.step_volatilities.  Residual columns are centred, so that the baseline has zero-mean
moves.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv, gammainccinv, gammaln

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import BLOCK_BOOTSTRAP, BLOCK_MIXING, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.kernels.paths import Noise, Stream, accumulate_noise
from riskengine.kernels.products import pack_rows

MIXING_CELLS = 1024
"""Cells of the Student-t table over x = ln(u/(1 − u)); a 32-bit uniform has |x| ≤ 22.88."""
_SCORE_LIMIT = 23.0
_KEPT = 16
_assembled: OrderedDict[tuple, tuple[FactorModel, Noise]] = OrderedDict()


def chunks(spec: RunSpec, size: int = 8160) -> list[Chunk]:
    """The paths of a run cut into chunks of *size*; the cut changes no bit of any result.

    The default is 34 tiles of the kernel, and no power of two (as a row stride that makes cache sets
    collide).
    """
    return [Chunk(lo, min(lo + size, spec.paths)) for lo in range(0, spec.paths, size)]


def simulate_noise(
    model: FactorModel,
    horizon: Horizon,
    spec: RunSpec,
    chunk: Chunk,
    fixings: Sequence[tuple[int, int]] = (),
    out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Zero-mean noise of all factors accumulated over the horizon.

    Parameters
    ----------
    model : model of moves per step; its step must equal the horizon's.
    spec : seed, noise model and precision.  chunk : paths lo ≤ p < hi, n = hi − lo.
    fixings : (k, step) pairs: the accumulated noise of factor k after step + 1 steps is wanted too.
    out : (K, n) float32 or float64 to write the noise into, else a new float64 array.

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
    noise = np.empty((len(model.axis), paths)) if out is None else out
    if noise.shape != (len(model.axis), paths):
        raise InputError(Problem("out must be (factors, paths)", got=str(noise.shape)))
    if noise.strides[1] != noise.itemsize:
        raise InputError(Problem("neighbouring paths of out must be neighbours in memory",
                                 got=f"strides {noise.strides}"))
    ordered = np.empty((len(wanted), paths))
    stream = Stream(spec.seed, BLOCK_MIXING, BLOCK_BOOTSTRAP)
    accumulate_noise(inputs, stream, chunk.lo, noise, ordered)
    fixing_moves = np.empty_like(ordered)
    fixing_moves[_by_step(wanted)] = ordered
    return noise, fixing_moves


# ---------------------------------------------------------------- assembly
def mixing_table(dof: float) -> np.ndarray:
    """Cubics of ln sqrt((ν − 2)/χ²_ν(u)) in x = ln(u/(1 − u)): (N + 1, 4), the layout of
    kernels.draws.fill_mixing.

    Hermite interpolation with the exact slope −½ u(1 − u)/(q f(q)), f the χ² density at the quantile q;
    relative error of the scale below 1e-8 for every ν > 2 (tested).  The 32-bit uniform cuts the scale at
    u = 1.2e-10.
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
        problems.append(Problem("filtered historical noise needs residuals", got=str(model.residuals.shape)))
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
