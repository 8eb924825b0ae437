"""One engine, three uses: a scenario (or none), a portfolio and a world in; a risk result out. Pure.

For every scenario the chain gives a response for each of D parameter draws; path p follows the response of
draw d(p) plus market noise that is the same for all scenarios and the baseline (counter-based streams):

    x_p = A n_p + μ_{d(p)}        P&L_p = V(t + h, x_p) + cash − V(t)

A is the identity unless the scenario pins factors (METHOD 8).  A scenario's expected P&L is its difference to the
baseline at the same horizon (METHOD 8, 9).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import CHANNELS, FACTORS
from riskengine.base.errors import ModelError
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.execution import Executor, Serial
from riskengine.factor_model import FactorModel
from riskengine.flows.external_accounts import ExternalAccounts
from riskengine.impact import ImpactParameters, draw_parameters, respond_to_policy
from riskengine.impact.response import PolicyResponse
from riskengine.instruments.book import Book
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.market import MarketSnapshot
from riskengine.policy.scenario import Scenario
from riskengine.simulation import (
    ShockDistribution, condition, draw_of_path, fixing_map, parameter_normals, simulate_noise,
)

CHUNK_PATHS = 8_192
"""Paths per task: the unit of scheduling; no result depends on it."""
CHUNKS_PER_ROUND = 32
"""Chunks handed to the executor at once: bounds what is in flight and lets a progress bar move."""
LEDGER_TOLERANCE_USD_BN = 1e-9


@dataclass(frozen=True, slots=True)
class World:
    """Everything a run needs besides the portfolio and the scenario, as known at the as-of date.

    history : factor label → (dates, levels) for HistoricalReplay (log levels for log factors, decimals for rates).
    """

    as_of: str
    snapshot: MarketSnapshot
    accounts: ExternalAccounts
    parameters: ImpactParameters
    daily: FactorModel
    weekly: FactorModel
    history: dict[str, tuple[np.ndarray, np.ndarray]]

    def model(self, horizon: Horizon) -> FactorModel:
        return self.daily if horizon.step_days == 1 else self.weekly


@dataclass(frozen=True, slots=True)
class PreparedScenario:
    """A scenario whose chain has been run: its policy response and the distribution the simulation uses."""

    scenario: Scenario
    policy: PolicyResponse
    shocks: ShockDistribution


@dataclass(frozen=True, slots=True)
class PathPnl:
    """P&L by path of the baseline (index 0) and of every scenario, at one horizon.

    total : (S + 1, P) float64.  groups : (S + 1, G, P) float32, leaf groups of the book; total is their sum.
    draw : (P,) parameter draw of each path.
    """

    book: Book
    horizon: Horizon
    total: np.ndarray
    groups: np.ndarray
    draw: np.ndarray


def prepare(scenario: Scenario, world: World, spec: RunSpec) -> PreparedScenario:
    """Run the chain of one scenario for all draws and complete it to all factors; the ledger must balance."""
    model = world.model(scenario.horizon)
    normals = parameter_normals(spec, len(world.parameters))
    draws = draw_parameters(world.parameters, normals, uncertain=spec.parameter_uncertainty)
    policy = respond_to_policy(
        scenario, world.accounts, draws, model, world.snapshot, scenario.horizon, history=world.history
    )
    imbalance = policy.ledger.max_imbalance()
    if not imbalance <= LEDGER_TOLERANCE_USD_BN:
        raise ModelError(f"scenario {scenario.name}: the ledger is out of balance by {imbalance:.3g} USD bn")
    return PreparedScenario(scenario, policy, condition(policy.response, model, spec))


def simulate(
    prepared: Sequence[PreparedScenario],
    portfolio: Portfolio,
    world: World,
    horizon: Horizon,
    spec: RunSpec,
    executor: Executor | None = None,
    progress: Callable[[int], None] | None = None,
) -> PathPnl:
    """P&L of the baseline and of all prepared scenarios of one horizon on the same paths."""
    for item in prepared:
        if item.scenario.horizon != horizon:
            raise ModelError(f"scenario {item.scenario.name} has another horizon than {horizon}")
    model = world.model(horizon)
    book = compile_book(portfolio, world.snapshot, FACTORS, horizon)
    transforms = tuple(_Transform.build(item.shocks, model, book, horizon) for item in prepared)
    rows = len(prepared) + 1
    total = np.empty((rows, spec.paths))
    groups = np.empty((rows, len(book.group_labels), spec.paths), dtype=np.float32)
    task = _ChunkTask(model, horizon, spec, book, transforms)
    chunks = [Chunk(lo, min(lo + CHUNK_PATHS, spec.paths)) for lo in range(0, spec.paths, CHUNK_PATHS)]
    run = executor or Serial()
    for first in range(0, len(chunks), CHUNKS_PER_ROUND):
        some = chunks[first : first + CHUNKS_PER_ROUND]
        for chunk, (chunk_groups, chunk_total) in zip(some, run.map(task, some), strict=True):
            groups[:, :, chunk.lo : chunk.hi] = chunk_groups
            total[:, chunk.lo : chunk.hi] = chunk_total
        if progress is not None:
            progress(some[-1].hi)
    return PathPnl(book, horizon, total, groups, draw_of_path(spec, 0, spec.paths))


def replay_positions(
    paths: np.ndarray, portfolio: Portfolio, world: World, horizon: Horizon, spec: RunSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Baseline P&L by position on chosen paths: ((N, n) USD, (K, n) factor moves), by drawing the same streams again."""
    model = world.model(horizon)
    book = compile_book(portfolio, world.snapshot, FACTORS, horizon)
    pnl = np.empty((len(book.position_ids), len(paths)))
    moves = np.empty((len(FACTORS), len(paths)))
    for lo in range(0, spec.paths, CHUNK_PATHS):
        here = np.flatnonzero((paths >= lo) & (paths < lo + CHUNK_PATHS))
        if len(here) == 0:
            continue
        chunk = Chunk(lo, min(lo + CHUNK_PATHS, spec.paths))
        noise, fixings = simulate_noise(model, horizon, spec, chunk, book.fixings)
        columns = paths[here] - lo
        moves[:, here] = noise[:, columns]
        pnl[:, here] = book.pnl_by_position(
            np.ascontiguousarray(noise[:, columns]), np.ascontiguousarray(fixings[:, columns])
        )
    return pnl, moves


def draw_pnl(
    item: PreparedScenario, book: Book, by_position: bool = False
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """P&L of the response alone (no market noise) for every draw, in total, by channel and by position.

    Returns
    -------
    total : (D,) USD, difference to the unshocked book at the horizon.
    channels : channel → (D,) USD; channels are added one after the other in the order of axes.CHANNELS and sum to total.
        A fixing before the horizon is shared among channels by the size of their moves of that factor at the horizon.
    positions : (N, D) USD when ``by_position``, else (0, D).
    """
    shocks = item.shocks
    draws = shocks.path.shape[0]
    fix_k = np.array([k for k, _ in book.fixings], dtype=np.int64)
    fix_t = np.array([t for _, t in book.fixings], dtype=np.int64)
    full = np.ascontiguousarray(shocks.path[:, -1, :].T)
    fixing_path = np.ascontiguousarray(shocks.path[:, fix_t, fix_k].T) if len(fix_k) else np.zeros((0, draws))
    zero = np.zeros_like(full)

    size = np.abs(shocks.by_channel[:, :, fix_k]).sum(axis=0).T
    seen = np.zeros_like(size)

    def value(moves: np.ndarray) -> np.ndarray:
        share = np.divide(seen, size, out=np.zeros_like(size), where=size > 0)
        return book.pnl(np.ascontiguousarray(moves), np.ascontiguousarray(fixing_path * share)).sum(axis=0)

    still = book.pnl(zero, np.zeros_like(fixing_path)).sum(axis=0)
    order = sorted(range(len(shocks.channels)), key=lambda c: CHANNELS.index(shocks.channels[c]))
    channels: dict[str, np.ndarray] = {}
    before, moves = still, zero.copy()
    for c in order:
        step = shocks.by_channel[c].T
        if not np.any(step):
            continue
        moves = moves + step
        seen += np.abs(step[fix_k])
        after = value(moves)
        channels[shocks.channels[c]] = after - before
        before = after
    total = book.pnl(full, fixing_path).sum(axis=0) - still
    rounding = total - sum(channels.values(), np.zeros(draws))
    if channels:
        last = next(reversed(channels))
        channels[last] = channels[last] + rounding
    positions = np.zeros((0, draws))
    if by_position:
        positions = book.pnl_by_position(full, fixing_path) - book.pnl_by_position(zero, np.zeros_like(fixing_path))
    return total, channels, positions


@dataclass(frozen=True, slots=True)
class _Transform:
    """What turns baseline noise into a scenario's moves: response at the horizon and at the fixings, noise maps."""

    end: np.ndarray
    """(K, D) response at the horizon."""
    at_fixings: np.ndarray
    """(F, D)."""
    noise_map: np.ndarray | None
    """(K, K) or None for the identity."""
    carry: np.ndarray | None
    """(F, K): part of the fixing noise explained by the pinned factors' noise at the horizon."""

    @classmethod
    def build(cls, shocks: ShockDistribution, model: FactorModel, book: Book, horizon: Horizon) -> _Transform:
        end = np.ascontiguousarray(shocks.path[:, -1, :].T)
        at_fixings = np.zeros((len(book.fixings), end.shape[1]))
        for i, (k, step) in enumerate(book.fixings):
            at_fixings[i] = shocks.path[:, step, k]
        carry = fixing_map(shocks, model, book.fixings) if shocks.noise_map is not None else None
        return cls(end, at_fixings, shocks.noise_map, carry)


@dataclass(frozen=True, slots=True)
class _ChunkTask:
    """One chunk of paths: noise once, then the book revalued under the baseline and every scenario."""

    model: FactorModel
    horizon: Horizon
    spec: RunSpec
    book: Book
    transforms: tuple[_Transform, ...]

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
        noise, fixings = simulate_noise(self.model, self.horizon, self.spec, chunk, self.book.fixings)
        draw = draw_of_path(self.spec, chunk.lo, chunk.hi)
        rows, count = len(self.transforms) + 1, chunk.hi - chunk.lo
        groups = np.empty((rows, len(self.book.group_labels), count), dtype=np.float32)
        total = np.empty((rows, count))
        self._store(0, noise, fixings, groups, total)
        for i, t in enumerate(self.transforms, start=1):
            moves, at = noise, fixings
            if t.noise_map is not None:
                at = fixings - _product(t.carry, noise)
                moves = _product(t.noise_map, noise)
            self._store(i, moves + t.end[:, draw], at + t.at_fixings[:, draw], groups, total)
        return groups, total

    def _store(self, row: int, moves: np.ndarray, at: np.ndarray, groups: np.ndarray, total: np.ndarray) -> None:
        pnl = self.book.pnl(moves, at)
        groups[row] = pnl
        total[row] = 0.0
        for g in range(groups.shape[1]):
            total[row] += groups[row, g]


def _product(matrix: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """matrix @ noise in a fixed order of additions (no BLAS), so that no bit depends on the chunk."""
    out = np.zeros((matrix.shape[0], noise.shape[1]))
    for i in range(matrix.shape[0]):
        for j in np.flatnonzero(matrix[i]):
            out[i] += matrix[i, j] * noise[j]
    return out
