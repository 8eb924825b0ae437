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
from riskengine.impact import ImpactParameters, ParameterDraws, draw_parameters, respond_to_policy
from riskengine.impact.response import PolicyResponse
from riskengine.instruments.book import Book
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.kernels.group_sums import round_groups, shift_moves, sum_gains
from riskengine.kernels.tails import QUANTUM
from riskengine.market import MarketSnapshot
from riskengine.policy.scenario import Scenario
from riskengine.simulation import (
    ShockDistribution, condition, draw_of_path, fixing_map, parameter_normals, simulate_noise,
)

CHUNK_PATHS = 8_192
"""Paths per task, a multiple of the reduction quantum: the unit of scheduling; no result depends on it."""
CHUNKS_PER_ROUND = 32
"""Chunks handed to the executor at once: bounds what is in flight and lets a progress bar move."""
POSITIONS_AT_ONCE = 2_048
"""Positions whose P&L by draw is held at once."""
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

    total : (S + 1, P) float64.  groups : (1 or S + 1, G, P) float32, leaf groups of the book, of the baseline or of all
    rows; total is their sum.  gains : (S + 1, G) mean gain of each leaf group over the baseline, USD.
    draw : (P,) parameter draw of each path.  margins : (dimension, label) of each row of *groups* when these are the
    margins of the book instead of its leaf groups (a night at size); total and groups may then be float32.
    """

    book: Book
    horizon: Horizon
    total: np.ndarray
    groups: np.ndarray
    gains: np.ndarray
    draw: np.ndarray
    margins: tuple[tuple[str, str], ...] | None = None


def policy_draws(world: World, spec: RunSpec) -> ParameterDraws:
    """Draws of every parameter of the chain: the same for all scenarios of a run, so made once."""
    normals = parameter_normals(spec, len(world.parameters))
    return draw_parameters(world.parameters, normals, uncertain=spec.parameter_uncertainty)


def prepare(
    scenario: Scenario, world: World, spec: RunSpec, draws: ParameterDraws | None = None
) -> PreparedScenario:
    """Run the chain of one scenario for all draws and complete it to all factors; the ledger must balance.

    draws : of :func:`policy_draws`, when the caller has them.
    """
    model = world.model(scenario.horizon)
    draws = policy_draws(world, spec) if draws is None else draws
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
    keep_groups: bool = True,
) -> PathPnl:
    """P&L of the baseline and of all prepared scenarios of one horizon on the same paths.

    keep_groups : False keeps the P&L by group of the baseline only (S · G · P · 4 bytes less).
    """
    for item in prepared:
        if item.scenario.horizon != horizon:
            raise ModelError(f"scenario {item.scenario.name} has another horizon than {horizon}")
    model = world.model(horizon)
    book = compile_book(portfolio, world.snapshot, FACTORS, horizon)
    transforms = tuple(_Transform.build(item.shocks, model, book, horizon) for item in prepared)
    rows, leaves = len(prepared) + 1, len(book.group_labels)
    kept = rows if keep_groups else 1
    total = np.empty((rows, spec.paths))
    groups = np.empty((kept, leaves, spec.paths), dtype=np.float32)
    gains = np.empty((-(-spec.paths // QUANTUM), rows, leaves))
    task = _ChunkTask(model, horizon, spec, book, transforms, kept)
    chunks = [Chunk(lo, min(lo + CHUNK_PATHS, spec.paths)) for lo in range(0, spec.paths, CHUNK_PATHS)]
    run = executor or Serial()
    for first in range(0, len(chunks), CHUNKS_PER_ROUND):
        some = chunks[first : first + CHUNKS_PER_ROUND]
        for chunk, (chunk_groups, chunk_total, sums) in zip(some, run.map(task, some), strict=True):
            groups[:, :, chunk.lo : chunk.hi] = chunk_groups
            total[:, chunk.lo : chunk.hi] = chunk_total
            gains[chunk.lo // QUANTUM : chunk.lo // QUANTUM + sums.shape[0]] = sums
        if progress is not None:
            progress(some[-1].hi)
    mean_gains = np.zeros((rows, leaves))
    for quantum in gains:
        mean_gains += quantum
    return PathPnl(book, horizon, total, groups, mean_gains / spec.paths, draw_of_path(spec, 0, spec.paths))


def replay_moves(
    paths: np.ndarray, world: World, horizon: Horizon, spec: RunSpec, book: Book,
    executor: Executor | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Baseline moves on chosen paths, by drawing the same streams again: (K, n) factors and (F, n) fixings."""
    moves, fixing_moves = np.empty((len(FACTORS), len(paths))), np.empty((len(book.fixings), len(paths)))

    def replay(lo: int) -> None:
        here = np.flatnonzero((paths >= lo) & (paths < lo + CHUNK_PATHS))
        if len(here):
            chunk = Chunk(lo, min(lo + CHUNK_PATHS, spec.paths))
            noise, fixings = simulate_noise(world.model(horizon), horizon, spec, chunk, book.fixings)
            moves[:, here], fixing_moves[:, here] = noise[:, paths[here] - lo], fixings[:, paths[here] - lo]

    (executor or Serial()).map(replay, range(0, spec.paths, CHUNK_PATHS))
    return moves, fixing_moves


def replay_positions(
    paths: np.ndarray, portfolio: Portfolio, world: World, horizon: Horizon, spec: RunSpec
) -> tuple[np.ndarray, np.ndarray]:
    """Baseline P&L by position on chosen paths: ((N, n) USD, (K, n) factor moves), by drawing the same streams again."""
    book = compile_book(portfolio, world.snapshot, FACTORS, horizon)
    moves, fixing_moves = replay_moves(paths, world, horizon, spec, book)
    return book.pnl_by_position(moves, fixing_moves), moves


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
    full, fixing_path = _response(shocks, book)
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
        positions = _gains_by_position(book, full, fixing_path, 0, len(book.position_ids))
    return total, channels, positions


def mean_by_position(item: PreparedScenario, book: Book) -> np.ndarray:
    """(N,) USD: mean over draws of the P&L of the response alone, by position; a block of positions at a
    time."""
    response, count = _response(item.shocks, book), len(book.position_ids)
    out = np.empty(count)
    for lo in range(0, count, POSITIONS_AT_ONCE):
        hi = min(lo + POSITIONS_AT_ONCE, count)
        out[lo:hi] = _gains_by_position(book, *response, lo, hi).mean(axis=1)
    return out


def _response(shocks: ShockDistribution, book: Book) -> tuple[np.ndarray, np.ndarray]:
    """Moves by draw at the horizon (K, D) and at the fixings (F, D)."""
    fix_k = np.array([k for k, _ in book.fixings], dtype=np.int64)
    fix_t = np.array([t for _, t in book.fixings], dtype=np.int64)
    return (np.ascontiguousarray(shocks.path[:, -1, :].T),
            np.ascontiguousarray(shocks.path[:, fix_t, fix_k].T.reshape(len(fix_k), len(shocks.path))))


def _gains_by_position(
    book: Book, moves: np.ndarray, fixing_moves: np.ndarray, first: int, last: int
) -> np.ndarray:
    """(n, D) USD of positions first … last − 1: P&L less that of no move."""
    values = book.pnl_by_position(moves, fixing_moves, first, last)
    values -= book.pnl_by_position(np.zeros((len(moves), 1)), np.zeros((len(fixing_moves), 1)), first, last)
    return values


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
    kept: int
    """Rows (baseline first) whose group P&L is returned."""

    def __call__(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """((kept, G, n) float32, (S + 1, n) totals, (Q, S + 1, G) sums of gains by quantum)."""
        if chunk.lo % QUANTUM:
            raise ModelError(f"a chunk must start on a multiple of {QUANTUM} paths, not at {chunk.lo}")
        noise, fixings = simulate_noise(self.model, self.horizon, self.spec, chunk, self.book.fixings)
        draw = draw_of_path(self.spec, chunk.lo, chunk.hi)
        rows, count, leaves = len(self.transforms) + 1, chunk.hi - chunk.lo, len(self.book.group_labels)
        groups = np.empty((self.kept, leaves, count), dtype=np.float32)
        total = np.empty((rows, count))
        sums = np.zeros((-(-count // QUANTUM), rows, leaves))
        part = np.empty(sums[:, 0].shape)
        spare, moves, at = np.empty_like(groups[0]), np.empty_like(noise), np.empty_like(fixings)
        round_groups(self.book.pnl(noise, fixings), groups[0], total[0])
        for i, t in enumerate(self.transforms, start=1):
            start, start_at = noise, fixings
            if t.noise_map is not None:
                start, start_at = _product(t.noise_map, noise), fixings - _product(t.carry, noise)
            shift_moves(start, t.end, draw, moves)
            shift_moves(start_at, t.at_fixings, draw, at)
            row = groups[i] if i < self.kept else spare
            round_groups(self.book.pnl(moves, at), row, total[i])
            sum_gains(row, groups[0], part)
            sums[:, i] = part
        return groups, total, sums


def _product(matrix: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """matrix @ noise in a fixed order of additions (no BLAS), so that no bit depends on the chunk."""
    out = np.zeros((matrix.shape[0], noise.shape[1]))
    for i in range(matrix.shape[0]):
        for j in np.flatnonzero(matrix[i]):
            out[i] += matrix[i, j] * noise[j]
    return out
