"""How large is the loss of one night in a thousand?  Importance sampling of the ordinary night, in full revaluation.

Paths are drawn where the quadratic of the book

    q(x) = δ'x + ½ x'Γx    by differences over ± √3 sd (one factor) and ± sd (two), sd of the horizon's noise

loses, the book is revalued in full on each of them, and the weights of ``simulation.importance`` lead back to the
law of the night (Glasserman, Heidelberger and Shahabuddin 2000).  No scenario, no parameter draws: market noise only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.base.sampling import RunSpec
from riskengine.engine.paths import World
from riskengine.execution import Executor
from riskengine.instruments.book import Book
from riskengine.result import FarTail
from riskengine.simulation import importance_tail

NODE = np.sqrt(3.0)
BUMPS_AT_ONCE = 1_024


def measure_far_tail(
    book: Book, world: World, spec: RunSpec, levels: tuple[float, ...], paths: int,
    executor: Executor | None = None,
) -> FarTail | None:
    """VaR and ES of the book's total far out, by *paths* twisted paths, beside as many plain ones; None for a book
    that no factor moves.

    book : compiled for a horizon.  spec : seed, noise, precision and draws (*paths* must be a multiple of them).
    levels : e.g. (0.99, 0.999).

    Raises
    ------
    InputError : a book without a horizon; levels or paths out of range.
    """
    horizon = book.horizon
    if horizon is None:
        raise InputError(Problem("a far tail needs a book compiled for a horizon", field="horizon"))
    model = world.model(horizon)
    spread = np.sqrt(np.diag(model.horizon_covariance(horizon.steps)))
    delta, gamma = quadratic_of_total(book, spread)
    if not (delta.any() or gamma.any()):
        return None
    found = importance_tail(model, horizon, replace(spec, paths=paths), delta, gamma, levels, _Total(book), executor,
                            book.fixings)
    twisted, plain = found.twisted, found.plain
    return FarTail(
        horizon_days=horizon.days, paths=paths, noise=spec.noise, levels=found.levels,
        **{name: tuple(map(float, values)) for name, values in (
            ("var", twisted.var), ("es", twisted.es), ("se_var", twisted.var_se), ("se_es", twisted.es_se),
            ("plain_var", plain.var), ("plain_es", plain.es), ("plain_se_var", plain.var_se),
            ("plain_se_es", plain.es_se), ("effective_paths", twisted.effective_sample),
            ("plain_effective_paths", plain.effective_sample),
            ("variance_reduction_var", found.variance_reduction_var),
            ("variance_reduction_es", found.variance_reduction_es),
        )},
        mean_weight=found.mean_weight, se_mean_weight=found.mean_weight_se,
        historical_days=model.residuals.shape[0] if spec.noise == "filtered_historical" else None,
    )


def quadratic_of_total(book: Book, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """δ (K,) and Γ (K, K) of the book's total around no move, USD; factors without spread have none."""
    factors = np.flatnonzero(spread > 0)
    value = _Total(book)
    sd = spread[factors]

    def at(moves: np.ndarray) -> np.ndarray:
        places = np.array([k for k, _ in book.fixings], dtype=np.int64)
        parts = [moves[:, lo : lo + BUMPS_AT_ONCE] for lo in range(0, moves.shape[1], BUMPS_AT_ONCE)]
        return np.concatenate([value(part, part[places]) for part in parts])

    def bumps(rows: np.ndarray, size: np.ndarray) -> np.ndarray:
        moves = np.zeros((spread.size, rows.size))
        moves[rows, np.arange(rows.size)] = size
        return moves

    here = at(np.zeros((spread.size, 1)))[0]
    up, down = at(bumps(factors, NODE * sd)), at(bumps(factors, -NODE * sd))
    delta, gamma = np.zeros(spread.size), np.zeros((spread.size, spread.size))
    delta[factors] = (up - down) / (2.0 * NODE * sd)
    gamma[factors, factors] = (up - 2.0 * here + down) / (NODE * sd) ** 2
    one, two = (factors[i] for i in np.triu_indices(factors.size, 1))
    cross = np.zeros(one.size)
    for sign in (1.0, -1.0):
        moves = bumps(one, spread[one])
        moves[two, np.arange(two.size)] = sign * spread[two]
        cross += sign * (at(moves) + at(-moves))
    gamma[one, two] = gamma[two, one] = cross / (4.0 * spread[one] * spread[two])
    return delta, gamma


@dataclass(frozen=True, slots=True)
class _Total:
    """Moves and fixing moves → total P&L (n,) USD in full revaluation."""

    book: Book

    def __call__(self, moves: np.ndarray, fixed: np.ndarray) -> np.ndarray:
        total = np.zeros(moves.shape[1])
        for row in self.book.pnl(moves, fixed):
            total += row
        return total
