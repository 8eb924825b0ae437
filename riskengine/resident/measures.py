"""The numbers a what-if answers with, and their change: VaR and ES at all levels, expected P&L by asset
class.

Tails of a row depend on that row alone, so that an operation measures again only the rows it has touched.
Values are those of ``measures.tail_risk`` to the bit; standard errors and Euler contributions are computed
when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import REPORT_CLASSES
from riskengine.base.errors import ModelError
from riskengine.execution import Executor
from riskengine.kernels.resident import measure_row
from riskengine.measures.tail_risk import TailRank, rank_of_level

Label = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowRisk:
    """Tail of one P&L row, USD: var, es (L,) losses positive; mean, gain positive."""

    var: tuple[float, ...]
    es: tuple[float, ...]
    mean: float


@dataclass(frozen=True, slots=True)
class Measures:
    """Risk of the total and of every leaf group, USD.

    levels : L.  total, groups : RowRisk; groups by leaf label (desk, book, strategy, asset class, tags).
    expected_pnl : mean P&L, of a scenario its difference to the baseline (METHOD 8), gain positive.
    expected_by_class : the same by asset class, all of REPORT_CLASSES.
    """

    levels: tuple[float, ...]
    total: RowRisk
    groups: Mapping[Label, RowRisk]
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


def combine(
    levels: tuple[float, ...], total: RowRisk, groups: Mapping[Label, RowRisk],
    reference: Measures | None = None,
) -> Measures:
    """Measures from the rows; *reference*: of the baseline, when these are of a scenario."""
    by_class = dict.fromkeys(REPORT_CLASSES, 0.0)
    for label, risk in groups.items():
        by_class[label[3]] += risk.mean - (reference.groups[label].mean if reference else 0.0)
    expected = total.mean - (reference.total.mean if reference else 0.0)
    return Measures(levels, total, groups, expected, by_class)


def compare(before: Measures, after: Measures) -> Change:
    """after − before."""
    none = RowRisk((0.0,) * len(after.levels), (0.0,) * len(after.levels), 0.0)
    groups = {}
    for label in sorted({*before.groups, *after.groups}):
        old, new = before.groups.get(label, none), after.groups.get(label, none)
        if old is not new:
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
