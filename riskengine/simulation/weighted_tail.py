"""Value at risk and expected shortfall of paths that carry weights, with their errors.

    F(v) = (1/P) Σ w 1{loss ≥ v},   VaR: F(VaR) = p,   ES = VaR + (1/(P p)) Σ w (loss − VaR)⁺

Errors: sd(w 1{loss ≥ VaR})/(√P f) with f the density between the tail probabilities p·exp(±0.2), and
sd(w (loss − VaR)⁺)/(p √P): to first order the ES does not move with the VaR (Trindade et al. 2007).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

DENSITY_BAND = 0.2


@dataclass(frozen=True, slots=True)
class TailEstimate:
    """VaR and ES of L levels with standard errors, USD, loss positive.

    effective_sample : (L,) (Σw)²/Σw² over the tail.
    """

    var: np.ndarray
    var_se: np.ndarray
    es: np.ndarray
    es_se: np.ndarray
    effective_sample: np.ndarray


def estimate_tail(pnl: np.ndarray, weight: np.ndarray, levels: tuple[float, ...]) -> TailEstimate:
    """VaR, ES and errors of weighted paths.

    Parameters
    ----------
    pnl : (P,) USD, gain positive.  weight : (P,) density of the law asked about over the law drawn from, mean
        near 1 and not normalised (in the tail, where they are small, the plain sum has the smaller error).
    """
    order = np.argsort(pnl, kind="stable")
    loss, w = -pnl[order], weight[order]
    count = loss.size
    probability = np.cumsum(w) / count
    rows = []
    for level in levels:
        p = 1.0 - level

        def quantile(probable: float) -> float:
            return float(loss[min(np.searchsorted(probability, probable * (1.0 - 1e-9)), count - 1)])

        var = quantile(p)
        excess = w * np.maximum(loss - var, 0.0) / p
        tail = np.where(loss >= var, w, 0.0)
        near, far = quantile(p * math.exp(DENSITY_BAND)), quantile(p * math.exp(-DENSITY_BAND))
        spread = far - near
        density = p * (math.exp(DENSITY_BAND) - math.exp(-DENSITY_BAND)) / spread if spread > 0 else math.inf
        rows.append((
            var, float(tail.std(ddof=1)) / math.sqrt(count) / density, var + float(excess.mean()),
            float(excess.std(ddof=1)) / math.sqrt(count),
            float(tail.sum() ** 2 / max((tail**2).sum(), 1e-300)),
        ))
    return TailEstimate(*(np.array(column) for column in zip(*rows, strict=True)))
