"""Delta-gamma: every position as a quadratic in the moves of the factors it depends on.

    P&L_i(x) ≈ c_i + Σ_k δ_ik x_k + ½ Σ_kl Γ_ikl x_k x_l

expanded around no move at the horizon: c is carry, δ and Γ are central differences of the position's own legs
with the bumps of ``instruments.exposures``.  A fixing before the horizon is taken at the factor's move to the
horizon. A group's coefficients are sums over its positions in the order of the portfolio, so that they depend
on the portfolio alone and not on the way it was reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.instruments.exposures import FIRST_BUMP, SECOND_BUMP
from riskengine.kernels.resident import Quadratic
from riskengine.resident.positions import LoweredPosition, assemble

LEAST_GAMMA = 1e-9
"""A cross gamma is dropped when |Γ_kl| b² is below this share of the position's gross P&L under the bumps b,
where the difference of four values is rounding."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """Coefficients of one position.

    constant : USD.  factors : (m,) int64, ascending.  delta : (m,) USD per unit move.  gamma : (m, m),
    symmetric.
    """

    constant: float
    factors: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray


def expand(item: LoweredPosition) -> Expansion:
    """Central differences of the position's P&L to the horizon."""
    book = assemble([item], np.zeros(1, dtype=np.int64), 1, item.fixings)
    factors = np.array(sorted({*book.used.tolist(), *(k for k, _ in book.fixings)}), dtype=np.int64)
    m = len(factors)
    place = {int(k): j for j, k in enumerate(factors)}
    own = [place[int(k)] for k in book.used]
    fixed = [place[k] for k, _ in book.fixings]
    pairs = [(i, j) for i in range(m) for j in range(i, m)]
    bumps = np.zeros((m, 1 + 2 * m + 4 * len(pairs)))
    for j in range(m):
        bumps[j, 1 + j], bumps[j, 1 + m + j] = FIRST_BUMP, -FIRST_BUMP
    for n, (i, j) in enumerate(pairs):
        for corner, (s, t) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
            column = 1 + 2 * m + 4 * n + corner
            bumps[i, column] += s * SECOND_BUMP
            bumps[j, column] += t * SECOND_BUMP
    values = book.pnl(np.ascontiguousarray(bumps[own]), np.ascontiguousarray(bumps[fixed]))[0]
    delta = (values[1 : 1 + m] - values[1 + m : 1 + 2 * m]) / (2 * FIRST_BUMP)
    corners = values[1 + 2 * m :].reshape(len(pairs), 4)
    difference = corners[:, 0] - corners[:, 1] - corners[:, 2] + corners[:, 3]
    gross = np.abs(book.arrays.constant).sum() + np.abs(corners).max(initial=0.0)
    difference[np.abs(difference) < LEAST_GAMMA * gross] = 0.0
    gamma = np.zeros((m, m))
    for n, (i, j) in enumerate(pairs):
        gamma[i, j] = gamma[j, i] = difference[n] / (4 * SECOND_BUMP**2)
    return Expansion(float(values[0]), factors, delta, gamma)


def collect(groups: Sequence[Sequence[Expansion]]) -> tuple[np.ndarray, Quadratic]:
    """Factors in use (R,) ascending, and the groups' coefficients on them.

    groups : for each group its positions' expansions in the order of the portfolio.
    """
    dense = [_sum(members) for members in groups]
    touched = np.zeros(len(FACTORS), dtype=bool)
    for _, delta, gamma in dense:
        touched |= (delta != 0) | gamma.any(axis=1)
    used = np.flatnonzero(touched).astype(np.int64)
    constant = np.array([c for c, _, _ in dense], dtype=np.float32)
    diagonal_first, cross_first = [0], [0]
    rows: list[int] = []
    diagonal: list[tuple[float, float]] = []
    cross_rows: list[tuple[int, int]] = []
    cross: list[float] = []
    for _, delta, gamma in dense:
        delta, gamma = delta[used], gamma[np.ix_(used, used)]
        for r in np.flatnonzero((delta != 0) | (np.diag(gamma) != 0)):
            rows.append(int(r))
            diagonal.append((delta[r], 0.5 * gamma[r, r]))
        upper = np.triu(gamma, 1)
        for i, j in zip(*np.nonzero(upper), strict=True):
            cross_rows.append((int(i), int(j)))
            cross.append(upper[i, j])
        diagonal_first.append(len(rows))
        cross_first.append(len(cross))
    return used, Quadratic(
        constant, np.array(diagonal_first, dtype=np.int64), np.array(rows, dtype=np.int64),
        np.array(diagonal, dtype=np.float32).reshape(-1, 2), np.array(cross_first, dtype=np.int64),
        np.array(cross_rows, dtype=np.int64).reshape(-1, 2), np.array(cross, dtype=np.float32),
    )


def _sum(members: Sequence[Expansion]) -> tuple[float, np.ndarray, np.ndarray]:
    """Sums in the order of the members (bincount adds one after the other)."""
    count = len(FACTORS)
    constant = 0.0
    for item in members:
        constant += item.constant
    delta = np.bincount(np.concatenate([x.factors for x in members]),
                        weights=np.concatenate([x.delta for x in members]), minlength=count)
    flat = np.concatenate([(x.factors[:, None] * count + x.factors).ravel() for x in members])
    entries = np.concatenate([x.gamma.ravel() for x in members])
    gamma = np.bincount(flat, weights=entries, minlength=count * count)
    return constant, delta, gamma.reshape(count, count)
