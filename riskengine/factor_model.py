"""The joint distribution of risk-factor moves: loadings, volatilities, correlation, tails. No fitting here.

x_t = vol_t ∘ (L e_t) · sqrt((ν − 2)/ν · ν/χ²_ν)   per step, e_t standard normal (Student-t noise),
or rows of standardised residuals (filtered historical simulation; Barone-Adesi et al. 1999).
Estimated by the package ``factors``; METHOD 8 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskengine.base.axes import Axis
from riskengine.base.frozen import own_arrays


@dataclass(frozen=True, slots=True)
class FactorModel:
    """Model of moves over steps of one length.

    step_days : 1 (daily) or 5 (weekly); a simulation with another step refuses this model.
    vol_now, vol_long_run : (K,) standard deviation per step today and in the long run.
    persistence : (K,) per-step decay of variance to its long-run level: h_t = v∞² + (v0² − v∞²) ρ^t, t = 0, 1, …
    correlation, cholesky : (K, K) unit-diagonal correlation and its lower factor.
    dof : degrees of freedom ν > 2 of the multivariate t.
    residuals : (R, K) standardised (unit-variance, unconditional-correlation) residual rows for filtered historical
    simulation, float64, complete (factors without that history carry draws of their conditional model; see
    ``residual_synthetic``).  residual_synthetic : (K,) bool.
    loadings : (K, K) B of METHOD 8: row i gives the response of factor i to the moves of ``core`` factors;
    rows of core factors are unit vectors; columns of non-core factors are zero.
    loadings_draw_factor : (K, K, Q) or None: loadings_d = loadings + Σ_q draw_factor[..., q] z_dq, z standard
    normal (coefficient covariance by HAC).
    core : (K,) bool: factors whose scenario response comes from the impact room.
    stress_correlation : (K, K) correlation of crisis windows.
    currency_beta, currency_beta_se : (21,) move of each currency (CURRENCIES order) per unit of the broad dollar's
    depreciation s, estimated at run time (data; the published prior lives in configs/impact).
    index_weights : (21,) broad-dollar weights, sum 1.
    path_beta, path_beta_se : (J,) yield response of KEY_RATES to the 2-year through the policy path.
    history : (K,) int observations behind each factor.  sample : 'YYYY-MM-DD … YYYY-MM-DD'.
    diagnostics : table rows for the report (plain dicts).
    """

    axis: Axis
    step_days: int
    as_of: str
    vol_now: np.ndarray
    vol_long_run: np.ndarray
    persistence: np.ndarray
    correlation: np.ndarray
    cholesky: np.ndarray
    dof: float
    residuals: np.ndarray
    residual_synthetic: np.ndarray
    loadings: np.ndarray
    loadings_draw_factor: np.ndarray | None
    core: np.ndarray
    stress_correlation: np.ndarray
    currency_beta: np.ndarray
    currency_beta_se: np.ndarray
    index_weights: np.ndarray
    path_beta: np.ndarray
    path_beta_se: np.ndarray
    history: np.ndarray
    sample: str
    diagnostics: tuple[dict, ...] = ()

    def __post_init__(self) -> None:
        own_arrays(self)

    def step_volatilities(self, steps: int) -> np.ndarray:
        """(steps, K) standard deviation of each step: variance decays from today's to the long run's."""
        t = np.arange(steps)[:, None]
        h = self.vol_long_run**2 + (self.vol_now**2 - self.vol_long_run**2) * self.persistence**t
        return np.sqrt(h)

    def horizon_covariance(self, steps: int) -> np.ndarray:
        """(K, K) covariance of the move accumulated over *steps* steps (steps are uncorrelated)."""
        v = self.step_volatilities(steps)
        return self.correlation * (v.T @ v)
