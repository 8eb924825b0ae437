"""Paths that remember: volatility that reacts to the path's own shocks, holders who sell after losses.

    h_{t+1} = ω + α ε_t² + β h_t,   ε_t = sqrt(h_t) e_t,   ω = (1 − α − β) v∞²    GARCH(1,1), long run matched

e_t is Gaussian, Student-t, or a historical row of standardised residuals scaled by the running sqrt(h_t)
(filtered historical simulation, Barone-Adesi, Giannopoulos and Vosper 1999).  The mean of a path follows
the response of its parameter draw step by step, plus the impact of holders' selling (simulation.feedback).
P&L by delta and gamma, at the end by group and at every step in total:

    P_g = Σ_k S_k δ_gk + ½ S' Γ_g S,     drawdown = max_t (max_{u ≤ t} P_u − P_t),  P_0 = 0

α = 0 without feedback is the plain accumulation of simulation.noise on the same random numbers.  The base
run is the same call without a ramp and with the same feedback.  Impact is a price move, so it stays out of
the variance recursion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import BLOCK_BOOTSTRAP, BLOCK_MIXING, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.kernels.path_dependent import Exposure, PathNoise, PathOut, PathStream, Selling, walk_paths
from riskengine.kernels.products import pack_rows
from riskengine.simulation.draws import draw_of_path
from riskengine.simulation.feedback import Feedback, pack_feedback
from riskengine.simulation.noise import mixing_table
from riskengine.simulation.variance import PathModel


@dataclass(frozen=True, slots=True)
class PathExposures:
    """Delta and gamma of G groups.

    delta : (G, K) USD per unit move.  gamma : USD per squared unit move, (G, K) the diagonal or (G, K, K)
    symmetric with cross gamma.
    """

    delta: np.ndarray
    gamma: np.ndarray

    def __post_init__(self) -> None:
        for name in ("delta", "gamma"):
            value = np.array(getattr(self, name), dtype=np.float64, order="C")
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        shape = self.delta.shape
        allowed = (shape, (*shape, shape[-1])) if len(shape) == 2 else ()
        finite = np.isfinite(self.delta).all() and np.isfinite(self.gamma).all()
        if self.gamma.shape not in allowed or not finite:
            raise InputError(Problem("exposures are delta (G, K) and gamma (G, K) or (G, K, K), all finite",
                                     got=f"{shape}, {self.gamma.shape}"))
        turned = self.gamma.swapaxes(-1, -2)
        if self.gamma.ndim == 3 and not np.allclose(self.gamma, turned, rtol=1e-9, atol=0.0):
            raise InputError(Problem("gamma (G, K, K) must be symmetric"))


@dataclass(frozen=True, slots=True)
class PathResult:
    """Paths lo ≤ p < lo + n.

    terminal : (G, n) USD, gain positive.  drawdown : (n,) USD ≥ 0, of the total over groups.
    flows : (C, n) USD bn over the horizon by cell of the feedback, negative = sales by non-residents.
    moves : (K, n) accumulated factor moves, (0, n) unless kept.
    """

    lo: int
    terminal: np.ndarray
    drawdown: np.ndarray
    flows: np.ndarray
    moves: np.ndarray


class PreparedPaths(NamedTuple):
    """All a chunk needs, assembled once; call it with a Chunk (for ``Executor.map``)."""

    noise: PathNoise
    selling: Selling
    exposure: Exposure
    holdings: np.ndarray
    spec: RunSpec
    keep_moves: bool

    def __call__(self, chunk: Chunk) -> PathResult:
        return _walk(self, chunk)


def prepare_paths(
    model: PathModel, horizon: Horizon, spec: RunSpec, ramp: np.ndarray | None, feedback: Feedback | None,
    exposures: PathExposures, keep_moves: bool = False,
) -> PreparedPaths:
    """Check and assemble a path-dependent run.

    Parameters
    ----------
    horizon : its step must be the model's.  spec : seed, noise and precision of draws and state.
    ramp : (D, T, K) cumulative mean move of every parameter draw (ShockDistribution.path), D = spec.draws or
        1 when all paths share it; None: no drift (the base run).
    feedback : holders' selling, None: nobody sells.

    Raises
    ------
    InputError : shapes, steps or noise that do not fit.  ModelError : loop gain of 0.5 or more.
    """
    factors = model.start.size
    real = np.dtype(spec.precision)
    problems = []
    if horizon.step_days != model.step_days:
        problems.append(Problem("the horizon's step must be the model's: noise is never rescaled in time",
                                got=f"{horizon.step_days} days", accepted=f"{model.step_days} days"))
    if exposures.delta.shape[1] != factors:
        problems.append(Problem("exposures and model need the same factors",
                                got=str(exposures.delta.shape[1]), accepted=str(factors)))
    if ramp is None:
        ramp = np.zeros((1, horizon.steps, factors))
    ramp = np.asarray(ramp, dtype=np.float64)
    if ramp.ndim != 3 or ramp.shape[0] not in (1, spec.draws) or ramp.shape[1:] != (horizon.steps, factors):
        problems.append(Problem("ramp must be (D, T, K)", got=str(ramp.shape),
                                accepted=f"(1 or {spec.draws}, {horizon.steps}, {factors})"))
    elif not np.isfinite(ramp).all():
        problems.append(Problem("ramp must be finite"))
    historical = spec.noise == "filtered_historical"
    rows = model.residuals
    if historical and (rows is None or rows.ndim != 2 or rows.shape[0] < 2 or rows.shape[1] != factors):
        problems.append(Problem("filtered historical noise needs residuals (R, K)",
                                got="none" if rows is None else str(rows.shape)))
    if problems:
        raise InputError(problems)

    def cast(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values, dtype=real)

    increments = np.diff(ramp, axis=1, prepend=0.0).transpose(1, 2, 0)
    noise = PathNoise(
        packed=np.empty(0, dtype=real) if historical else pack_rows(np.tril(model.cholesky), real),
        mixing=mixing_table(model.dof) if spec.noise == "student_t" else np.empty((0, 4)),
        residuals=cast((rows - rows.mean(axis=0)).T) if historical else np.empty((factors, 0), dtype=real),
        omega=cast(model.omega), alpha=cast(model.alpha), beta=cast(model.beta), start=cast(model.start),
        increments=cast(increments),
    )
    selling = pack_feedback(feedback, factors, real)
    holdings = np.zeros(0) if feedback is None else feedback.holdings
    return PreparedPaths(noise, selling, _pack_exposures(exposures, real), holdings, spec, keep_moves)


def simulate_paths(
    model: PathModel, horizon: Horizon, spec: RunSpec, chunk: Chunk, ramp: np.ndarray | None,
    feedback: Feedback | None, exposures: PathExposures, keep_moves: bool = False,
) -> PathResult:
    """One chunk of path-dependent paths; see :func:`prepare_paths`, to be used once for many chunks."""
    return prepare_paths(model, horizon, spec, ramp, feedback, exposures, keep_moves)(chunk)


def _walk(prepared: PreparedPaths, chunk: Chunk) -> PathResult:
    if not 0 <= chunk.lo < chunk.hi:
        raise InputError(Problem("a chunk needs 0 ≤ lo < hi", got=f"{chunk.lo}, {chunk.hi}"))
    noise, selling, exposure, holdings, spec, keep_moves = prepared
    paths = chunk.hi - chunk.lo
    shared = noise.increments.shape[2] == 1
    draw = np.zeros(paths, dtype=np.int32) if shared else draw_of_path(spec, chunk.lo, chunk.hi)
    stream = PathStream(spec.seed, BLOCK_MIXING, BLOCK_BOOTSTRAP, chunk.lo, draw)
    groups, factors = exposure.delta.shape
    out = PathOut(np.empty((groups, paths)), np.empty(paths), np.empty((holdings.size, paths)),
                  np.empty((factors if keep_moves else 0, paths)))
    walk_paths(noise, selling, exposure, stream, out)
    if not np.isfinite(out.drawdown).all():
        raise ModelError("a path left the range of numbers: check volatilities, ramp and feedback")
    return PathResult(chunk.lo, out.terminal, out.drawdown, 0.0 - holdings[:, None] * out.sold, out.moves)


def _pack_exposures(exposures: PathExposures, real: np.dtype) -> Exposure:
    delta, gamma = exposures.delta, exposures.gamma
    groups, factors = delta.shape
    half_cross = np.zeros((0, factors, factors))
    packed = np.empty(0, dtype=real)
    diagonal = gamma
    if gamma.ndim == 3:
        diagonal = np.ascontiguousarray(np.diagonal(gamma, axis1=1, axis2=2))
        off = 0.5 * gamma * (1.0 - np.eye(factors))
        if off.any():
            half_cross = np.ascontiguousarray(off)
            packed = pack_rows(off.sum(axis=0), real)
    return Exposure(
        delta.sum(axis=0).astype(real), (0.5 * diagonal.sum(axis=0)).astype(real), packed,
        np.ascontiguousarray(delta), np.ascontiguousarray(0.5 * diagonal), half_cross,
    )
