"""Views on the future as weights of the same paths: entropy pooling.

    min_p  Σ p ln(p / p0)   subject to  A p = b,  F p ≤ f,  Σ p = 1
    p = p0 exp(−A'λ − F'ν) / Z,  ν ≥ 0        dual:  min ln Σ p0 exp(−λ'(A − b) − ν'(F − f))

(Meucci 2008, Fully flexible views, Risk 21(10).)  The dual is convex with one unknown per row, whatever the
number of paths; it is solved by projected Newton steps with a line search.  Diagnostics: relative entropy, and
the effective number of scenarios exp(−Σ p ln p), which says how many paths still carry the answer.  Views that
leave less than a tenth of the paths are refused unless forced: what such an answer shows is a handful of paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from riskengine.base.errors import InputError, Problem

LEAST_EFFECTIVE = 0.10
"""Share of the prior's effective scenarios below which a view is refused."""
TOLERANCE = 1e-11
"""Of the dual's gradient, in standard deviations of a row under the prior."""
MOST_STEPS = 200
ARMIJO = 1e-4


@dataclass(frozen=True, slots=True)
class Row:
    """One linear condition on the weights: E_p[values] = target, or ≤ target.

    values : (J,) one number per path.  name : for messages.  show : a value of the row as people say it.
    """

    values: np.ndarray
    target: float
    name: str
    upper: bool = False
    """True: E_p[values] ≤ target; False: equality."""
    show: Callable[[float], str] = "{:.6g}".format


@dataclass(frozen=True, slots=True)
class Pooled:
    """Weights under the views.

    p : (J,) sum 1.  multipliers : one per row (λ, then ν ≥ 0 for an inequality), in units of 1/row.
    relative_entropy : Σ p ln(p/p0) ≥ 0 of the blended weights.  effective : exp(−Σ p ln p).  prior_effective : of
    p0.
    """

    p: np.ndarray
    multipliers: np.ndarray
    relative_entropy: float
    effective: float
    prior_effective: float
    confidence: float


def effective_scenarios(p: np.ndarray) -> float:
    """exp(−Σ p ln p): J for equal weights, 1 when one path has all."""
    seen = p[p > 0.0]
    return float(np.exp(-(seen * np.log(seen)).sum()))


def relative_entropy(p: np.ndarray, p0: np.ndarray) -> float:
    """Σ p ln(p/p0), nats; 0 only when p = p0."""
    seen = p > 0.0
    return max(float((p[seen] * np.log(p[seen] / p0[seen])).sum()), 0.0)


def reweight(
    p0: np.ndarray, rows: Sequence[Row], confidence: float = 1.0, force: bool = False,
) -> Pooled:
    """Weights closest to *p0* that satisfy *rows*, blended: p = (1 − c) p0 + c p_views.

    Parameters
    ----------
    p0 : (J,) positive, sum 1.  rows : conditions.  confidence : c in (0, 1]; below 1 the conditions hold in part.
    force : accept fewer effective scenarios than a tenth of the prior's.

    Raises
    ------
    InputError : a condition outside what the paths can reach, conditions that contradict each other, or too few
        effective scenarios.
    """
    p0 = np.asarray(p0, dtype=np.float64)
    if p0.ndim != 1 or not p0.size or not (p0 > 0).all() or abs(p0.sum() - 1.0) > 1e-9:
        raise InputError(Problem("prior weights must be positive and sum to 1", field="p0"))
    if not (math.isfinite(confidence) and 0.0 < confidence <= 1.0):
        raise InputError(Problem("confidence in views", got=f"{confidence:g}", accepted="above 0, at most 100%"))
    before = effective_scenarios(p0)
    if not rows:
        return Pooled(p0.copy(), np.zeros(0), 0.0, before, before, confidence)
    _check_reach(rows, p0.size)
    scores, scale = _standardise(rows, p0)
    upper = np.array([row.upper for row in rows])
    theta, p = _solve(scores, upper, p0)
    residual = scores @ p
    missed = np.where(upper, residual > 1e-9, np.abs(residual) > 1e-9)
    if missed.any():
        raise InputError(_contradiction(rows, scores, upper, missed))
    blended = p if confidence == 1.0 else (1.0 - confidence) * p0 + confidence * p
    effective = effective_scenarios(blended)
    if effective < LEAST_EFFECTIVE * before and not force:
        raise InputError(Problem(
            f"the views leave {effective:,.0f} effective scenarios of {before:,.0f}, {effective / before:.1%}",
            field="view", got="; ".join(row.name for row in rows),
            accepted=f"at least {LEAST_EFFECTIVE:.0%}: milder views, more paths, 'confidence 50%', or 'force'"))
    return Pooled(blended, theta / scale, relative_entropy(blended, p0), effective, before, confidence)


def _check_reach(rows: Sequence[Row], size: int) -> None:
    """InputError naming every row whose target no weights can reach."""
    problems = []
    for row in rows:
        if row.values.shape != (size,) or not np.isfinite(row.values).all() or not math.isfinite(row.target):
            problems.append(Problem("a view needs one finite number per path", field="view", got=row.name))
            continue
        low, high = float(row.values.min()), float(row.values.max())
        if low == high:
            if row.target < low if row.upper else row.target != low:
                problems.append(Problem("does not move on these paths", field="view", got=row.name,
                                        accepted=f"{row.show(low)} on every path"))
        elif row.target <= low or (row.target >= high and not row.upper):
            problems.append(Problem("no weights of these paths go that far", field="view", got=row.name,
                                    accepted=f"between {row.show(low)} and {row.show(high)} on these {size:,} paths"))
    if problems:
        raise InputError(problems)


def _standardise(rows: Sequence[Row], p0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((m, J) values − target in standard deviations of the prior, (m,) those deviations)."""
    scores, scale = np.empty((len(rows), p0.size)), np.empty(len(rows))
    for i, row in enumerate(rows):
        mean = p0 @ row.values
        sd = math.sqrt(p0 @ (row.values - mean) ** 2)
        scale[i] = sd if sd > 0 else 1.0
        np.subtract(row.values, row.target, out=scores[i])
        scores[i] /= scale[i]
    return scores, scale


def _solve(scores: np.ndarray, upper: np.ndarray, p0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(θ, p) at the dual's minimum; the caller looks whether the conditions hold (they do not when the dual has
    no minimum)."""
    log_p0 = np.log(p0)
    theta = np.zeros(len(scores))
    value, p = _dual(theta, scores, log_p0)
    for _ in range(MOST_STEPS):
        gradient = -(scores @ p)
        held = upper & (theta <= 0.0) & (gradient > 0.0)
        free = np.flatnonzero(~held)
        if not free.size or np.abs(gradient[free]).max() <= TOLERANCE:
            break
        some = scores[free]
        centred = some + gradient[free, None]
        hessian = (centred * p) @ centred.T
        hessian[np.diag_indices(free.size)] += 1e-14 * (1.0 + np.trace(hessian) / free.size)
        step = np.zeros_like(theta)
        step[free] = -np.linalg.lstsq(hessian, gradient[free], rcond=1e-13)[0]
        slope, size, moved = float(gradient @ step), 1.0, False
        if slope >= 0.0:
            step, slope = np.where(held, 0.0, -gradient), -float(gradient[free] @ gradient[free])
        while size > 1e-12:
            trial = theta + size * step
            trial[upper] = np.maximum(trial[upper], 0.0)
            trial_value, trial_p = _dual(trial, scores, log_p0)
            drop = float(gradient @ (trial - theta))
            # near the minimum the value no longer resolves: the gradient decides
            smaller = np.abs((scores @ trial_p)[free]).max() < np.abs(gradient[free]).max()
            if trial_value <= value + ARMIJO * drop or (smaller and trial_value <= value + 1e-12):
                theta, value, p, moved = trial, trial_value, trial_p, True
                break
            size *= 0.5
        if not moved or np.abs(theta).max() > 1e6:
            break
    return theta, p


def _dual(theta: np.ndarray, scores: np.ndarray, log_p0: np.ndarray) -> tuple[float, np.ndarray]:
    """(ln Σ p0 exp(−θ'scores), the weights)."""
    exponent = log_p0 - theta @ scores
    top = exponent.max()
    p = np.exp(exponent - top)
    total = p.sum()
    p /= total
    return float(top + np.log(total)), p


def _contradiction(
    rows: Sequence[Row], scores: np.ndarray, upper: np.ndarray, missed: np.ndarray
) -> Problem:
    """Why no weights were found: a linear programme decides between impossible and too extreme."""
    size = scores.shape[1]
    equal, less = scores[~upper], scores[upper]
    found = linprog(
        np.zeros(size), A_ub=less if len(less) else None, b_ub=np.zeros(len(less)) if len(less) else None,
        A_eq=np.vstack([equal, np.ones(size)]), b_eq=np.append(np.zeros(len(equal)), 1.0), method="highs")
    names = "; ".join(row.name for row in rows)
    if found.status == 2:
        return Problem("the views contradict each other: no weights of these paths satisfy all", field="view",
                       got=names, accepted="views that hold together, or more paths")
    worst = "; ".join(row.name for row, wrong in zip(rows, missed, strict=True) if wrong)
    return Problem("the views can be met only at the very edge of the paths", field="view", got=worst,
                   accepted="milder views, or more paths")
