"""P&L by path of a held state, one float32 row per leaf group, and which rows an operation touches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.base.sampling import RunSpec
from riskengine.execution import Executor
from riskengine.instruments.book import GROUP_DIMENSIONS
from riskengine.kernels.resident import EXACT_BELOW
from riskengine.measures.contributions import component_es, tail_paths
from riskengine.measures.tail_risk import measure_tail
from riskengine.resident.cache import (
    NO_ROWS, DrawCache, Response, RowBlock, Sum, addresses, revalue_by_expansion, revalue_full, total_of,
)
from riskengine.resident.expansion import Expansion, collect, expand
from riskengine.resident.measures import GroupRisks, Label, Measures, combine
from riskengine.resident.positions import Fixing, LoweredPosition, assemble, fixing_order
from riskengine.result import Tail


@dataclass(frozen=True, slots=True)
class PnlRows:
    """P&L by leaf group and in total.

    labels : G leaves, sorted.  rows : G float32 vectors (P,), read-only.  total : (P,) float64, their sum in
    order.  where : (G,) uint64, addresses of the rows for the kernels; looked up when not given.
    peak : USD, no |P&L| of a row is larger; infinite where it was not looked at.
    """

    labels: tuple[Label, ...]
    rows: tuple[np.ndarray, ...]
    total: np.ndarray
    measures: Measures
    where: np.ndarray = field(default=None)  # type: ignore[assignment]
    peak: float = math.inf

    def __post_init__(self) -> None:
        if self.where is None:
            object.__setattr__(self, "where", addresses(self.rows))

    def risk_by(
        self, dimension: str, tags: Sequence[str], draw: np.ndarray, spec: RunSpec
    ) -> dict[str, Tail]:
        """Tail of every name in one dimension of the leaf labels."""
        dimensions = (*GROUP_DIMENSIONS, *tags)
        if dimension not in dimensions:
            raise InputError(Problem("unknown grouping", got=dimension, accepted=", ".join(dimensions)))
        column = dimensions.index(dimension)
        tails = {}
        for name in sorted({label[column] for label in self.labels}):
            values = np.zeros(self.total.size)
            for label, row in zip(self.labels, self.rows, strict=True):
                if label[column] == name:
                    values += row
            tails[name] = measure_tail(values, draw, spec.draws, spec.levels)
        return tails

    def components(self, level: float) -> dict[Label, float]:
        """Euler contributions to the total's expected shortfall, USD."""
        tail = tail_paths(self.total, level)
        parts = component_es(np.stack([row[tail.indices] for row in self.rows]).astype(np.float64), tail)
        return {label: float(x) for label, x in zip(self.labels, parts, strict=True)}


@dataclass(frozen=True, slots=True)
class Valuer:
    """How rows are computed: mode, levels and executor; keeps the expansion of every position it has met."""

    mode: str
    spec: RunSpec
    executor: Executor
    expansions: dict[int, tuple[LoweredPosition, Expansion]] = field(default_factory=dict)
    collected: dict[str, tuple] = field(default_factory=dict)
    """The coefficients of the last whole portfolio and of the last part of one, and the last compiled book."""

    def value_all(
        self, lowered: Sequence[LoweredPosition], cache: DrawCache, response: Response | None,
        reference: Measures | None,
    ) -> PnlRows:
        """All rows again; *reference*: measures of the baseline when these are of a scenario."""
        labels = leaf_labels(lowered)
        into = Sum(np.empty(cache.paths))
        block = self._value(labels, lowered, cache, response, into, None)
        return self._measured(labels, block, into.total, GroupRisks(self.spec.levels, {}, {}, self.executor),
                              reference)

    def value_some(
        self, before: PnlRows, touched: set[Label], lowered: Sequence[LoweredPosition], cache: DrawCache,
        response: Response | None, reference: Measures | None,
    ) -> PnlRows:
        """*before* with the *touched* leaves revalued for the positions *lowered*; the other rows are
        shared."""
        labels = leaf_labels(lowered)
        fresh = tuple(label for label in labels if label in touched)
        members = [x for x in lowered if x.label in touched]
        place = {label: n for n, label in enumerate((*before.labels, *fresh))}  # the fresh one where both are
        at = [place[label] for label in labels]

        def around(where: np.ndarray) -> np.ndarray:
            return np.concatenate([before.where, where])[at]

        if self.mode == "full":
            into = Sum(np.empty(cache.paths), around)
        else:
            gone = [n for n, label in enumerate(before.labels) if label in touched]
            into = Sum(np.empty(cache.paths), None, before.total, before.where[gone])
        new = self._value(fresh, members, cache, response, into, fixing_order(lowered)) if fresh else NO_ROWS
        block = RowBlock(tuple(map((*before.rows, *new.rows).__getitem__, at)), around(new.where),
                         max(before.peak, new.peak))
        known = self.mode == "full" or block.peak * (len(before.labels) + len(fresh)) < EXACT_BELOW
        total = into.total if fresh and known else total_of(block.where, cache.paths, self.executor)
        return self._measured(labels, block, total, before.measures.groups, reference)

    def _value(
        self, labels: tuple[Label, ...], lowered: Sequence[LoweredPosition], cache: DrawCache,
        response: Response | None, into: Sum, order: tuple[Fixing, ...] | None,
    ) -> RowBlock:
        """Rows of *labels*.  order : fixings of the whole portfolio when *lowered* is a part of it."""
        if self.mode == "delta_gamma":
            return self._expand_rows(labels, lowered, cache, response, into)
        return self._full_rows(labels, lowered, cache, response, into, order)

    def _measured(
        self, labels: tuple[Label, ...], block: RowBlock, total: np.ndarray, known: GroupRisks,
        reference: Measures | None,
    ) -> PnlRows:
        groups = known.with_rows(dict(zip(labels, block.rows, strict=True)), block.where)
        return PnlRows(labels, block.rows, total, combine(self.spec.levels, total, groups, reference),
                       block.where, block.peak)

    def _full_rows(self, labels, lowered, cache, response, into, order) -> RowBlock:
        part = "full" if order is None else "some"
        known = self.collected.get(part)
        if known is None or known[1:3] != (labels, order) or not _same(known[0], lowered):
            place = {label: g for g, label in enumerate(labels)}
            group_of = np.array([place[x.label] for x in lowered], dtype=np.int64)
            book = assemble(lowered, group_of, len(labels), fixing_order(lowered) if order is None else order)
            known = self.collected[part] = (lowered, labels, order, book)
        return revalue_full(known[3], cache, response, self.executor, into)

    def _expand_rows(self, labels, lowered, cache, response, into) -> RowBlock:
        known = self.collected.get("last")
        if known is None or known[0] is not lowered or known[1] != labels:
            groups: dict[Label, list[Expansion]] = {label: [] for label in labels}
            for item in lowered:
                groups[item.label].append(self.expand(item))
            known = (lowered, labels, *collect([groups[label] for label in labels]))
            if len(into.base) == 0:
                self.collected["last"] = known
        return revalue_by_expansion(known[2], known[3], cache, response, self.executor, into)

    def expand(self, item: LoweredPosition) -> Expansion:
        """Expansion of a position, computed once."""
        found = self.expansions.get(id(item))
        if found is None:
            found = self.expansions[id(item)] = (item, expand(item))
        return found[1]


def _same(one: Sequence[LoweredPosition], other: Sequence[LoweredPosition]) -> bool:
    """Are these the very same positions?"""
    return one is other or len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def leaf_labels(lowered: Sequence[LoweredPosition]) -> tuple[Label, ...]:
    """Leaves in the order of Book.group_labels."""
    return tuple(sorted({x.label for x in lowered}))


def changed_labels(
    before: Sequence[LoweredPosition], after: Sequence[LoweredPosition], exact: bool
) -> set[Label]:
    """Leaves whose P&L may change between two portfolios.

    *exact*: also those whose fixings the whole book would sort in another order (the last bit may differ).
    """
    old, new = {id(x) for x in before}, {id(x) for x in after}
    touched = {x.label for x in before if id(x) not in new} | {x.label for x in after if id(x) not in old}
    if exact:
        was, now = _fixings_by_leaf(before), _fixings_by_leaf(after)
        touched |= {label for label in now if now[label] != was.get(label)}
    return touched


def _fixings_by_leaf(lowered: Sequence[LoweredPosition]) -> dict[Label, tuple]:
    """Fixings of each leaf in the order in which the portfolio counts them."""
    place = {f: n for n, f in enumerate(fixing_order(lowered))}
    found: dict[Label, set] = {}
    for item in lowered:
        found.setdefault(item.label, set()).update(item.fixings)
    return {label: tuple(sorted(fixings, key=place.__getitem__)) for label, fixings in found.items()}
