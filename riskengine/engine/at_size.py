"""A night at size: tens of thousands of positions, a million paths, fifty scenarios, in minutes and bounded memory.

The book is collapsed to features (``collapse``); the noise of a block of paths is drawn once and serves the baseline and
all scenarios of a horizon.  Instruments beyond the budget are on delta-gamma, and corrected in two phases (two-phase
sampling, Särndal, Swensson and Wretman 1992, ch. 9): the paths whose approximate total A is among the worst
``TAIL_SHARE`` · (1 − lowest level), and a random 1% of all paths, are revalued in full.  Each path that was not takes
the error T − A of the sampled path nearest to it in A (``correction``), so VaR, ES and every other number are those of the
corrected totals, and what the sampling adds to their error is stated.

Nothing of size paths × positions or paths × scenarios × groups exists; ``SizePlan.memory_bytes`` bounds the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import ModelError
from riskengine.base.sampling import BLOCK_SAMPLE, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.collapse import CollapsedBook, collapse_book, expand, weigh
from riskengine.engine.correction import CorrectionError, Residuals, correct_row, join_blocks
from riskengine.engine.paths import PathPnl, PreparedScenario, World
from riskengine.execution import Executor, Serial
from riskengine.factor_model import FactorModel
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.kernels.collapsed import CollapsedPnl, Paths, Weights, collapse_pnl, map_noise
from riskengine.kernels.curved import WIDTH, value_selected
from riskengine.kernels.draws import fill_words
from riskengine.kernels.products import pack_rows
from riskengine.kernels.tails import smallest
from riskengine.simulation import draw_of_path, fixing_map, simulate_noise

FULL_REVALUATION_LIMIT = 3e9
"""Positions × paths × (scenarios + baselines) up to which every position is revalued on every path: about
ten minutes on two cores."""
DEFAULT_BUDGET = 100
"""Distinct curved instruments revalued on every path when the night is at size and no budget was given."""
SAMPLE_SHARE = 0.01
TAIL_SHARE = 1.6
"""Candidates per expected tail path at the lowest level: 8% of the paths for 95%."""
PILOT_PATHS = 32_768
BLOCK = 4_096
"""Paths of one task (or the draws, when there are more): a multiple of tile and draws.  Sums over paths are kept by
block, so this number, not the executor, orders them."""
BLOCKS_PER_ROUND = 16

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SizePlan:
    """What a run at size will do, printed before it starts.

    positions, paths, rows : rows = baseline + scenarios of one horizon.  features : per path and row.
    full, approximated : distinct curved instruments revalued on every path, and on delta-gamma.
    tail_share, sample_share : shares of paths on which the latter are revalued.
    largest_error_usd : largest error of the quadratic among them at ± 3 sd of one factor (0: none).
    memory_bytes : bound of what the run adds to the process.  seconds : estimate from the pilot.
    """

    horizon_days: int
    positions: int
    paths: int
    rows: int
    features: int
    full: int
    approximated: int
    tail_share: float
    sample_share: float
    largest_error_usd: float
    memory_bytes: int
    seconds: float

    def __str__(self) -> str:
        tail = (
            f"{self.approximated:,} by delta-gamma and fully on {self.tail_share + self.sample_share:.0%} of the paths"
            if self.approximated else "none by delta-gamma"
        )
        return (
            f"{self.horizon_days} days: {self.positions:,} positions × {self.paths:,} paths × {self.rows} rows as "
            f"{self.features:,} features; {self.full:,} curved instruments revalued on every path, {tail}; about "
            f"{self.seconds:,.0f} s, at most {self.memory_bytes / 1e6:,.0f} MB more"
        )


@dataclass(frozen=True, slots=True)
class SizePnl:
    """P&L by path, the plan it followed, and for every row and level what the sampling adds to the error."""

    pnl: PathPnl
    plan: SizePlan
    errors: tuple[tuple[CorrectionError, ...], ...]


def budget_for(full_reval: int | None, positions: int, paths: int, rows: int) -> int | None:
    """Curved instruments to revalue on every path; None: the night is small enough to revalue everything."""
    if full_reval is not None:
        return full_reval
    return None if positions * paths * rows <= FULL_REVALUATION_LIMIT else DEFAULT_BUDGET


def simulate_at_size(
    prepared: Sequence[PreparedScenario],
    portfolio: Portfolio,
    world: World,
    horizon: Horizon,
    spec: RunSpec,
    budget: int,
    executor: Executor | None = None,
    progress: Progress | None = None,
    announce: Callable[[SizePlan], None] | None = None,
    keep_groups: bool = True,
) -> SizePnl:
    """As ``paths.simulate`` for books of any size; groups are the margins of the book (desk, book, …), of the baseline.

    announce : told the plan, with the time measured on the first paths, before the bulk of the run.
    keep_groups : False leaves the P&L by group and path out (scenario batches need only its means).
    """
    for item in prepared:
        if item.scenario.horizon != horizon:
            raise ModelError(f"scenario {item.scenario.name} has another horizon than {horizon}")
    run = executor or Serial()
    model = world.model(horizon)
    book = compile_book(portfolio, world.snapshot, FACTORS, horizon)
    spread = np.sqrt(np.diag(model.horizon_covariance(horizon.steps)))
    collapsed = collapse_book(book, spread, budget, spec.precision)
    names, margins = book_margins(book) if keep_groups else ((), np.zeros((0, len(book.group_labels))))
    rows = tuple(_Row.build(item, collapsed, model, horizon, spec, margins if item is None else None)
                 for item in (None, *prepared))
    wanted = [len(names), *[0] * len(prepared)]
    task = BlockTask(model, horizon, spec, collapsed, rows, margins, None)
    size = max(BLOCK, spec.draws)
    blocks = [Chunk(lo, min(lo + size, spec.paths)) for lo in range(0, spec.paths, size)]
    task, seconds = _pilot(task, blocks, run)
    share = TAIL_SHARE * (1.0 - min(spec.levels))
    at_once = min(getattr(run, "count", 1), len(blocks))
    plan = SizePlan(
        horizon.days, len(book.position_ids), spec.paths, len(rows), collapsed.size, collapsed.full,
        collapsed.approximated, share, SAMPLE_SHARE,
        float(collapsed.ranking[collapsed.full]) if collapsed.approximated else 0.0,
        _memory(task, spec, len(names), at_once), seconds * len(blocks) / at_once,
    )
    if announce is not None:
        announce(plan)
    real = np.dtype(spec.precision)
    total = np.empty((len(rows), spec.paths), dtype=real)
    groups = np.empty((1, len(names), spec.paths), dtype=real)
    found: list[list[Residuals]] = [[] for _ in rows]
    sums = [np.zeros(collapsed.size) for _ in rows]
    for first in range(0, len(blocks), BLOCKS_PER_ROUND):
        some = blocks[first : first + BLOCKS_PER_ROUND]
        for block, answers in zip(some, run.map(task, some), strict=True):
            for i, answer in enumerate(answers):
                total[i, block.lo : block.hi] = answer.total
                if wanted[i]:
                    groups[0, :, block.lo : block.hi] = answer.groups
                sums[i] += answer.sums
                found[i].append(answer.residuals)
        if progress is not None:
            progress(some[-1].hi)
    errors, means = [], []
    for i, row in enumerate(rows):
        residuals = join_blocks(found[i])
        errors.append(correct_row(total[i], groups[0] if wanted[i] else None, residuals, task.thresholds[i], spec.levels))
        means.append(row.mean(collapsed, sums[i], residuals, spec.paths))
    gains = _balanced(np.array(means), total)
    pnl = PathPnl(book, horizon, total, groups, gains, draw_of_path(spec, 0, spec.paths), names or None)
    return SizePnl(pnl, plan, tuple(errors))


def book_margins(book) -> tuple[tuple[tuple[str, str], ...], np.ndarray]:
    """Names (dimension, label) of every margin of the leaf groups, and the 0/1 matrix (M, G) that adds them up."""
    names = [
        (dimension, label)
        for column, dimension in enumerate(book.group_dimensions)
        for label in sorted({leaf[column] for leaf in book.group_labels})
    ]
    matrix = np.array([
        [leaf[book.group_dimensions.index(dimension)] == label for leaf in book.group_labels]
        for dimension, label in names
    ], dtype=np.float64)
    return tuple(names), matrix


# ---------------------------------------------------------------- one scenario, and one block of paths
@dataclass(frozen=True, slots=True)
class _Row:
    """The baseline or one scenario: weights, constants by leaf group, and the map of its noise."""

    weights: Weights
    constant: np.ndarray
    quadratic: np.ndarray
    base: np.ndarray
    """(G,) value of the instruments on delta-gamma at the centre."""
    noise_map: np.ndarray
    """pack_rows of the map of the noise and of its carry to fixings; empty when the noise stays as it is."""
    carry: np.ndarray

    @classmethod
    def build(
        cls, item: PreparedScenario | None, collapsed: CollapsedBook, model: FactorModel, horizon: Horizon,
        spec: RunSpec, margins: np.ndarray | None,
    ) -> _Row:
        real, book = np.dtype(spec.precision), collapsed.book
        empty = np.empty(0, dtype=real)
        end, at_fixings = np.zeros((len(FACTORS), spec.draws)), np.zeros((len(book.fixings), spec.draws))
        spread, noise_map, carry = collapsed.spread, empty, empty
        if item is not None:
            end = np.ascontiguousarray(item.shocks.path[:, -1, :].T)
            for i, (k, step) in enumerate(book.fixings):
                at_fixings[i] = item.shocks.path[:, step, k]
            if item.shocks.noise_map is not None:
                matrix = item.shocks.noise_map
                left = matrix @ model.horizon_covariance(horizon.steps) @ matrix.T
                spread = np.sqrt(np.maximum(np.diag(left), 0.0))
                noise_map = pack_rows(matrix, real)
                carry = pack_rows(fixing_map(item.shocks, model, book.fixings), real)
        centre = end.mean(axis=1)
        base, quadratic = expand(collapsed, centre, spread)
        weights = weigh(collapsed, quadratic, centre, end, at_fixings, spread, margins, real)
        return cls(weights, collapsed.constant, quadratic, base, noise_map, carry)

    def mean(self, collapsed: CollapsedBook, sums: np.ndarray, residuals: Residuals, paths: int) -> np.ndarray:
        """(G,) mean P&L of every leaf group, USD, the quadratic part corrected by the paths revalued in full."""
        exact = collapsed.amounts.shape[1]
        value = self.constant + self.base
        value = value + (collapsed.amounts @ sums[:exact] + self.quadratic @ sums[exact:]) / paths
        return value + residuals.mean_by_group(self.base, self.quadratic, paths)


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One block under one row: total (n,), groups (M, n), sums (f,), and the paths revalued in full."""

    total: np.ndarray
    groups: np.ndarray
    sums: np.ndarray
    residuals: Residuals


@dataclass(frozen=True, slots=True)
class BlockTask:
    """A block of paths under all rows; thresholds (rows,) of the candidates, None: delta-gamma only (the pilot)."""

    model: FactorModel
    horizon: Horizon
    spec: RunSpec
    collapsed: CollapsedBook
    rows: tuple[_Row, ...]
    margins: np.ndarray
    thresholds: np.ndarray | None

    def __call__(self, block: Chunk) -> list[BlockRow]:
        real, n = np.dtype(self.spec.precision), block.hi - block.lo
        noise, fixings = simulate_noise(self.model, self.horizon, self.spec, block, self.collapsed.book.fixings)
        # paths in the order of their draws, block of draws by block
        order = np.lexsort((draw_of_path(self.spec, block.lo, block.hi), np.arange(n) // self.spec.draws))
        paths = Paths(np.take(noise.astype(real), order, axis=1), np.take(fixings.astype(real), order, axis=1))
        del noise, fixings
        sampled = sample_of_paths(self.spec, block)[order]
        mapped = None
        answers = []
        for i, row in enumerate(self.rows):
            here = paths
            if row.noise_map.size:
                if mapped is None:
                    mapped = Paths(np.empty_like(paths.noise), np.empty_like(paths.fixings))
                map_noise(row.noise_map, row.carry, paths, mapped)
                here = mapped
            answers.append(self._row(i, row, here, sampled, order))
        return answers

    def _row(self, i: int, row: _Row, paths: Paths, sampled: np.ndarray, order: np.ndarray) -> BlockRow:
        """One row; order (n,) is the place in the block of every column of *paths*."""
        real, n = np.dtype(self.spec.precision), order.size
        wanted = len(self.margins) if row.weights.groups.size else 0
        out = CollapsedPnl(np.empty(n, real), np.empty(n, real), np.empty((2, wanted, n), real),
                           np.zeros(self.collapsed.size))
        collapse_pnl(self.collapsed.features, row.weights, paths, out)
        exact = out.exact + row.constant.sum()
        quadratic = out.quadratic + row.base.sum()
        total = exact + quadratic
        groups = np.empty((wanted, n), real)
        if wanted:
            groups[:] = out.by_group[0] + out.by_group[1] + (self.margins @ (row.constant + row.base))[:, None]
        chosen = np.empty(0, dtype=np.int64)
        if self.thresholds is not None and self.collapsed.approximated:
            chosen = np.flatnonzero((total <= self.thresholds[i]) | sampled)
        # take, not [:, places]: the kernels are compiled for rows that lie contiguously
        shift = row.weights.shift
        moves = np.take(paths.noise, chosen, axis=1) + np.take(shift, chosen % shift.shape[1], axis=1)
        full = np.empty((len(row.constant), len(chosen)), real)
        if len(chosen):
            value_selected(self.collapsed.rest, self.collapsed.holdings, moves, full)
        error = full.sum(axis=0, dtype=np.float64) - quadratic[chosen]
        by_margin = np.empty((wanted, len(chosen)), real)
        for m in range(wanted):
            leaves = np.flatnonzero(self.margins[m])
            part = full[leaves].sum(axis=0, dtype=np.float64)
            by_margin[m] = part - out.by_group[1, m, chosen] - row.base[leaves].sum()
        candidate = total[chosen] <= self.thresholds[i] if self.thresholds is not None else chosen == 0
        residuals = Residuals.of_block(
            order[chosen], candidate, sampled[chosen], error, by_margin, full,
            np.clip(moves - row.weights.centre[:, None], -row.weights.limit[:, None], row.weights.limit[:, None]),
            self.collapsed.features, n,
        )
        total[chosen] += error
        groups[:, chosen] += by_margin
        back = np.empty_like(order)
        back[order] = np.arange(n)
        return BlockRow(total[back].astype(real), np.take(groups, back, axis=1), out.sums, residuals)


def sample_of_paths(spec: RunSpec, block: Chunk) -> np.ndarray:
    """(n,) bool: the random SAMPLE_SHARE of all paths, by a counter of its own, the same for every row."""
    words = np.empty((4, block.hi - block.lo), dtype=np.uint32)
    fill_words(block.lo, BLOCK_SAMPLE, 0, spec.seed, words)
    return words[0] < np.uint32(SAMPLE_SHARE * 2.0**32)


def _pilot(task: BlockTask, blocks: list[Chunk], run: Executor) -> tuple[BlockTask, float]:
    """The task with the thresholds of its candidates, from the first paths; and seconds per block on one thread."""
    spec = task.spec
    first = blocks[: -(-PILOT_PATHS // (blocks[0].hi - blocks[0].lo))]
    parts = run.map(task, first)
    count = max(1, round(TAIL_SHARE * (1.0 - min(spec.levels)) * sum(b.hi - b.lo for b in first)))
    thresholds = np.array([
        smallest(np.concatenate([answers[i].total for answers in parts]).astype(np.float64), np.array([count]))[0][0]
        for i in range(len(task.rows))
    ])
    task = BlockTask(task.model, task.horizon, spec, task.collapsed, task.rows, task.margins, thresholds)
    began = time.perf_counter()
    task(blocks[0])
    return task, time.perf_counter() - began


def _memory(task: BlockTask, spec: RunSpec, margins: int, at_once: int) -> int:
    """Bytes a run adds at most: totals and margins by path, candidates, rows, and blocks at work or waiting."""
    size, rows = np.dtype(spec.precision).itemsize, len(task.rows)
    book, leaves = task.collapsed.book, len(task.collapsed.constant)
    table = (len(FACTORS) + len(book.fixings)) * max(spec.draws, WIDTH) * size
    chosen = TAIL_SHARE * (1.0 - min(spec.levels)) + SAMPLE_SHARE if task.collapsed.approximated else 0.0
    kept = spec.paths * (rows * size + 2 * margins * size + 64)
    kept += int(1.3 * spec.paths * rows * chosen * 22 + spec.paths * SAMPLE_SHARE * margins * size)
    weights = rows * (table + (leaves + 2) * 8 * task.collapsed.size // 4)
    block = max(BLOCK, spec.draws)
    work = block * ((len(FACTORS) + len(book.fixings)) * (8 + 2 * size) + int(3 * leaves * size * chosen) + 64)
    waiting = (BLOCKS_PER_ROUND + at_once) * (rows * (block * size + 8 * task.collapsed.size + 16 * leaves)
                                             + 2 * block * margins * size)
    legs = 400 * sum(a.shape[0] for a in book.legs_by_position)
    return int(kept + weights + at_once * work + waiting + legs)


def _balanced(means: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(rows, G) gains over the baseline whose sum is the mean gain of the corrected totals.

    The two differ by float32 rounding and by how the sampled errors are spread; the rest is shared by size.
    """
    gains = means - means[0]
    base = total[0].mean(dtype=np.float64)
    for i in range(1, len(gains)):
        size = np.abs(gains[i])
        if size.sum() > 0:
            gains[i] += (total[i].mean(dtype=np.float64) - base - gains[i].sum()) * size / size.sum()
    return gains
