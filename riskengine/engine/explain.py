"""Why are the worst paths bad? The tail replayed and split by position and by factor.

The tail paths of the baseline are drawn again from their streams (seed, path, step, dimension), so nothing had to be
kept.  By position the split is exact (Euler: components sum to the ES).  By factor the P&L of a tail path is read off
the quadratic expansion of the book,

    P&L ≈ Σ_k x_k (δ_k + ½ Σ_l γ_kl x_l),

half of every cross term going to either factor; what full revaluation, carry and fixings add is the line 'remainder'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import FACTORS
from riskengine.base.sampling import RunSpec
from riskengine.engine.paths import PathPnl, World, replay_positions
from riskengine.instruments.exposures import delta_gamma
from riskengine.instruments.portfolio import Portfolio, compile_book
from riskengine.measures.contributions import component_es, tail_paths


@dataclass(frozen=True, slots=True)
class TailExplanation:
    """The expected shortfall of the total at one level, taken apart; USD, losses positive.

    by_position : position id → component; sums to ``es``.  by_factor : factor or 'remainder' → part; sums to ``es``.
    moves : factor → (weighted mean move in the tail, the same in standard deviations of the horizon).
    """

    level: float
    es: float
    paths: int
    by_position: dict[str, float]
    by_factor: dict[str, float]
    moves: dict[str, tuple[float, float]]


def explain_tail(
    pnl: PathPnl, portfolio: Portfolio, world: World, spec: RunSpec, level: float = 0.975
) -> TailExplanation:
    """Replay the tail of the baseline in *pnl* and say which positions and which factors made it."""
    tail = tail_paths(pnl.total[0], level)
    values, moves = replay_positions(tail.indices, portfolio, world, pnl.horizon, spec)
    positions = component_es(values, tail)
    expansion = delta_gamma(compile_book(portfolio, world.snapshot, FACTORS, None))
    delta, gamma = expansion.delta.sum(axis=0), expansion.gamma.sum(axis=0)
    parts = -((moves * (delta[:, None] + 0.5 * gamma @ moves)) @ tail.weights)
    mean = moves @ tail.weights
    scale = np.sqrt(np.diag(world.model(pnl.horizon).horizon_covariance(pnl.horizon.steps)))
    by_factor = {label: float(v) for label, v in zip(FACTORS.labels, parts, strict=True)}
    by_factor["remainder"] = tail.loss - float(parts.sum())
    return TailExplanation(
        level=level, es=tail.loss, paths=len(tail.indices),
        by_position={p: float(v) for p, v in zip(pnl.book.position_ids, positions, strict=True)},
        by_factor=by_factor,
        moves={k: (float(m), float(m / s)) for k, m, s in zip(FACTORS.labels, mean, scale, strict=True)},
    )
