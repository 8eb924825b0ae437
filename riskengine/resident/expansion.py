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
from functools import lru_cache

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.instruments.exposures import FIRST_BUMP, SECOND_BUMP
from riskengine.instruments.ladder import no_ladder
from riskengine.kernels.reprice import LegArrays, reprice
from riskengine.kernels.resident import Quadratic
from riskengine.resident.positions import LoweredPosition

INDICES = ("pair_index", "triple_index", "option_index", "payoff_index", "property_index")
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
    legs = LegArrays(**item.legs.arrays(np.zeros(1, dtype=np.int64), 1))
    factor_of = np.array([*range(len(FACTORS)), *(k for k, _ in item.fixings)], dtype=np.int64)
    named = {name: factor_of[getattr(legs, name)[:, 1:]] for name in INDICES}
    touched = np.zeros(len(FACTORS), dtype=bool)
    for rows in named.values():
        touched[rows] = True
    factors = np.flatnonzero(touched)
    place = np.cumsum(touched) - 1
    own = legs._replace(**{name: np.column_stack([np.zeros(len(rows), dtype=np.int64), place[rows]])
                           for name, rows in named.items()})
    m = len(factors)
    bumps, one, two = _bumps(m)
    values = np.empty((1, bumps.shape[1]))
    reprice(own, no_ladder(), bumps, np.empty((0, bumps.shape[1])), (0, bumps.shape[1]), values)
    values = values[0]
    delta = (values[1 : 1 + m] - values[1 + m : 1 + 2 * m]) / (2 * FIRST_BUMP)
    corners = values[1 + 2 * m :].reshape(len(one), 4)
    difference = corners[:, 0] - corners[:, 1] - corners[:, 2] + corners[:, 3]
    gross = abs(legs.constant[0]) + np.abs(corners).max(initial=0.0)
    difference[np.abs(difference) < LEAST_GAMMA * gross] = 0.0
    gamma = np.zeros((m, m))
    gamma[one, two] = gamma[two, one] = difference / (4 * SECOND_BUMP**2)
    return Expansion(float(values[0]), factors, delta, gamma)


@lru_cache(maxsize=64)
def _bumps(m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(m, n) moves: none, each factor up, each down, then the four corners of every pair (one, two) of
    factors."""
    one, two = np.triu_indices(m)
    bumps = np.zeros((m, 1 + 2 * m + 4 * len(one)))
    each, pairs = np.arange(m), 1 + 2 * m + 4 * np.arange(len(one))
    bumps[each, 1 + each], bumps[each, 1 + m + each] = FIRST_BUMP, -FIRST_BUMP
    for corner, (s, t) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        bumps[one, pairs + corner] += s * SECOND_BUMP
        bumps[two, pairs + corner] += t * SECOND_BUMP
    return bumps, one, two


def collect(groups: Sequence[Sequence[Expansion]]) -> tuple[np.ndarray, Quadratic]:
    """Factors in use (R,) ascending, and the groups' coefficients on them.

    groups : for each group its positions' expansions in the order of the portfolio.
    """
    sums = [_sum(members) for members in groups]
    touched = np.zeros(len(FACTORS), dtype=bool)
    for _, factors, delta, gamma in sums:
        touched[factors[(delta != 0) | gamma.any(axis=1)]] = True
    place = np.cumsum(touched) - 1
    rows, diagonal, pairs, cross = [], [], [], []
    for _, factors, delta, gamma in sums:
        half = 0.5 * np.diagonal(gamma)
        kept = np.flatnonzero((delta != 0) | (half != 0))
        one, two = np.nonzero(np.triu(gamma, 1))
        rows.append(place[factors[kept]])
        diagonal.append(np.column_stack([delta[kept], half[kept]]))
        pairs.append(place[factors[np.column_stack([one, two])]])
        cross.append(gamma[one, two])
    return np.flatnonzero(touched), Quadratic(
        np.array([constant for constant, *_ in sums], dtype=np.float32),
        _starts(rows), _joined(rows, np.int64), _joined(diagonal, np.float32),
        _starts(cross), _joined(pairs, np.int64), _joined(cross, np.float32),
    )


def _starts(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.cumsum([0, *(len(part) for part in parts)])


def _joined(parts: Sequence[np.ndarray], real: type) -> np.ndarray:
    return np.concatenate(parts).astype(real)


def _sum(members: Sequence[Expansion]) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Constant, factors (m,) ascending, delta (m,), gamma (m, m): sums in the order of the members (bincount
    adds one after the other)."""
    constant = 0.0
    for item in members:
        constant += item.constant
    factors, place = np.unique(np.concatenate([x.factors for x in members]), return_inverse=True)
    m, count, flat = len(factors), 0, []
    for item in members:
        own = place[count : count + len(item.factors)]
        count += len(own)
        flat.append((own[:, None] * m + own).ravel())
    delta = np.bincount(place, weights=np.concatenate([x.delta for x in members]), minlength=m)
    gamma = np.bincount(np.concatenate(flat), weights=np.concatenate([x.gamma.ravel() for x in members]),
                        minlength=m * m)
    return constant, factors, delta, gamma.reshape(m, m)
