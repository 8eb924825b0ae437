"""VaR and ES of a total and of all its groups, and what each group adds to the total's ES, for many paths.

The estimators are those of ``tail_risk`` and ``contributions``, to the same bits of rank and quantile::

    VaR = −x_(k),  k = ⌈P p⌉      ES with the fractional atom      C_g = −Σ_p w_p x_gp,  Σ_g C_g = ES

computed from the simulation's rows as they are (float32 or float64), series by series on the executor's
threads.  Standard errors: clustered by parameter draw when draws are given, else those of independent paths.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from riskengine.base.errors import InputError, ModelError, Problem
from riskengine.kernels.group_tails import Scratch, add_components, measure_series, room_of, scratch_of
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
    ranks = [rank_of_level(total.size, level) for level in levels]
    if not ranks:
        raise InputError(Problem("at least one VaR level is needed"))
    counts = None
    if draw_of_path is not None:
        if draws is None or draws < 2 or draw_of_path.shape != total.shape:
            raise InputError(Problem("draw_of_path needs one entry per path and at least two draws",
                                     got=f"{draw_of_path.shape}, {draws} draws"))
        counts = np.bincount(draw_of_path, minlength=draws)
    series = _SeriesTask(groups, total, ranks, draw_of_path, counts)
    run = (lambda task, items: [task(i) for i in items]) if executor is None else executor.map
    # the total first: it is the widest series, and its tail paths carry the contributions
    tails = run(series, [len(groups), *range(len(groups))])
    whole = tails[0]
    rows = np.array([row for row, _, _ in tails[1:]] + [whole[0]])
    share = _ComponentTask.build(groups, whole[1], whole[2], ranks, rows[-1, :, 0])
    components = run(share, range(len(groups)))
    return GroupTails(tuple(rank.level for rank in ranks), rows[:, :, 0], rows[:, :, 1], rows[:, :, 2],
                      rows[:, :, 3], np.array(components), counts is not None)


@dataclass(frozen=True, slots=True)
class _SeriesTask:
    """VaR, ES and errors (L, 4) of one series; the kept paths only of the total."""

    groups: np.ndarray
    total: np.ndarray
    ranks: list[TailRank]
    draw_of_path: np.ndarray | None
    counts: np.ndarray | None
    memory: threading.local = field(default_factory=threading.local)

    def _scratch(self, kept: int) -> Scratch:
        """The calling thread's own, made once."""
        scratch = getattr(self.memory, "scratch", None)
        if scratch is None or scratch.values.size < kept:
            scratch = self.memory.scratch = scratch_of(self.total.size, kept)
        return scratch

    def __call__(self, index: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        whole = index == len(self.groups)
        x = self.total if whole else self.groups[index]
        ks = np.unique(np.array([(r.low, r.k, r.high) for r in self.ranks], dtype=np.int64))
        wanted = np.isin(ks, [r.k for r in self.ranks])
        out = np.empty((ks.size, 3))
        scratch = self._scratch(room_of(x.size, int(ks[-1])))
        count = measure_series(x, ks, wanted, out, scratch)
        if count < 0:
            scratch = self._scratch(x.size)
            count = measure_series(x, ks, wanted, out, scratch)
        values, places = scratch.values[:count], scratch.places[:count]
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
        paths, p = self.total.size, rank.probability
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
    """Euler contributions (L,) of one group."""

    groups: np.ndarray
    places: np.ndarray
    weights: np.ndarray

    @classmethod
    def build(cls, groups: np.ndarray, values: np.ndarray, places: np.ndarray, ranks: Sequence[TailRank],
              var: np.ndarray) -> _ComponentTask:
        """Paths below the quantile weigh 1/(P p), those equal to it share what is left of the tail."""
        widest = values <= -var.min()
        values = values[widest]
        weights = np.zeros((len(ranks), values.size))
        for weight, rank, quantile in zip(weights, ranks, -var, strict=True):
            below, tied = values < quantile, values == quantile
            weight[below] = 1.0 / rank.expected
            ties = int(tied.sum())
            weight[tied] = (rank.expected - int(below.sum())) / (ties * rank.expected)
        return cls(groups, places[widest], weights)

    def __call__(self, group: int) -> np.ndarray:
        out = np.empty(len(self.weights))
        add_components(self.groups[group], self.places, self.weights, out)
        return out


def _checked(groups: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    groups, total = np.ascontiguousarray(groups), np.ascontiguousarray(total, dtype=np.float64)
    if groups.ndim != 2 or total.ndim != 1 or groups.shape[1] != total.size or not len(groups):
        raise InputError(Problem("groups must be (G, P) and total (P,)",
                                 got=f"{groups.shape}, {total.shape}"))
    if groups.dtype not in (np.float32, np.float64):
        groups = groups.astype(np.float64)
    return groups, total
