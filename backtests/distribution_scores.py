"""Proper scores of a predictive distribution given as a sample of paths.

    CRPS(F, y) = E|X − y| − ½ E|X − X'|     (Gneiting and Raftery 2007, JASA 102), exact for the sample
    −ln f̂(y)                                Gaussian kernel density with Silverman's bandwidth

Both negatively oriented: lower is better; the CRPS has the unit of the variable.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

FLOOR = -700.0
"""Smallest log density: an outcome the sample gives no density at all is scored e^-700, not −∞."""


def crps_of_sample(sample: np.ndarray, outcome: float) -> float:
    """CRPS of a sample (P,) for *outcome*, by sorting: Σ_i (2i − P − 1) x_(i) / P² is E|X − X'| / 2 · 2."""
    x = np.sort(np.asarray(sample, dtype=np.float64))
    p = x.size
    spread = 2.0 * float((2.0 * np.arange(1, p + 1) - p - 1) @ x) / p**2
    return float(np.abs(x - outcome).mean()) - 0.5 * spread


def log_score_of_sample(sample: np.ndarray, outcome: float) -> float:
    """−ln of the kernel density of *sample* (P,) at *outcome*."""
    x = np.asarray(sample, dtype=np.float64)
    quartiles = np.quantile(x, (0.25, 0.75))
    scale = min(float(x.std()), float(quartiles[1] - quartiles[0]) / 1.349)
    if not scale > 0:
        return -FLOOR
    width = 0.9 * scale * x.size ** -0.2
    z = (outcome - x) / width
    log_density = logsumexp(-0.5 * z * z) - np.log(x.size * width * np.sqrt(2.0 * np.pi))
    return -float(max(log_density, FLOOR))
