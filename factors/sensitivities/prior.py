"""Prior, data and posterior of each coefficient, and a row of the table out of a fit.

The rule is that of :mod:`factors.shrinkage`: precisions add, the posterior lies between prior and data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from factors.sensitivities.observations import Observations
from factors.sensitivities.regression import Fit, NotEstimable
from factors.sensitivities.stability import WINDOW_MONTHS, stability
from factors.shrinkage import combine
from riskengine.base.sensitivity import Exclusion, Fitted, LocalProjection, Prior, QuantileFit, Sensitivity

T = TypeVar("T")
POINTS = 420
"""Most observations of one regression that are kept for the page."""


@dataclass(slots=True)
class Findings:
    """What the modules of this folder add to: rows, projections, quantiles, exclusions."""

    observations: Observations
    priors: Mapping[str, Prior]
    rows: list[Sensitivity] = field(default_factory=list)
    projections: list[LocalProjection] = field(default_factory=list)
    quantiles: list[QuantileFit] = field(default_factory=list)
    exclusions: list[Exclusion] = field(default_factory=list)

    def attempt(self, row_id: str, group: str, what: Callable[[], T]) -> T | None:
        """Run *what*; what cannot be estimated becomes an exclusion row under *row_id*."""
        try:
            return what()
        except NotEstimable as error:
            self.exclusions.append(Exclusion(row_id, group, error.reason, error.needs))
            return None

    def add(
        self, row_id: str, fit: Fit, *, group: str, dependent: str, regressor: str, unit: str,
        dollar: str = "",
        slope: int = 0, sign: float = 1.0, prior: str = "", engine: str = "diagnostic", used_as: str = "",
        note: str = "", keep_fit: str = "", window: int = WINDOW_MONTHS, checks: bool = True,
        method: str = "OLS", identified: bool = True,
    ) -> Sensitivity:
        """A row of the table from slope number *slope* of *fit*, times *sign*; *prior*: key of ``priors``.

        keep_fit : unit of y, when realised and fitted values are to be drawn.
        """
        ordered = _first(fit, slope)
        value, se = float(ordered.slopes[0]) * sign, float(ordered.errors[0]) * abs(sign)
        if not (np.isfinite(value) and np.isfinite(se) and se > 0):
            raise NotEstimable(f"the standard error of {regressor} is {se}: an exact fit or a broken series")
        row = posterior_row(
            row_id, value, se, self.priors.get(prior) if prior else None, group=group, dependent=dependent,
            regressor=regressor, unit=unit, dollar=dollar, lag=fit.lag, first=str(fit.dates[0])[:10],
            last=str(fit.dates[-1])[:10], n=fit.n, r2=fit.r2, method=f"{method}, Newey–West ({fit.lag})",
            engine=engine, used_as=used_as, note=note, identified=identified,
            stability=scaled(stability(ordered, window), sign) if checks else None,
            fitted=_kept(fit, keep_fit) if keep_fit else None)
        self.rows.append(row)
        return row


def posterior_row(row_id: str, value: float, se: float, prior: Prior | None, **rest: object) -> Sensitivity:
    """The row of one coefficient, shrunk to *prior* where there is one."""
    if prior is None:
        return Sensitivity(id=row_id, estimate=value, se=se, posterior=value, posterior_se=se, **rest)
    both = combine(prior.value, prior.se, value, se)
    return Sensitivity(id=row_id, estimate=value, se=se, posterior=both.value, posterior_se=both.se,
                       prior=prior,
                       conflict=both.conflict, **rest)


def scaled(found, sign: float):
    """The checks of −x from those of x."""
    from dataclasses import replace

    if sign == 1.0 or found is None:
        return found
    return replace(found, without_influential=found.without_influential * sign,
                   rolling=tuple(v * sign for v in found.rolling),
                   rolling_se=tuple(v * abs(sign) for v in found.rolling_se))


def _first(fit: Fit, slope: int) -> Fit:
    """The same fit with regressor *slope* in front, so that the checks speak of it."""
    if slope == 0:
        return fit
    order = [slope, *(j for j in range(fit.x.shape[1]) if j != slope)]
    return replace(fit, slopes=fit.slopes[order], covariance=fit.covariance[np.ix_(order, order)],
                   x=fit.x[:, order])


def _kept(fit: Fit, unit: str) -> Fitted:
    rows = slice(-POINTS, None)
    return Fitted(tuple(str(d)[:10] for d in fit.dates[rows]), tuple(float(v) for v in fit.y[rows]),
                  tuple(float(v) for v in fit.fitted[rows]), unit)
