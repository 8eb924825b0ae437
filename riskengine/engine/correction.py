"""What full revaluation of some paths says about all: corrected totals, and the error of VaR and ES that remains.

Paths C (candidates, the worst by the approximate total A) and R (a random share π of all) are revalued: T is known
there.  Each other path takes the error T − A of the path of R outside C nearest to it in A (nearest-neighbour imputation; Chen
and Shao 2000, Journal of Official Statistics 16): the distribution of the corrected totals is that of T up to sampling.

    missed = Σ_{R \\ C} (w − 1) 1{T ≤ −VaR},   w = #(not C) / #(R \\ C),   se² = Σ_{R \\ C} w (w − 1) 1{T ≤ −VaR}

are the tail paths no candidate; when the sample shows none, fewer than 3/#(R \\ C) of the paths outside C belong there
with 95% confidence (the rule of three; Hanley and Lippman-Hand 1983, JAMA 249).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.kernels.collapsed import Features
from riskengine.measures.tail_risk import inverse_density, order_statistics, rank_of_level

RULE_OF_THREE = 3.0


@dataclass(frozen=True, slots=True)
class CorrectionError:
    """What sampling adds to the error of VaR and ES at one level; all zero when every instrument was revalued.

    missed : estimated tail paths outside the candidates (part of the corrected VaR and ES).  bound : 95% upper bound of
    them.  se_var, se_es : USD, standard error of the correction.  bound_var, bound_es : USD, what *bound* more
    paths in the tail, as deep as the average tail path, would add.  sampled : paths of R outside C.
    largest_error : USD, largest |T − A| among them.  mean_correction, se_mean : USD, of the mean P&L.
    """

    level: float
    missed: float
    bound: float
    se_var: float
    se_es: float
    bound_var: float
    bound_es: float
    sampled: int
    largest_error: float
    mean_correction: float
    se_mean: float


@dataclass(frozen=True, slots=True)
class Residuals:
    """Paths revalued in full: places (n,), is each a candidate, is it in the random sample, and T − A (n,).

    by_margin (M, r) : the error by margin of the sampled paths outside the candidates.
    full_sums (2, G), feature_sums (2, L + X), counts (2,) : of the candidates and of the sampled others.
    paths : paths of the block or run.
    """

    places: np.ndarray
    candidate: np.ndarray
    sampled: np.ndarray
    error: np.ndarray
    by_margin: np.ndarray
    full_sums: np.ndarray
    feature_sums: np.ndarray
    counts: np.ndarray
    paths: int

    @classmethod
    def of_block(
        cls, places: np.ndarray, candidate: np.ndarray, sampled: np.ndarray, error: np.ndarray,
        by_margin: np.ndarray, full: np.ndarray, offset: np.ndarray, features: Features, paths: int,
    ) -> Residuals:
        """From one block: full (G, n) values by leaf group; offset (K, n) moves less the centre, held in limits."""
        offset = offset.astype(np.float64)
        one, two = features.pairs.T
        quadratic = np.concatenate([offset[features.factors], offset[one] * offset[two]])
        parts = (candidate, ~candidate)
        return cls(
            places.astype(np.int32), candidate, sampled, error.astype(np.float64), by_margin[:, ~candidate],
            np.array([full[:, part].sum(axis=1, dtype=np.float64) for part in parts]),
            np.array([quadratic[:, part].sum(axis=1) for part in parts]),
            np.array([part.sum() for part in parts], dtype=np.float64), paths,
        )

    def mean_by_group(self, base: np.ndarray, quadratic: np.ndarray, paths: int) -> np.ndarray:
        """(G,) mean over all paths of full value less quadratic, candidates counted once, the others by weight."""
        inside, outside = (
            self.full_sums[i] - self.counts[i] * base - quadratic @ self.feature_sums[i] for i in range(2)
        )
        weight = (self.paths - self.counts[0]) / self.counts[1] if self.counts[1] else 0.0
        return (inside + weight * outside) / paths


def join_blocks(blocks: Sequence[Residuals]) -> Residuals:
    """The residuals of a whole run from those of its blocks, in their order."""
    start = np.cumsum([0, *(b.paths for b in blocks)])
    zero = blocks[0]
    full, features, counts = np.zeros_like(zero.full_sums), np.zeros_like(zero.feature_sums), np.zeros(2)
    for b in blocks:
        full += b.full_sums
        features += b.feature_sums
        counts += b.counts
    return Residuals(
        np.concatenate([b.places + s for b, s in zip(blocks, start[:-1], strict=True)]),
        np.concatenate([b.candidate for b in blocks]), np.concatenate([b.sampled for b in blocks]),
        np.concatenate([b.error for b in blocks]), np.concatenate([b.by_margin for b in blocks], axis=1),
        full, features, counts, int(start[-1]),
    )


def correct_row(
    total: np.ndarray, groups: np.ndarray | None, residuals: Residuals, threshold: float, levels: Sequence[float]
) -> tuple[CorrectionError, ...]:
    """Correct the totals (P,) and groups (M, P) of one row in place; the error left, by level.

    total : T on the paths revalued, A elsewhere.
    """
    places, outside = residuals.places, ~residuals.candidate
    donors = places[outside]
    error = residuals.error[outside]
    if len(places) and not len(donors):
        # too few paths for a sample of 1%: every path must then be a candidate or stay as it is, and that is said
        return tuple(_errors(total, level, np.zeros(0), np.zeros(0), total.size - len(places)) for level in levels)
    if not len(places):
        return tuple(_errors(total, level, np.zeros(0), np.zeros(0), 0) for level in levels)
    at = total[donors].astype(np.float64)
    order = np.argsort(at - error, kind="stable")
    approximate = (at - error)[order]
    edges = 0.5 * (approximate[1:] + approximate[:-1])
    open_ = np.ones(total.size, dtype=bool)
    open_[places] = False
    rest = np.flatnonzero(open_)
    nearest = order[np.searchsorted(edges, total[rest])]
    total[rest] += error[nearest].astype(total.dtype)
    if groups is not None:
        for m in range(len(groups)):
            groups[m, rest] += residuals.by_margin[m, nearest]
    return tuple(_errors(total, level, at, error, total.size - int(residuals.candidate.sum())) for level in levels)


def _errors(total: np.ndarray, level: float, at: np.ndarray, error: np.ndarray, outside: int) -> CorrectionError:
    """at (r,) T and error (r,) T − A of the sampled paths outside the candidates; outside : paths no candidates."""
    if not outside:
        return CorrectionError(level, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, 0.0)
    paths = total.size
    rank = rank_of_level(paths, level)
    value, sums = order_statistics(total.astype(np.float64), [rank])
    quantile, density = value[rank.k], inverse_density(value, rank, paths)
    depth = quantile - sums[rank.k] / rank.k
    if not len(at):
        return CorrectionError(level, 0.0, outside, 0.0, 0.0, density * outside / paths, np.inf, 0, np.inf, 0.0, np.inf)
    weight = outside / len(at)
    gap = np.maximum(quantile - at, 0.0)
    seen = int((at <= quantile).sum())
    bound = RULE_OF_THREE * weight if not seen else weight * (seen + 2.0 * np.sqrt(seen) + RULE_OF_THREE)
    spread = np.sqrt(weight * max(weight - 1.0, 0.0))
    return CorrectionError(
        level=level, missed=max(weight - 1.0, 0.0) * seen, bound=bound,
        se_var=float(density * spread * np.sqrt(seen) / paths),
        se_es=float(spread * np.sqrt((gap**2).sum()) / rank.expected),
        bound_var=float(density * bound / paths), bound_es=float(bound * depth / rank.expected),
        sampled=len(at), largest_error=float(np.abs(error).max()),
        mean_correction=float(weight * error.sum() / paths),
        se_mean=float(error.std(ddof=1) * weight * np.sqrt(len(at)) / paths) if len(at) > 1 else np.inf,
    )
