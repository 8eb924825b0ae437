"""Is the tail of a return tied to the dollar and to yields more closely than its middle?

    Q_τ(y_t | x_t) = a_τ + b_τ' x_t

Koenker and Bassett (1978), by statsmodels; errors by the sandwich with an Epanechnikov kernel and the
bandwidth of Hall and Sheather (1988).  Its iterations stop at 1e-6: a linear programme differs from the sixth
digit on.  At τ = 1% a thousand weeks hold ten observations: read the error
first.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import statsmodels.api as sm
from statsmodels.regression.quantile_regression import QuantReg

from factors.sensitivities.regression import Fit, NotEstimable

TAUS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
TAIL_OBSERVATIONS = 5
"""Observations expected beyond a quantile; a more extreme one is not estimated."""


def quantile_slopes(fit: Fit, taus: Sequence[float] = TAUS) -> tuple[np.ndarray, np.ndarray]:
    """(Q, J) slopes and errors at each *tau* on the rows of *fit*; NotEstimable where the iterations fail."""
    design = sm.add_constant(fit.x, has_constant="add")
    slopes, errors = np.empty((len(taus), fit.x.shape[1])), np.empty((len(taus), fit.x.shape[1]))
    for i, tau in enumerate(taus):
        if min(tau, 1 - tau) * fit.n < TAIL_OBSERVATIONS:
            raise NotEstimable(f"too short for the {tau:.0%} quantile: {fit.n} observations")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = QuantReg(fit.y, design).fit(q=tau, max_iter=5000)
        if any("Maximum number of iterations" in str(w.message) for w in said):
            raise NotEstimable(f"the {tau:.0%} quantile regression did not converge in 5,000 iterations")
        slopes[i], errors[i] = found.params[1:], found.bse[1:]
    if not (np.isfinite(slopes).all() and np.isfinite(errors).all()):
        raise NotEstimable("the kernel error of a quantile is not finite")
    return slopes, errors
