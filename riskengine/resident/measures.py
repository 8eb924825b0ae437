"""The numbers a what-if answers with, and their change: VaR and ES at all levels, expected P&L by asset
class.

Tails of a row depend on that row alone, so that an operation measures again only the rows it has touched: the
total's tail and every leaf's mean at once, the tail of a leaf when somebody asks for it
(:class:`GroupRisks`).
Values are those of ``measures.tail_risk`` to the bit; standard errors and Euler contributions are computed
when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import REPORT_CLASSES
from riskengine.base.errors import ModelError
from riskengine.execution import Executor, Serial
from riskengine.kernels.resident import measure_row, sum_quanta
from riskengine.measures.tail_risk import TailRank, rank_of_level

Label = tuple[str, ...]

ROWS_PER_TASK = 6
"""Rows whose means one task takes: a tenth of a millisecond each."""


@dataclass(frozen=True, slots=True)
class RowRisk:
    """Tail of one P&L row, USD: var, es (L,) losses positive; mean, gain positive."""

    var: tuple[float, ...]
    es: tuple[float, ...]
    mean: float


class GroupRisks(Mapping[Label, RowRisk]):
    """Leaf label → RowRisk of its P&L row; a tail is measured when it is first asked for, the mean is there.

    Measuring twice in two threads gives the same numbers twice, so no lock is needed.
    """

    __slots__ = ("levels", "means", "_rows", "_known")

    def __init__(self, levels: tuple[float, ...], rows: Mapping[Label, np.ndarray],
                 means: Mapping[Label, float]):
        self.levels, self.means = levels, means
        self._rows = rows
        self._known: dict[Label, RowRisk] = {}

    def __getitem__(self, label: Label) -> RowRisk:
        found = self._known.get(label)
        if found is None:
            found = self._known[label] = measure_rows((self._rows[label],), self.levels, Serial())[0]
        return found

    def __iter__(self) -> Iterator[Label]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def same_row(self, label: Label, other: GroupRisks) -> bool:
        """Do both hold the very same P&L of this leaf (nothing to measure, nothing has changed)?"""
        row = self._rows.get(label)
        return row is not None and row is other._rows.get(label)

    def with_rows(self, rows: Mapping[Label, np.ndarray], means: Mapping[Label, float]) -> GroupRisks:
        """Of the leaves *rows*, with *means* for those that are new; what is known of shared rows is kept."""
        made = GroupRisks(self.levels, rows, {x: means[x] if x in means else self.means[x] for x in rows})
        made._known = {x: risk for x, risk in self._known.items() if made.same_row(x, self)}
        return made


@dataclass(frozen=True, slots=True)
class Measures:
    """Risk of the total and of every leaf group, USD.

    levels : L.  total : RowRisk.  groups : by leaf label (desk, book, strategy, asset class, tags).
    expected_pnl : mean P&L, of a scenario its difference to the baseline (METHOD 8), gain positive.
    expected_by_class : the same by asset class, all of REPORT_CLASSES.
    """

    levels: tuple[float, ...]
    total: RowRisk
    groups: GroupRisks
    expected_pnl: float
    expected_by_class: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Change:
    """After − before, USD; var and es by level, + = more risk; groups : leaf → (var (L,), es (L,)), only
    those that changed, a group that came or went counting as zero where it is absent."""

    levels: tuple[float, ...]
    var: tuple[float, ...]
    es: tuple[float, ...]
    expected_pnl: float
    expected_by_class: Mapping[str, float]
    groups: Mapping[Label, tuple[tuple[float, ...], tuple[float, ...]]]


def measure_rows(
    rows: Sequence[np.ndarray], levels: Sequence[float], executor: Executor
) -> tuple[RowRisk, ...]:
    """Tails of P&L rows (P,), float32 or float64; ModelError when one is not finite."""
    if not rows:
        return ()
    ranks = [rank_of_level(rows[0].size, level) for level in levels]
    ks = np.unique(np.array([rank.k for rank in ranks], dtype=np.int64))
    return tuple(executor.map(lambda row: _measure(row, ks, ranks), rows))


def mean_rows(rows: Sequence[np.ndarray], executor: Executor) -> list[float]:
    """Means of P&L rows, to the bit those of :func:`measure_rows`; ModelError when one is not finite."""
    blocks = [rows[i : i + ROWS_PER_TASK] for i in range(0, len(rows), ROWS_PER_TASK)]
    sums = [x for part in executor.map(lambda block: [sum_quanta(row) for row in block], blocks)
            for x in part]
    if not np.all(np.isfinite(sums)):
        raise ModelError("P&L is not finite on some path")
    return [float(x) / row.size for x, row in zip(sums, rows, strict=True)]


def combine(
    levels: tuple[float, ...], total: RowRisk, groups: GroupRisks, reference: Measures | None = None,
) -> Measures:
    """Measures from the rows; *reference*: of the baseline, when these are of a scenario."""
    by_class = dict.fromkeys(REPORT_CLASSES, 0.0)
    for label, mean in groups.means.items():
        by_class[label[3]] += mean - (reference.groups.means[label] if reference else 0.0)
    expected = total.mean - (reference.total.mean if reference else 0.0)
    return Measures(levels, total, groups, expected, by_class)


def compare(before: Measures, after: Measures) -> Change:
    """after − before."""
    none = RowRisk((0.0,) * len(after.levels), (0.0,) * len(after.levels), 0.0)
    groups = {}
    for label in sorted({*before.groups, *after.groups}):
        if not before.groups.same_row(label, after.groups):
            old, new = before.groups.get(label, none), after.groups.get(label, none)
            groups[label] = (_less(new.var, old.var), _less(new.es, old.es))
    return Change(
        after.levels, _less(after.total.var, before.total.var), _less(after.total.es, before.total.es),
        after.expected_pnl - before.expected_pnl,
        {name: value - before.expected_by_class[name] for name, value in after.expected_by_class.items()},
        groups,
    )


def _measure(row: np.ndarray, ks: np.ndarray, ranks: Sequence[TailRank]) -> RowRisk:
    kth, sums = np.empty(ks.size), np.empty(ks.size)
    total = measure_row(row, ks, kth, sums)
    if not np.isfinite(total):
        raise ModelError("P&L is not finite on some path")
    var, es = [], []
    for rank in ranks:
        at = int(np.searchsorted(ks, rank.k))
        quantile = float(kth[at])
        var.append(-quantile)
        es.append(-quantile + max(0.0, (rank.k * quantile - float(sums[at])) / rank.expected))
    return RowRisk(tuple(var), tuple(es), total / row.size)


def _less(new: tuple[float, ...], old: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(new, old, strict=True))
