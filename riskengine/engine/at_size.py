"""A night at size: tens of thousands of positions, a million paths, fifty scenarios, in minutes and bounded memory.

The book is collapsed to features (``collapse``); the noise of a block of paths is drawn once and serves the baseline
and all scenarios of a horizon.  Instruments beyond the budget are on delta-gamma, and corrected in two phases (Särndal,
Swensson and Wretman 1992, Model Assisted Survey Sampling, ch. 9): the paths whose approximate total A is among the worst
``TAIL_SHARE`` · (1 − lowest level), and a random 1% of all paths, are revalued in full.  Each path that was not takes
the error T − A of the sampled path nearest to it in A (``correction``), so VaR, ES and every other number are those of
the corrected totals, and what the sampling adds to their error is stated.

Nothing of size paths × positions or paths × scenarios × groups exists; ``SizePlan.memory_bytes`` bounds the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.errors import ModelError
from riskengine.base.sampling import Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.block_task import BLOCK, SAMPLE_SHARE, BlockTask, Row, Work, blocks_of
from riskengine.engine.collapse import collapse_book
from riskengine.engine.correction import CorrectionError, Residuals, correct_row, join_blocks
from riskengine.engine.paths import PathPnl, PreparedScenario, World
from riskengine.execution import Executor, Serial
from riskengine.instruments.book import Book
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.kernels.curved import WIDTH
from riskengine.kernels.tails import smallest
from riskengine.simulation import draw_of_path

FULL_REVALUATION_LIMIT = 3e9
"""Positions × paths × (scenarios + baselines) up to which every position is revalued on every path: about
ten minutes on two cores."""
DEFAULT_BUDGET = 100
"""Distinct curved instruments revalued on every path when the night is at size and no budget was given."""
TAIL_SHARE = 1.6
"""Candidates per expected tail path at the lowest level: 8% of the paths for 95%."""
PILOT_PATHS = 32_768
BLOCKS_PER_WORKER = 8
"""Blocks of a round, between two steps of a progress bar, by thread or worker."""
TASK_SECONDS = 0.5
"""Work of a task on a cluster (DESIGN 4), when there is enough for all: TASKS_PER_WORKER each."""
TASKS_PER_WORKER = 4

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class SizePlan:
    """What a run at size will do, printed before it starts.

    positions, paths, rows : rows = baseline + scenarios of one horizon.  features : per path and row.
    full, approximated : distinct curved instruments revalued on every path, and on delta-gamma.
    tail_share, sample_share : shares of paths on which the latter are revalued.
    largest_error_usd : largest error of the quadratic among them at ± 3 sd of one factor (0: none).
    memory_bytes : bound of what the run adds to the process, *held_bytes* of it before its paths are
    simulated.
    seconds : of the paths, from the pilot.
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
    held_bytes: int
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


@dataclass(frozen=True, slots=True)
class SizeRun:
    """A run at size made ready: nothing but the paths is left to do, and their cost is known.

    names : margins of the book whose P&L by path is kept.  thresholds (rows,) USD of the candidates.
    """

    book: Book
    horizon: Horizon
    names: tuple[tuple[str, str], ...]
    task: BlockTask
    thresholds: np.ndarray
    blocks: tuple[Chunk, ...]
    block_seconds: float
    plan: SizePlan


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
    ready = prepare_at_size(prepared, portfolio, world, horizon, spec, budget, executor, keep_groups)
    if announce is not None:
        announce(ready.plan)
    return run_at_size(ready, executor, progress)


def prepare_at_size(
    prepared: Sequence[PreparedScenario], portfolio: Portfolio, world: World, horizon: Horizon, spec: RunSpec,
    budget: int, executor: Executor | None = None, keep_groups: bool = True,
) -> SizeRun:
    """Lower and collapse the book, expand it around every row, run the pilot; arguments of
    ``simulate_at_size``."""
    for item in prepared:
        if item.scenario.horizon != horizon:
            raise ModelError(f"scenario {item.scenario.name} has another horizon than {horizon}")
    run = executor or Serial()
    model = world.model(horizon)
    book = compile_book(portfolio, world.snapshot, FACTORS, horizon)
    spread = np.sqrt(np.diag(model.horizon_covariance(horizon.steps)))
    collapsed = collapse_book(book, spread, budget, spec.precision, run.here)
    names, margins = book_margins(book) if keep_groups else ((), np.zeros((0, len(book.group_labels))))

    def build(item: PreparedScenario | None) -> Row:
        return Row.build(item, collapsed, model, horizon, spec, margins if item is None else None)

    rows = tuple(run.here.map(build, (None, *prepared)))
    task, blocks = BlockTask(model, horizon, spec, collapsed, rows, margins), blocks_of(spec)
    thresholds, seconds = _pilot(task, blocks, run)
    size, at_once = _round(len(blocks), seconds, run)
    at_work, waiting = min(run.count, len(blocks)), min(size * at_once, len(blocks))
    held = _held(task, book)
    plan = SizePlan(
        horizon.days, len(book.position_ids), spec.paths, len(rows), collapsed.size, collapsed.full,
        collapsed.approximated, TAIL_SHARE * (1.0 - min(spec.levels)), SAMPLE_SHARE,
        float(collapsed.ranking[collapsed.full]) if collapsed.approximated else 0.0,
        held + _work_memory(task, spec, len(names), 1 if run.remote else at_work, waiting), held,
        seconds * len(blocks) / at_work,
    )
    return SizeRun(book, horizon, names, task, thresholds, tuple(blocks), seconds, plan)


def run_at_size(
    ready: SizeRun, executor: Executor | None = None, progress: Progress | None = None
) -> SizePnl:
    """All paths of a run made ready."""
    run, task, spec, names = executor or Serial(), ready.task, ready.task.spec, ready.names
    rows, collapsed, real = task.rows, task.collapsed, np.dtype(spec.precision)
    total = np.empty((len(rows), spec.paths), dtype=real)
    groups = np.empty((1, len(names), spec.paths), dtype=real)
    found: list[list[Residuals]] = [[] for _ in rows]
    sums = [np.zeros(collapsed.size) for _ in rows]
    size, at_once = _round(len(ready.blocks), ready.block_seconds, run)
    works = [Work(ready.blocks[i : i + size], ready.thresholds) for i in range(0, len(ready.blocks), size)]
    for first in range(0, len(works), at_once):
        some = works[first : first + at_once]
        for work, by_block in zip(some, run.map(task, some), strict=True):
            for block, answers in zip(work.blocks, by_block, strict=True):
                for i, answer in enumerate(answers):
                    total[i, block.lo : block.hi] = answer.total
                    if names and i == 0:
                        groups[0, :, block.lo : block.hi] = answer.groups
                    sums[i] += answer.sums
                    found[i].append(answer.residuals)
        if progress is not None:
            progress(some[-1].blocks[-1].hi)

    def finish(i: int) -> tuple[tuple[CorrectionError, ...], np.ndarray]:
        residuals = join_blocks(found[i])
        found[i].clear()
        kept = groups[0] if names and i == 0 else None
        errors = correct_row(total[i], kept, residuals, ready.thresholds[i], spec.levels)
        return errors, rows[i].mean(collapsed, sums[i], residuals, spec.paths)

    errors, means = zip(*run.here.map(finish, range(len(rows))), strict=True)
    gains = _balanced(np.array(means), total)
    draw = draw_of_path(spec, 0, spec.paths)
    pnl = PathPnl(ready.book, ready.horizon, total, groups, gains, draw, names or None)
    return SizePnl(pnl, ready.plan, tuple(errors))


def book_margins(book: Book) -> tuple[tuple[tuple[str, str], ...], np.ndarray]:
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


def _pilot(task: BlockTask, blocks: list[Chunk], run: Executor) -> tuple[np.ndarray, float]:
    """Thresholds of the candidates, from the first paths; and seconds per block on one thread."""
    spec = task.spec
    first = blocks[: -(-PILOT_PATHS // (blocks[0].hi - blocks[0].lo))]
    parts = [by_row for work in run.map(task, [Work((block,), None) for block in first]) for by_row in work]
    count = max(1, round(TAIL_SHARE * (1.0 - min(spec.levels)) * sum(b.hi - b.lo for b in first)))
    thresholds = np.array([
        smallest(np.concatenate([answers[i].total for answers in parts]).astype(np.float64), np.array([count]))[0][0]
        for i in range(len(task.rows))
    ])
    task(Work((Chunk(0, spec.draws),), thresholds))  # kernels are loaded, or compiled, before the clock runs
    began = time.perf_counter()
    task(Work((blocks[0],), thresholds))
    return thresholds, time.perf_counter() - began


def _round(blocks: int, block_seconds: float, run: Executor) -> tuple[int, int]:
    """Blocks of one task (on a cluster TASK_SECONDS of work, as long as every worker has some tasks),
    and tasks of one round."""
    size = 1
    if run.remote:
        size = max(1, min(blocks // (TASKS_PER_WORKER * run.count), round(TASK_SECONDS / block_seconds)))
    return size, max(TASKS_PER_WORKER * run.count, BLOCKS_PER_WORKER * run.count // size)


def _held(task: BlockTask, book: Book) -> int:
    """Bytes that a run made ready holds until its end: legs and weights."""
    size, spec = np.dtype(task.spec.precision).itemsize, task.spec
    table = (len(FACTORS) + len(book.fixings)) * max(spec.draws, WIDTH) * size
    leaves = len(task.collapsed.constant)
    weights = len(task.rows) * (table + (leaves + 2) * 8 * task.collapsed.size // 4)
    return int(weights + 400 * sum(a.shape[0] for a in book.legs_by_position))


def _work_memory(task: BlockTask, spec: RunSpec, margins: int, at_work: int, blocks: int) -> int:
    """Bytes the paths add at most: totals and margins by path, candidates, and *blocks* of answers."""
    size, rows = np.dtype(spec.precision).itemsize, len(task.rows)
    inputs, leaves = len(FACTORS) + len(task.collapsed.fixings), len(task.collapsed.constant)
    chosen = TAIL_SHARE * (1.0 - min(spec.levels)) + SAMPLE_SHARE if task.collapsed.approximated else 0.0
    kept = spec.paths * (rows * size + 2 * margins * size + 64)
    kept += int(1.3 * spec.paths * rows * chosen * 22 + spec.paths * SAMPLE_SHARE * margins * size)
    block = max(BLOCK, spec.draws)
    work = block * (inputs * (8 + 2 * size) + int(3 * leaves * size * chosen) + 64)
    answer = rows * (block * size + 8 * task.collapsed.size + 16 * leaves) + 2 * block * margins * size
    return int(kept + at_work * work + (blocks + at_work) * answer)


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
