"""Path betas of the key rates, and what is left of the 10-year: the term-premium remainder.

    Δ y^n = a + φ_n Δ y^2y + e                          path channel (METHOD 6), monthly averages
    u = Δ y^10y − φ_10 Δ y^2y                           the remainder
    Δ y^n = a + φ_n' Δ y^2y + ψ_n u + e                 ψ: how a move of the premium is spread over the curve

u holds the term premium, but also slow changes of the expected path beyond two years; the ACM decomposition
(Adrian, Crump and Moench 2013) is regressed on it where imported.
"""

from __future__ import annotations

import numpy as np

from factors.definitions import HAC_LAGS_MONTHLY, PATH_SAMPLE_START
from factors.loadings import RATE_COLUMNS
from factors.sensitivities.observations import moves, stack
from factors.sensitivities.prior import Findings
from factors.sensitivities.regression import regress
from riskengine.base.axes import KEY_RATES

LONG_SAMPLE_START = "1976-07"


def rate_rows(found: Findings) -> None:
    """Path betas, the 10-year over the long sample, the profile of the remainder, ACM on both."""
    for tenor in KEY_RATES:
        if tenor != "2Y":
            found.attempt(f"path_beta.{tenor}", "rates", lambda t=tenor: _path_beta(found, t))
    found.attempt("path_beta_long.10Y", "rates", lambda: _path_beta(found, "10Y", LONG_SAMPLE_START))
    for tenor in KEY_RATES:
        if tenor not in ("2Y", "10Y"):
            found.attempt(f"premium_profile.{tenor}", "rates", lambda t=tenor: _profile(found, t))
    found.attempt("acm_premium_on_remainder", "rates", lambda: _acm(found, "remainder"))
    found.attempt("acm_premium_on_2y", "rates", lambda: _acm(found, "2-year"))


def yields(found: Findings, tenor: str) -> np.ndarray:
    """Monthly average yield of a key rate, percentage points."""
    return 100.0 * found.observations.average(f"panel:rates_monthly.{RATE_COLUMNS[tenor]}")


def remainder(found: Findings, start: str = PATH_SAMPLE_START) -> np.ndarray:
    """(T,) u: the change of the 10-year not explained by the 2-year, percentage points, from *start* on."""
    seen = found.observations
    two, ten = moves(yields(found, "2Y")), moves(yields(found, "10Y"))
    fit = regress(seen.since(seen.months, ten, start), two, seen.months, HAC_LAGS_MONTHLY,
                  ["10-year", "2-year"])
    return np.where(seen.months >= np.datetime64(start, "M"), ten - fit.slopes[0] * two, np.nan)


def _path_beta(found: Findings, tenor: str, start: str = PATH_SAMPLE_START) -> None:
    seen = found.observations
    y = seen.since(seen.months, moves(yields(found, tenor)), start)
    fit = regress(y, moves(yields(found, "2Y")), seen.months, HAC_LAGS_MONTHLY, [f"{tenor} yield", "2-year"])
    ten = tenor == "10Y"
    long = start != PATH_SAMPLE_START
    found.add(f"path_beta{'_long' if long else ''}.{tenor}", fit, group="rates",
              dependent=f"{tenor} Treasury yield, monthly average", regressor="2-year yield",
              unit="× 2-year", prior="parameter.ust_path_beta_10y_on_2y" if ten and not long else "",
              engine="diagnostic" if long else "data", used_as="" if long else f"path_beta:{tenor}",
              note="the whole history; the engine uses the sample since 2010" if long else
              "the prior's spread shifts all tenors by their own errors" if ten else "",
              keep_fit="percentage points" if ten and not long else "")


def _profile(found: Findings, tenor: str) -> None:
    seen = found.observations
    y = seen.since(seen.months, moves(yields(found, tenor)), PATH_SAMPLE_START)
    x = stack([remainder(found), moves(yields(found, "2Y"))])
    fit = regress(y, x, seen.months, HAC_LAGS_MONTHLY, [f"{tenor} yield", "remainder", "2-year"])
    found.add(f"premium_profile.{tenor}", fit, group="rates",
              dependent=f"{tenor} Treasury yield, monthly average",
              regressor="remainder of the 10-year (2-year held)", unit="× remainder of the 10-year",
              prior=f"premium_profile.{tenor}", checks=tenor in ("5Y", "30Y"),
              note="compare the tenor profile of the flow channel: the engine uses the stated hump")


def _acm(found: Findings, on: str) -> None:
    seen = found.observations
    premium = seen.month_end("acm.ACMY10") - seen.month_end("acm.ACMRNY10")
    two, ten = seen.ten_year("month_end", "2Y"), seen.ten_year("month_end")
    y = seen.since(seen.months, moves(premium), "1990-01")
    d2, d10 = moves(two), moves(ten)
    fit_u = regress(seen.since(seen.months, d10, "1990-01"), d2, seen.months, HAC_LAGS_MONTHLY,
                    ["10-year", "2-year"])
    u = d10 - fit_u.slopes[0] * d2
    names = ["ACM 10-year premium", "remainder", "2-year"]
    fit = regress(y, stack([u, d2]), seen.months, HAC_LAGS_MONTHLY, names)
    found.add("acm_premium_on_remainder" if on == "remainder" else "acm_premium_on_2y", fit, group="rates",
              slope=0 if on == "remainder" else 1, dependent="ACM 10-year term premium, month end",
              regressor="remainder of the 10-year" if on == "remainder" else "2-year yield (remainder held)",
              unit="× yield", note="how far the 2-year proxy and the ACM model agree on what is premium",
              keep_fit="percentage points" if on == "remainder" else "")
