"""How does a price respond, 0 … 12 months on, to a purchase by foreigners? Local projections.

    y_{t+h} − y_{t−1} = a_h + β_h x_t + γ_h' (x_{t−1}, …, x_{t−p}, Δy_{t−1}, …, Δy_{t−p}, z_t) + e_{t+h}

Jordà (2005).  The errors of horizon h overlap h months: Newey–West with max(h + 1, 3) lags, counted in months
of the calendar, so that no autocovariance reaches across a hole in the flows.  β_h is an association given
the controls: flows answer prices as well as move them, and no instrument is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from factors.sensitivities.regression import Fit, regress

HORIZONS = tuple(range(13))
CONTROL_LAGS = 3
LEAST_LAGS = 3


@dataclass(frozen=True, slots=True)
class Projection:
    """β_h and its error at each horizon, observations, lags; fits: the regression of each horizon."""

    horizons: tuple[int, ...]
    beta: np.ndarray
    se: np.ndarray
    n: np.ndarray
    lags: np.ndarray
    first: np.datetime64
    last: np.datetime64
    fits: tuple[Fit, ...]


def project(
    y: np.ndarray, x: np.ndarray, months: np.ndarray, names: Sequence[str], extra: np.ndarray | None = None,
    horizons: Sequence[int] = HORIZONS, controls: int = CONTROL_LAGS, cumulative: bool = True,
    newey_west: int | None = None,
) -> Projection:
    """Responses of the level y (T,) to x (T,) on one monthly calendar without holes (NaN where missing).

    extra : (T, Z) further controls.  cumulative : False projects y_{t+h} itself, with lags of y as controls.
    newey_west : lags at every horizon instead of max(h + 1, LEAST_LAGS).  NotEstimable as in :func:`regress`.
    """
    step = np.r_[np.nan, np.diff(y)] if cumulative else y
    design = [x] + [_lagged(x, k) for k in range(1, controls + 1)]
    design += [_lagged(step, k) for k in range(1, controls + 1)]
    labels = [names[1]] + [f"{names[1]}, lag {k}" for k in range(1, controls + 1)]
    labels += [f"{names[0]}, lag {k}" for k in range(1, controls + 1)]
    if extra is not None:
        design += list(extra.T)
        labels += list(names[2:])
    x_all = np.column_stack(design)
    before = _lagged(y, 1) if cumulative else np.zeros(len(y))
    fits = []
    for h in horizons:
        ahead = np.r_[y[h:], np.full(h, np.nan)]
        lag = max(h + 1, LEAST_LAGS) if newey_west is None else newey_west
        fits.append(regress(ahead - before, x_all, months, lag, [names[0], *labels]))
    return Projection(
        tuple(horizons), np.array([f.slopes[0] for f in fits]), np.array([f.errors[0] for f in fits]),
        np.array([f.n for f in fits]), np.array([f.lag for f in fits]), fits[0].dates[0], fits[0].dates[-1],
        tuple(fits))


def _lagged(x: np.ndarray, k: int) -> np.ndarray:
    return np.r_[np.full(k, np.nan), x[:-k]]
