"""P&L by group on every path at the horizon, for books collapsed to delta and gamma before the simulation.

    P_g = δ_g · x + ½ Σ_k γ_gk x_k² + Σ_{k<l} Γ_g,kl x_k x_l,     total = Σ_g P_g

The moves x are the baseline noise of ``simulate_noise`` (same streams), without ageing or carry: the engine
for million-path books, where revaluing every position would take hours.  What the quadratic form misses is
measured by ``instruments.exposures.delta_gamma_error``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.base.sampling import BLOCK_BOOTSTRAP, BLOCK_MIXING, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.factor_model import FactorModel
from riskengine.kernels.group_pnl import PANEL, GroupProducts, Target, simulate_groups
from riskengine.kernels.paths import Noise, Stream
from riskengine.kernels.group_tails import pilot_threshold
from riskengine.kernels.products import MICRO_ROWS, best_rows, pack_rows
from riskengine.kernels.tail_candidates import (
    KeptPart, TailCandidates, copy_part, room_for, simulate_candidates,
)
from riskengine.simulation.noise import _assemble, chunks, mixing_table

CHUNK_PATHS = 32_640
"""Paths per task on threads, 136 tiles, about 5 ms; a cluster wants millions (half a second or more)."""

PILOT_PATHS = 4_080
"""First paths of a run, from which the thresholds of the tails are read."""

NEGLIGIBLE = 1e-7
"""Share of a group's P&L of one deviation below which a second derivative is taken as zero."""


@dataclass(frozen=True, slots=True)
class MoveCovariance:
    """Zero-mean moves over the horizon in one step: x = w · L z, L L' = covariance.

    covariance : (K, K), positive definite, factors' own units.  dof : ν > 2 of the multivariate t with this
    covariance (not read when the run's noise is 'gaussian').
    """

    axis: Axis
    covariance: np.ndarray
    dof: float

    def __post_init__(self) -> None:
        covariance = _frozen(self.covariance, (len(self.axis),) * 2, "covariance")
        if not np.allclose(covariance, covariance.T, rtol=1e-12, atol=0.0):
            raise InputError(Problem("a covariance must be symmetric", field="covariance"))
        if not np.all(np.diag(covariance) > 0):
            raise InputError(Problem("variances must be positive", field="covariance"))
        object.__setattr__(self, "covariance", covariance)


@dataclass(frozen=True, slots=True)
class GroupExposures:
    """First and second derivatives of the P&L of G groups.

    groups : G names.  delta : (G, K) USD per unit move.  gamma : (G, K) USD per unit move squared, the
    diagonal of second derivatives.  cross : (G, K, K) symmetric with zero diagonal, or None.
    """

    axis: Axis
    groups: tuple[str, ...]
    delta: np.ndarray
    gamma: np.ndarray
    cross: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = (len(self.groups), len(self.axis))
        if not self.groups:
            raise InputError(Problem("exposures need at least one group", field="groups"))
        object.__setattr__(self, "groups", tuple(self.groups))
        for name in ("delta", "gamma"):
            object.__setattr__(self, name, _frozen(getattr(self, name), shape, name))
        if self.cross is not None:
            cross = _frozen(self.cross, (*shape, shape[1]), "cross")
            if np.any(np.einsum("gkk->gk", cross) != 0):
                raise InputError(Problem("the diagonal belongs to gamma", field="cross"))
            if not np.array_equal(cross, cross.transpose(0, 2, 1)):
                raise InputError(Problem("cross gamma must be symmetric", field="cross"))
            object.__setattr__(self, "cross", cross)

    @classmethod
    def from_hessian(cls, axis: Axis, groups: tuple[str, ...], delta: np.ndarray, hessian: np.ndarray,
                     deviations: np.ndarray | None = None) -> GroupExposures:
        """From delta (G, K) and second derivatives (G, K, K), e.g. ``exposures.delta_gamma``.

        A matrix that is symmetric up to rounding is symmetrised.  deviations : (K,) standard deviations of
        the moves; terms that are rounding of the bumps (P&L of one deviation below NEGLIGIBLE of the
        group's) are left out, which saves most pairs of factors.
        """
        hessian = np.array(hessian, dtype=np.float64)
        hessian = 0.5 * (hessian + hessian.transpose(0, 2, 1))
        if deviations is not None:
            linear, quadratic = np.abs(delta) * deviations, np.abs(hessian) * np.outer(deviations, deviations)
            size = linear.sum(axis=1) + quadratic.sum(axis=(1, 2))
            hessian[quadratic < NEGLIGIBLE * size[:, None, None]] = 0.0
        gamma = np.einsum("gkk->gk", hessian).copy()
        np.einsum("gkk->gk", hessian)[:] = 0.0
        return cls(axis, groups, delta, gamma, hessian if np.any(hessian) else None)


@dataclass(frozen=True, slots=True)
class GroupPnl:
    """groups : (G, P) of the run's precision, USD.  total : (P,) float64, their sum in their order."""

    groups: np.ndarray
    total: np.ndarray


def simulate_group_pnl(
    model: FactorModel | MoveCovariance,
    exposures: GroupExposures,
    spec: RunSpec,
    executor: Any = None,
    horizon: Horizon | None = None,
    chunk_paths: int = CHUNK_PATHS,
) -> GroupPnl:
    """Quadratic P&L of every group on every path; the same bits for any executor and chunk.

    Parameters
    ----------
    model : a factor model (with *horizon*), or the covariance of the moves over the horizon.
    exposures : derivatives on the model's axis.
    spec : paths, seed, noise and precision; parameter draws play no role here.
    executor : anything with ``map(function, items)``; None computes here.  Threads of this process write
        straight into the result; a task that travelled to another process brings its part back.
    chunk_paths : paths per task.

    Raises
    ------
    InputError : axes that differ, a horizon missing or of another step, noise the model does not have.
    """
    _check(model, exposures, chunk_paths)
    noise = _noise_of(model, spec, horizon)
    real = np.dtype(spec.precision)
    groups = np.empty((len(exposures.groups), spec.paths), dtype=real)
    total = np.empty(spec.paths)
    task = _ChunkTask(noise, Stream(spec.seed, BLOCK_MIXING, BLOCK_BOOTSTRAP),
                      lay_out(exposures, real), len(exposures.groups), Target(groups, total, 0))
    parts = chunks(spec, chunk_paths)
    answers = [task(part) for part in parts] if executor is None else executor.map(task, parts)
    for part, answer in zip(parts, answers, strict=True):
        if answer is not None:
            groups[:, part.lo : part.hi], total[part.lo : part.hi] = answer
    return GroupPnl(groups, total)


def simulate_tails(
    model: FactorModel | MoveCovariance,
    exposures: GroupExposures,
    spec: RunSpec,
    largest: int,
    executor: Any = None,
    horizon: Horizon | None = None,
    chunk_paths: int = CHUNK_PATHS,
) -> TailCandidates:
    """The smallest P&L of every group and of the total, on the paths of simulate_group_pnl, to the bit.

    Nothing of size groups × paths is stored, and a task brings back only its part of the tails.  Measured by
    ``measures.group_tails.measure_kept_tails``.

    Parameters
    ----------
    largest : how many smallest values of each series are wanted at least
    (``measures.group_tails.widest_tail``); some more are kept.  Others as simulate_group_pnl.

    Raises
    ------
    InputError : *largest* outside 1 … paths; else as simulate_group_pnl.
    """
    _check(model, exposures, chunk_paths)
    if not 1 <= largest <= spec.paths:
        raise InputError(Problem("largest must lie within the paths", got=str(largest),
                                 accepted=f"1 … {spec.paths}"))
    noise, real, groups = _noise_of(model, spec, horizon), np.dtype(spec.precision), len(exposures.groups)
    stream, products = Stream(spec.seed, BLOCK_MIXING, BLOCK_BOOTSTRAP), lay_out(exposures, real)
    pilot = min(PILOT_PATHS, spec.paths)
    first = Target(np.empty((groups, pilot), real), np.empty(pilot), 0)
    simulate_groups(noise, stream, products, 0, pilot, first)
    share = max(1, -(-largest * pilot // spec.paths))
    thresholds = np.array([pilot_threshold(row, share) for row in (*first.groups, first.total)])
    parts = chunks(spec, chunk_paths)
    while True:
        task = _TailTask(noise, stream, products, thresholds)
        answers = [task(part) for part in parts] if executor is None else executor.map(task, parts)
        kept = TailCandidates(tuple(answers), spec.paths, largest)
        enough = np.array([kept.count(series) >= largest for series in range(groups + 1)])
        if enough.all():
            return kept
        # a pilot that was far off: these series are kept whole
        thresholds = np.where(enough, thresholds, np.inf)


def lay_out(exposures: GroupExposures, real: np.dtype) -> GroupProducts:
    """Exposures as the kernel reads them: only pairs with an entry in some group are multiplied."""
    size = len(exposures.axis)
    pairs, columns = [], []
    if exposures.cross is not None:
        for k in range(size):
            for j in range(k + 1, size):
                if np.any(exposures.cross[:, k, j] != 0):
                    pairs.append((k, j))
                    columns.append(exposures.cross[:, k, j])
    panels = -(-len(pairs) // PANEL)
    depth = -(-len(pairs) // panels) if panels else 0
    curved = bool(np.any(exposures.gamma != 0))
    rows = best_rows(len(exposures.groups)) if curved else MICRO_ROWS
    linear = pack_rows(exposures.delta, real, rows)
    diagonal = pack_rows(0.5 * exposures.gamma, real, rows) if curved else np.empty(0, dtype=real)
    height = -(-len(exposures.groups) // MICRO_ROWS) * MICRO_ROWS
    cross = np.zeros((panels, height * depth), dtype=real)
    if panels:
        matrix = np.zeros((len(exposures.groups), panels * depth))
        matrix[:, : len(pairs)] = np.array(columns).T
        for p in range(panels):
            cross[p] = pack_rows(matrix[:, p * depth : (p + 1) * depth], real)
    return GroupProducts(rows, linear, diagonal, np.array(pairs, dtype=np.int64).reshape(-1, 2), cross)


class _ChunkTask:
    """One chunk of paths.  In the caller's process it writes into the target; pickled, it leaves the target
    behind and returns (groups, total) of its paths."""

    __slots__ = ("noise", "stream", "products", "groups", "target")

    def __init__(self, noise: Noise, stream: Stream, products: GroupProducts, groups: int,
                 target: Target | None = None):
        self.noise, self.stream, self.products, self.groups = noise, stream, products, groups
        self.target = target

    def __reduce__(self):
        return _ChunkTask, (self.noise, self.stream, self.products, self.groups)

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray] | None:
        target = self.target
        if target is None:
            paths = chunk.hi - chunk.lo
            target = Target(np.empty((self.groups, paths), self.noise.volatility.dtype), np.empty(paths),
                            chunk.lo)
        simulate_groups(self.noise, self.stream, self.products, chunk.lo, chunk.hi, target)
        return None if target is self.target else (target.groups, target.total)


class _TailTask:
    """What is kept of one chunk of paths, simulated in the calling thread's own memory."""

    __slots__ = ("noise", "stream", "products", "thresholds", "memory")

    def __init__(self, noise: Noise, stream: Stream, products: GroupProducts, thresholds: np.ndarray):
        self.noise, self.stream, self.products, self.thresholds = noise, stream, products, thresholds
        self.memory = threading.local()

    def __reduce__(self):
        return _TailTask, (self.noise, self.stream, self.products, self.thresholds)

    def __call__(self, chunk: Chunk) -> KeptPart:
        groups, real, paths = self.thresholds.size - 1, self.noise.volatility.dtype, chunk.hi - chunk.lo
        room = getattr(self.memory, "room", None)
        if room is None or room.total_values.size < paths:
            room = self.memory.room = room_for(groups, paths, real)
        simulate_candidates(self.noise, self.stream, self.products, chunk.lo, chunk.hi,
                            self.thresholds[:-1].astype(real), float(self.thresholds[-1]), room)
        return copy_part(room)


def _check(model: FactorModel | MoveCovariance, exposures: GroupExposures, chunk_paths: int) -> None:
    if exposures.axis != model.axis:
        raise InputError(Problem("exposures and model need the same factors", got=exposures.axis.name,
                                 accepted=model.axis.name))
    if chunk_paths < 1:
        raise InputError(Problem("chunk_paths must be at least 1", got=str(chunk_paths)))


def _noise_of(model: FactorModel | MoveCovariance, spec: RunSpec, horizon: Horizon | None) -> Noise:
    if isinstance(model, FactorModel):
        if horizon is None:
            raise InputError(Problem("a factor model needs a horizon", field="horizon"))
        return _assemble(model, horizon, spec.noise, spec.precision, ())
    if spec.noise == "filtered_historical":
        raise InputError(Problem("filtered historical noise needs a factor model with residuals"))
    real = np.dtype(spec.precision)
    volatility = np.sqrt(np.diag(model.covariance))
    try:
        lower = np.linalg.cholesky(model.covariance / np.outer(volatility, volatility))
    except np.linalg.LinAlgError:
        raise ModelError("the covariance of moves is not positive definite") from None
    mixing = mixing_table(float(model.dof)) if spec.noise == "student_t" else np.empty((0, 4))
    return Noise(pack_rows(lower, real), volatility[None, :].astype(real), mixing,
                 np.empty((len(model.axis), 0), dtype=real), np.empty((0, 2), dtype=np.int64))


def _frozen(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.array(array, dtype=np.float64, order="C")
    if array.shape != shape or not np.all(np.isfinite(array)):
        raise InputError(Problem("must be finite numbers of this shape", field=name, got=str(array.shape),
                                 accepted=str(shape)))
    array.flags.writeable = False
    return array
