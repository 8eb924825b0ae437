"""The most plausible move that loses an amount: the nearest point of a loss set.

    min |u|   subject to   loss(M u) ≥ L*        x = M u,  u in standard deviations: |u| is Mahalanobis' distance

M is a factor of the baseline covariance, M M' = Σ.  For a linear loss w'x the answer is x = Σ w L*/(w'Σ w); for a
curved one the loss is revalued in full at every step and

    u ← [∇·u + L* − loss(u)] ∇ / |∇|²

is the point nearest to the origin where the loss, linear around u, reaches L* (Hasofer and Lind 1974; Rackwitz and
Fiessler 1978), with a line search on |u|²/2 + c |L* − loss| (Zhang and Der Kiureghian 1995).  A last search along
the ray sets the loss to L* within a thousandth.  Moves restricted to a block of factors leave the others at their
conditional mean, M = Σ[:, b] Lb^{-T} with Lb Lb' = Σ_bb: the most plausible completion (Breuer et al. 2009).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from riskengine.base.errors import ModelError

MOST_STEPS = 100
FARTHEST = 8.0
"""Standard deviations beyond which a move is not searched."""
BUMP = 1e-3
"""Of a standard deviation-sized direction, for the gradient."""
LOSS_TOLERANCE = 1e-4
"""Of the amount, at the answer."""

Loss = Callable[[np.ndarray], np.ndarray]
"""Moves (K, n) → losses (n,), USD, loss positive, zero without a move."""


@dataclass(frozen=True, slots=True)
class NearestMove:
    """move : (K,).  distance : |u|.  loss : at the move, USD.  reached : False: the most it can lose within
    FARTHEST."""

    move: np.ndarray
    distance: float
    loss: float
    reached: bool


def linear_answer(exposure: np.ndarray, covariance: np.ndarray, amount: float) -> np.ndarray:
    """(K,) Σ w L*/(w'Σ w) of a book whose loss is w'x, w = *exposure* (K,), USD per unit move.

    Raises
    ------
    ModelError : no exposure to anything that moves.
    """
    spread = covariance @ exposure
    variance = float(exposure @ spread)
    if not variance > 0.0:
        raise ModelError("the book does not depend on anything that moves")
    return spread * (amount / variance)


def whole_factor(covariance: np.ndarray) -> np.ndarray:
    """(K, r) M with M M' = Σ; directions without variance are left out."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    safe = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(safe, safe))
    kept = values > 1e-10 * values[-1]
    return safe[:, None] * vectors[:, kept] * np.sqrt(values[kept])


def block_factor(covariance: np.ndarray, block: Sequence[int]) -> np.ndarray:
    """(K, n) M of moves led by *block*, all others at their conditional mean; |u| is the block's own distance."""
    own = covariance[np.ix_(block, block)]
    scale = np.sqrt(np.diag(own))
    if not (scale > 0.0).all():
        raise ModelError("a factor that leads must have a variance")
    values, vectors = np.linalg.eigh(own / np.outer(scale, scale))
    kept = values > 1e-10 * values[-1]
    inverse = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]
    return covariance[:, block] @ inverse


def nearest_move(
    loss: Loss, factor: np.ndarray, amount: float, starts: Sequence[np.ndarray] = (), farthest: float = FARTHEST,
) -> NearestMove:
    """The nearest move that loses *amount* (USD > 0), of those found from several starts.

    factor : (K, n) M.  starts : further u (n,) to start from, besides the steepest direction at the origin and at
    one deviation along and against every coordinate's strongest.  What cannot be lost within *farthest* gives
    ``reached=False`` with the largest loss found there.
    """
    search = _Search(loss, factor, amount, farthest)
    found: list[np.ndarray] = []
    for start in [*search.starts(), *starts]:
        u = search.descend(start)
        if u is not None:
            found.append(u)
    if found:
        best = min(found, key=lambda u: float(u @ u))
        return NearestMove(factor @ best, float(np.linalg.norm(best)), float(search.value(best)), True)
    worst = search.worst()
    return NearestMove(factor @ worst, float(np.linalg.norm(worst)), float(search.value(worst)), False)


class _Search:
    """One problem in deviations: values, gradients by central differences in one call of the loss."""

    def __init__(self, loss: Loss, factor: np.ndarray, amount: float, farthest: float):
        self.loss, self.factor, self.amount, self.farthest = loss, factor, amount, farthest
        self.size = factor.shape[1]
        eye = BUMP * np.eye(self.size)
        self.bumps = factor @ np.concatenate([eye, -eye], axis=1)

    def value(self, u: np.ndarray) -> float:
        return float(self.loss(np.ascontiguousarray((self.factor @ u)[:, None]))[0])

    def slope(self, u: np.ndarray) -> np.ndarray:
        values = self.loss(np.ascontiguousarray((self.factor @ u)[:, None] + self.bumps))
        return (values[: self.size] - values[self.size :]) / (2.0 * BUMP)

    def starts(self) -> list[np.ndarray]:
        """The origin; and the best and worst single directions three deviations out, where options show."""
        both = 3.0 * np.concatenate([np.eye(self.size), -np.eye(self.size)], axis=1)
        values = self.loss(np.ascontiguousarray(self.factor @ both))
        order = np.argsort(-values, kind="stable")
        return [np.zeros(self.size), both[:, order[0]], both[:, order[min(1, order.size - 1)]]]

    def descend(self, start: np.ndarray) -> np.ndarray | None:
        """A point of the loss set where |u| is least nearby, or None within *farthest*."""
        u, weight = start.copy(), 0.0
        for _ in range(MOST_STEPS):
            value, slope = self.value(u), self.slope(u)
            steep = float(slope @ slope)
            if not steep > 0.0:
                break
            target = slope * ((float(slope @ u) + self.amount - value) / steep)
            norm = float(np.linalg.norm(target))
            if norm > 3.0 * self.farthest:
                target *= 3.0 * self.farthest / norm
            step = target - u
            near = abs(value - self.amount) <= LOSS_TOLERANCE * self.amount
            if near and np.linalg.norm(step) <= 1e-6 * max(1.0, norm):
                break
            weight = max(weight, 2.0 * float(np.linalg.norm(u)) / np.sqrt(steep) + 1.0 / np.sqrt(steep))
            merit = 0.5 * float(u @ u) + weight * abs(self.amount - value)
            length = 1.0
            for _ in range(20):
                trial = u + length * step
                if 0.5 * float(trial @ trial) + weight * abs(self.amount - self.value(trial)) < merit:
                    break
                length *= 0.5
            else:
                break
            u = u + length * step
        return self._to_the_amount(u)

    def _to_the_amount(self, u: np.ndarray) -> np.ndarray | None:
        """*u* along its ray to where exactly the amount is lost, the nearest crossing at or inside it."""
        norm = float(np.linalg.norm(u))
        if not norm > 0.0:
            return None
        ray = u / norm
        radii = np.append(np.linspace(0.0, 1.0, 33)[1:] * min(1.05 * norm, self.farthest), self.farthest)
        losses = self.loss(np.ascontiguousarray(self.factor @ np.outer(ray, radii)))
        hit = np.flatnonzero(losses >= self.amount)
        if not hit.size:
            return None
        inner = radii[hit[0] - 1] if hit[0] else 0.0
        radius = brentq(lambda r: self.value(r * ray) - self.amount if r else -self.amount, inner, radii[hit[0]],
                        xtol=1e-10, rtol=1e-12)
        return radius * ray

    def worst(self) -> np.ndarray:
        """The largest loss found within the farthest distance: climb along the gradient on the sphere."""
        best, most = np.zeros(self.size), 0.0
        for start in self.starts():
            u = start
            for _ in range(40):
                slope = self.slope(u)
                steep = float(np.linalg.norm(slope))
                if not steep > 0.0:
                    break
                new = self.farthest * slope / steep
                if np.linalg.norm(new - u) < 1e-6 * self.farthest:
                    break
                u = new
            for radius in (1.0, 0.75, 0.5, 0.25):
                value = self.value(radius * u)
                if value > most:
                    best, most = radius * u, value
        return best
