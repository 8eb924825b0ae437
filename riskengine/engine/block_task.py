"""One block of paths of a night at size: the noise once, then the collapsed book under the baseline and every scenario.

Paths are taken in the order of their parameter draws (``kernels.collapsed.Paths``) and put back at the end.  The sums
over paths are kept by block, whose size is fixed, so neither threads nor workers can change a bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.sampling import BLOCK_SAMPLE, Chunk, RunSpec
from riskengine.base.units import Horizon
from riskengine.engine.collapse import CollapsedBook, expand, weigh
from riskengine.engine.correction import Residuals
from riskengine.engine.paths import PreparedScenario
from riskengine.factor_model import FactorModel
from riskengine.kernels.collapsed import CollapsedPnl, Paths, Weights, collapse_pnl, map_noise
from riskengine.kernels.curved import value_selected
from riskengine.kernels.draws import fill_words
from riskengine.kernels.products import pack_rows
from riskengine.simulation import draw_of_path, fixing_map, simulate_noise

BLOCK = 4_096
"""Paths of one task (or the draws, when there are more): a multiple of tile and draws."""
SAMPLE_SHARE = 0.01


def blocks_of(spec: RunSpec) -> list[Chunk]:
    """The paths of a run in blocks."""
    size = max(BLOCK, spec.draws)
    return [Chunk(lo, min(lo + size, spec.paths)) for lo in range(0, spec.paths, size)]


@dataclass(frozen=True, slots=True)
class Row:
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
    ) -> Row:
        real, fixings = np.dtype(spec.precision), collapsed.fixings
        empty = np.empty(0, dtype=real)
        end, at_fixings = np.zeros((len(FACTORS), spec.draws)), np.zeros((len(fixings), spec.draws))
        spread, noise_map, carry = collapsed.spread, empty, empty
        if item is not None:
            end = np.ascontiguousarray(item.shocks.path[:, -1, :].T)
            for i, (k, step) in enumerate(fixings):
                at_fixings[i] = item.shocks.path[:, step, k]
            if item.shocks.noise_map is not None:
                matrix = item.shocks.noise_map
                left = matrix @ model.horizon_covariance(horizon.steps) @ matrix.T
                spread = np.sqrt(np.maximum(np.diag(left), 0.0))
                noise_map = pack_rows(matrix, real)
                carry = pack_rows(fixing_map(item.shocks, model, fixings), real)
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
class Work:
    """Blocks of one task, and the thresholds (rows,) of the candidates; None: delta-gamma only (the
    pilot)."""

    blocks: tuple[Chunk, ...]
    thresholds: np.ndarray | None


@dataclass(frozen=True, slots=True)
class BlockTask:
    """Blocks of paths under all rows.  It travels to a worker once; what differs from task to task is
    ``Work``."""

    model: FactorModel
    horizon: Horizon
    spec: RunSpec
    collapsed: CollapsedBook
    rows: tuple[Row, ...]
    margins: np.ndarray

    def __call__(self, work: Work) -> list[list[BlockRow]]:
        """By block, by row."""
        return [self._block(block, work.thresholds) for block in work.blocks]

    def _block(self, block: Chunk, thresholds: np.ndarray | None) -> list[BlockRow]:
        real, n = np.dtype(self.spec.precision), block.hi - block.lo
        noise, fixings = simulate_noise(self.model, self.horizon, self.spec, block, self.collapsed.fixings)
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
            threshold = None if thresholds is None else thresholds[i]
            answers.append(self._row(row, here, sampled, order, threshold))
        return answers

    def _row(
        self, row: Row, paths: Paths, sampled: np.ndarray, order: np.ndarray, threshold: float | None
    ) -> BlockRow:
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
        if threshold is not None and self.collapsed.approximated:
            chosen = np.flatnonzero((total <= threshold) | sampled)
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
        candidate = total[chosen] <= threshold if threshold is not None else chosen == 0
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
