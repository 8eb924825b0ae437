"""The numbers a what-if answers with, and their change: VaR and ES at all levels, expected P&L by asset
class.

Tails of a row depend on that row alone, so that an operation measures again only the rows it has touched, and
each number only when somebody asks for it.
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
from riskengine.kernels.quanta import sum_rows
from riskengine.kernels.resident import measure_row
from riskengine.measures.tail_risk import TailRank, rank_of_level
from riskengine.resident.cache import addresses

Label = tuple[str, ...]

ROWS_PER_TASK = 9
"""Rows whose means one task takes: a twentieth of a millisecond each."""


@dataclass(frozen=True, slots=True)
class RowRisk:
    """Tail of one P&L row, USD: var, es (L,) losses positive; mean, gain positive."""

    var: tuple[float, ...]
    es: tuple[float, ...]
    mean: float


class GroupRisks(Mapping[Label, RowRisk]):
    """Leaf label → RowRisk of its P&L row; means and tails are measured when they are first asked for.

    Measuring twice in two threads gives the same numbers twice, so no lock is needed.
    """

    __slots__ = ("levels", "_rows", "_where", "_means", "_known", "_executor")

    def __init__(self, levels: tuple[float, ...], rows: Mapping[Label, np.ndarray],
                 means: Mapping[Label, float] | None = None, executor: Executor | None = None,
                 where: np.ndarray | None = None):
        self.levels = levels
        self._rows, self._means = rows, dict(means or {})
        self._where = addresses(list(rows.values())) if where is None else where
        self._known: dict[Label, RowRisk] = {}
        self._executor = executor or Serial()

    def __getitem__(self, label: Label) -> RowRisk:
        found = self._known.get(label)
        if found is None:
            found = self._known[label] = measure_rows((self._rows[label],), self.levels, Serial())[0]
        return found

    def __iter__(self) -> Iterator[Label]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def means(self) -> Mapping[Label, float]:
        """Mean of every row, USD; ModelError when one is not finite."""
        missing = [n for n, label in enumerate(self._rows) if label not in self._means]
        if missing:
            labels = list(self._rows)
            found = mean_rows(self._where[missing], self._rows[labels[0]].size, self._executor)
            self._means = {**self._means, **dict(zip([labels[n] for n in missing], found, strict=True))}
        return self._means

    def same_row(self, label: Label, other: GroupRisks) -> bool:
        """Do both hold the very same P&L of this leaf (nothing to measure, nothing has changed)?"""
        row = self._rows.get(label)
        return row is not None and row is other._rows.get(label)

    def with_rows(self, rows: Mapping[Label, np.ndarray], where: np.ndarray) -> GroupRisks:
        """Of the leaves *rows* at the addresses *where*; what is known of shared rows is kept."""
        made = GroupRisks(self.levels, rows, None, self._executor, where)
        shared = [label for label in rows if made.same_row(label, self)]
        made._means = {x: self._means[x] for x in shared if x in self._means}
        made._known = {x: self._known[x] for x in shared if x in self._known}
        return made


class Measures:
    """Risk of the total and of every leaf group, USD; each number is measured when it is first asked for.

    levels : L.  groups : by leaf label (desk, book, strategy, asset class, tags).
    """

    __slots__ = ("levels", "groups", "_total", "_reference", "_by_class")

    def __init__(self, levels: tuple[float, ...], total: RowRisk | np.ndarray, groups: GroupRisks,
                 reference: Measures | None):
        self.levels, self.groups = levels, groups
        self._total, self._reference = total, reference
        self._by_class: Mapping[str, float] | None = None

    @property
    def total(self) -> RowRisk:
        """Of the whole book; ModelError when its P&L is not finite on some path."""
        if not isinstance(self._total, RowRisk):
            self._total, = measure_rows((self._total,), self.levels, Serial())
        return self._total

    @property
    def expected_pnl(self) -> float:
        """Mean P&L, of a scenario its difference to the baseline (METHOD 8), gain positive."""
        return self.total.mean - (self._reference.total.mean if self._reference else 0.0)

    @property
    def expected_by_class(self) -> Mapping[str, float]:
        """The same by asset class, all of REPORT_CLASSES."""
        if self._by_class is None:
            by_class = dict.fromkeys(REPORT_CLASSES, 0.0)
            known = self._reference.groups.means if self._reference else None
            means = self.groups.means
            for label in self.groups:
                by_class[label[3]] += means[label] - (known[label] if known else 0.0)
            self._by_class = by_class
        return self._by_class


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


def mean_rows(where: np.ndarray, paths: int, executor: Executor) -> list[float]:
    """Means of float32 P&L rows (P,) at the addresses *where*, to the bit those of :func:`measure_rows`;
    ModelError when one is not finite."""
    sums, count = np.empty(len(where)), len(where)
    blocks = [(lo, min(lo + ROWS_PER_TASK, count)) for lo in range(0, count, ROWS_PER_TASK)]
    executor.map(lambda block: sum_rows(where, paths, *block, sums), blocks)
    if not np.isfinite(sums).all():
        raise ModelError("P&L is not finite on some path")
    return (sums / paths).tolist()


def combine(
    levels: tuple[float, ...], total: RowRisk | np.ndarray, groups: GroupRisks,
    reference: Measures | None = None,
) -> Measures:
    """Measures from the rows; *total*: its P&L (P,), or what is known of it.  *reference*: of the baseline,
    when these are of a scenario."""
    return Measures(levels, total, groups, reference)


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
    total = measure_row(row, ks, np.arange(ks.size), kth, sums)
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
