"""How far out is a scenario? The Mahalanobis distance of its core move at the horizon, with its probability.

    m² = r' Σ⁻¹ r,     P(χ²_n ≥ m²)      r: move of n stated factors,  Σ: their baseline covariance

(Breuer, Jandacka, Rheinberger and Summer 2009, Int. J. Central Banking.)  The degrees of freedom match the
number of factors: adding irrelevant factors changes m² and n together.  For a multivariate t with ν degrees
of freedom and covariance Σ, m² ν/((ν − 2) n) is F(n, ν) distributed.

Policy on conditioning.  The distance uses exactly the factors it is given: near-dependent factors (two key
rates that always moved together) would turn an invisible wiggle into an impossible scenario, and a
pseudo-inverse would call a move along a direction without variance free.  So neither happens: a correlation
matrix whose condition number exceeds ``max_condition`` is refused with the factors to blame, and
:func:`independent_subset` names a subset that passes, by Cholesky with pivoting; the result states which
factors were used.

A partial scenario leaves the other factors at their conditional mean Σ_uc Σ_cc⁻¹ r_c, which is the most
plausible completion: the distance of the completed move over all factors equals that of the part that was
specified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, fdtrc

from riskengine.base.axes import Axis
from riskengine.base.errors import InputError, ModelError, Problem

MAX_CONDITION = 1e4
"""Condition number of the correlation matrix up to which a distance is reported: at 10⁴ a direction with 1%
of the average standard deviation counts, which daily yields estimated on thousands of days still resolve."""


@dataclass(frozen=True, slots=True)
class Plausibility:
    """Mahalanobis distance of a move.

    distance : m, in standard deviations.  dimension : n.  probability : of a move at least as far out.
    factors : the n factors used.  condition : condition number of their correlation matrix.
    """

    distance: float
    dimension: int
    probability: float
    factors: tuple[str, ...]
    condition: float


def mahalanobis(
    move: np.ndarray,
    covariance: np.ndarray,
    labels: Sequence[str],
    subset: Sequence[str] | None = None,
    dof: float | None = None,
    max_condition: float = MAX_CONDITION,
) -> Plausibility:
    """Distance and probability of *move* against the baseline covariance at the same horizon.

    Parameters
    ----------
    move : (n,) moves in each factor's own unit, difference to the baseline.
    covariance : (n, n) of the accumulated baseline moves (``FactorModel.horizon_covariance``).
    labels : n factor labels.  subset : labels to use, chosen by the caller (all when None).
    dof : ν of a multivariate t; None for the normal.  Moves summed over many steps are nearly normal, so ν of
        one step understates the distance over a policy horizon.

    Raises
    ------
    ModelError : ill-conditioned or not positive definite, a move not finite, arrays that do not fit.
    InputError : a label of *subset* that is not among *labels*.
    """
    move, covariance, axis = _checked(move, covariance, labels)
    pick = list(range(len(axis))) if subset is None else axis.indices(subset)
    if len(set(pick)) != len(pick) or not pick:
        raise InputError(Problem("the factors of a distance must be given once each, at least one",
                                 got=", ".join(subset or ())))
    names = tuple(axis.labels[i] for i in pick)
    scale = np.sqrt(np.diag(covariance)[pick])
    if not (scale > 0).all():
        still = [n for n, s in zip(names, scale, strict=True) if not s > 0]
        raise ModelError(f"no variance, hence no distance, along {', '.join(still)}: leave them out")
    correlation = covariance[np.ix_(pick, pick)] / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(correlation)
    condition = float(values[-1] / values[0]) if values[0] > 0 else np.inf
    if condition > max_condition:
        blame = [names[i] for i in np.argsort(-np.abs(vectors[:, 0]))[:4]]
        raise ModelError(
            f"the correlation of {len(names)} factors has condition number {condition:.2g} "
            f"(at most {max_condition:g}); nearly dependent: {', '.join(blame)}. "
            "Use independent_subset or choose fewer factors"
        )
    score = vectors.T @ (move[pick] / scale)
    squared = float((score**2 / values).sum())
    n = len(names)
    if dof is None:
        probability = float(chdtrc(n, squared))
    elif dof > 2:
        probability = float(fdtrc(n, dof, squared * dof / ((dof - 2.0) * n)))
    else:
        raise ModelError(f"a covariance exists only for more than two degrees of freedom, got {dof}")
    return Plausibility(float(np.sqrt(squared)), n, probability, names, condition)


def independent_subset(
    covariance: np.ndarray,
    labels: Sequence[str],
    first: Sequence[str] = (),
    max_condition: float = MAX_CONDITION,
) -> tuple[str, ...]:
    """Factors that are not nearly dependent on one another, in the order of *labels*.

    Cholesky with pivoting of the correlation matrix: factors of *first* are offered first, in their order,
    then the one with the largest conditional variance given those taken; a factor is taken when the condition
    number of the set stays within *max_condition*.  Factors without variance are never taken.
    """
    covariance = np.asarray(covariance, dtype=np.float64)
    _, covariance, axis = _checked(np.zeros(covariance.shape[0]), covariance, labels)
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    moving = scale > 0
    safe = np.where(moving, scale, 1.0)
    correlation = covariance / np.outer(safe, safe)
    queue = axis.indices(first)
    left = [i for i in range(len(axis)) if i not in set(queue)]
    taken: list[int] = []
    while queue or left:
        if queue:
            candidate = queue.pop(0)
        else:
            conditional = _conditional_variance(correlation, taken, left)
            candidate = left.pop(int(np.argmax(conditional)))
        if moving[candidate]:
            values = np.linalg.eigvalsh(correlation[np.ix_(taken + [candidate], taken + [candidate])])
            if values[0] > 0 and values[-1] <= max_condition * values[0]:
                taken.append(candidate)
    return tuple(axis.labels[i] for i in sorted(taken))


def complete_partial_scenario(
    specified: Mapping[str, float], covariance: np.ndarray, labels: Sequence[str]
) -> np.ndarray:
    """Full move (n,): the specified factors as given, all others at their conditional mean.

    Raises
    ------
    InputError : unknown label.  ModelError : the specified factors are not linearly independent.
    """
    covariance = np.asarray(covariance, dtype=np.float64)
    move, covariance, axis = _checked(np.zeros(covariance.shape[0]), covariance, labels)
    pick = axis.indices(specified)
    values = np.array([float(v) for v in specified.values()])
    if not np.isfinite(values).all():
        raise ModelError("a specified move is not finite")
    if not pick:
        return move
    core = covariance[np.ix_(pick, pick)]
    scale = np.sqrt(np.diag(core))
    if not (scale > 0).all() or np.linalg.cond(core / np.outer(scale, scale)) > 1e12:
        raise ModelError(f"cannot condition on linearly dependent factors: {', '.join(specified)}")
    weights = np.linalg.solve(core / np.outer(scale, scale), values / scale) / scale
    move = covariance[:, pick] @ weights
    move[pick] = values
    return move


def _conditional_variance(correlation: np.ndarray, taken: list[int], left: list[int]) -> np.ndarray:
    variance = np.diag(correlation)[left].copy()
    if taken:
        cross = correlation[np.ix_(taken, left)]
        variance -= (cross * np.linalg.solve(correlation[np.ix_(taken, taken)], cross)).sum(axis=0)
    return variance


def _checked(
    move: np.ndarray, covariance: np.ndarray, labels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, Axis]:
    axis = Axis("factor", tuple(labels))
    move = np.array(move, dtype=np.float64)
    covariance = np.ascontiguousarray(covariance, dtype=np.float64)
    if move.shape != (len(axis),) or covariance.shape != (len(axis), len(axis)):
        raise ModelError(f"{len(axis)} labels, move {move.shape}, covariance {covariance.shape} do not fit")
    if not np.isfinite(move).all() or not np.isfinite(covariance).all():
        raise ModelError("the move and the covariance must be finite")
    if not np.allclose(covariance, covariance.T, rtol=1e-9, atol=0.0):
        raise ModelError("the covariance is not symmetric")
    return move, covariance, axis
