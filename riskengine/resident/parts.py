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
    """Expected P&L (difference to the baseline under a policy) and tail of the book or of a part of it.

    levels : L.  values (2 + 2 L,): expected P&L, VaR by level, ES by level, mean.  sums (2 + 2 L, D):
    influence of each by draw (``measures.tail_change.Estimate``).  counts (D,): paths.
    """

    levels: tuple[float, ...]
    values: np.ndarray
    sums: np.ndarray
    counts: np.ndarray

    @property
    def expected(self) -> Estimate:
        """Expected P&L, gain positive."""
        return self._estimate(0)

    @property
    def tail(self) -> TailEstimate:
        """Mean P&L, VaR and ES."""
        count = len(self.levels)
        var, es = (tuple(self._estimate(i + n) for n in range(count)) for i in (1, 1 + count))
        return TailEstimate(self.levels, self._estimate(1 + 2 * count), var, es)

    def _estimate(self, at: int) -> Estimate:
        return Estimate(float(self.values[at]), self.sums[at], self.counts)

    @classmethod
    def of(cls, expected: Estimate, tail: TailEstimate) -> Slice:
        """From estimates of the same paths and draws."""
        every = (expected, *tail.var, *tail.es, tail.mean)
        return cls(tail.levels, np.array([x.value for x in every]), np.stack([x.sums for x in every]),
                   expected.counts)

    @classmethod
    def zero(cls, like: Slice) -> Slice:
        """A part that is not there, on the paths of *like*."""
        return cls(like.levels, np.zeros_like(like.values), np.zeros_like(like.sums), like.counts)


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
    ranks = tuple(rank_of_level(shown.total.size, level) for level in levels)
    written = _measure(parts, shown, base, draw, counts.size, ranks, executor)
    gains = written.means[:, 1] / shown.total.size  # of the book; of a part the sum of its leaves
    if base is not None:
        by_leaf = _gains(shown, base, sorted({g for p in parts for g in p or ()}), executor)
        for n, leaves in enumerate(parts):
            if leaves is not None:
                gains[n] = sum((by_leaf[g] for g in leaves), 0.0)
    return _slices(written, ranks, counts, None if base is None else gains, shown.total.size)


def _measure(
    parts: Sequence[Leaves | None], shown: PnlRows, base: PnlRows | None, draw: np.ndarray, draws: int,
    ranks: tuple[TailRank, ...], executor: Executor,
) -> PartSums:
    leaves = [p or () for p in parts]
    none = np.empty(0, dtype=np.uint64)
    asked = Parts(
        np.concatenate([[0], np.cumsum([len(x) for x in leaves])]).astype(np.int64),
        np.array([g for x in leaves for g in x], dtype=np.int64), np.array([p is None for p in parts]),
        shown.where, none if base is None else base.where,
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


@lru_cache(maxsize=16)
def _counts(ranks: tuple[TailRank, ...]) -> Counts:
    ks = np.unique(np.array([(r.low, r.k, r.high) for r in ranks], dtype=np.int64))
    return Counts(ks, np.searchsorted(ks, [r.k for r in ranks]).astype(np.int64),
                  np.array([r.probability for r in ranks]))


def _slices(
    written: PartSums, ranks: tuple[TailRank, ...], counts: np.ndarray, gains: np.ndarray | None, paths: int
) -> list[Slice]:
    """One slice per part written.  gains : mean gains over the baseline under a policy, else None."""
    ks, levels = _counts(ranks).ks, tuple(rank.level for rank in ranks)
    k, low, high, expected = np.array([(r.k, r.low, r.high, r.expected) for r in ranks]).T
    at_low, at_k, at_high = (written.kth[:, np.searchsorted(ks, x)] for x in (low, k, high))
    shortfall = np.maximum(0.0, (k * at_k - written.sums) / expected)
    sparsity = (at_high - at_low) * paths / (high - low)
    mean, count = written.means[:, 0] / paths, len(levels)
    values = np.column_stack([mean if gains is None else gains, -at_k, shortfall - at_k, mean])
    sums = np.empty((*values.shape, counts.size))
    sums[:, 0] = written.by_draw[:, 1 if gains is None else 0]
    np.multiply(sparsity[:, :, None], written.by_draw[:, 2 : 2 + count], out=sums[:, 1 : 1 + count])
    sums[:, 1 + count : -1] = written.by_draw[:, 2 + count :]
    sums[:, -1] = written.by_draw[:, 1]
    return [Slice(levels, *part, counts) for part in zip(values, sums, strict=True)]


def _gains(shown: PnlRows, base: PnlRows, leaves: Sequence[int], executor: Executor) -> dict[int, float]:
    """Mean difference of each leaf, summed quantum by quantum as the engine does."""
    paths, out = shown.total.size, np.empty(len(leaves))
    one, two = shown.where[leaves], base.where[leaves]
    tasks = 1 if paths <= FEW_PATHS else -(-len(leaves) // LEAVES_PER_TASK)
    executor.map(lambda r: sum_gains_of_rows(one, two, paths, *r, out), _ranges(len(leaves), tasks))
    return dict(zip(leaves, (out / paths).tolist(), strict=True))


def _ranges(count: int, tasks: int) -> list[tuple[int, int]]:
    """0 … count cut into *tasks* ranges of nearly equal length."""
    return [(count * i // tasks, count * (i + 1) // tasks) for i in range(tasks) if count]
