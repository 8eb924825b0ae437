"""Least squares with Newey–West (HAC) errors on what was observed; what cannot be estimated is said by name.

    y_t = a + b' x_t + e_t,    V(b) = (X'X)⁻¹ S (X'X)⁻¹,    S = Σ_{|j| ≤ L} (1 − |j|/(L + 1)) Σ_t x_t e_t
    e_{t−j} x_{t−j}'

Newey and West (1987), Bartlett kernel, no small-sample factor: the defaults of statsmodels
``OLS(...).fit(cov_type="HAC", cov_kwds={"maxlags": L})``.

Time keeps counting through a hole in a series (the flows of 2021–22): e_t and e_{t−j} are neighbours at lag j
only when they lie j periods apart on the calendar, not j rows apart.  The missing periods enter S as zeros
(Parzen 1963, "amplitude modulated"; Datta and Du 2012, Federal Reserve IFDP 1060), so S stays positive
semi-definite; without a hole it is statsmodels' to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm

MINIMUM = 60
"""Observations below which nothing is estimated (quarterly series: QUARTERLY_MINIMUM)."""
QUARTERLY_MINIMUM = 40
CONDITION_LIMIT = 1e4
"""Largest condition number of the correlation of the regressors; beyond it they say the same thing."""


class NotEstimable(ValueError):
    """A regression that has no answer on these data; the message is the reason, ``needs`` the missing
    series."""

    def __init__(self, reason: str, needs: str = "") -> None:
        super().__init__(reason)
        self.reason, self.needs = reason, needs


@dataclass(frozen=True, slots=True)
class Fit:
    """y on a constant and X: slopes (J,) and their HAC covariance; rows used are complete.

    intercept; r2; lag; dates (T,) datetime64; periods (T,) rows of the calendar, so that their differences
    are distances in time; y, residuals (T,); x (T, J) without the constant.
    """

    slopes: np.ndarray
    covariance: np.ndarray
    intercept: float
    r2: float
    lag: int
    dates: np.ndarray
    periods: np.ndarray
    y: np.ndarray
    x: np.ndarray
    residuals: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """(J,) standard errors."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def fitted(self) -> np.ndarray:
        return self.y - self.residuals


def regress(
    y: np.ndarray, x: np.ndarray, dates: np.ndarray, lag: int, names: Sequence[str], minimum: int = MINIMUM,
) -> Fit:
    """OLS of y (T,) on a constant and x (T, J) over the rows without NaN; *names*: y's, then the regressors'.

    dates : (T,) one calendar without holes, missing periods as NaN in y or x: a row is a period.
    NotEstimable: fewer than *minimum* rows, infinite values, a series without variation, collinear
    regressors, an exact fit.
    """
    x = x[:, None] if x.ndim == 1 else x
    checked(y, x, names)
    rows = np.isfinite(y) & np.isfinite(x).all(axis=1)
    y, x, dates = y[rows], np.ascontiguousarray(x[rows]), dates[rows]
    if len(y) < minimum:
        raise NotEstimable(f"too short: {len(y)} complete observations of {', '.join(names)}, "
                           f"at least {minimum}")
    varied(y, x, names)
    periods = np.flatnonzero(rows)
    design = sm.add_constant(x, has_constant="add")
    fit = sm.OLS(with_holes(y, periods), with_holes(design, periods)).fit(
        cov_type="HAC", cov_kwds={"maxlags": lag})
    residuals = np.asarray(fit.resid)[periods - periods[0]]
    r2 = float(1.0 - np.dot(residuals, residuals) / np.sum((y - y.mean()) ** 2))
    if r2 > 1.0 - 1e-12:
        raise NotEstimable(f"an exact fit: {names[0]} is a copy of {', '.join(names[1:])}")
    return Fit(np.asarray(fit.params[1:]), np.asarray(fit.cov_params())[1:, 1:], float(fit.params[0]), r2,
               lag, dates, periods, y, x, residuals)


def with_holes(rows: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """*rows* (T, …) at their *periods* (T,) ascending, zeros at those between that are missing: what lies j
    rows apart in the result lies j periods apart in time, and a zero adds nothing to a sum."""
    first, last = int(periods[0]), int(periods[-1])
    if last - first + 1 == len(rows):
        return rows
    out = np.zeros((last - first + 1, *rows.shape[1:]))
    out[periods - first] = rows
    return out


def checked(y: np.ndarray, x: np.ndarray, names: Sequence[str]) -> None:
    """NotEstimable when a series holds an infinity: broken at the source, not missing."""
    broken = [n for n, c in zip(names, [y, *x.T], strict=True) if np.isinf(c).any()]
    if broken:
        raise NotEstimable(f"broken: infinite values (a zero or negative level?) in {', '.join(broken)}")


def varied(y: np.ndarray, x: np.ndarray, names: Sequence[str]) -> None:
    """NotEstimable when a series never moves or the regressors are collinear."""
    constant = [n for n, c in zip(names, [y, *x.T], strict=True)
                if np.ptp(c) <= 1e-12 * max(1.0, float(np.abs(c).max()))]
    if constant:
        raise NotEstimable(f"constant: {', '.join(constant)} does not move in {len(y)} observations")
    if x.shape[1] > 1:
        condition = float(np.linalg.cond(np.corrcoef(x.T)))
        if not condition < CONDITION_LIMIT:
            raise NotEstimable(f"collinear: {', '.join(names[1:])} (condition number {condition:.3g})")
