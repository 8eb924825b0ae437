"""Variance that reacts to its own path: GARCH(1,1) by factor, for steps of a day or a week.

    h_{t+1} = ω + α ε_t² + β h_t,   ω = (1 − α − β) v∞²        E h_t = v∞² + (h_0 − v∞²)(α + β)^t

A GARCH of daily moves implies one of weekly moves with persistence (α + β)^5 and another split into news
and memory (temporal aggregation of Drost and Nijman 1993, Econometrica 61, flow variables).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from riskengine.base.errors import InputError, Problem
from riskengine.factor_model import FactorModel

DAYS_PER_WEEK = 5


@dataclass(frozen=True, slots=True)
class PathModel:
    """Joint moves per step whose variances follow their own recursion; K factors.

    step_days : length of a step, 1 or 5.  cholesky : (K, K) lower factor of the correlation of e.
    start : (K,) variance of the first step.  omega, alpha, beta : (K,) ≥ 0, α + β < 1.
    dof : ν > 2 of Student-t noise.  residuals : (R, K) standardised rows for filtered historical noise.
    """

    step_days: int
    cholesky: np.ndarray
    start: np.ndarray
    omega: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    dof: float = np.inf
    residuals: np.ndarray | None = None

    def __post_init__(self) -> None:
        k = np.shape(self.start)[0] if np.ndim(self.start) == 1 else 0
        problems = []
        for name in ("cholesky", "start", "omega", "alpha", "beta"):
            value = np.array(getattr(self, name), dtype=np.float64, order="C")
            value.flags.writeable = False
            object.__setattr__(self, name, value)
            shape = (k, k) if name == "cholesky" else (k,)
            if k == 0 or value.shape != shape or not np.isfinite(value).all():
                problems.append(Problem(f"{name} must be finite of shape {shape}", got=str(value.shape)))
            elif name != "cholesky" and (value < 0).any():
                problems.append(Problem(f"{name} must not be negative", got=str(float(value.min()))))
        if not problems and not (self.alpha + self.beta < 1).all():
            worst = float((self.alpha + self.beta).max())
            problems.append(Problem("the variance needs a long run: alpha + beta < 1", got=f"{worst:.6g}"))
        if problems:
            raise InputError(problems)

    @property
    def long_run(self) -> np.ndarray:
        """(K,) long-run variance per step, ω/(1 − α − β)."""
        return self.omega / (1.0 - self.alpha - self.beta)

    def expected_variances(self, steps: int) -> np.ndarray:
        """(steps, K) E h_t = v∞² + (h_0 − v∞²)(α + β)^t: what FactorModel.step_volatilities squares to."""
        t = np.arange(steps)[:, None]
        return self.long_run + (self.start - self.long_run) * (self.alpha + self.beta) ** t


def path_model(model: FactorModel, news: np.ndarray | None = None) -> PathModel:
    """The recursion behind a factor model: variance today and in the long run, persistence ρ = α + β.

    The expected variance of every step is that of the plain simulation whatever α is.

    Parameters
    ----------
    news : (K,) α per step of the model, the weight of the last squared shock, 0 ≤ α ≤ ρ.  None: the daily
        estimates of the model's diagnostics (α + γ/2 of an asymmetric fit), aggregated for a weekly model;
        a factor without an estimate has α = 0, its variance only decays to the long run.
    """
    if news is None:
        news = _estimated_news(model)
    news = np.asarray(news, dtype=np.float64)
    if news.shape != model.persistence.shape:
        raise InputError(Problem("news must be (K,)", got=str(news.shape),
                                 accepted=str(model.persistence.shape)))
    over = np.flatnonzero(~((news >= 0) & (news <= model.persistence)))
    if over.size:
        raise InputError([Problem("news must lie between 0 and the persistence of the variance",
                                  field=model.axis.labels[k], got=f"{news[k]:.6g}",
                                  accepted=f"0 … {model.persistence[k]:.6g}") for k in over])
    return PathModel(
        step_days=model.step_days, cholesky=np.tril(model.cholesky), start=model.vol_now**2,
        omega=(1.0 - model.persistence) * model.vol_long_run**2, alpha=news, beta=model.persistence - news,
        dof=float(model.dof), residuals=model.residuals,
    )


def aggregate_garch(alpha: float, beta: float, kurtosis: float, steps: int) -> tuple[float, float]:
    """(α_m, β_m) of the sum of *steps* moves of a symmetric GARCH(1,1).

    kurtosis : of the standardised shocks z (3 when normal); infinite when the moves have no fourth moment.

    Drost and Nijman (1993), eq. 13–15: α_m + β_m = ρ^m, β_m/(1 + β_m²) = (a ρ^m − b)/(a (1 + ρ^{2m}) − 2b).
    """
    rho = alpha + beta
    if alpha == 0.0 or steps == 1:
        return (alpha, beta) if steps == 1 else (0.0, rho**steps)
    room = 1.0 - rho**2 - (kurtosis - 1.0) * alpha**2
    total = kurtosis * (1.0 - rho**2) / room if room > 0 and math.isfinite(kurtosis) else math.inf
    carry = alpha * (1.0 - beta * rho)
    a = steps * (1.0 - beta) ** 2
    a += (2.0 * steps * (steps - 1) * (1.0 - rho) ** 2 * (1.0 - beta**2 - 2.0 * alpha * beta)
          / ((total - 1.0) * (1.0 - rho**2)))
    a += 4.0 * (steps - 1 - steps * rho + rho**steps) * carry / (1.0 - rho**2)
    b = carry * (1.0 - rho ** (2 * steps)) / (1.0 - rho**2)
    ratio = (a * rho**steps - b) / (a * (1.0 + rho ** (2 * steps)) - 2.0 * b)
    later = 2.0 * ratio / (1.0 + math.sqrt(max(0.0, 1.0 - 4.0 * ratio**2)))
    later = min(max(later, 0.0), rho**steps)
    return rho**steps - later, later


def _estimated_news(model: FactorModel) -> np.ndarray:
    news = np.zeros(len(model.axis))
    steps = DAYS_PER_WEEK if model.step_days == DAYS_PER_WEEK else 1
    for row in model.diagnostics:
        if row.get("kind") != "factor" or not row.get("alpha") or row["factor"] not in model.axis:
            continue
        k = model.axis.index(row["factor"])
        nu = row.get("nu") or math.inf
        kurtosis = 3.0 + 6.0 / (nu - 4.0) if nu > 4.0 else math.inf
        alpha = row["alpha"] + 0.5 * (row.get("gamma") or 0.0)
        daily = model.persistence[k] ** (1.0 / steps)
        if daily >= alpha:  # a model that holds a variance constant has persistence 0
            news[k] = aggregate_garch(alpha, daily - alpha, kurtosis, steps)[0]
    return news
