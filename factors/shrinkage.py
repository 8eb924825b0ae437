"""What remains of a published estimate once the user's own data have spoken? The normal–normal rule.

    posterior = (prior/σ_p² + data/σ_d²) / (1/σ_p² + 1/σ_d²),   σ_post² = 1 / (1/σ_p² + 1/σ_d²)

Printed as prior, data, posterior (METHOD 11).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from riskengine.base.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Posterior:
    """Prior, data and posterior of one coefficient, same unit, each with its standard error."""

    prior: float
    se_prior: float
    data: float
    se_data: float
    value: float
    se: float

    @property
    def conflict(self) -> float:
        """Standard errors between prior and data: beyond 2 they hardly estimate the same thing, and the error
        of the posterior does not contain that."""
        return abs(self.prior - self.data) / math.hypot(self.se_prior, self.se_data)


def combine(prior: float, se_prior: float, data: float, se_data: float) -> Posterior:
    """Posterior of a normal prior and a normal likelihood; InputError unless both errors are positive."""
    if not (se_prior > 0 and se_data > 0):
        raise InputError(Problem("standard errors must be positive", got=f"{se_prior}, {se_data}"))
    w_prior, w_data = se_prior**-2, se_data**-2
    total = w_prior + w_data
    return Posterior(prior, se_prior, data, se_data, (w_prior * prior + w_data * data) / total, total**-0.5)
