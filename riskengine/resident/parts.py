"""Expected P&L and tail of the book and of its parts, each number with its sums by parameter draw.

Values and standard errors are those of ``measures.tail_change`` (hence of ``measures.tail_risk``) to the bit,
measured by one kernel (``kernels.parts``) that walks the rows of a part once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from riskengine.base.axes import REPORT_CLASSES
from riskengine.base.errors import ModelError
from riskengine.execution import Executor
from riskengine.instruments.book import GROUP_DIMENSIONS
from riskengine.kernels.parts import Counts, Parts, PartSums, measure_parts
from riskengine.kernels.quanta import sum_gains_of_rows
from riskengine.measures.tail_change import Estimate, TailEstimate
from riskengine.measures.tail_risk import TailRank, rank_of_level
from riskengine.resident.cache import addresses
from riskengine.resident.rows import PnlRows

DIMENSIONS = ("asset_class", "desk")
FEW_PATHS = 32_768
"""Up to here the parts are two tasks, beyond each is one."""
LEAVES_PER_TASK = 6
Leaves = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """Expected P&L (difference to the baseline under a policy) and tail of the book or of a part of it."""

    expected: Estimate
    tail: TailEstimate

    def minus(self, other: Slice) -> Slice:
        """The change from *other* to this."""
        return Slice(self.expected.minus(other.expected), self.tail.minus(other.tail))

    @classmethod
    def zero(cls, like: Slice) -> Slice:
        """A part that is not there, on the paths of *like*."""
        none = Estimate(0.0, np.zeros_like(like.expected.sums), like.expected.counts)
        each = (none,) * len(like.tail.levels)
        return cls(none, TailEstimate(like.tail.levels, none, each, each))

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Expected P&L, VaR by level, ES by level."""
        return (self.expected, *self.tail.var, *self.tail.es)


@lru_cache(maxsize=8)
def paths_of_draws(paths: int, draws: int) -> np.ndarray:
    """(D,) paths of each parameter draw: every block of D paths holds every draw once (base.sampling)."""
    counts = np.full(draws, paths // draws)
    counts.flags.writeable = False
    return counts


def leaves_by_name(rows: PnlRows) -> dict[str, dict[str, Leaves]]:
    """dimension → name → leaf indices; every asset class is there, empty or not."""
    out: dict[str, dict[str, Leaves]] = {}
    for dimension in DIMENSIONS:
        column = GROUP_DIMENSIONS.index(dimension)
        names = REPORT_CLASSES if dimension == "asset_class" else sorted({x[column] for x in rows.labels})
        out[dimension] = {n: tuple(g for g, x in enumerate(rows.labels) if x[column] == n) for n in names}
    return out


def add_leaves(rows: PnlRows, leaves: Sequence[int]) -> np.ndarray:
    """(P,) P&L of some leaves, USD."""
    values = np.zeros(rows.total.size)
    for g in leaves:
        values += rows.rows[g]
    return values


def measure_slices(
    parts: Sequence[Leaves | None], shown: PnlRows, base: PnlRows | None, draw: np.ndarray,
    counts: np.ndarray, levels: Sequence[float], executor: Executor,
) -> list[Slice]:
    """One slice per part; None is the whole book.

    shown, base : P&L with policy and without, or without and None.  draw : (P,) int32.  counts : (D,) paths
    of each draw.

    Raises
    ------
    ModelError : P&L that is not finite on some path.
    """
    ranks = [rank_of_level(shown.total.size, level) for level in levels]
    written = _measure(parts, shown, base, draw, counts.size, ranks, executor)
    gains = {} if base is None else _gains(shown, base, sorted({g for p in parts for g in p or ()}), executor)
    return [_slice(n, leaves, written, ranks, counts, None if base is None else gains, shown.total.size)
            for n, leaves in enumerate(parts)]


def _measure(
    parts: Sequence[Leaves | None], shown: PnlRows, base: PnlRows | None, draw: np.ndarray, draws: int,
    ranks: Sequence[TailRank], executor: Executor,
) -> PartSums:
    leaves = [p or () for p in parts]
    none = np.empty(0, dtype=np.uint64)
    asked = Parts(
        np.concatenate([[0], np.cumsum([len(x) for x in leaves])]).astype(np.int64),
        np.array([g for x in leaves for g in x], dtype=np.int64), np.array([p is None for p in parts]),
        addresses(shown.rows), none if base is None else addresses(base.rows),
        addresses([x.total for x in (shown, base) if x is not None]), draw,
    )
    counts = _counts(ranks)
    n, size = len(parts), 2 + 2 * len(ranks)
    out = PartSums(np.empty((n, len(counts.ks))), np.empty((n, len(ranks))), np.empty((n, 2)),
                   np.zeros((n, size, draws)))
    tasks = min(n, 2) if shown.total.size <= FEW_PATHS else n
    executor.map(lambda r: measure_parts(asked, counts, *r, out), _ranges(n, tasks))
    if not np.isfinite(out.means).all():
        raise ModelError("P&L is not finite on some path")
    return out


def _counts(ranks: Sequence[TailRank]) -> Counts:
    ks = np.unique(np.array([(r.low, r.k, r.high) for r in ranks], dtype=np.int64))
    return Counts(ks, np.searchsorted(ks, [r.k for r in ranks]).astype(np.int64),
                  np.array([r.probability for r in ranks]))


def _slice(
    n: int, leaves: Leaves | None, written: PartSums, ranks: Sequence[TailRank], counts: np.ndarray,
    gains: Mapping[int, float] | None, paths: int,
) -> Slice:
    ks, levels = _counts(ranks).ks.tolist(), len(ranks)
    value = dict(zip(ks, written.kth[n].tolist(), strict=True))
    total = written.sums[n].tolist()
    by_draw, (pnl_sum, gain_sum) = written.by_draw[n], written.means[n].tolist()
    var, es = [], []
    for at, rank in enumerate(ranks):
        quantile = value[rank.k]
        shortfall = max(0.0, (rank.k * quantile - total[at]) / rank.expected)
        sparsity = (value[rank.high] - value[rank.low]) * paths / (rank.high - rank.low)
        var.append(Estimate(-quantile, sparsity * by_draw[2 + at], counts))
        es.append(Estimate(-quantile + shortfall, by_draw[2 + levels + at], counts))
    mean = Estimate(pnl_sum / paths, by_draw[1], counts)
    tail = TailEstimate(tuple(rank.level for rank in ranks), mean, tuple(var), tuple(es))
    if gains is None:
        return Slice(mean, tail)
    gain = gain_sum / paths if leaves is None else sum((gains[g] for g in leaves), 0.0)
    return Slice(Estimate(gain, by_draw[0], counts), tail)


def _gains(shown: PnlRows, base: PnlRows, leaves: Sequence[int], executor: Executor) -> dict[int, float]:
    """Mean difference of each leaf, summed quantum by quantum as the engine does."""
    paths, out = shown.total.size, np.empty(len(leaves))
    one, two = (addresses([x.rows[g] for g in leaves]) for x in (shown, base))
    tasks = 1 if paths <= FEW_PATHS else -(-len(leaves) // LEAVES_PER_TASK)
    executor.map(lambda r: sum_gains_of_rows(one, two, paths, *r, out), _ranges(len(leaves), tasks))
    return dict(zip(leaves, (out / paths).tolist(), strict=True))


def _ranges(count: int, tasks: int) -> list[tuple[int, int]]:
    """0 … count cut into *tasks* ranges of nearly equal length."""
    return [(count * i // tasks, count * (i + 1) // tasks) for i in range(tasks) if count]
