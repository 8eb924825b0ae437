"""VaR and ES of a total and of all its groups, and what each group adds to the total's ES, for many paths.

The estimators are those of ``tail_risk`` and ``contributions``, to the same bits of rank and quantile::

    VaR = −x_(k),  k = ⌈P p⌉      ES with the fractional atom      C_g = −Σ_p w_p x_gp,  Σ_g C_g = ES

computed from the simulation's rows as they are (float32 or float64), series by series on the executor's
threads.  Standard errors: clustered by parameter draw when draws are given, else those of independent paths.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.kernels.group_tails import (
    Scratch, add_components, measure_kept, measure_series, room_of, scratch_of, weigh_tail,
)
from riskengine.kernels.tail_candidates import TailCandidates
from riskengine.measures.tail_risk import TailRank, clustered_error, inverse_density, rank_of_level


@dataclass(frozen=True, slots=True)
class GroupTails:
    """Tails of G groups and, in the last row, of their total; USD, losses positive.

    levels : L levels.  var, es, se_var, se_es : (G + 1, L).  component_es : (G, L), sums over groups to
    ``es[-1]``.  clustered : are the errors clustered by parameter draw?
    """

    levels: tuple[float, ...]
    var: np.ndarray
    es: np.ndarray
    se_var: np.ndarray
    se_es: np.ndarray
    component_es: np.ndarray
    clustered: bool


def measure_group_tails(
    groups: np.ndarray,
    total: np.ndarray,
    levels: Sequence[float] = (0.95, 0.975, 0.99),
    executor: Any = None,
    draw_of_path: np.ndarray | None = None,
    draws: int | None = None,
) -> GroupTails:
    """Tails of every group and of the total, with standard errors and Euler contributions.

    Parameters
    ----------
    groups : (G, P) float32 or float64, USD, gain positive.  total : (P,) float64, the sum of the groups.
    levels : confidence levels.
    executor : anything with ``map(function, items)`` that shares this process's memory; None computes here.
    draw_of_path, draws : (P,) parameter draw of each path and their number D; None: independent paths.

    Raises
    ------
    InputError : no level, arrays that do not fit together.
    ModelError : NaN anywhere or −inf in the tail, named by group.
    """
    groups, total = _checked(groups, total)
    ranks = _ranks(total.size, levels)
    counts = _counts(total.size, draw_of_path, draws)
    series = _SeriesTask(_Stored(groups, total), ranks, total.size, len(groups), draw_of_path, counts)
    return _measure(series, lambda places, columns: (groups.__getitem__, places[columns]), executor)


def widest_tail(paths: int, levels: Sequence[float]) -> int:
    """How many smallest values of a series VaR, ES and their errors at *levels* need."""
    return max(rank.high for rank in _ranks(paths, levels))


def measure_kept_tails(
    kept: TailCandidates,
    levels: Sequence[float] = (0.95, 0.975, 0.99),
    executor: Any = None,
    draw_of_path: np.ndarray | None = None,
    draws: int | None = None,
) -> GroupTails:
    """measure_group_tails, to the bit, from what ``simulation.horizon_pnl.simulate_tails`` kept.

    Parameters
    ----------
    kept : the widest_tail smallest of every series at least.
    Others as measure_group_tails.

    Raises
    ------
    InputError : too few kept for these levels; else as measure_group_tails.
    """
    ranks = _ranks(kept.paths, levels)
    needed = max(rank.high for rank in ranks)
    if kept.largest < needed:
        raise InputError(Problem("the kept tails are too short for these levels", got=str(kept.largest),
                                 accepted=f"at least {needed}"))
    counts = _counts(kept.paths, draw_of_path, draws)
    groups = len(kept.parts[0].members)
    series = _SeriesTask(_Kept(kept), ranks, kept.paths, groups, draw_of_path, counts)
    return _measure(series, lambda places, columns: (kept.member, columns), executor)


def _ranks(paths: int, levels: Sequence[float]) -> list[TailRank]:
    ranks = [rank_of_level(paths, level) for level in levels]
    if not ranks:
        raise InputError(Problem("at least one VaR level is needed"))
    return ranks


def _counts(paths: int, draw_of_path: np.ndarray | None, draws: int | None) -> np.ndarray | None:
    """Paths of each parameter draw; None: independent paths."""
    if draw_of_path is None:
        return None
    if draws is None or draws < 2 or draw_of_path.shape != (paths,):
        raise InputError(Problem("draw_of_path needs one entry per path and at least two draws",
                                 got=f"{draw_of_path.shape}, {draws} draws"))
    return np.bincount(draw_of_path, minlength=draws)


def _measure(series: _SeriesTask, locate: Callable[[np.ndarray, np.ndarray], tuple[Callable, np.ndarray]],
             executor: Any) -> GroupTails:
    """Every series, then the contributions; *locate* turns the total's kept paths, and which of them are in its
    tail, into rows by group and their columns."""
    run = (lambda task, items: [task(i) for i in items]) if executor is None else executor.map
    # the total first: it is the widest series, and its tail paths carry the contributions
    tails = run(series, [series.groups, *range(series.groups)])
    rows = np.array([row for row, _, _ in tails[1:]] + [tails[0][0]])
    _, values, places = tails[0]
    columns, weights = np.empty(values.size, np.int64), np.empty((len(series.ranks), values.size))
    count = weigh_tail(values, -rows[-1, :, 0], np.array([rank.expected for rank in series.ranks], np.float64),
                       columns, weights)
    components = run(_ComponentTask(*locate(places, columns[:count]), weights[:, :count]), range(series.groups))
    return GroupTails(tuple(rank.level for rank in series.ranks), rows[:, :, 0], rows[:, :, 1], rows[:, :, 2],
                      rows[:, :, 3], np.array(components), series.counts is not None)


class _Source(Protocol):
    """Where the smallest values of a series come from."""

    def find(self, index: int, ks: np.ndarray, wanted: np.ndarray, out: np.ndarray,
             room: Callable[[int], Scratch]) -> tuple[np.ndarray, np.ndarray]:
        """Fill *out* (measure_kept) and return the kept values and places, valid until the next call."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """P&L of all paths: groups (G, P), total (P,)."""

    rows: np.ndarray
    total: np.ndarray

    def find(self, index: int, ks: np.ndarray, wanted: np.ndarray, out: np.ndarray,
             room: Callable[[int], Scratch]) -> tuple[np.ndarray, np.ndarray]:
        x = self.total if index == len(self.rows) else self.rows[index]
        scratch = room(room_of(x.size, int(ks[-1])))
        count = measure_series(x, ks, wanted, out, scratch)
        if count < 0:
            scratch = room(x.size)
            count = measure_series(x, ks, wanted, out, scratch)
        return scratch.values[:count], scratch.places[:count]


@dataclass(frozen=True, slots=True)
class _Kept:
    """Tail candidates only."""

    kept: TailCandidates

    def find(self, index: int, ks: np.ndarray, wanted: np.ndarray, out: np.ndarray,
             room: Callable[[int], Scratch]) -> tuple[np.ndarray, np.ndarray]:
        count = self.kept.count(index)
        scratch = room(count)
        values, places = scratch.values[:count], scratch.places[:count]
        self.kept.gather(index, values, places)
        if np.isfinite(values).all():
            measure_kept(values, places, self.kept.paths, ks, wanted, out, scratch)
        return values, places


@dataclass(frozen=True, slots=True)
class _SeriesTask:
    """VaR, ES and errors (L, 4) of one series; the kept paths only of the total (series *groups*)."""

    source: _Source
    ranks: list[TailRank]
    paths: int
    groups: int
    draw_of_path: np.ndarray | None
    counts: np.ndarray | None
    memory: threading.local = field(default_factory=threading.local)

    def _scratch(self, kept: int) -> Scratch:
        """The calling thread's own, made once."""
        scratch = getattr(self.memory, "scratch", None)
        if scratch is None or scratch.values.size < kept:
            scratch = self.memory.scratch = scratch_of(self.paths, kept)
        return scratch

    def __call__(self, index: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        whole = index == self.groups
        counts = sorted({count for r in self.ranks for count in (r.low, r.k, r.high)})
        summed = {r.k for r in self.ranks}
        ks, wanted = np.array(counts, dtype=np.int64), np.array([count in summed for count in counts])
        out = np.empty((ks.size, 3))
        values, places = self.source.find(index, ks, wanted, out, self._scratch)
        if not np.isfinite(values).all():
            name = "the total" if whole else f"group {index}"
            raise ModelError(f"P&L of {name} is not finite")
        found = dict(zip(ks.tolist(), out, strict=True))
        quantile = {k: float(row[0]) for k, row in found.items()}
        rows = np.array([self._row(rank, quantile, found[rank.k], values, places) for rank in self.ranks])
        return (rows, values.copy(), places.copy()) if whole else (rows, None, None)

    def _row(self, rank: TailRank, quantile: dict[int, float], found: np.ndarray, values: np.ndarray,
             places: np.ndarray) -> tuple[float, float, float, float]:
        value, gaps, squares = found
        paths, p = self.paths, rank.probability
        shortfall = gaps / rank.expected
        sparsity = inverse_density(quantile, rank, paths)
        if self.counts is None:
            variance = max(0.0, squares / (p * p) / paths - shortfall**2)
            errors = sparsity * math.sqrt(p * (1.0 - p) / paths), math.sqrt(variance / paths)
        else:
            inside = values <= value
            draw = self.draw_of_path[places[inside]]
            exceedances = np.bincount(draw, minlength=self.counts.size)
            excess = np.bincount(draw, weights=(value - values[inside]) / p, minlength=self.counts.size)
            errors = (sparsity * clustered_error(exceedances, self.counts),
                      clustered_error(excess, self.counts))
        return -value, -value + shortfall, *errors


@dataclass(frozen=True, slots=True)
class _ComponentTask:
    """Euler contributions (L,) of one group: weights (L, n) on the columns *places* of its P&L row."""

    row: Callable[[int], np.ndarray]
    places: np.ndarray
    weights: np.ndarray

    def __call__(self, group: int) -> np.ndarray:
        out = np.empty(len(self.weights))
        add_components(self.row(group), self.places, self.weights, out)
        return out


def _checked(groups: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    groups, total = np.ascontiguousarray(groups), np.ascontiguousarray(total, dtype=np.float64)
    if groups.ndim != 2 or total.ndim != 1 or groups.shape[1] != total.size or not len(groups):
        raise InputError(Problem("groups must be (G, P) and total (P,)",
                                 got=f"{groups.shape}, {total.shape}"))
    if groups.dtype not in (np.float32, np.float64):
        groups = groups.astype(np.float64)
    return groups, total
